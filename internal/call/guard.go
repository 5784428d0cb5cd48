package call

import (
	"context"
	"errors"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/resilience"
)

// guard begins an attempt for which there is a slot: it asks the breaker, which may have opened while the task waited for the slot,
// and afterwards tells breaker, dispatcher, statistics and provenance what came of it. Slot and permit are given back on every way out.
func (c *Caller) guard(next step) step {
	return func(ctx context.Context, f *flight, t try) result {
		defer t.slot.Release()
		release, awake := c.lease(t.agent)
		if !awake {
			return f.rejectedAsleep(t)
		}
		defer release()
		permit, err := t.end.breaker.Acquire()
		if err != nil {
			return f.rejectedOpen(t, err)
		}
		defer permit.Done(resilience.Ignored) // a panic gives a probe back
		place := f.begin(&t)
		busy := t.end.busy.Add(1)
		defer t.end.busy.Add(-1)
		r, ended := result{try: t, outcome: myriad.OutcomePanic, text: "a defect of Myriad ended the attempt", reached: true}, false
		defer func() {
			if !ended {
				f.finish(place, &r, time.Since(t.started))
			}
		}()
		r = next(ctx, f, t)
		took := time.Since(t.started)
		c.after(f, &r, took, int(busy))
		permit.Done(verdict(r.outcome)) // while the slot is held: whoever gets it next asks a breaker that knows
		t.slot.Release()
		ended = true
		f.finish(place, &r, took)
		return r
	}
}

// lease holds the instance behind an agent that has one.
func (c *Caller) lease(a *myriad.Agent) (release func(), ok bool) {
	if a.Template == nil || c.cfg.Lease == nil {
		return func() {}, true
	}
	return c.cfg.Lease(a)
}

// rejectedAsleep is the result of an attempt at an instance that is not there any more.
func (f *flight) rejectedAsleep(t try) result {
	f.setTried(t.cand)
	f.reject(t.cand, myriad.RejectedAsleep, 0)
	return result{try: t, outcome: myriad.OutcomeAsleep, code: myriad.TaskErrAsleep, text: "its instance was stopped before it could be asked"}
}

// rejectedOpen is the result of an attempt that the breaker did not let through.
func (f *flight) rejectedOpen(t try, err error) result {
	wait := time.Duration(0)
	if open, ok := errors.AsType[*resilience.OpenError](err); ok {
		wait = open.RetryAfter
	}
	f.setTried(t.cand)
	f.reject(t.cand, myriad.RejectedOpen, wait)
	return result{try: t, outcome: myriad.OutcomeCircuitOpen, code: myriad.TaskErrCircuitOpen, text: err.Error(), wait: wait}
}

// after tells the dispatcher and the statistics, while the slot is still held: whoever gets it next finds the endpoint parked.
func (c *Caller) after(f *flight, r *result, took time.Duration, busy int) {
	key := r.try.end.key
	if r.outcome == myriad.OutcomeToldToWait {
		c.cfg.Slots.Park(key, r.wait)
		f.emit(myriad.Event{Kind: myriad.KindParked, Agent: r.try.agent.Name, Endpoint: r.try.agent.Endpoint, RetryAfter: r.wait})
	}
	if v := verdict(r.outcome); v != resilience.Ignored {
		c.stats.Series(r.try.agent.Name, f.intent).Observe(took, v == resilience.Success)
	}
	if limit := r.try.end.limit; limit != nil {
		c.adapt(limit, key, r.outcome, took, busy)
	}
}

// adapt steers the endpoint's slots by the gradient of its latency.
func (c *Caller) adapt(limit *resilience.AdaptiveLimit, key string, o myriad.Outcome, took time.Duration, busy int) {
	dropped := o == myriad.OutcomeTimeout || o == myriad.OutcomeToldToWait
	if o != myriad.OutcomeSuccess && !dropped {
		return
	}
	before := limit.Limit()
	if now := limit.Update(took, busy, dropped); now != before {
		c.cfg.Slots.SetLimit(key, now)
	}
}

// verdict is what an outcome means to breaker and statistics. A kept connection that was found closed before a byte was written counts
// nothing, although it is the agent's doing: a server may close an idle connection at any time (RFC 9112, section 9.3), and one restart
// of an agent would otherwise trip its breaker by the connections that were kept to its former life.
func verdict(o myriad.Outcome) resilience.Verdict {
	switch {
	case o == myriad.OutcomeDeadConn:
		return resilience.Ignored
	case o.Class() == myriad.ClassSuccess:
		return resilience.Success
	case o.Class() == myriad.ClassAgent:
		return resilience.Failure
	}
	return resilience.Ignored
}
