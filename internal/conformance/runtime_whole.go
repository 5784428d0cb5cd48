package conformance

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

func serves(t *testing.T, r *rig) {
	if r.Runtime.Name() == "" {
		t.Error("a runtime has a name")
	}
	if p := r.packet(t, Echo); !r.Runtime.Serves(*p.Agent.Template) {
		t.Error("the runtime does not serve what it is tested with")
	}
	alien := myriad.Template{Kind: "alien"}
	if r.Runtime.Serves(alien) {
		t.Error("the runtime serves a kind of template that does not exist")
	}
	for _, template := range []*myriad.Template{nil, &alien} {
		p := r.packet(t, Echo)
		p.Agent.Template = template
		i, err := r.Runtime.Start(t.Context(), r.request(p))
		if err == nil {
			stop(t, i, 0)
			t.Fatal("a template that is not served was started")
		}
		wantCode(t, "start of a template that is not served", err, myriad.CodeInvalid)
	}
}

func sameInstance(t *testing.T, r *rig) {
	p := r.packet(t, Echo)
	req := r.request(p)
	i := r.begin(t, req)
	mustNot(t, r.ready(t.Context(), i))
	second, err := r.Runtime.Start(t.Context(), req)
	if err == nil {
		stop(t, second, 0)
		t.Fatal("two instances have one id")
	}
	wantCode(t, "start under an id that is in use", err, myriad.CodeConflict)
	mustNot(t, r.echoes(t.Context(), i, p, map[string]any{"still": "there"}))
}

// manyAtOnce starts, asks and stops instances side by side, again and again.
func manyAtOnce(t *testing.T, r *rig) {
	p := r.packet(t, Echo)
	var wg sync.WaitGroup
	for n := range r.Parallel {
		wg.Go(func() {
			for round := range 3 {
				if err := r.wholeLife(t, p, map[string]any{"n": n, "round": round}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	r.nothingLeft(t)
}

func (r *rig) wholeLife(t *testing.T, p myriad.Packet, args map[string]any) error {
	i, err := r.Runtime.Start(t.Context(), r.request(p))
	if err != nil {
		return fmt.Errorf("start beside others: %w", err)
	}
	defer stop(t, i, graceful)
	if err := r.ready(t.Context(), i); err != nil {
		return err
	}
	return r.echoes(t.Context(), i, p, args)
}

// stopBesideStart stops instances while others start, some of them with a context that ends under way.
func stopBesideStart(t *testing.T, r *rig) {
	p := r.packet(t, Echo)
	var wg sync.WaitGroup
	for n := range r.Parallel {
		wg.Go(func() {
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				if n%2 == 1 {
					time.AfterFunc(time.Duration(n)*time.Millisecond, cancel)
				}
				i, err := r.Runtime.Start(ctx, r.request(p))
				switch {
				case err == nil:
					stop(t, i, time.Duration(n%3)*time.Second)
				case ctx.Err() == nil || !ended(err):
					t.Errorf("start: %v, its context %v", err, ctx.Err())
				}
				cancel()
			}
		})
	}
	wg.Wait()
	r.nothingLeft(t)
}

// closes shuts a runtime with an instance in it, which is stopped when nothing could adopt it, and with starts on their way.
func closes(t *testing.T, r *rig) {
	p := r.packet(t, Echo)
	i := r.awake(t, p)
	var wg sync.WaitGroup
	begun := make(chan struct{}, r.Parallel)
	for range r.Parallel {
		wg.Go(func() {
			begun <- struct{}{}
			late, err := r.Runtime.Start(t.Context(), r.request(p))
			if err == nil {
				stop(t, late, 0)
			} else if code := myriad.ErrorCode(err); code != myriad.CodeDraining {
				t.Errorf("start beside Close: %s (%v)", code, err)
			}
		})
	}
	<-begun
	r.close(t)
	wg.Wait()
	r.close(t)
	over, err := r.Runtime.Start(t.Context(), r.request(p))
	if err == nil {
		stop(t, over, 0)
		t.Fatal("a runtime that is closed starts instances")
	}
	wantCode(t, "start after Close", err, myriad.CodeDraining)
	if r.Reopen == nil && !closed(i.Exited()) {
		t.Error("nothing can adopt the instance, and it lives on after Close")
	}
	stop(t, i, graceful)
}

func recoverNothing(t *testing.T, r *rig) {
	left, err := r.Runtime.Recover(t.Context(), r.owner)
	mustNot(t, err)
	if len(left) > 0 {
		t.Errorf("a new owner has left something: %+v", left)
	}
	p := r.packet(t, Echo)
	i := r.awake(t, p)
	mustNot(t, r.echoes(t.Context(), i, p, map[string]any{"after": "recovery"}))
}

// reopen ends the runtime's life as a dying process would, and begins the next.
func (r *rig) reopen(t *testing.T) {
	t.Helper()
	if r.Reopen == nil {
		t.Skipf("nothing of the runtime %s outlives its process", r.Runtime.Name())
	}
	*r = *rigOf(r.Reopen(t), r.owner)
}

// recovers leaves instances behind: a ready one, one that never was, and one that was stopped. What comes back is alive and ours; the rest
// is gone.
func recovers(t *testing.T, r *rig) {
	if r.Reopen == nil {
		t.Skipf("nothing of the runtime %s outlives its process", r.Runtime.Name())
	}
	p := r.packet(t, Echo)
	ready, young, stopped := r.request(p), r.request(p), r.request(p)
	began := time.Now()
	i, err := r.Runtime.Start(t.Context(), ready)
	mustNot(t, err)
	mustNot(t, r.ready(t.Context(), i))
	_, err = r.Runtime.Start(t.Context(), young)
	mustNot(t, err)
	gone, err := r.Runtime.Start(t.Context(), stopped)
	mustNot(t, err)
	stop(t, gone, graceful)

	r.reopen(t)
	left, err := r.Runtime.Recover(t.Context(), r.owner)
	mustNot(t, err)
	for _, l := range left {
		if !slices.Contains([]string{ready.InstanceID, young.InstanceID}, l.InstanceID) {
			t.Errorf("what was stopped, or never was, came back: %+v", l)
		}
		if l.Agent != p.Agent.Name || l.Revision != p.Revision || l.Limits != r.Limits || l.StartedAt.Before(began.Add(-time.Minute)) || l.StartedAt.After(time.Now().Add(time.Minute)) {
			t.Errorf("not as it was left: %+v", l)
		}
		mustNot(t, r.ready(t.Context(), l.Instance))
		mustNot(t, r.echoes(t.Context(), l.Instance, p, map[string]any{"adopted": true}))
		stop(t, l.Instance, graceful)
		r.silent(t, l.Instance, p)
	}
	r.nothingLeft(t)
	r.silent(t, i, p)
	mustNot(t, r.wholeLife(t, p, map[string]any{"new": "life"}))
}

// recoverLeavesOthers leaves instances of two owners behind; the recovery of one touches nothing of the other.
func recoverLeavesOthers(t *testing.T, r *rig) {
	if r.Reopen == nil {
		t.Skipf("nothing of the runtime %s outlives its process", r.Runtime.Name())
	}
	p := r.packet(t, Echo)
	ours, theirs := r.request(p), r.request(p)
	theirs.OwnerID = fresh("neighbour")
	for _, req := range []myriad.StartRequest{ours, theirs} {
		i, err := r.Runtime.Start(t.Context(), req)
		mustNot(t, err)
		mustNot(t, r.ready(t.Context(), i))
	}
	r.reopen(t)
	before := r.Left(t, theirs.OwnerID)
	r.recoverAll(t, r.owner, ours.InstanceID)
	r.nothingLeft(t)
	if after := r.Left(t, theirs.OwnerID); !slices.Equal(before, after) {
		t.Errorf("another owner had %v, and now %v", before, after)
	}
	r.reopen(t)
	r.recoverAll(t, theirs.OwnerID, theirs.InstanceID)
	if left := r.Left(t, theirs.OwnerID); len(left) > 0 {
		t.Errorf("left behind by the other owner's recovery: %v", left)
	}
}

// recoverAll recovers what the owner left, which is nothing but the one instance, and stops it.
func (r *rig) recoverAll(t *testing.T, owner, instance string) {
	t.Helper()
	left, err := r.Runtime.Recover(t.Context(), owner)
	mustNot(t, err)
	for _, l := range left {
		if l.InstanceID != instance {
			t.Errorf("%s is not what %s left: %+v", instance, owner, l)
		}
		stop(t, l.Instance, graceful)
	}
}
