package orchestrator

import (
	"time"

	"github.com/myriad-mind/myriad"
)

// parkedOut ends the wait of a queued task when all its candidates have asked to be left alone for longer than the run lasts: nobody can
// answer it, which it need not wait for the deadline to be told.
func (r *run) parkedOut(i int32, t *myriad.Turn) (more []int32) {
	wait := r.o.cfg.Dispatcher.ParkedAll(t.Candidates)
	if wait == 0 || wait <= time.Until(r.deadline) || !r.o.cfg.Dispatcher.Cancel(t) {
		return nil
	}
	w := &r.tasks[i]
	r.mu.Lock()
	if r.over.Load() || w.turn != t {
		r.mu.Unlock()
		return nil // settled by whoever ended the run or the wait
	}
	r.unqueue(w)
	w.phase = phaseReady
	r.mu.Unlock()
	return r.conclude(i, r.failure(i, &failure{code: myriad.TaskErrParked, status: myriad.StatusServiceUnavailable, retryAfter: wait,
		message: "all agents that could answer have asked to be left alone for longer than the run lasts", mayFall: fallsAll}))
}

// sweep ends the waits that parking an endpoint has made useless.
func (r *run) sweep() (more []int32) {
	type waiting struct {
		task int32
		turn *myriad.Turn
	}
	var all []waiting
	r.mu.Lock()
	for i := range r.tasks {
		if t := r.tasks[i].turn; t != nil && r.tasks[i].phase == phaseQueued {
			all = append(all, waiting{int32(i), t})
		}
	}
	r.mu.Unlock()
	for _, w := range all {
		more = append(more, r.parkedOut(w.task, w.turn)...)
	}
	return more
}
