package orchestrator

import (
	"fmt"
	"time"

	"github.com/myriad-mind/myriad"
)

// settled is what follows from tasks that got their results, to be done after the lock is released.
type settled struct {
	finished []int32 // in the order they got their results
	ready    []int32 // their last dependency is done
	release  []func()
	last     bool // no task is left
}

// settle gives the i-th task its result and counts down those that depend on it; tasks that are skipped because of it are settled with it,
// in turn and not by recursion. r.mu is held.
func (r *run) settle(i int32, result *myriad.Result, now time.Duration, after *settled) {
	r.place(i, result, now, after)
	for next := len(after.finished) - 1; next < len(after.finished); next++ {
		for _, user := range r.plan.users[after.finished[next]] {
			w := &r.tasks[user]
			if w.left--; w.left > 0 || w.phase != phaseWaiting || r.over.Load() {
				continue
			}
			w.readyAt = now
			if culprit := r.culprit(user); culprit >= 0 {
				skipped := r.skipped(user, culprit)
				r.place(user, &skipped, now, after)
				continue
			}
			w.phase = phaseReady
			after.ready = append(after.ready, user)
		}
	}
	after.last = r.left == 0
	r.wake()
}

// place puts a result in its place. r.mu is held.
func (r *run) place(i int32, result *myriad.Result, now time.Duration, after *settled) {
	w := &r.tasks[i]
	size := int64(len(result.Answer.Raw) + len(result.Extra.Data))
	if r.bytes+size > r.o.limits.MaxResultBytes {
		r.tooLarge(result)
		size = 0
	}
	r.bytes += size
	r.o.held.Add(size)
	r.o.waiting.Add(-1)
	w.phase, w.finishedAt = phaseDone, now
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	if w.release != nil {
		after.release = append(after.release, w.release)
		w.release = nil
	}
	r.results[i] = *result
	r.left--
	r.log = append(r.log, myriad.RunStep{Kind: myriad.EventTaskFinished, Task: int(i), At: r.start.Add(now)})
	after.finished = append(after.finished, i)
}

// told tells what was settled, and makes the record when nothing is left. No lock is held.
func (r *run) told(after *settled) {
	for _, release := range after.release {
		r.unpin(release)
	}
	for _, i := range after.finished {
		r.emit(myriad.Event{Kind: myriad.KindTaskFinished, TaskID: r.plan.tasks[i].ID.Key, Task: &r.plan.tasks[i], Result: &r.results[i],
			Agent: r.results[i].Provenance.Agent, Duration: r.tasks[i].finishedAt - r.tasks[i].readyAt})
	}
	if after.last {
		r.finalise()
	}
}

// conclude settles a task that was in hand, and returns those that became ready.
func (r *run) conclude(i int32, result *myriad.Result) []int32 {
	var after settled
	r.mu.Lock()
	if r.tasks[i].phase == phaseDone {
		r.mu.Unlock()
		return nil
	}
	now := time.Since(r.start)
	if r.over.Load() {
		short := r.cutShort(i, now, true)
		result = &short
	}
	r.settle(i, result, now, &after)
	r.mu.Unlock()
	r.told(&after)
	return after.ready
}

// culprit is the first dependency whose failure keeps the task from running, -1 when it may run. r.mu is held.
func (r *run) culprit(i int32) int32 {
	if r.plan.tasks[i].OnDependencyFailure == myriad.OnFailureContinue {
		return -1
	}
	for _, dep := range r.plan.deps[i] {
		if !r.results[dep].Succeeded {
			return dep
		}
	}
	return -1
}

// skipped is the result of a task whose dependency did not succeed. It names who began it: the dependency, or whom that was skipped for.
func (r *run) skipped(i, culprit int32) myriad.Result {
	dep := &r.results[culprit]
	result := r.result(i)
	result.Status, result.ErrorCode = myriad.StatusSkipped, myriad.TaskErrDependency
	result.Extra.SkippedBecause = dep.TaskID.Key
	result.ErrorMessage = fmt.Sprintf("dependency %q did not succeed: %s", shorten(dep.TaskID.Key, 80), dep.Status)
	if because := dep.Extra.SkippedBecause; dep.Status == myriad.StatusSkipped && because != "" {
		result.Extra.SkippedBecause = because
		result.ErrorMessage = fmt.Sprintf("dependency %q was skipped because %q did not succeed", shorten(dep.TaskID.Key, 80), shorten(because, 80))
	}
	result.Extra.Message = result.ErrorMessage
	return result
}

// cutShort is the result of a task that the end of its run overtook. r.mu is held. mine: nobody else has the task in hand, so that all
// that is known of it may be told.
func (r *run) cutShort(i int32, now time.Duration, mine bool) myriad.Result {
	w := &r.tasks[i]
	if w.phase == phaseWaiting && len(r.plan.deps[i]) > 0 { // those that depend on nothing are ready from the start, and may be in other hands
		w.readyAt = now // it never was; so that it has no duration
	}
	result := r.bare(i)
	if mine {
		result = r.result(i)
	}
	result.Status, result.ErrorCode, result.ErrorMessage = r.cut.status, r.cut.code, r.cut.message
	if result.Status == myriad.StatusTimeout && w.agent != nil {
		result.Extra.AgentURL = w.agent.Endpoint
		result.Provenance.Agent, result.Provenance.Endpoint = w.agent.Name, w.agent.Endpoint
	}
	return result
}

// tooLarge makes a result that does not fit into the run's bytes a failure.
func (r *run) tooLarge(result *myriad.Result) {
	result.Status, result.Succeeded, result.ErrorCode = myriad.StatusError, false, myriad.TaskErrTooLarge
	result.ErrorMessage = fmt.Sprintf("with this answer the run's results would be larger than %d bytes", r.o.limits.MaxResultBytes)
	result.Answer, result.Extra = myriad.Answer{}, myriad.Extra{}
	result.Provenance.Source = myriad.SourceNone
}
