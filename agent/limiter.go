package agent

import (
	"context"
	"sync/atomic"
	"time"
)

// patience is how long a job waits for its turn inside the agent. It covers jobs that the server has given up but whose handlers have
// not noticed yet; a real backlog belongs into the server's fair queues.
const patience = time.Second

// limiter bounds the jobs at once. At most as many wait as run.
type limiter struct {
	slots   chan struct{}
	waiting *atomic.Int64
}

func newLimiter(n int) limiter {
	return limiter{slots: make(chan struct{}, max(n, 1)), waiting: new(atomic.Int64)}
}

// acquire takes a slot, or says Busy when there is none in time.
func (l limiter) acquire(ctx context.Context) error {
	select {
	case l.slots <- struct{}{}:
		return nil
	default:
	}
	if l.waiting.Add(1) > int64(cap(l.slots)) {
		l.waiting.Add(-1)
		return Busy{RetryAfter: time.Second}
	}
	defer l.waiting.Add(-1)
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-t.C:
		return Busy{RetryAfter: time.Second}
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l limiter) release() { <-l.slots }
