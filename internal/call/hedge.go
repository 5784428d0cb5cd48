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
		r := c.newRace(ctx, f, next)
		won := r.run(t, delay) // a panic leaves the race to the garbage collector
		c.free(r)
		return won
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

// race is a first attempt and the second one that may come to its help. Races are used again: one that needed no second attempt, as
// nearly all, costs no allocation.
type race struct {
	timer *time.Timer // runs second
	ended sync.WaitGroup

	// Set before the timer.
	ctx    context.Context
	flight *flight
	next   step

	mu         sync.Mutex // guards all below
	over       bool       // the first attempt has ended: too late to begin a second
	winner     side       // of the first good answer
	stopFirst  context.CancelFunc
	stopSecond context.CancelCauseFunc
	result     result // of the second attempt, when it has won
}

// side is one of the two attempts of a race.
type side int

const (
	neither side = iota
	firstSide
	secondSide
)

// newRace takes a race that is over, or makes one.
func (c *Caller) newRace(ctx context.Context, f *flight, next step) *race {
	r, ok := c.races.Get().(*race)
	if !ok {
		r = &race{}
	}
	r.ctx, r.flight, r.next = ctx, f, next
	return r
}

// free gives a race back of which both attempts have ended.
func (c *Caller) free(r *race) {
	r.ctx, r.flight, r.next = nil, nil, nil
	r.over, r.winner, r.stopFirst, r.stopSecond, r.result = false, neither, nil, nil, result{}
	c.races.Put(r)
}

// run carries the first attempt out on this goroutine. It returns when both attempts have ended: the loser is cancelled, so that takes
// no longer than the winner but for the time of tearing a connection down.
func (r *race) run(t try, delay time.Duration) result {
	r.ended.Add(1)
	if r.timer == nil {
		r.timer = time.AfterFunc(delay, r.second)
	} else {
		r.timer.Reset(delay)
	}
	settled := false
	defer func() {
		if !settled { // the first attempt panicked
			r.settle(true, false)
		}
	}()
	t.race = r
	first := r.next(r.ctx, r.flight, t)
	settled = true
	if r.settle(first.decided(), first.decided()) == secondSide {
		return r.result
	}
	return first
}

// settle ends the race when the first attempt has ended, and waits for the second one, which is cancelled when it is of no use. It
// returns whose answer was the first good one.
func (r *race) settle(useless, good bool) side {
	r.mu.Lock()
	r.over = true
	if good && r.winner == neither {
		r.winner = firstSide
	}
	winner, stop := r.winner, r.stopSecond
	r.mu.Unlock()
	if r.timer.Stop() {
		r.ended.Done()
		return winner
	}
	if useless && winner != secondSide && stop != nil {
		stop(errLost)
	}
	r.ended.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.winner
}

// arm lets the second attempt stop the first one.
func (r *race) arm(stop context.CancelFunc) {
	r.mu.Lock()
	r.stopFirst = stop
	lost := r.winner == secondSide
	r.mu.Unlock()
	if lost {
		stop()
	}
}

// lost says that the second attempt has won.
func (r *race) lost() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.winner == secondSide
}

// second runs on the timer's goroutine, which settle waits for.
func (r *race) second() {
	defer r.ended.Done()
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
	if result := r.next(ctx, r.flight, t); result.decided() {
		r.won(result)
	}
}

// won tells that the second attempt has a good answer.
func (r *race) won(second result) {
	r.mu.Lock()
	stop := r.stopFirst
	late := r.winner != neither
	if !late {
		r.winner, r.result = secondSide, second
	}
	r.mu.Unlock()
	if !late && stop != nil {
		stop()
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
