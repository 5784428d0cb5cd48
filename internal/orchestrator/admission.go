package orchestrator

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// admit reads a request and makes it a run among the others. When there is no room it says so at once, before any work is done on it.
func (o *Orchestrator) admit(req *myriad.RunRequest) (*run, error) {
	if err := o.room(len(req.Body), 0); err != nil {
		return nil, err
	}
	req.Body = bytes.Clone(req.Body) // ids and args are parts of it for as long as the run's record lives
	p, err := newPlan(req, &o.limits)
	if err != nil {
		return nil, err
	}
	r := newRun(o, req, p)
	o.mu.Lock()
	if err := o.roomLocked(len(req.Body), len(p.tasks)); err != nil {
		o.mu.Unlock()
		o.rejected(err)
		return nil, err
	}
	o.runs[r.id] = r
	o.waiting.Add(int64(len(p.tasks)))
	o.held.Add(int64(p.body))
	o.mu.Unlock()
	return r, nil
}

func (o *Orchestrator) room(body, tasks int) error {
	o.mu.Lock()
	err := o.roomLocked(body, tasks)
	o.mu.Unlock()
	if err != nil {
		o.rejected(err)
	}
	return err
}

// roomLocked says why a request of this size cannot be taken now. o.mu is held. A single request may be larger than the bounds on tasks
// and bytes, which are about all together, when nothing else is under way.
func (o *Orchestrator) roomLocked(body, tasks int) error {
	switch {
	case o.draining:
		return &myriad.Error{Code: myriad.CodeDraining, Message: "the server is shutting down and takes no new runs", RetryAfter: o.limits.RetryAfter}
	case len(o.runs) >= o.limits.MaxRuns:
		return o.overloaded("as many runs are under way as may be")
	case len(o.runs) > 0 && o.waiting.Load()+int64(tasks) > int64(o.limits.MaxWaiting):
		return o.overloaded("as many tasks wait as may")
	case len(o.runs) > 0 && o.held.Load()+int64(body) > o.limits.MaxHeldBytes:
		return o.overloaded("the runs under way hold as much as they may")
	}
	return nil
}

func (o *Orchestrator) overloaded(why string) error {
	return &myriad.Error{Code: myriad.CodeOverloaded, Message: "too much to do: " + why, RetryAfter: o.limits.RetryAfter}
}

func (o *Orchestrator) rejected(err error) {
	o.emit(myriad.Event{Kind: myriad.KindRunRejected, Reason: string(myriad.ErrorCode(err))})
}

// leave takes a run that is over, or never began, out of the others.
func (o *Orchestrator) leave(r *run) {
	r.mu.Lock()
	left, bytes := r.left, r.bytes
	r.mu.Unlock()
	o.waiting.Add(-int64(left))
	o.held.Add(-int64(r.plan.body) - bytes)
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.runs, r.id)
	if r.key != "" && o.keys[r.key] != nil && o.keys[r.key].run == r {
		delete(o.keys, r.key)
	}
	if o.idle != nil && len(o.runs) == 0 {
		close(o.idle)
		o.idle = nil
	}
}

// drainGrace is how long runs that were cancelled may take to wind up their calls.
const drainGrace = 5 * time.Second

// Drain takes no new runs and waits for those under way; when ctx ends they are cancelled. The records of all of them have been handed
// to the recorder when it returns nil.
func (o *Orchestrator) Drain(ctx context.Context) error {
	o.mu.Lock()
	o.draining = true
	if len(o.runs) > 0 && o.idle == nil {
		o.idle = make(chan struct{})
	}
	idle := o.idle
	o.mu.Unlock()
	if idle != nil {
		select {
		case <-idle:
		case <-ctx.Done():
			if err := o.cancelAll(ctx, idle); err != nil {
				return err
			}
		}
	}
	o.background.Wait()
	return nil
}

func (o *Orchestrator) cancelAll(ctx context.Context, idle <-chan struct{}) error {
	o.mu.Lock()
	runs := make([]*run, 0, len(o.runs))
	for _, r := range o.runs {
		runs = append(runs, r)
	}
	o.mu.Unlock()
	slices.SortFunc(runs, func(a, b *run) int { return strings.Compare(a.id, b.id) }) // as they came
	for _, r := range runs {
		r.end(cutDrained)
	}
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), drainGrace)
	defer stop()
	select {
	case <-idle:
		return nil
	case <-grace.Done():
		return myriad.Errorf(myriad.CodeDeadline, "runs did not end within %s of being cancelled", drainGrace)
	}
}
