package resilience

import (
	"sync"
	"sync/atomic"
	"time"
)

// windowSlices is into how many slices a rolling window is cut: what leaves the window leaves it a slice at a time.
const windowSlices = 10

// window counts calls over a rolling time: between nine and ten tenths of it, as the oldest slice goes at once. Adding touches no
// lock but for the first call of a slice.
type window struct {
	width  int64 // ns of a slice
	newest atomic.Pointer[slice]
	mu     sync.Mutex
	slices [windowSlices]slice // emptied under mu, counted without
}

type slice struct {
	number                atomic.Int64 // which slice of time it counts, from 1; 0 for none yet
	calls, failures, slow atomic.Uint32
}

// totals are the sums over a window.
type totals struct{ calls, failures, slow uint64 }

func newWindow(d time.Duration) *window {
	w := &window{width: max(int64(d)/windowSlices, 1)}
	w.newest.Store(&w.slices[0])
	return w
}

func (w *window) number(now int64) int64 { return now/w.width + 1 }

// add counts one call that ended now. One that comes late, after a newer slice was begun, counts in that.
func (w *window) add(now int64, failure, slow bool) {
	s := w.newest.Load()
	if now >= s.number.Load()*w.width { // its end: saves the common case the divisions
		s = w.begin(w.number(now))
	}
	s.calls.Add(1)
	if failure {
		s.failures.Add(1)
	}
	if slow {
		s.slow.Add(1)
	}
}

// begin makes the slice with the given number the newest, unless it or a newer one is already.
func (w *window) begin(number int64) *slice {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.newest.Load(); s.number.Load() >= number {
		return s
	}
	s := &w.slices[number%windowSlices]
	s.calls.Store(0)
	s.failures.Store(0)
	s.slow.Store(0)
	s.number.Store(number)
	w.newest.Store(s)
	return s
}

func (w *window) totals(now int64) totals {
	var t totals
	newest := w.number(now)
	for i := range w.slices {
		s := &w.slices[i]
		if n := s.number.Load(); n == 0 || n <= newest-windowSlices {
			continue
		}
		t.calls += uint64(s.calls.Load())
		t.failures += uint64(s.failures.Load())
		t.slow += uint64(s.slow.Load())
	}
	return t
}

func (t totals) failureRatio() float64 { return ratio(t.failures, t.calls) }

func (t totals) slowRatio() float64 { return ratio(t.slow, t.calls) }

func ratio(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
