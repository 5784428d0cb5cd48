package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/myriad-mind/myriad"
)

// run is one execution of a plan. A task's state moves waiting -> ready -> (queued -> calling)* -> done under mu; between those moves one
// goroutine or callback at a time has it in hand. Nothing is called under mu.
type run struct {
	o        *Orchestrator
	id       string
	plan     *plan
	key      string // Idempotency-Key, "" none
	hash     string // of the request's body
	trace    string // the client's traceparent
	span     myriad.TraceParent
	start    time.Time // guarded by mu until begin has set it, with deadline
	deadline time.Time
	recorded atomic.Bool            // the store knew of it when it began
	done     chan struct{}          // closed when all is settled and the record is handed over
	carriers chan granted           // unbuffered: to goroutines of the run that have nothing to do
	over     atomic.Bool            // no task may begin any more; set under mu
	inputs   atomic.Pointer[inputs] // those of the task that became ready last

	mu        sync.Mutex         // guards what follows
	ctx       context.Context    // of the calls; set by begin
	stop      context.CancelFunc //
	timer     *time.Timer        // ends the run at its deadline
	tasks     []work
	results   []myriad.Result // in plan order; one with a Status never changes again
	left      int             // tasks without a result
	bytes     int64           // of the answers kept
	cut       *cut            // why the run was ended before its time; nil when it was not
	log       []myriad.RunStep
	changed   chan struct{} // closed when log grows; nil while nobody waits
	record    *myriad.RunRecord
	holders   int  // clients whose leaving ends the run when they are the last
	pinned    bool // the run survives its clients
	abandoned bool // its last client has left: nobody can join it any more
}

func newRun(o *Orchestrator, req *myriad.RunRequest, p *plan) *run {
	id, err := uuid.NewV7()
	if err != nil {
		panic("no randomness: " + err.Error()) // crypto/rand never fails on the platforms that Go supports
	}
	r := &run{o: o, id: id.String(), plan: p, key: req.IdempotencyKey, trace: req.TraceParent, start: time.Now(),
		done: make(chan struct{}), carriers: make(chan granted), tasks: make([]work, len(p.tasks)), results: make([]myriad.Result, len(p.tasks)), left: len(p.tasks),
		log: make([]myriad.RunStep, 0, 2+2*len(p.tasks))}
	r.deadline = r.start.Add(p.timeout)
	r.span = myriad.RunSpan(r.id, r.trace)
	if r.key != "" {
		r.hash = bodyHash(req.Body)
	}
	for i := range r.tasks {
		r.tasks[i].left = int32(len(p.deps[i]))
		r.results[i].TaskID = p.tasks[i].ID
	}
	r.log = append(r.log, myriad.RunStep{Kind: myriad.EventRunStarted, Task: -1, At: r.start})
	return r
}

func bodyHash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// begin arms the run: from now on it ends by itself. Its calls are cancelled with ctx. The time of a run that was kept first begins now: it is not late
// because the store was.
func (r *run) begin(ctx context.Context) {
	r.mu.Lock()
	r.ctx, r.stop = context.WithCancel(ctx)
	over := r.over.Load()
	if !over {
		if r.recorded.Load() {
			r.start = time.Now()
			r.deadline, r.log[0].At = r.start.Add(r.plan.timeout), r.start
		}
		r.timer = time.AfterFunc(time.Until(r.deadline), func() { r.end(cutDeadline) })
	}
	r.mu.Unlock()
	if over {
		r.stop()
		return
	}
	s := r.summaryNow()
	r.emit(myriad.Event{Kind: myriad.KindRunStarted, Run: &s})
	if len(r.tasks) == 0 {
		r.finalise()
	}
}

// initial are the tasks that depend on nothing.
func (r *run) initial() []int32 {
	ready := make([]int32, 0, len(r.tasks))
	for i, deps := range r.plan.deps {
		if len(deps) == 0 {
			ready = append(ready, int32(i))
		}
	}
	return ready
}

// launchHere launches tasks, and carries on with what may begin at once in the caller's goroutine.
func (r *run) launchHere(ready []int32) {
	if g, ok := r.launch(ready); ok {
		r.carry(g)
	}
}

// launchAway does so in a goroutine of the run.
func (r *run) launchAway(ready []int32) {
	if !r.enter() {
		return
	}
	go func() {
		defer r.o.background.Done()
		r.launchHere(ready)
	}()
}

// await waits for the run's record; when ctx ends first the run is cancelled.
func (r *run) await(ctx context.Context) *myriad.RunRecord {
	select {
	case <-r.done:
	case <-ctx.Done():
		r.end(cutLeft)
		<-r.done
	}
	return r.record // done is closed: it does not change any more
}

// cut is why a run was ended before its tasks were done, and what its unfinished tasks come to.
type cut struct {
	run     myriad.RunStatus
	status  string
	code    string
	message string
}

var (
	cutDeadline  = &cut{myriad.RunTimeout, myriad.StatusTimeout, myriad.TaskErrRunDeadline, "the run's deadline passed before the task was done"}
	cutCancelled = &cut{myriad.RunCancelled, myriad.StatusCancelled, myriad.TaskErrCancelled, "the run was cancelled"}
	cutLeft      = &cut{myriad.RunCancelled, myriad.StatusCancelled, myriad.TaskErrCancelled, "the client left, and the run was cancelled"}
	cutDrained   = &cut{myriad.RunCancelled, myriad.StatusCancelled, myriad.TaskErrCancelled, "the server shut down, and the run was cancelled"}
)

// end ends the run now: what waits is taken out of its queues, what is under way is cancelled and settled when its call has come back.
// Of a run that is over it changes nothing.
func (r *run) end(why *cut) {
	var places map[string]*myriad.QueuePosition
	if why == cutDeadline {
		places = r.placesOf()
	}
	r.mu.Lock()
	if r.over.Load() || r.left == 0 {
		r.mu.Unlock()
		return
	}
	r.over.Store(true)
	r.cut = why
	var turns []*myriad.Turn
	var after settled
	now := time.Since(r.start)
	for i := range r.tasks {
		w := &r.tasks[i]
		if w.turn != nil {
			turns = append(turns, r.unqueue(w))
		}
		if w.phase != phaseCalling && w.phase != phaseDone {
			result := r.cutShort(int32(i), now, w.phase == phaseQueued)
			if why == cutDeadline {
				if where := w.where(places); where != "" {
					result.ErrorMessage = "the run's deadline passed while the task waited for " + where
				}
			}
			r.settle(int32(i), &result, now, &after)
		}
	}
	stop := r.stop
	r.mu.Unlock()
	if stop != nil {
		stop()
	}
	for _, t := range turns {
		r.o.cfg.Dispatcher.Cancel(t)
	}
	r.told(&after)
}

// finalise makes the record when the last task is settled. It is called once.
func (r *run) finalise() {
	defer r.guard("finishing the run")
	defer close(r.done)
	defer r.o.leave(r)
	r.mu.Lock()
	r.over.Store(true)
	timer, stop := r.timer, r.stop
	summary := r.summarise(time.Now())
	r.log = append(r.log, myriad.RunStep{Kind: myriad.EventRunFinished, Task: -1, At: summary.FinishedAt})
	r.record = &myriad.RunRecord{RunSummary: summary, Results: r.results, Log: r.log, IdempotencyKey: r.key, BodyHash: r.hash, Plan: r.plan.announcement()}
	rec := r.record
	r.wake()
	r.mu.Unlock()
	if timer != nil {
		timer.Stop()
	}
	if stop != nil {
		stop()
	}
	r.o.cfg.Recorder.RecordRun(rec)
	r.emit(myriad.Event{Kind: myriad.KindRunFinished, Run: &rec.RunSummary, Duration: summary.FinishedAt.Sub(r.start)})
}

// wake tells followers that the log has grown. r.mu is held.
func (r *run) wake() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// opening is the record of a run that has not begun; its plan is kept until it is finished.
func (r *run) opening() *myriad.RunRecord {
	return &myriad.RunRecord{RunSummary: r.summaryNow(), Log: slices.Clone(r.log[:1]), IdempotencyKey: r.key, BodyHash: r.hash, Plan: r.plan.announcement()}
}

// snapshot is the record as it is now.
func (r *run) snapshot() *myriad.RunRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.record != nil {
		return r.record
	}
	return &myriad.RunRecord{RunSummary: r.summaryNowLocked(), Results: append([]myriad.Result(nil), r.results...),
		Log: append([]myriad.RunStep(nil), r.log...), IdempotencyKey: r.key, BodyHash: r.hash}
}

func (r *run) emit(e myriad.Event) {
	e.RunID, e.TraceParent = r.id, r.trace
	r.o.emit(e)
}

// guard ends a panic in a part of the run that belongs to no single task. It is deferred.
func (r *run) guard(doing string) {
	if p := recover(); p != nil {
		r.panicked(doing, "", p)
	}
}

// panicked tells of a panic; called in the recovering function, so that the stack is that of the panic.
func (r *run) panicked(doing, task string, p any) {
	stack := string(debug.Stack())
	r.o.log.Error("panic", "doing", doing, "run", r.id, "task", task, "panic", p, "stack", stack)
	r.emit(myriad.Event{Kind: myriad.KindPanic, TaskID: task, Reason: fmt.Sprintf("%s: %v", doing, p), Stack: stack})
}
