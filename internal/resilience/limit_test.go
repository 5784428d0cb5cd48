package resilience

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// server serves so many calls at once, each for about the same time, and queues the rest.
type server struct {
	capacity float64
	service  time.Duration
	r        *rand.Rand
}

func (s *server) took(inflight int) time.Duration {
	queueing := max(1, float64(inflight)/s.capacity)
	noise := 0.8 + 0.4*s.r.Float64()
	return time.Duration(float64(s.service) * queueing * noise)
}

// saturate makes calls with every slot in use and returns the mean limit of the last fifth.
func saturate(t *testing.T, l *AdaptiveLimit, s *server, calls int) float64 {
	t.Helper()
	sum, n := 0.0, 0
	for i := range calls {
		inflight := l.Limit()
		limit := l.Update(s.took(inflight), inflight, false)
		if limit < int(l.min) || limit > int(l.max) || limit != l.Limit() {
			t.Fatalf("limit %d outside %g to %g", limit, l.min, l.max)
		}
		if i >= calls*4/5 {
			sum += float64(limit)
			n++
		}
	}
	return sum / float64(n)
}

// settled is where the limit is promised to stay for a server: room for a short queue, no idle capacity.
func settled(capacity float64) (low, high float64) {
	return capacity, 1.5*capacity + 2*math.Sqrt(1.5*capacity) + 2
}

func TestAdaptiveLimitFindsTheCapacityAndStays(t *testing.T) {
	for _, capacity := range []float64{2, 5, 10, 40} {
		for _, initial := range []int{1, 10, 90} {
			t.Run(fmt.Sprintf("%g from %d", capacity, initial), func(t *testing.T) {
				l := NewAdaptiveLimit(LimitConfig{Max: 200, Initial: initial})
				s := &server{capacity, 20 * time.Millisecond, rand.New(rand.NewPCG(uint64(initial), 4))}
				low, high := settled(capacity)
				for round := range 3 { // the last ones prove that it does not drift
					if got := saturate(t, l, s, 60_000); got < low || got > high {
						t.Fatalf("round %d: limit %.1f, want %.1f to %.1f", round, got, low, high)
					}
				}
			})
		}
	}
}

func TestAdaptiveLimitFollowsAChange(t *testing.T) {
	l := NewAdaptiveLimit(LimitConfig{Max: 200})
	s := &server{40, 20 * time.Millisecond, rand.New(rand.NewPCG(1, 5))}
	for _, step := range []struct {
		capacity float64
		service  time.Duration
	}{
		{40, 20 * time.Millisecond}, {5, 20 * time.Millisecond}, {40, 20 * time.Millisecond},
		{40, 100 * time.Millisecond}, // slower for good, though not for load: no reason to be held down
		{10, 5 * time.Millisecond},
	} {
		s.capacity, s.service = step.capacity, step.service
		low, high := settled(step.capacity)
		if got := saturate(t, l, s, 100_000); got < low || got > high {
			t.Fatalf("%+v: limit %.1f, want %.1f to %.1f", step, got, low, high)
		}
	}
}

func TestAdaptiveLimitDoesNotGrowUnused(t *testing.T) {
	l := NewAdaptiveLimit(LimitConfig{Initial: 20})
	for range 10_000 {
		l.Update(time.Millisecond, 2, false)
	}
	if n := l.Limit(); n != 20 {
		t.Fatalf("limit %d with two calls under way, want it to stay at 20", n)
	}
}

func TestAdaptiveLimitFallsWithDrops(t *testing.T) {
	l := NewAdaptiveLimit(LimitConfig{Min: 2, Initial: 50})
	s := &server{100, time.Millisecond, rand.New(rand.NewPCG(1, 6))}
	saturate(t, l, s, 200)
	before := l.Limit()
	for range before {
		l.Update(10*time.Second, before, true)
	}
	if n := l.Limit(); n >= before || n < before*8/10 {
		t.Fatalf("limit %d after a window of drops at %d", n, before)
	}
	for range 10_000 {
		l.Update(10*time.Second, l.Limit(), true)
	}
	if n := l.Limit(); n != 2 {
		t.Fatalf("limit %d after nothing but drops, want the least", n)
	}
}

func TestAdaptiveLimitKeepsItsBoundsWhateverItIsTold(t *testing.T) {
	eachSeed(t, 50, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 7))
		cfg := LimitConfig{Min: r.IntN(10), Max: r.IntN(50), Initial: r.IntN(100), Tolerance: 3 * r.Float64()}
		l := NewAdaptiveLimit(cfg)
		for range 5000 {
			took := time.Duration(r.Int64()) >> r.IntN(63)
			if r.IntN(50) == 0 {
				took = -took
			}
			n := l.Update(took, r.IntN(200), r.IntN(20) == 0)
			if float64(n) < l.min || float64(n) > l.max || math.IsNaN(l.limit) || math.IsNaN(l.unloaded) {
				t.Fatalf("limit %d (%g), want %g to %g", n, l.limit, l.min, l.max)
			}
		}
	})
}

func TestAdaptiveLimitIsSafeForConcurrentUse(t *testing.T) {
	l := NewAdaptiveLimit(LimitConfig{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 500 {
				l.Update(time.Millisecond, l.Limit(), false)
			}
		})
	}
	wg.Wait()
	if n := l.Limit(); n < 20 {
		t.Fatalf("limit %d for a server without bounds, want it to have grown", n)
	}
}
