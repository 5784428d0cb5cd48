package orchestrator

import (
	"time"

	"github.com/myriad-mind/myriad"
)

// summarise is the summary of the run, all of whose tasks are settled. r.mu is held.
//
// duration = durations of the tasks on the critical path + their time in queues + orchestration. The critical path is the chain of tasks
// that really set the pace: from the one that finished last back through the dependency that each one had to wait for longest.
func (r *run) summarise(finished time.Time) myriad.RunSummary {
	s := r.summaryNowLocked()
	s.Status = r.status(s.Succeeded)
	s.FinishedAt = finished
	duration := finished.Sub(r.start)
	var path, queued, sequential time.Duration
	last := int32(-1)
	for i := range r.tasks {
		sequential += r.tasks[i].busy
		if last < 0 || r.tasks[i].finishedAt > r.tasks[last].finishedAt {
			last = int32(i)
		}
	}
	for i := last; i >= 0; i = r.slowest(i) {
		path += r.tasks[i].busy
		queued += r.tasks[i].queued
	}
	s.DurationMS, s.CriticalPathMS, s.QueuedMS = myriad.Millis(duration), myriad.Millis(path), myriad.Millis(queued)
	s.OrchestrationMS = myriad.Millis(max(0, duration-path-queued))
	s.SequentialMS = myriad.Millis(sequential)
	if duration > 0 {
		s.Parallelism = float64(int64(float64(sequential)/float64(duration)*1000)) / 1000
	}
	return s
}

// slowest is the direct dependency of the task that finished last, -1 when it has none.
func (r *run) slowest(i int32) int32 {
	last := int32(-1)
	for _, dep := range r.plan.deps[i] {
		if last < 0 || r.tasks[dep].finishedAt > r.tasks[last].finishedAt {
			last = dep
		}
	}
	return last
}

func (r *run) status(succeeded int) myriad.RunStatus {
	switch {
	case r.cut != nil:
		return r.cut.run
	case succeeded == len(r.tasks):
		return myriad.RunSuccess
	case succeeded > 0:
		return myriad.RunPartial
	}
	return myriad.RunFailed
}

// summaryNow is the summary of a run under way: what can be said before the end.
func (r *run) summaryNow() myriad.RunSummary {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.summaryNowLocked()
}

func (r *run) summaryNowLocked() myriad.RunSummary {
	if r.record != nil {
		return r.record.RunSummary
	}
	s := myriad.RunSummary{RunID: r.id, Status: myriad.RunRunning, Tasks: len(r.tasks), StartedAt: r.start}
	if r.left < len(r.results) {
		for i := range r.results {
			if r.results[i].Succeeded {
				s.Succeeded++
			}
		}
	}
	s.DurationMS = myriad.Millis(time.Since(r.start))
	return s
}
