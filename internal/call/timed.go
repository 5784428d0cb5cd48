package call

import (
	"context"
	"errors"
	"time"
)

// errLost is the cause of the cancellation of a second attempt that the first one has beaten after all.
var errLost = errors.New("the other attempt answered first")

// timed bounds an attempt by the attempt timeout, or by the call's deadline where that is sooner, and says who ended an exchange that
// did not end by itself.
func (c *Caller) timed(next exchanger) exchanger {
	return func(ctx context.Context, f *flight, t try) exchanged {
		t.until = t.started.Add(c.cfg.AttemptTimeout)
		deadline := f.call.Deadline
		hurried := !deadline.IsZero() && deadline.Before(t.until)
		if hurried {
			t.until = deadline
		}
		own, cancel := context.WithDeadline(ctx, t.until)
		defer cancel()
		if t.race != nil {
			t.race.arm(cancel)
		}
		x := next(own, f, t)
		if x.err != nil && own.Err() != nil {
			x.limit = t.until.Sub(t.started)
			x.ending = c.ending(ctx, f, t, hurried)
		}
		return x
	}
}

// ending says who ended an attempt whose context is done; ctx is the one that it was given.
func (c *Caller) ending(ctx context.Context, f *flight, t try, hurried bool) ending {
	switch {
	case context.Cause(ctx) == errLost, t.race != nil && t.race.lost():
		return endedLost
	case hurried && !time.Now().Before(f.call.Deadline):
		return c.pastDeadline(f, t)
	case errors.Is(ctx.Err(), context.DeadlineExceeded): // of the caller's own context: as good as the run's
		return endedRunHurried
	case ctx.Err() != nil:
		return endedCancelled
	}
	return endedAttempt
}

// pastDeadline tells whose fault it is that the task's or the run's deadline passed during an attempt. It is the agent's when it had had
// a fair share of time, and nobody's otherwise: a task that leaves its last attempt ten milliseconds says nothing about the agent.
func (c *Caller) pastDeadline(f *flight, t try) ending {
	fair := f.call.Deadline.Sub(t.started) >= c.fairShare(t.agent.Name, f.intent)
	switch {
	case f.call.TaskTimeout && fair:
		return endedTaskFair
	case f.call.TaskTimeout:
		return endedTaskHurried
	case fair:
		return endedRunFair
	}
	return endedRunHurried
}

const (
	leastFair  = time.Second // what an agent of which nothing is known may be expected to answer in
	fairFactor = 2           // times its p95 for an agent that is known
)

// fairShare is the time after which an attempt without an answer is the agent's fault, whoever ended it: twice its p95 for the intent,
// at least leastFair, at most the attempt timeout.
func (c *Caller) fairShare(agent, intent string) time.Duration {
	return min(max(fairFactor*c.stats.Summary(agent, intent).P95, leastFair), c.cfg.AttemptTimeout)
}
