package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
	"github.com/myriad-mind/myriad/internal/faultproxy"
)

// BenchmarkOneOfTenDead compares how many tasks of nine agents are answered while the tenth is well, and while it is dead in one of two ways and its breaker has
// opened. Every run asks all ten, so that the tenth is asked as often as the others. Pairs alternate.
func BenchmarkOneOfTenDead(b *testing.B) {
	for name, fault := range map[string]faultproxy.Fault{"refuses": {Mode: faultproxy.Refuse}, "hangs": {Mode: faultproxy.Blackhole}} {
		b.Run(name, func(b *testing.B) {
			f := newBenchFleet(b)
			var ratios, rates []float64
			f.measure(b, time.Second)
			for range 15 {
				well := f.measure(b, 400*time.Millisecond)
				f.tenthIs(b, fault, "open")
				dead := f.measure(b, 400*time.Millisecond)
				f.tenthIs(b, faultproxy.Fault{}, "closed")
				ratios, rates = append(ratios, dead/well), append(rates, well)
			}
			b.Logf("one of ten %s: the others' tasks %.0f/s when all are well, %.3f of it beside the dead one (%.3f to %.3f)", name, median(rates), median(ratios),
				slices.Min(ratios), slices.Max(ratios))
			b.ReportMetric(median(ratios), "of-healthy")
		})
	}
}

// benchFleet is a server before ten agents that each take 2 ms.
type benchFleet struct {
	client *client.Client
	tenth  *patient
}

const benchCallers = 20

func newBenchFleet(b *testing.B) *benchFleet {
	b.Helper()
	_, c := startServer(b, wide(200), func(cfg *config.Config) { cfg.Call.AttemptTimeout = time.Second })
	f := &benchFleet{client: c}
	for i := range 10 {
		name, url := fmt.Sprintf("Agent%d_AI", i), startAgent(b, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			time.Sleep(2 * time.Millisecond)
			say(w, "here")
		})
		if i == 9 {
			f.tenth = startPatient(b, "Tenth_AI", 1)
			f.tenth.agent.Set(faultproxy.Behaviour{Delay: 2 * time.Millisecond})
			name, url = f.tenth.name, f.tenth.proxy.URL()+"/query"
		}
		put(b, c, myriad.Agent{Name: name, Endpoint: url, Concepts: []string{fmt.Sprint("concept", i)}, MaxConcurrency: 20})
	}
	return f
}

// tenthIs breaks the tenth agent, or mends it, and waits until its breaker says so.
func (f *benchFleet) tenthIs(b *testing.B, fault faultproxy.Fault, state string) {
	b.Helper()
	if err := f.tenth.proxy.Set(fault); err != nil {
		b.Fatal(err)
	}
	if state == "closed" { // rather than wait half a minute for the probe
		for _, action := range []string{client.BreakerClose, client.BreakerAuto} {
			if _, err := f.client.SetBreaker(b.Context(), f.tenth.name, action); err != nil {
				b.Fatal(err)
			}
		}
	}
	plan := client.Plan{}
	for i := range tripsAfter {
		plan.Add(client.Task{ID: fmt.Sprint(i), Concept: "concept9", Intent: "do"})
	}
	soon(b, "the breaker of the tenth agent is "+state, func() bool {
		if _, err := f.client.Run(b.Context(), plan); err != nil {
			b.Fatal(err)
		}
		states, err := f.client.Breaker(b.Context(), f.tenth.name)
		if err != nil {
			b.Fatal(err)
		}
		return len(states) == 1 && states[0].State == state
	})
}

// measure asks all ten for d and gives how many tasks the first nine answered in a second.
func (f *benchFleet) measure(b *testing.B, d time.Duration) float64 {
	b.Helper()
	var answered atomic.Int64
	var all sync.WaitGroup
	begin := time.Now()
	for range benchCallers {
		all.Go(func() {
			for time.Since(begin) < d {
				plan := client.Plan{}
				for i := range 10 {
					plan.Add(client.Task{ID: fmt.Sprint(i), Concept: fmt.Sprint("concept", i), Intent: "do"})
				}
				rec, err := f.client.Run(b.Context(), plan)
				if err != nil {
					b.Error(err)
					return
				}
				for i := range rec.Results {
					if r := &rec.Results[i]; r.TaskID.Key != "9" {
						if !r.Succeeded {
							b.Errorf("a task of a healthy agent: %s", r.ErrorMessage)
						}
						answered.Add(1)
					}
				}
			}
		})
	}
	all.Wait()
	return float64(answered.Load()) / time.Since(begin).Seconds()
}

// BenchmarkHedging compares the slowest of the answers with and without hedges while one of two candidates answers 20 times slower than the other: how long
// 99 of 100 tasks take at the most, and how many calls the agents get for them. Servers with and without hedges alternate, both fresh.
func BenchmarkHedging(b *testing.B) {
	var tails, calls, slowest []float64
	for range 3 {
		without, one := hedged(b, false)
		with, more := hedged(b, true)
		tails, calls, slowest = append(tails, with/without), append(calls, more/one), append(slowest, without)
	}
	b.Logf("one of two answers 20 times slower: p99 %.0f ms without hedges, %.3f of it with them (%.3f to %.3f); calls %.3f (%.3f to %.3f)", median(slowest)*1000,
		median(tails), slices.Min(tails), slices.Max(tails), median(calls), slices.Min(calls), slices.Max(calls))
	b.ReportMetric(median(tails), "of-p99")
	b.ReportMetric(median(calls), "calls")
}

// hedged gives the p99 of tasks in seconds, and the calls for each of them.
func hedged(b *testing.B, on bool) (p99, calls float64) {
	b.Helper()
	const fast, callers, warm, each = 20 * time.Millisecond, 8, 60, 150 // hedges need to know an agent's times
	_, c := startServer(b, func(cfg *config.Config) { cfg.Hedge.Enabled, cfg.Cache.Enabled = on, false })
	var got [2]atomic.Int64
	for i, takes := range []time.Duration{fast, 20 * fast} {
		url := startAgent(b, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			got[i].Add(1)
			time.Sleep(takes)
			say(w, "here")
		})
		put(b, c, myriad.Agent{Name: fmt.Sprintf("Agent%d_AI", i), Endpoint: url, Concepts: []string{"both"}, MaxConcurrency: callers})
	}
	ask := func(n int) *myriad.RunRecord {
		rec, err := c.Run(b.Context(), client.Plan{Tasks: []client.Task{{ID: "1", Concept: "both", Intent: "define", Args: question(n)}}})
		if err != nil || rec.Status != myriad.RunSuccess {
			b.Errorf("%+v, %v", rec, err)
		}
		return rec
	}
	var warming sync.WaitGroup
	for range callers {
		warming.Go(func() {
			for n := 0; n < warm || got[1].Load() < 22; n++ {
				ask(n)
			}
		})
	}
	warming.Wait()
	got[0].Store(0)
	got[1].Store(0)
	var mu sync.Mutex
	var took []float64
	var all sync.WaitGroup
	for who := range callers {
		all.Go(func() {
			for n := range each {
				rec := ask(who*each + n)
				mu.Lock()
				took = append(took, rec.DurationMS/1000)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	slices.Sort(took)
	b.Logf("hedges %v: fast %d, slow %d calls for %d tasks", on, got[0].Load(), got[1].Load(), len(took))
	return took[len(took)*99/100], float64(got[0].Load()+got[1].Load()) / float64(len(took))
}
