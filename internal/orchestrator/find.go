package orchestrator

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// answer is the state of an answer to a question of the run's, and what goes on with it.
type answer struct {
	mu   sync.Mutex
	came bool // before the question returned
	left bool // the question returned without it
}

// later asks a question whose answer comes by done: before ask returns, then step goes on right here, or later, then it does so in the
// goroutine that brings the answer. Either way step runs once, and not inside of ask, so that a chain of tasks is no chain of calls.
func later[T any](r *run, i int32, doing string, ask func(done func(T)), step func(T) (granted, bool, []int32)) (g granted, ok bool, more []int32) {
	var a answer
	var value T
	ask(func(t T) {
		a.mu.Lock()
		if !a.left {
			value, a.came = t, true
			a.mu.Unlock()
			return
		}
		a.mu.Unlock()
		r.resume(i, doing, func() (granted, bool, []int32) { return step(t) })
	})
	a.mu.Lock()
	a.left = true
	a.mu.Unlock()
	if !a.came {
		return g, false, nil
	}
	return step(value)
}

// resume goes on with a task in somebody else's goroutine. A panic fails the task, not the goroutine.
func (r *run) resume(i int32, doing string, step func() (granted, bool, []int32)) {
	g, ok, more := func() (g granted, ok bool, more []int32) {
		defer func() {
			if p := recover(); p != nil {
				g, ok, more = granted{}, false, r.broken(i, doing, p)
			}
		}()
		return step()
	}()
	if ok {
		r.spawn(g)
	}
	if next, ok := r.launch(more); ok {
		r.spawn(next)
	}
}

// whereabouts is the finder's answer.
type whereabouts struct {
	found myriad.Found
	err   error
}

// find asks who may carry the task out.
func (r *run) find(i int32) (g granted, ok bool, more []int32) {
	task := &r.plan.tasks[i]
	return later(r, i, "finding an agent", func(done func(whereabouts)) {
		r.o.cfg.Finder.Find(r.ctx, task.ConceptKey, task.IntentKey, func(f myriad.Found, err error) { done(whereabouts{f, err}) })
	}, func(a whereabouts) (granted, bool, []int32) { return r.seek(i, a.found, a.err) })
}

// seek goes on with what the finder said.
func (r *run) seek(i int32, f myriad.Found, err error) (g granted, ok bool, more []int32) {
	w, task := &r.tasks[i], &r.plan.tasks[i]
	if r.over.Load() {
		return g, false, nil // settled by whoever ended the run
	}
	if err != nil {
		return g, false, r.conclude(i, r.failure(i, &failure{code: myriad.TaskErrGraph, status: myriad.StatusServiceUnavailable, retryAfter: retryAfterOf(err),
			message: fmt.Sprintf("the knowledge graph does not answer, and nothing is kept about %q: %v", shorten(task.Concept, 80), err), mayFall: fallsAll}))
	}
	w.found, w.graphStale, w.graphAge, w.ranking = true, f.Stale, f.Age, f.Explain()
	if len(f.Candidates) > 0 {
		return r.choose(i, f.Candidates)
	}
	if !f.Known && f.Stale {
		return g, false, r.conclude(i, r.failure(i, &failure{code: myriad.TaskErrGraph, status: myriad.StatusServiceUnavailable, mayFall: fallsAll,
			message: fmt.Sprintf("the knowledge graph does not answer, and the last view of it does not know %q", shorten(task.Concept, 80))}))
	}
	if !f.Known && r.o.cfg.Grower != nil {
		return r.grow(i)
	}
	return g, false, r.conclude(i, r.failure(i, r.nobody(i)))
}

// nobody is the failure of a task that no agent may carry out.
func (r *run) nobody(i int32) *failure {
	task := &r.plan.tasks[i]
	text := fmt.Sprintf("no agent is available for concept %q and intent %q", shorten(task.Concept, 80), shorten(task.Intent, 80))
	return &failure{code: myriad.TaskErrNoAgent, status: myriad.StatusNoAgent, message: text, data: text, mayFall: fallsToDefault}
}

// choose queues for those of the candidates that may be called now. One that has to be woken first is woken when nobody is awake, or
// nobody but those that answer for any concept.
func (r *run) choose(i int32, candidates []myriad.Candidate) (g granted, ok bool, more []int32) {
	w := &r.tasks[i]
	awake, asleep := divide(candidates)
	if r.o.cfg.Waker == nil {
		asleep = nil
	}
	if len(awake) == 0 && len(asleep) == 0 {
		return g, false, r.conclude(i, r.failure(i, r.nobody(i)))
	}
	w.all = awake
	var away turnedAway
	if len(awake) > 0 {
		awake = r.eligible(i, awake, &away)
	}
	if wakeFirst(asleep, awake) {
		if asleep = r.worthWaking(i, asleep, len(awake) == 0, &away); wakeFirst(asleep, awake) {
			return r.wakeUp(i, asleep, awake)
		}
	}
	if len(awake) == 0 {
		return g, false, r.conclude(i, r.failure(i, away.failure()))
	}
	return r.queue(i, awake)
}

// turnedAway is who may not be called or woken now, and until when.
type turnedAway struct {
	open, parked bool
	first        time.Duration // until the first of them may be tried
}

func (t *turnedAway) until(wait time.Duration) {
	if wait > 0 && (t.first == 0 || wait < t.first) {
		t.first = wait
	}
}

// failure is that of a task all of whose candidates were turned away.
func (t *turnedAway) failure() *failure {
	f := &failure{code: myriad.TaskErrCircuitOpen, status: myriad.StatusServiceUnavailable,
		message: "the circuit breakers of all agents that could answer are open", retryAfter: t.first, mayFall: fallsAll}
	switch {
	case !t.open && t.parked:
		f.code, f.message = myriad.TaskErrParked, "all agents that could answer have asked to be left alone for longer than the task can wait"
	case t.parked:
		f.message = "the circuit breakers of the agents that could answer are open, or they have asked to be left alone"
	}
	return f
}

// eligible drops the candidates whose breakers would turn a call away.
func (r *run) eligible(i int32, candidates []myriad.Candidate, away *turnedAway) []myriad.Candidate {
	left, rejected, wait := r.o.cfg.Caller.Eligible(candidates)
	if len(rejected) == 0 {
		return left
	}
	r.tasks[i].reject(rejected)
	away.open = true
	away.until(wait)
	if len(left) > 0 { // wait is that of nobody
		for _, one := range rejected {
			away.until(time.Duration(one.RetryAfterMS) * time.Millisecond)
		}
	}
	return left
}

// divide tells the candidates that are awake from those that are dormant. Where all are awake the list is the given one.
func divide(candidates []myriad.Candidate) (awake, asleep []myriad.Candidate) {
	if !slices.ContainsFunc(candidates, dormant) {
		return candidates, nil
	}
	for _, c := range candidates {
		if dormant(c) {
			asleep = append(asleep, c)
		} else {
			awake = append(awake, c)
		}
	}
	return awake, asleep
}

func dormant(c myriad.Candidate) bool { return c.Agent.Dormant || c.Agent.Endpoint == "" }

// maxRejections bounds what the provenance of one task tells of rejected candidates, however often it waited.
const maxRejections = 100

func (w *work) reject(rejections []myriad.Rejection) {
	w.rejections = append(w.rejections, rejections[:min(len(rejections), max(0, maxRejections-len(w.rejections)))]...)
}
