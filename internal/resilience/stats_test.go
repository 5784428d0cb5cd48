package resilience

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestHistogramBucketsMeetWithoutGaps(t *testing.T) {
	if bucketOf(-time.Second) != 0 || bucketOf(0) != 0 || bucketOf(math.MaxInt64) != histogramBuckets-1 {
		t.Fatal("the ends are off")
	}
	for i := range uint8(histogramBuckets - 1) {
		end := bucketEnd(i)
		if bucketOf(end-1) != i || bucketOf(end) != i+1 {
			t.Fatalf("bucket %d ends at %s, which is in bucket %d after %d", i, end, bucketOf(end), bucketOf(end-1))
		}
	}
	if end := bucketEnd(histogramBuckets - 1); end < time.Hour {
		t.Fatalf("the last bucket ends at %s", end)
	}
}

// The estimate is never below the true quantile and at most a bucket above it, whatever the distribution.
func TestHistogramQuantileIsCloseFromAbove(t *testing.T) {
	eachSeed(t, 200, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 8))
		var h histogram
		scale, spread := math.Exp(20*r.Float64()), 3*r.Float64()
		var all []time.Duration
		for range 1 + r.IntN(histogramBound-1) {
			d := min(time.Duration(1000*scale*math.Exp(spread*r.NormFloat64())), time.Hour)
			h.add(d)
			all = append(all, d)
		}
		slices.Sort(all)
		for _, q := range []float64{0.5, 0.95, 0.99} {
			exact := all[len(all)-1-int(float64(len(all))*(1-q))]
			got := h.quantile(q)
			if got < exact || float64(got) > 1.25*float64(exact)+2000 {
				t.Fatalf("quantile %g of %d durations is %s, the true one %s", q, len(all), got, exact)
			}
		}
	})
}

func TestHistogramForgets(t *testing.T) {
	var h histogram
	for range 10_000 {
		h.add(time.Second)
	}
	for range 5 * histogramBound {
		h.add(time.Millisecond)
	}
	if p := h.quantile(0.95); p > 2*time.Millisecond {
		t.Fatalf("p95 %s long after the last slow answer", p)
	}
	if h.total >= histogramBound {
		t.Fatalf("%d counts held", h.total)
	}
}

func TestSeriesSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Series
		if got := s.Summary(); got != (Summary{SuccessRatio: 1}) {
			t.Fatalf("a new series knows %+v", got)
		}
		for range 40 {
			s.Observe(100*time.Millisecond, true)
		}
		time.Sleep(time.Second)
		s.Observe(time.Millisecond, false) // refused at once: no sign of speed
		got := s.Summary()
		if got.Attempts != 41 || got.Successes != 40 || got.Samples != 40 || got.Latency != 100*time.Millisecond ||
			got.P95 < 100*time.Millisecond || got.P95 > 125*time.Millisecond || !got.LastAt.Equal(time.Now()) {
			t.Fatalf("%+v", got)
		}
		if want := 42.0 / 43; got.SuccessRatio != want {
			t.Fatalf("success ratio %g, want %g", got.SuccessRatio, want)
		}
		for range 5 {
			s.Observe(10*time.Second, false) // time-outs: a sign of slowness
		}
		if got = s.Summary(); got.Samples != 45 || got.Latency < 3*time.Second || got.P95 < 10*time.Second {
			t.Fatalf("%+v", got)
		}
	})
}

func TestFailuresAloneSayNothingOfSpeed(t *testing.T) {
	var s Series
	for range 10 {
		s.Observe(time.Microsecond, false)
	}
	if got := s.Summary(); got.Samples != 0 || got.Latency != 0 || got.SuccessRatio > 0.2 {
		t.Fatalf("%+v", got)
	}
}

// An agent that became slow and loses every hedge must not look as fast as ever.
func TestLostHedgesTellOfSlownessOnly(t *testing.T) {
	var s Series
	s.GaveUp(time.Second) // nothing to compare with
	for range 30 {
		s.Observe(10*time.Millisecond, true)
	}
	s.GaveUp(5 * time.Millisecond) // lost early: no sign of anything
	before := s.Summary()
	for range 30 {
		s.GaveUp(50 * time.Millisecond)
	}
	got := s.Summary()
	if before.Samples != 30 || got.Attempts != 30 || got.Successes != 30 || got.SuccessRatio != before.SuccessRatio {
		t.Fatalf("a lost hedge counted: %+v, then %+v", before, got)
	}
	if got.Latency < 40*time.Millisecond || got.P95 < 50*time.Millisecond {
		t.Fatalf("still thought fast: %+v", got)
	}
}

func TestSuccessRatioIsOfRecentAttempts(t *testing.T) {
	var s Series
	for range 10_000 {
		s.Observe(time.Millisecond, true)
	}
	for range 4 * recentBound {
		s.Observe(time.Millisecond, false)
	}
	if got := s.Summary(); got.SuccessRatio > 0.1 || got.Successes != 10_000 {
		t.Fatalf("%+v", got)
	}
	for range 4 * recentBound {
		s.Observe(time.Millisecond, true)
	}
	if got := s.Summary(); got.SuccessRatio < 0.9 {
		t.Fatalf("%+v", got)
	}
}

func TestStatsEvictTheLongestUnused(t *testing.T) {
	s := NewStats(3)
	for _, agent := range []string{"a", "b", "c"} {
		s.Series(agent, "define").Observe(time.Millisecond, true)
	}
	s.Series("a", "define")
	s.Summary("b", "define") // looking is not using
	s.Series("d", "define")
	for agent, attempts := range map[string]uint64{"a": 1, "b": 0, "c": 1, "d": 0} {
		if got := s.Summary(agent, "define"); got.Attempts != attempts {
			t.Errorf("%s has %d attempts, want %d", agent, got.Attempts, attempts)
		}
	}
	if n, evicted := s.Len(); n != 3 || evicted != 1 {
		t.Fatalf("%d series, %d evicted", n, evicted)
	}
}

func TestStatsForget(t *testing.T) {
	s := NewStats(0)
	kept := s.Series("a", "define")
	for i := range 10 {
		s.Series("gone", fmt.Sprint(i))
	}
	s.Forget("gone")
	s.Forget("never seen")
	if n, _ := s.Len(); n != 1 || s.Series("a", "define") != kept || len(s.agents) != 1 {
		t.Fatalf("%d series left", n)
	}
}

// The registry holds what a plain list of uses, newest last and cut to the limit, would hold.
func TestStatsAreTheirModel(t *testing.T) {
	eachSeed(t, 50, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 9))
		limit := 1 + r.IntN(8)
		s := NewStats(limit)
		type key struct{ agent, intent string }
		var model []key
		for range 500 {
			k := key{fmt.Sprint(r.IntN(5)), fmt.Sprint(r.IntN(4))}
			if r.IntN(10) == 0 {
				s.Forget(k.agent)
				model = slices.DeleteFunc(model, func(m key) bool { return m.agent == k.agent })
				continue
			}
			s.Series(k.agent, k.intent)
			model = append(slices.DeleteFunc(model, func(m key) bool { return m == k }), k)
			model = model[max(len(model)-limit, 0):]
			var got []key
			for x := s.ring.newer; x != &s.ring; x = x.newer {
				got = append(got, key{x.agent, x.intent})
			}
			if !slices.Equal(got, model) || s.size != len(model) {
				t.Fatalf("holds %v (%d), want %v", got, s.size, model)
			}
		}
	})
}

func TestStatsUnderConcurrency(t *testing.T) {
	s := NewStats(8)
	var wg sync.WaitGroup
	for g := range 20 {
		wg.Go(func() {
			for i := range 300 {
				agent := fmt.Sprint((g + i) % 12)
				s.Series(agent, "define").Observe(time.Millisecond, i%3 > 0)
				s.Summary(agent, "define")
				if i%50 == 0 {
					s.Forget(agent)
				}
			}
		})
	}
	wg.Wait()
	if n, _ := s.Len(); n > 8 {
		t.Fatalf("%d series, want at most 8", n)
	}
}
