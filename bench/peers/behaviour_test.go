package peers

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"

	"github.com/myriad-mind/myriad/internal/resilience"
)

// These tests hold down why neither library was taken. When one fails after an update, the decision is worth another look.

// A state listener that asks the breaker for its state: gobreaker calls it under its lock.
func TestGobreakerTellsUnderItsLock(t *testing.T) {
	told := make(chan struct{})
	var b *gobreaker.TwoStepCircuitBreaker[any]
	b = gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 3 },
		OnStateChange: func(string, gobreaker.State, gobreaker.State) {
			asked := make(chan struct{})
			go func() { b.State(); close(asked) }()
			select {
			case <-asked:
				t.Error("the listener could ask the breaker")
			case <-time.After(100 * time.Millisecond): // a listener asking directly would wait for ever
			}
			close(told)
		},
	})
	for range 3 {
		done, err := b.Allow()
		if err != nil {
			t.Fatal(err)
		}
		done(errors.New("x"))
	}
	<-told
}

// A success that began before the breaker opened closes a half-open failsafe-go breaker: its permits know no generation.
func TestFailsafeTakesLateResultsForProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.NewBuilder[any]().WithFailureThreshold(3).WithDelay(30 * time.Second).Build()
		b.TryAcquirePermit() // slow call, begun while closed
		for range 3 {
			b.TryAcquirePermit()
			b.RecordFailure()
		}
		time.Sleep(30 * time.Second)
		if !b.TryAcquirePermit() {
			t.Fatal("no probe")
		}
		b.RecordSuccess() // of the slow call; the probe is still under way
		if !b.IsClosed() {
			t.Fatal("the late result did not count")
		}
	})
}

// A probe that ends for nobody's fault cannot be given back to a failsafe-go breaker: there is nothing to call but success and
// failure. It stays half-open and rejects for ever.
func TestFailsafeLosesAProbeThatIsNotReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.NewBuilder[any]().WithFailureThreshold(3).WithDelay(30 * time.Second).Build()
		for range 3 {
			b.TryAcquirePermit()
			b.RecordFailure()
		}
		time.Sleep(30 * time.Second)
		for b.TryAcquirePermit() { // as many as it gives, their callers gone
		}
		time.Sleep(24 * time.Hour)
		if b.TryAcquirePermit() {
			t.Fatal("the probe came back")
		}
	})
}

// The same with a gobreaker two-step permit that nobody reports, as after a panic.
func TestGobreakerLosesAProbeThatIsNotReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{Timeout: 30 * time.Second})
		for range 6 {
			done, _ := b.Allow()
			done(errors.New("x"))
		}
		time.Sleep(31 * time.Second)
		if _, err := b.Allow(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		if _, err := b.Allow(); err == nil {
			t.Fatal("the probe came back")
		}
	})
}

// Ours in the same places.
func TestOursInTheSamePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *resilience.Breaker
		b = resilience.NewBreaker("x", resilience.BreakerConfig{}, func(resilience.Change) { b.Snapshot() })
		late, _ := b.Acquire()
		for range 3 {
			p, _ := b.Acquire()
			p.Done(resilience.Failure)
		}
		time.Sleep(time.Minute)
		if _, err := b.Acquire(); err != nil { // a probe that nobody will report
			t.Fatal(err)
		}
		late.Done(resilience.Success)
		if s := b.State(); s != resilience.HalfOpen {
			t.Fatalf("state %s after a late success", s)
		}
		time.Sleep(time.Minute)
		if _, err := b.Acquire(); err != nil {
			t.Fatalf("the lost probe did not come back: %v", err)
		}
	})
}
