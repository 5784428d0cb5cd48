package orchestrator

import (
	"context"
	"time"

	"github.com/myriad-mind/myriad"
)

// keyed is a request with an idempotency key that is being begun or under way. Requests with the same key join it.
type keyed struct {
	hash  string        // of the body
	ready chan struct{} // closed when run, rec or err is set
	run   *run
	rec   *myriad.RunRecord // of a run that was over when it was asked for
	err   error
}

// storeTimeout bounds how long the store may take to say whether a key is known; nobody's leaving cuts that short for the others.
const storeTimeout = 5 * time.Second

// claim finds the run of the request's key, or makes it. made: it is ours to launch.
func (o *Orchestrator) claim(ctx context.Context, req *myriad.RunRequest, pin bool) (k *keyed, made bool, err error) {
	hash := bodyHash(req.Body)
	o.mu.Lock()
	k = o.keys[req.IdempotencyKey]
	if k == nil {
		k = &keyed{hash: hash, ready: make(chan struct{})}
		o.keys[req.IdempotencyKey] = k
		o.mu.Unlock()
		o.open(ctx, req, k, pin)
		return k, k.run != nil, k.err
	}
	o.mu.Unlock()
	if k.hash != hash {
		return nil, false, keyReused(req.IdempotencyKey)
	}
	select {
	case <-k.ready:
	case <-ctx.Done():
		return nil, false, myriad.Errorf(myriad.CodeCancelled, "waiting for the request with the same key: %w", context.Cause(ctx))
	}
	if k.err != nil || k.run == nil || k.run.hold(pin) {
		return k, false, k.err
	}
	<-k.run.done // all its clients had just left: what it came to is the answer
	return &keyed{rec: k.run.record}, false, nil
}

// open looks the key up in the store, and when it is new makes its run, which the store knows of before it begins: after a crash the same
// key must not run again.
func (o *Orchestrator) open(ctx context.Context, req *myriad.RunRequest, k *keyed, pin bool) {
	defer close(k.ready)
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer stop()
	k.rec, k.err = o.cfg.Recorder.RunByKey(ctx, req.IdempotencyKey)
	switch {
	case k.err == nil:
		if k.rec.BodyHash != k.hash {
			k.rec, k.err = nil, keyReused(req.IdempotencyKey)
		}
	case myriad.ErrorCode(k.err) == myriad.CodeNotFound:
		k.run, k.err = o.openRun(ctx, req, pin)
	default:
		k.err = unavailable("look up the idempotency key", k.err)
	}
	if k.run == nil {
		o.mu.Lock()
		delete(o.keys, req.IdempotencyKey)
		o.mu.Unlock()
	}
}

func (o *Orchestrator) openRun(ctx context.Context, req *myriad.RunRequest, pin bool) (*run, error) {
	r, err := o.admit(req)
	if err != nil {
		return nil, err
	}
	r.holders, r.pinned = 1, pin
	if err := o.recordStart(ctx, r); err != nil {
		return nil, err
	}
	r.begin(context.WithoutCancel(ctx))
	return r, nil
}

func keyReused(key string) error {
	return myriad.Errorf(myriad.CodeKeyReused, "the idempotency key %q was used with another body", shorten(key, 80))
}

// hold joins a client to the run; false when the run was given up already.
func (r *run) hold(pin bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.abandoned {
		return false
	}
	r.holders++
	r.pinned = r.pinned || pin
	return true
}

// letGo parts a client from the run; the last one to go ends it, unless it was started to survive.
func (r *run) letGo() {
	r.mu.Lock()
	r.holders--
	r.abandoned = r.holders == 0 && !r.pinned
	given := r.abandoned
	r.mu.Unlock()
	if given {
		r.end(cutLeft)
	}
}

func (o *Orchestrator) doKeyed(ctx context.Context, req *myriad.RunRequest) (*myriad.RunRecord, error) {
	k, made, err := o.claim(ctx, req, false)
	if err != nil || k.run == nil {
		return keptRecord(k, err)
	}
	r := k.run
	if made {
		r.launchAway(r.initial())
	}
	select {
	case <-r.done:
		return r.record, nil
	case <-ctx.Done():
	}
	r.letGo()
	if r.over.Load() {
		<-r.done
		return r.record, nil
	}
	return nil, myriad.Errorf(myriad.CodeCancelled, "left run %s, which others wait for: %w", r.id, context.Cause(ctx))
}

func keptRecord(k *keyed, err error) (*myriad.RunRecord, error) {
	if err != nil {
		return nil, err
	}
	return k.rec, nil
}

func (o *Orchestrator) startKeyed(ctx context.Context, req *myriad.RunRequest) (id string, replayed bool, err error) {
	k, made, err := o.claim(ctx, req, true)
	if err != nil {
		return "", false, err
	}
	if k.run == nil {
		return k.rec.RunID, true, nil
	}
	if made {
		k.run.launchAway(k.run.initial())
	}
	return k.run.id, !made, nil
}

func (o *Orchestrator) streamKeyed(ctx context.Context, req *myriad.RunRequest, fn func(myriad.RunEvent) error) error {
	k, made, err := o.claim(ctx, req, false)
	if err != nil {
		return err
	}
	if k.run == nil {
		return replay(ctx, k.rec, 0, fn)
	}
	if made {
		k.run.launchAway(k.run.initial())
	}
	err = k.run.follow(ctx, 0, fn)
	k.run.letGo()
	return err
}
