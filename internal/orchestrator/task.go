package orchestrator

import (
	"slices"
	"strconv"
	"time"

	"github.com/myriad-mind/myriad"
)

// phase is where a task stands.
type phase uint8

const (
	phaseWaiting phase = iota // for its dependencies
	phaseReady                // being looked up, woken or grown for
	phaseQueued               // for a slot
	phaseCalling              // with an agent
	phaseDone
)

// work is the state of one task of a run. Times count from the run's start.
type work struct {
	// Guarded by the run's mu.
	phase      phase
	left       int32        // dependencies without a result
	turn       *myriad.Turn // while it waits for a slot
	timer      *time.Timer  // the task's own timeout, while it waits for another slot
	release    func()       // unpins the agent that was woken or grown for it
	waits      alive        // what it waits for before it is queued
	readyAt    time.Duration
	queuedAt   time.Duration // when it went into the queue last
	finishedAt time.Duration
	queued     time.Duration // in queues, before the present wait
	first      time.Duration // when it got its first slot; 0 not yet
	firstWait  time.Duration // how long it had waited then
	firstAgent string        // who it went to
	agent      *myriad.Agent // who it went to last

	// Belong to whoever has the task in hand.
	busy       time.Duration // in calls, and waiting for an agent to come alive
	cold       time.Duration // of it, waiting for an agent to come alive
	requeues   int
	all        []myriad.Candidate // who may serve, awake
	candidates []myriad.Candidate
	job        myriad.Job     // small ones only; jobOf gives it
	growth     *myriad.Growth // the agent was grown for this task
	found      bool           // ranking and graph hold
	graphStale bool
	graphAge   time.Duration
	ranking    []myriad.Ranked
	attempts   []myriad.Attempt
	rejections []myriad.Rejection
	question   string // key of the last good answer, "" not computed yet
}

// granted is a task with a slot.
type granted struct {
	task      int32
	candidate int
	slot      myriad.Slot
}

// launch takes tasks that are ready as far as they go without waiting: to a slot, into a queue, or to their end, which may make others
// ready. All but the last with a slot get their own goroutines; that one is left to the caller.
func (r *run) launch(ready []int32) (own granted, ok bool) {
	for n := 0; n < len(ready); n++ {
		g, ok, more := r.prepare(ready[n])
		ready = append(ready, more...)
		if !ok {
			continue
		}
		if n == len(ready)-1 {
			return g, true
		}
		r.spawn(g)
	}
	return granted{}, false
}

// spawn carries a granted task out in another goroutine of the run: one that has nothing to do, or a new one. Their stacks have grown to what
// a call needs, which in a wide run would cost more than all that the orchestrator does for a task.
func (r *run) spawn(g granted) {
	select {
	case r.carriers <- g:
		return
	default:
	}
	if !r.enter() {
		g.slot.Release()
		return
	}
	go func() {
		defer r.o.background.Done()
		for {
			r.carry(g)
			select {
			case g = <-r.carriers:
			case <-r.done:
				return
			}
		}
	}()
}

// enter counts a new goroutine of the run; false when the run is over, so that none comes when all are being waited for.
func (r *run) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over.Load() {
		return false
	}
	r.o.background.Add(1)
	return true
}

// carry carries a granted task out, and goes on with whatever that makes possible at once.
func (r *run) carry(g granted) {
	for ok := true; ok; {
		g, ok = r.attempt(g)
	}
}

// prepare takes one ready task to its first wait. A panic in it fails the task.
func (r *run) prepare(i int32) (g granted, ok bool, more []int32) {
	defer func() {
		if p := recover(); p != nil {
			g, ok, more = granted{}, false, r.broken(i, "preparing the task", p)
		}
	}()
	if failed := r.makeJob(i); failed != nil {
		return g, false, r.conclude(i, r.failure(i, failed))
	}
	r.shed(i)
	return r.find(i)
}

// attempt begins a granted task's call, waits for its reply and deals with it.
func (r *run) attempt(g granted) (next granted, ok bool) {
	var more []int32
	func() {
		defer func() {
			if p := recover(); p != nil {
				g.slot.Release()
				next, ok, more = granted{}, false, r.broken(g.task, "carrying the task out", p)
			}
		}()
		next, ok, more = r.exchange(g)
	}()
	if ok {
		return next, true
	}
	return r.launch(more)
}

// broken ends a task whose handling panicked.
func (r *run) broken(i int32, doing string, p any) []int32 {
	r.panicked(doing, r.plan.tasks[i].ID.Key, p)
	return r.conclude(i, r.failure(i, &failure{status: myriad.StatusError, code: myriad.TaskErrInternal, message: "a defect of Myriad ended the task; the log has the stack"}))
}

// queue puts the task into the queues of its candidates.
func (r *run) queue(i int32, candidates []myriad.Candidate) (g granted, ok bool, more []int32) {
	w := &r.tasks[i]
	t := &myriad.Turn{Run: r.id, Priority: r.plan.tasks[i].Priority, Candidates: candidates}
	t.Grant = func(chosen int, slot myriad.Slot, _ time.Duration) { r.spawn(granted{i, chosen, slot}) }
	r.mu.Lock()
	if r.over.Load() || w.phase == phaseDone {
		r.mu.Unlock()
		return g, false, nil
	}
	w.phase, w.turn, w.queuedAt, w.candidates, w.waits = phaseQueued, t, time.Since(r.start), candidates, alive{}
	r.mu.Unlock()
	chosen, slot, ok := r.o.cfg.Dispatcher.Submit(t)
	if ok {
		return granted{i, chosen, slot}, true, nil
	}
	if r.over.Load() || r.gaveUp(i, t) {
		r.o.cfg.Dispatcher.Cancel(t) // whoever ended the wait may have come before the turn was in the queue
		return g, false, nil
	}
	return g, false, r.parkedOut(i, t)
}

// gaveUp says that the task does not wait with this turn any more.
func (r *run) gaveUp(i int32, t *myriad.Turn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tasks[i].turn != t && r.tasks[i].phase == phaseDone
}

// begun moves a granted task to its call and says until when that may last; false when the task or its run is over.
func (r *run) begun(g granted) (deadline time.Time, own, ok bool) {
	task, w := &r.plan.tasks[g.task], &r.tasks[g.task]
	r.mu.Lock()
	if r.over.Load() || w.phase != phaseQueued {
		r.mu.Unlock()
		return deadline, false, false
	}
	now := time.Since(r.start)
	w.phase, w.turn = phaseCalling, nil
	w.queued += now - w.queuedAt
	w.agent = w.candidates[g.candidate].Agent
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	first := w.first == 0
	if first {
		w.first, w.firstWait, w.firstAgent = max(now, 1), w.queued, w.agent.Name
		r.log = append(r.log, myriad.RunStep{Kind: myriad.EventTaskStarted, Task: int(g.task), At: r.start.Add(now)})
		r.wake()
	}
	r.mu.Unlock()
	if first {
		r.emit(myriad.Event{Kind: myriad.KindTaskStarted, TaskID: task.ID.Key, Agent: w.firstAgent, Duration: w.firstWait})
	}
	deadline, own = r.until(g.task)
	return deadline, own, true
}

// until is when the task's time is over, and whether that is by its own timeout. The task has been begun.
func (r *run) until(i int32) (deadline time.Time, own bool) {
	if ms := r.plan.tasks[i].TimeoutMS; ms > 0 {
		if at := r.start.Add(r.tasks[i].first + time.Duration(ms)*time.Millisecond); at.Before(r.deadline) {
			return at, true
		}
	}
	return r.deadline, false
}

// exchange has one call made for a granted task, and judges what it came to.
func (r *run) exchange(g granted) (next granted, ok bool, more []int32) {
	deadline, own, ok := r.begun(g)
	if !ok {
		g.slot.Release()
		return next, false, nil
	}
	task, w := &r.plan.tasks[g.task], &r.tasks[g.task]
	call := &myriad.Call{RunID: r.id, Task: task, Job: r.jobOf(g.task), Candidates: w.candidates, First: g.candidate, Slot: g.slot, RunStart: r.start,
		Deadline: deadline, TaskTimeout: own, Attempt: len(w.attempts),
		TraceParent: r.span.TaskSpan(r.id, task.ID.Key).String(), Key: r.id + "-" + strconv.Itoa(int(g.task))}
	from := time.Now()
	reply := r.o.cfg.Caller.Call(r.ctx, call)
	w.busy += time.Since(from)
	if w.attempts == nil {
		w.attempts = reply.Attempts
	} else {
		w.attempts = slices.Concat(w.attempts, reply.Attempts)
	}
	w.reject(reply.Rejections)
	return r.judge(g.task, &reply)
}
