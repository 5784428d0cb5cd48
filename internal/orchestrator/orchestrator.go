package orchestrator

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-mind/myriad"
)

// Config is what an Orchestrator is made of. Finder, Dispatcher, Caller, Recorder and LastGood are required.
type Config struct {
	Finder     finder
	Dispatcher dispatcher
	Caller     caller
	Recorder   recorder
	LastGood   lastGood
	Waker      waker  // nil: dormant agents are passed over
	Grower     grower // nil: nobody grows agents for unknown concepts

	Sink           myriad.Sink  // nil: nobody listens
	Logger         *slog.Logger // nil: slog.Default()
	Limits         Limits
	ReadingIntents []string // canonical intents that only read, so that their answers may be kept; nil: defaultReading
}

// defaultReading is the configured list of design, "Safety of repetition".
var defaultReading = []string{
	"define", "describe", "explain", "explain_impact", "explain_limitation", "analyze", "analyze_impact", "analyze_historical_context",
	"compare", "evaluate", "summarize", "classify", "translate", "search", "lookup",
}

// Orchestrator carries out runs. It is safe for concurrent use.
type Orchestrator struct {
	cfg        Config
	limits     Limits
	sink       myriad.Sink
	log        *slog.Logger
	reading    map[string]bool
	background sync.WaitGroup // goroutines of runs

	waiting atomic.Int64 // unfinished tasks of all runs
	held    atomic.Int64 // bytes of requests and answers of all runs

	mu       sync.Mutex // guards what follows
	runs     map[string]*run
	keys     map[string]*keyed
	draining bool
	idle     chan struct{} // closed when draining and the last run has gone; made by Drain
}

// New makes an Orchestrator; the error names every part that is missing.
func New(cfg Config) (*Orchestrator, error) {
	var missing []error
	for name, absent := range map[string]bool{
		"Finder": cfg.Finder == nil, "Dispatcher": cfg.Dispatcher == nil, "Caller": cfg.Caller == nil,
		"Recorder": cfg.Recorder == nil, "LastGood": cfg.LastGood == nil,
	} {
		if absent {
			missing = append(missing, myriad.Errorf(myriad.CodeInternal, "orchestrator: Config.%s is required", name))
		}
	}
	if len(missing) > 0 {
		return nil, errors.Join(missing...)
	}
	o := &Orchestrator{cfg: cfg, limits: cfg.Limits.withDefaults(), sink: cfg.Sink, log: cfg.Logger,
		reading: map[string]bool{}, runs: map[string]*run{}, keys: map[string]*keyed{}}
	if o.sink == nil {
		o.sink = myriad.Discard
	}
	if o.log == nil {
		o.log = slog.Default()
	}
	intents := cfg.ReadingIntents
	if intents == nil {
		intents = defaultReading
	}
	for _, intent := range intents {
		o.reading[intent] = true
	}
	return o, nil
}

// Check validates a request without running it.
func (o *Orchestrator) Check(req myriad.RunRequest) error {
	_, err := newPlan(&req, &o.limits)
	return err
}

// Do carries a run out and returns its record, in the caller's goroutine where it can. When ctx ends the run is cancelled, and its record
// says so. With an idempotency key the run of an earlier request may be joined, or its record returned.
func (o *Orchestrator) Do(ctx context.Context, req myriad.RunRequest) (*myriad.RunRecord, error) {
	if req.IdempotencyKey != "" {
		return o.doKeyed(ctx, &req)
	}
	r, err := o.admit(&req)
	if err != nil {
		return nil, err
	}
	r.begin(ctx)
	r.launchHere(r.initial())
	return r.await(ctx), nil
}

// Start begins a run that does not depend on ctx any more once Start has returned; its record is in the store by then. replayed says that
// the idempotency key named a run that was there before.
func (o *Orchestrator) Start(ctx context.Context, req myriad.RunRequest) (id string, replayed bool, err error) {
	if req.IdempotencyKey != "" {
		return o.startKeyed(ctx, &req)
	}
	r, err := o.admit(&req)
	if err != nil {
		return "", false, err
	}
	if err := o.recordStart(ctx, r); err != nil {
		return "", false, err
	}
	r.begin(context.WithoutCancel(ctx))
	r.launchAway(r.initial())
	return r.id, false, nil
}

// recordStart keeps a run before it begins, and gives its place back when that fails.
func (o *Orchestrator) recordStart(ctx context.Context, r *run) error {
	r.recorded.Store(true)
	err := o.cfg.Recorder.RecordRunNow(ctx, r.opening())
	if err == nil {
		return nil
	}
	o.leave(r)
	return unavailable("keep the run before it starts", err)
}

// unavailable wraps a failure of the store that carries no code of its own.
func unavailable(doing string, err error) error {
	if myriad.ErrorCode(err) != myriad.CodeInternal {
		return err
	}
	return myriad.Errorf(myriad.CodeUnavailable, "could not %s: %w", doing, err)
}

// Cancel ends a run and waits until nothing of it is left. Of a run that is over it changes nothing; CodeNotFound when there is none.
func (o *Orchestrator) Cancel(ctx context.Context, id string) error {
	r := o.live(id)
	if r == nil {
		_, err := o.cfg.Recorder.LoadRun(ctx, id)
		return err
	}
	r.end(cutCancelled)
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return myriad.Errorf(myriad.CodeDeadline, "waiting for run %s to end: %w", id, context.Cause(ctx))
	}
}

// Run is a run's record as it is now. The record is shared and must not be changed.
func (o *Orchestrator) Run(ctx context.Context, id string) (*myriad.RunRecord, error) {
	if r := o.live(id); r != nil {
		return r.snapshot(), nil
	}
	return o.cfg.Recorder.LoadRun(ctx, id)
}

// Runs lists runs, newest first. Runs under way that are not in the store lead the first page.
func (o *Orchestrator) Runs(ctx context.Context, page myriad.Page) ([]myriad.RunSummary, string, error) {
	limit := page.Limit
	if limit <= 0 {
		limit = 100
	}
	live, unrecorded := o.summaries()
	if page.Cursor != "" {
		unrecorded = nil
	}
	unrecorded = unrecorded[:min(len(unrecorded), limit-1)]
	page.Limit = limit - len(unrecorded)
	stored, next, err := o.cfg.Recorder.ListRuns(ctx, page)
	if err != nil {
		return nil, "", err
	}
	stored = slices.Clone(stored)
	for i := range stored {
		if now, ok := live[stored[i].RunID]; ok {
			stored[i] = now
		}
	}
	listed := func(s myriad.RunSummary) bool { // finished and written since we looked
		return slices.ContainsFunc(stored, func(t myriad.RunSummary) bool { return t.RunID == s.RunID })
	}
	return append(slices.DeleteFunc(unrecorded, listed), stored...), next, nil
}

// summaries are those of the runs under way, and of them, newest first, those that the store does not know yet.
func (o *Orchestrator) summaries() (live map[string]myriad.RunSummary, unrecorded []myriad.RunSummary) {
	o.mu.Lock()
	runs := make([]*run, 0, len(o.runs))
	for _, r := range o.runs {
		runs = append(runs, r)
	}
	o.mu.Unlock()
	live = make(map[string]myriad.RunSummary, len(runs))
	for _, r := range runs {
		s := r.summaryNow()
		live[r.id] = s
		if !r.recorded.Load() {
			unrecorded = append(unrecorded, s)
		}
	}
	slices.SortFunc(unrecorded, func(a, b myriad.RunSummary) int { return strings.Compare(b.RunID, a.RunID) })
	return live, unrecorded
}

func (o *Orchestrator) live(id string) *run {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.runs[id]
}

// Draining says that no new runs are taken.
func (o *Orchestrator) Draining() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.draining
}

// emit tells the sink. A sink that panics must not keep a task's dependents from being launched.
func (o *Orchestrator) emit(e myriad.Event) {
	defer func() {
		if p := recover(); p != nil {
			o.log.Error("the event sink panicked", "event", e.Kind, "run", e.RunID, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	e.At = time.Now()
	o.sink.Emit(e)
}
