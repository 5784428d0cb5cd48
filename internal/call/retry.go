package call

import (
	"context"
	"time"

	"github.com/myriad-mind/myriad"
)

// retry goes on to other candidates after a failure.
func (c *Caller) retry(next step) step {
	return func(ctx context.Context, f *flight, t try) result {
		r := next(ctx, f, t)
		for made := 1; !r.decided(); {
			again, ok := c.again(ctx, f, &r, made)
			if !ok {
				break
			}
			f.emit(myriad.Event{Kind: myriad.KindRetry, Agent: again.agent.Name})
			made++
			if second := next(ctx, f, again); !notAsked(second.outcome) || notAsked(r.outcome) {
				r = second
			} // else the failure before it tells more
		}
		return r
	}
}

// notAsked says that the attempt was turned away before it began.
func notAsked(o myriad.Outcome) bool {
	return o == myriad.OutcomeCircuitOpen || o == myriad.OutcomeAsleep
}

// again decides what follows the failure r, made attempts into the call: another try, for which it has got a slot, or none, and then it
// completes r.
func (c *Caller) again(ctx context.Context, f *flight, r *result, made int) (try, bool) {
	switch {
	case r.final || ctx.Err() != nil || f.late() || r.outcome == myriad.OutcomeToldToWait && f.isSpent():
		return try{}, false
	case r.outcome == myriad.OutcomeAsleep: // only ever of the first attempt: nothing was sent, the task looks for the agent again
		r.requeue = true
		return try{}, false
	case r.outcome == myriad.OutcomeCircuitOpen: // only ever of the first attempt
		r.requeue = f.ready(r.try.cand) // first attempts wait their turn for what remains
		return try{}, false
	case r.outcome == myriad.OutcomeToldToWait:
		return c.insteadOfWaiting(f, r)
	case r.outcome.Class() == myriad.ClassAgent || r.outcome == myriad.OutcomeLocal:
		return c.afterFailure(ctx, f, r, made)
	}
	return try{}, false
}

// insteadOfWaiting looks for another candidate after one has told us to wait. Nothing was carried out, so any will do, and as the task
// would otherwise queue for one anyway it costs no budget. Without one the task waits without a slot, if there is time.
func (c *Caller) insteadOfWaiting(f *flight, r *result) (try, bool) {
	if t, ok := f.pick(); ok {
		return t, true
	}
	if f.ready(r.try.cand) {
		r.requeue, r.wait = true, 0
		return try{}, false
	}
	deadline := f.call.Deadline
	r.requeue = deadline.IsZero() || time.Until(deadline) > r.wait
	return try{}, false
}

// afterFailure looks for a fresh candidate, and when there is no other, for another go at the same one.
func (c *Caller) afterFailure(ctx context.Context, f *flight, r *result, made int) (try, bool) {
	other, more := f.next(false)
	same := !more && mayRecover(r) && made == 1
	switch {
	case made >= c.cfg.MaxAttempts:
		return try{}, false
	case !more:
		f.rejectOpen()
		if !same {
			return try{}, false
		}
	}
	passed := other
	if same {
		passed = r.try.cand
	}
	switch {
	case f.isSpent():
		f.reject(passed, myriad.RejectedRepeatable, 0)
		return try{}, false
	case !f.budget.Take():
		f.reject(passed, myriad.RejectedBudget, 0)
		return try{}, false
	}
	if t, ok := f.slotFor(ctx, r, same); ok {
		return t, true
	}
	f.budget.Refund()
	return try{}, false
}

// slotFor gets a slot for the next attempt; none was held since the last one.
func (f *flight) slotFor(ctx context.Context, r *result, same bool) (try, bool) {
	if !same {
		return f.pick()
	}
	if r.outcome != myriad.OutcomeDeadConn { // that one only needs a new connection
		wait, ok := f.caller.cfg.Backoff.Next(0, f.call.Deadline)
		if !ok || !pause(ctx, wait) {
			return try{}, false
		}
	}
	return f.take(r.try.cand)
}

// mayRecover says that the same agent may do better a moment later: a connection was cut, or a gateway before it could not reach it. A
// second attempt at one that refuses, is slow or answers badly would only open its breaker sooner.
func mayRecover(r *result) bool {
	switch r.outcome {
	case myriad.OutcomeDeadConn, myriad.OutcomeReset:
		return true
	case myriad.OutcomeServerError:
		return r.status >= 502 && r.status <= 504
	}
	return false
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
