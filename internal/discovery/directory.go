package discovery

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-mind/myriad"
)

// Config is what a Directory is made of. Graph must be set; zero values are the defaults named.
type Config struct {
	Graph myriad.Graph
	Sink  myriad.Sink // nil: told to nobody
	// Signals are the parts of an agent's rank that change from moment to moment, each 0..1, 1 the best; nil takes all for 1.
	Signals func(a *myriad.Agent, intent string) (availability, load, latency float64)
	// Awake is the live card of an agent whose packet runs now, nil when it does not; nil takes all packets for dormant. It is asked whenever
	// candidates are ranked.
	Awake func(name string) *myriad.Agent
	// Guard is the breaker around the graph; nil is none.
	Guard Guard
	// Gone is told of an agent as it was when it is deleted or its endpoint changes; nil is told nothing.
	Gone func(a myriad.Agent)

	MaxViews      int           // concepts whose view is kept; 0 is 10,000
	MaxCandidates int           // candidates that one answer names, the best ones; 0 is 64
	MaxFlights    int           // look-ups that ask the graph at once, the others wait; 0 is 16
	TTL           time.Duration // when a view is read again, for writers beside this server; 0 is 60 s
	Timeout       time.Duration // of one question to the graph; 0 is 5 s
	MaxPending    int           // writes kept while the graph does not answer; 0 is 1,000
	Probe         time.Duration // how often recovery is looked for while the graph does not answer; 0 is 1 s
}

// Guard decides whether the graph may be asked. Acquire's done must be called once with whether the graph failed.
type Guard interface {
	Acquire() (done func(failed bool), err error)
}

// Directory is the view of the graph that the rest of the server has, and the way in for agents. It is safe for concurrent use.
type Directory struct {
	cfg     Config
	flights sync.WaitGroup
	permits chan struct{} // held by look-ups that ask the graph
	trouble chan struct{} // tells Run that the graph does not answer, or that writes are kept
	down    atomic.Bool   // the graph did not answer when it was asked last

	mu      sync.Mutex
	views   cache              // guarded by mu
	flying  map[string]*flight // by concept; guarded by mu
	pending []write            // in order; guarded by mu
	closed  bool               // guarded by mu

	writing chan struct{}               // holds one place, of whoever writes agents: views are patched in the order in which the graph changed
	untaken atomic.Pointer[failedWrite] // the last write, when the graph answers but did not take it; nil otherwise
}

// New makes a Directory. Run must be running for recovery to be noticed; Close waits for what is under way.
func New(cfg Config) *Directory {
	cfg.MaxViews = cmp.Or(cfg.MaxViews, 10_000)
	cfg.MaxCandidates = cmp.Or(cfg.MaxCandidates, 64)
	cfg.MaxFlights = cmp.Or(cfg.MaxFlights, 16)
	cfg.TTL = cmp.Or(cfg.TTL, time.Minute)
	cfg.Timeout = cmp.Or(cfg.Timeout, 5*time.Second)
	cfg.MaxPending = cmp.Or(cfg.MaxPending, 1000)
	cfg.Probe = cmp.Or(cfg.Probe, time.Second)
	if cfg.Sink == nil {
		cfg.Sink = myriad.Discard
	}
	return &Directory{
		cfg: cfg, permits: make(chan struct{}, cfg.MaxFlights), trouble: make(chan struct{}, 1), writing: make(chan struct{}, 1),
		views: newCache(cfg.MaxViews), flying: make(map[string]*flight),
	}
}

// Find tells done who may answer; concept and intent are canonical. A view that is at hand is used before Find returns; otherwise one flight per
// concept asks the graph, and done is called from it, within the graph's timeout at the latest. done is called exactly once and must not
// block. The only error is CodeUnavailable: the graph does not answer and there is no view.
func (d *Directory) Find(ctx context.Context, concept, intent string, done func(myriad.Found, error)) {
	now := time.Now()
	d.mu.Lock()
	v := d.views.get(concept)
	if v != nil && !v.dirty {
		if now.Sub(v.at) > d.cfg.TTL && now.After(v.retryAt) {
			v.retryAt = now.Add(d.cfg.Probe)
			d.fly(concept, nil)
		}
		h, at := v.handlers, v.at
		d.mu.Unlock()
		done(d.rank(&h, at, intent, now), nil)
		return
	}
	if d.closed {
		d.mu.Unlock()
		done(myriad.Found{}, myriad.Errorf(myriad.CodeDraining, "the server is shutting down"))
		return
	}
	d.fly(concept, &waiter{intent: intent, done: done})
	d.mu.Unlock()
}

// Lookup is Find for those who can wait. It returns at the end of ctx at the latest.
func (d *Directory) Lookup(ctx context.Context, concept, intent string) (myriad.Found, error) {
	type answer struct {
		found myriad.Found
		err   error
	}
	answers := make(chan answer, 1)
	d.Find(ctx, concept, intent, func(found myriad.Found, err error) { answers <- answer{found, err} })
	select {
	case a := <-answers:
		return a.found, a.err
	case <-ctx.Done():
		return myriad.Found{}, myriad.Errorf(myriad.CodeDeadline, "find %s: %w", concept, ctx.Err())
	}
}

// Invalidate has the views of concepts read again before they are used again, of all for none and for AnyConcept, whose agents are in each view.
func (d *Directory) Invalidate(concepts ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(concepts) == 0 || slices.Contains(concepts, myriad.AnyConcept) {
		d.views.each(func(v *view) { v.dirty = true })
		clear(d.flying) // those under way tell their askers and leave no view
		return
	}
	for _, c := range concepts {
		if v := d.views.get(c); v != nil {
			v.dirty = true
		}
		delete(d.flying, c)
	}
}

// Stale says whether the graph did not answer when it was asked last.
func (d *Directory) Stale() bool { return d.down.Load() }

// Run looks for the graph's recovery while it does not answer, and then applies the writes that were kept; it sleeps while the graph answers. It
// returns ctx's error when ctx has ended, after a last try; what is still kept then is lost and told.
func (d *Directory) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			d.giveUp(ctx)
			return ctx.Err()
		case <-d.trouble:
		}
		d.watch(ctx)
	}
}

// watch asks for a sign of life, as often as the guard lets it, until the graph answers and nothing is kept any more.
func (d *Directory) watch(ctx context.Context) {
	tick := time.NewTicker(d.cfg.Probe)
	defer tick.Stop()
	for d.down.Load() || d.hasPending() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.recover(ctx)
			tick.Reset(d.cfg.Probe) // from now on: a write that was not taken stands for those of the next moment
		}
	}
}

// recover asks the graph for a sign of life and applies what was kept.
func (d *Directory) recover(ctx context.Context) {
	if err := d.ask(ctx, d.cfg.Graph.Ping); err == nil {
		if d.turn(ctx) != nil {
			return
		}
		defer d.yield()
		d.applyPending(ctx)
	}
}

// wakeRun has Run watch.
func (d *Directory) wakeRun() {
	select {
	case d.trouble <- struct{}{}:
	default:
	}
}

// Close waits for questions under way; later ones fail. More than once is harmless.
func (d *Directory) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.flights.Wait()
}

// ask puts one question to the graph, through the guard and within the timeout, and notes whether the graph answered.
func (d *Directory) ask(ctx context.Context, question func(context.Context) error) error {
	asker := ctx
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	report := func(bool) {}
	if d.cfg.Guard != nil {
		done, err := d.cfg.Guard.Acquire()
		if err != nil {
			d.note(true, err)
			return unavailable(err)
		}
		report = done
	}
	failed := true // a panic is a failure too
	defer func() { report(failed) }()
	err := question(ctx)
	failed = broken(err) && asker.Err() == nil // an asker that left says nothing of the graph
	d.note(failed, err)
	if failed {
		return unavailable(err)
	}
	return err
}

// broken tells an answer of the graph from the lack of one. Whoever left is nobody's failure.
func broken(err error) bool {
	switch myriad.ErrorCode(err) {
	case "", myriad.CodeNotFound, myriad.CodeConflict, myriad.CodePrecondition, myriad.CodeInvalid, myriad.CodeCancelled:
		return false
	}
	return !errors.Is(err, context.Canceled)
}

func unavailable(err error) error {
	e := myriad.Errorf(myriad.CodeUnavailable, "the graph does not answer: %w", err)
	if inner, ok := errors.AsType[*myriad.Error](err); ok {
		e.RetryAfter = inner.RetryAfter
	}
	return e
}

// note tells once when the graph is lost and once when it is back.
func (d *Directory) note(failed bool, err error) {
	switch {
	case failed && d.down.CompareAndSwap(false, true):
		d.wakeRun()
		d.cfg.Sink.Emit(myriad.Event{Kind: myriad.KindGraphStale, At: time.Now(), Reason: err.Error()})
	case !failed && err == nil && d.down.CompareAndSwap(true, false):
		d.cfg.Sink.Emit(myriad.Event{Kind: myriad.KindGraphFresh, At: time.Now()})
	}
}
