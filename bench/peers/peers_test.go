package peers

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"

	"github.com/myriad-mind/myriad/internal/resilience"
)

// contender makes n permits and good reports; each names the rules it has switched on.
type contender struct {
	name string
	run  func(n int)
}

func ours(cfg resilience.BreakerConfig) func(int) {
	b := resilience.NewBreaker("x", cfg, nil)
	return func(n int) {
		for range n {
			p, err := b.Acquire()
			if err != nil {
				panic(err)
			}
			p.Done(resilience.Success)
		}
	}
}

func gobreakerTwoStep(st gobreaker.Settings) func(int) {
	b := gobreaker.NewTwoStepCircuitBreaker[any](st)
	return func(n int) {
		for range n {
			done, err := b.Allow()
			if err != nil {
				panic(err)
			}
			done(nil)
		}
	}
}

func failsafe(b circuitbreaker.CircuitBreaker[any]) func(int) {
	return func(n int) {
		for range n {
			if !b.TryAcquirePermit() {
				panic("open")
			}
			b.RecordSuccess()
		}
	}
}

// The contenders of each class have the same rules, as far as they know them: only ours weighs slow calls.
func consecutive() []contender {
	return []contender{
		{"ours", ours(resilience.BreakerConfig{})},
		{"gobreaker", gobreakerTwoStep(gobreaker.Settings{Timeout: 30 * time.Second, ReadyToTrip: func(c gobreaker.Counts) bool {
			return c.ConsecutiveFailures >= 3
		}})},
		{"failsafe", failsafe(circuitbreaker.NewBuilder[any]().WithFailureThreshold(3).WithDelay(30 * time.Second).Build())},
	}
}

func windowed() []contender {
	return []contender{
		{"ours", ours(resilience.BreakerConfig{FailureRatio: 0.5})},
		{"ours_slow_calls_too", ours(resilience.BreakerConfig{FailureRatio: 0.5, SlowCall: time.Second, SlowRatio: 0.5})},
		{"gobreaker", gobreakerTwoStep(gobreaker.Settings{Interval: 10 * time.Second, BucketPeriod: time.Second,
			ReadyToTrip: func(c gobreaker.Counts) bool {
				return c.Requests >= 20 && 2*c.TotalFailures >= c.Requests
			}})},
		{"failsafe", failsafe(circuitbreaker.NewBuilder[any]().WithFailureRateThreshold(0.5, 20, 10*time.Second).Build())},
	}
}

const rounds = 11

// BenchmarkBreakers lets all contenders of a class take turns, so that a noisy machine is noisy for all of them.
func BenchmarkBreakers(b *testing.B) {
	for _, class := range []struct {
		name       string
		contenders []contender
	}{{"consecutive", consecutive()}, {"window", windowed()}} {
		for _, goroutines := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/goroutines=%d", class.name, goroutines), func(b *testing.B) {
				compare(b, class.contenders, goroutines)
			})
		}
	}
}

func compare(b *testing.B, contenders []contender, goroutines int) {
	each := max(b.N/goroutines/rounds, 1)
	took := make([][]time.Duration, len(contenders))
	for range rounds {
		for i, c := range contenders {
			began := time.Now()
			crowd(goroutines, func() { c.run(each) })
			took[i] = append(took[i], time.Since(began))
		}
	}
	median := func(i int) float64 {
		slices.Sort(took[i])
		return float64(took[i][rounds/2].Nanoseconds()) / float64(each*goroutines)
	}
	first := median(0)
	b.ReportMetric(0, "ns/op") // the time of all contenders together means nothing
	for i, c := range contenders {
		b.ReportMetric(median(i), c.name+"-ns")
		b.ReportMetric(testing.AllocsPerRun(100, func() { c.run(1) }), c.name+"-allocs")
		if i > 0 {
			b.ReportMetric(first/median(i), "ours/"+c.name)
		}
	}
}

// crowd runs f on n goroutines at once.
func crowd(n int, f func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(f)
	}
	wg.Wait()
}
