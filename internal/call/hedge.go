package call

import (
	"context"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// hedge makes a second attempt on another candidate when the first one takes longer than its agent nearly always does. The first good
// answer wins and the other attempt is cancelled, which counts for nothing. Where no hedge is possible it costs no goroutine and no timer.
func (c *Caller) hedge(next step) step {
	return func(ctx context.Context, f *flight, t try) result {
		delay, ok := c.hedgeAfter(f, t)
		if !ok {
			return next(ctx, f, t)
		}
		r := &race{ctx: ctx, flight: f, next: next, done: make(chan struct{})}
		return r.run(t, delay)
	}
}

// hedgeAfter is when to make the second attempt: never, unless it may be made at all, at another candidate, once for each call, and
// enough is known of the agent's times.
func (c *Caller) hedgeAfter(f *flight, t try) (time.Duration, bool) {
	if c.cfg.NoHedge || len(f.call.Candidates) < 2 || f.hedged || !c.repeatable(f, t.agent) {
		return 0, false
	}
	called := c.stats.Summary(t.agent.Name, f.intent)
	if called.Samples == 0 {
		return 0, false
	}
	f.setTried(t.cand)
	other, ok := f.next(true)
	if !ok {
		return 0, false
	}
	delay, ok := c.cfg.Hedge.Delay(called, c.stats.Summary(f.call.Candidates[other].Agent.Name, f.intent))
	if !ok || !f.call.Deadline.IsZero() && time.Until(f.call.Deadline) <= delay {
		return 0, false
	}
	return delay, true
}

// race is a first attempt and the second one that may come to its help.
type race struct {
	ctx    context.Context
	flight *flight
	next   step
	done   chan struct{} // closed when the second attempt has ended, or was not made

	mu         sync.Mutex // guards all below
	over       bool       // the first attempt has ended: too late to begin a second
	winner     *result    // the first good one
	stopFirst  context.CancelCauseFunc
	stopSecond context.CancelCauseFunc
}

// run carries the first attempt out on this goroutine. It returns when both attempts have ended: the loser is cancelled, so that takes
// no longer than the winner but for the time of tearing a connection down.
func (r *race) run(t try, delay time.Duration) result {
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	r.stopFirst = cancel
	timer := time.AfterFunc(delay, r.second)
	settled := false
	defer func() {
		if !settled { // the first attempt panicked
			r.settle(timer, nil)
		}
	}()
	first := r.next(ctx, r.flight, t)
	settled = true
	if won := r.settle(timer, &first); won != nil {
		return *won
	}
	return first
}

// settle waits for the second attempt to end, after cancelling it when the first one, which may be nil, was good or is no more. It
// returns the winner, nil when there is none.
func (r *race) settle(timer *time.Timer, first *result) *result {
	r.mu.Lock()
	r.over = true
	if first != nil && first.decided() && r.winner == nil {
		r.winner = first
	}
	stop := r.stopSecond
	useless := first == nil || r.winner == first
	r.mu.Unlock()
	if timer.Stop() {
		return first
	}
	if useless && stop != nil {
		stop(errLost)
	}
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.winner
}

// second runs on the timer's goroutine, which run waits for.
func (r *race) second() {
	defer close(r.done)
	defer func() {
		if p := recover(); p != nil {
			r.flight.caller.panicked(r.flight.call, p)
		}
	}()
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	t, ok := r.begin(cancel)
	if !ok {
		return
	}
	r.flight.emit(myriad.Event{Kind: myriad.KindHedge, Agent: t.agent.Name})
	result := r.next(ctx, r.flight, t)
	if !result.decided() {
		return
	}
	r.mu.Lock()
	if r.winner == nil {
		r.winner = &result
	}
	won := r.winner == &result
	r.mu.Unlock()
	if won {
		r.stopFirst(errLost)
	}
}

// begin gets what a second attempt needs: the budget, a slot of another candidate at which the task may be repeated, and that the first
// attempt is still under way.
func (r *race) begin(cancel context.CancelCauseFunc) (try, bool) {
	f := r.flight
	other, ok := f.next(true)
	switch {
	case !ok:
		return try{}, false
	case !f.budget.Take():
		f.reject(other, myriad.RejectedBudget, 0)
		return try{}, false
	}
	t, ok := f.take(other)
	if !ok {
		f.budget.Refund()
		return try{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		f.budget.Refund()
		t.slot.Release()
		return try{}, false
	}
	f.hedged, t.hedge, r.stopSecond = true, true, cancel
	return t, true
}
