package resilience

import (
	"sync"
	"sync/atomic"
	"time"
)

// counterSlices is into how many slices a counter cuts its window, one more being the slice in progress.
const counterSlices = 20

// counter counts events over a rolling window. As a slice leaves it at once, the sum is either of a little more than the window or
// of a little less; a limit that has to hold takes the one that errs on its side.
type counter struct {
	width  int64
	newest atomic.Pointer[counterSlice]
	mu     sync.Mutex
	slices [counterSlices + 1]counterSlice // emptied under mu, counted without
}

type counterSlice struct {
	number atomic.Int64 // which slice of time it counts, from 1; 0 for none yet
	n      atomic.Uint64
}

func newCounter(window time.Duration) *counter {
	c := &counter{width: max((int64(window)+counterSlices-1)/counterSlices, 1)}
	c.newest.Store(&c.slices[0])
	return c
}

func (c *counter) number(now int64) int64 { return now/c.width + 1 }

// add counts one event. One that comes late, after a newer slice was begun, counts in that.
func (c *counter) add(now int64) {
	s := c.newest.Load()
	if now >= s.number.Load()*c.width {
		s = c.begin(c.number(now))
	}
	s.n.Add(1)
}

func (c *counter) begin(number int64) *counterSlice {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.newest.Load(); s.number.Load() >= number {
		return s
	}
	s := &c.slices[number%int64(len(c.slices))]
	s.n.Store(0)
	s.number.Store(number)
	c.newest.Store(s)
	return s
}

// takeBack undoes the newest add. Callers keep adders away.
func (c *counter) takeBack(now int64) {
	for number := c.number(now); number > max(c.number(now)-int64(len(c.slices)), 0); number-- {
		s := &c.slices[number%int64(len(c.slices))]
		if s.number.Load() == number && s.n.Load() > 0 {
			s.n.Add(^uint64(0))
			return
		}
	}
}

// atLeastWindow counts the slice in progress and a whole window before it.
func (c *counter) atLeastWindow(now int64) uint64 { return c.sum(now, counterSlices+1) }

// atMostWindow counts no event that is older than the window.
func (c *counter) atMostWindow(now int64) uint64 { return c.sum(now, counterSlices) }

// sum counts the newest so many slices.
func (c *counter) sum(now int64, newest int64) uint64 {
	var n uint64
	oldest := c.number(now) - newest
	for i := range c.slices {
		s := &c.slices[i]
		if number := s.number.Load(); number > 0 && number > oldest {
			n += s.n.Load()
		}
	}
	return n
}
