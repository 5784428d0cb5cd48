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
	mu     sync.Mutex
	slices [counterSlices + 1]struct {
		number atomic.Int64 // from 1; 0 for none yet
		n      atomic.Uint64
	}
}

func newCounter(window time.Duration) counter {
	return counter{width: max((int64(window)+counterSlices-1)/counterSlices, 1)}
}

func (c *counter) number(now int64) int64 { return now/c.width + 1 }

func (c *counter) add(now int64) {
	number := c.number(now)
	s := &c.slices[number%int64(len(c.slices))]
	if s.number.Load() < number {
		c.mu.Lock()
		if s.number.Load() < number {
			s.n.Store(0)
			s.number.Store(number)
		}
		c.mu.Unlock()
	}
	s.n.Add(1)
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
