package resilience

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestHedgeDelay(t *testing.T) {
	const ms = time.Millisecond
	known := func(p95 time.Duration) Summary { return Summary{Samples: 20, P95: p95} }
	for _, tc := range []struct {
		name          string
		h             Hedge
		called, other Summary
		want          time.Duration // 0 for no hedge
	}{
		{"its own p95", Hedge{}, known(80 * ms), Summary{}, 80 * ms},
		{"too little is known", Hedge{}, Summary{Samples: 19, P95: 80 * ms}, known(80 * ms), 0},
		{"nothing is known", Hedge{}, Summary{}, Summary{}, 0},
		{"never sooner than the least", Hedge{}, known(ms), Summary{}, 10 * ms},
		{"never later than the most", Hedge{}, known(time.Minute), Summary{}, 2 * time.Second},
		{"a slow agent beside a fast one", Hedge{}, known(200 * ms), known(20 * ms), 40 * ms},
		{"a fast agent beside a slow one", Hedge{}, known(20 * ms), known(200 * ms), 20 * ms},
		{"two alike", Hedge{}, known(50 * ms), known(45 * ms), 50 * ms},
		{"little is known of the other", Hedge{}, known(200 * ms), Summary{Samples: 19, P95: ms}, 200 * ms},
		{"peers do not count", Hedge{PeerFactor: -1}, known(200 * ms), known(20 * ms), 200 * ms},
		{"a patient factor", Hedge{PeerFactor: 5}, known(200 * ms), known(20 * ms), 100 * ms},
		{"own bounds", Hedge{Min: 5 * ms, Max: 30 * ms, MinSamples: 3}, Summary{Samples: 3, P95: 40 * ms}, Summary{}, 30 * ms},
		{"the least wins over the most", Hedge{Min: 50 * ms, Max: 30 * ms}, known(ms), Summary{}, 50 * ms},
	} {
		got, ok := tc.h.Delay(tc.called, tc.other)
		if got != tc.want || ok != (tc.want > 0) {
			t.Errorf("%s: %s, %v; want %s", tc.name, got, ok, tc.want)
		}
	}
}

// Two agents, one of them 20 times slower throughout, and a ranking that still gives that one every seventh call: statistics, hedge
// delay and budget together bring p99 to a quarter of what it was, for at most a fifth more calls.
func TestHedgingCutsTheTailWithinItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 3000
		plain, extra := tail(calls, false)
		if extra != 0 || plain < 190*time.Millisecond {
			t.Fatalf("p99 %s with %d extra calls: the test has no tail to cut", plain, extra)
		}
		hedged, extra := tail(calls, true)
		if hedged > plain/4 || extra > calls/5 {
			t.Fatalf("p99 %s hedged and %s without, %d extra calls of %d", hedged, plain, extra, calls)
		}
	})
}

// tail makes calls one after the other and returns their p99 and how many second attempts they cost.
func tail(calls int, hedging bool) (p99 time.Duration, extra int) {
	r := rand.New(rand.NewPCG(1, 10))
	stats, budget := NewStats(0), NewRetryBudget(BudgetConfig{})
	answer := func(agent string) time.Duration {
		usual := map[string]time.Duration{"fast": 10 * time.Millisecond, "slow": 200 * time.Millisecond}[agent]
		return time.Duration(float64(usual) * (0.9 + 0.2*r.Float64()))
	}
	var took []time.Duration
	for i := range calls {
		first, second := "fast", "slow"
		if i%7 == 0 {
			first, second = second, first
		}
		budget.Call()
		d := answer(first)
		lost := false
		delay, known := Hedge{}.Delay(stats.Summary(first, "define"), stats.Summary(second, "define"))
		if hedging && known && delay < d && budget.Take() {
			extra++
			if hedge := answer(second); delay+hedge < d {
				d, lost = delay+hedge, true
				stats.Series(second, "define").Observe(hedge, true)
			}
		}
		if lost {
			stats.Series(first, "define").GaveUp(d)
		} else {
			stats.Series(first, "define").Observe(d, true)
		}
		took = append(took, d)
		time.Sleep(d)
	}
	slices.Sort(took)
	return took[calls*99/100], extra
}
