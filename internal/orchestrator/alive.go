package orchestrator

import (
	"fmt"
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
)

// neurogenesisName is the agent_name of results about grown agents (wire facts 1.4), where no agent's answer has one.
const neurogenesisName = "Orchestrator_Neurogenesis"

// wakeFirst says whether one of the dormant candidates is to be woken before the task goes to those that are awake.
func wakeFirst(asleep, awake []myriad.Candidate) bool {
	return len(asleep) > 0 && (len(awake) == 0 || asleep[0].Tier != myriad.TierAny && awake[0].Tier == myriad.TierAny)
}

// worthWaking drops the dormant candidates that would be turned away once they were awake, for what happened when they were: their breakers are
// open, or they have asked to be left alone. Those that will not be left alone that long are woken when nobody else can be asked, last.
func (r *run) worthWaking(i int32, asleep []myriad.Candidate, alone bool, away *turnedAway) []myriad.Candidate {
	asleep = r.eligible(i, asleep, away)
	ready := make([]myriad.Candidate, 0, len(asleep))
	var later []myriad.Candidate
	for n := range asleep {
		wait := r.o.cfg.Dispatcher.ParkedAll(asleep[n : n+1])
		switch {
		case wait == 0:
			ready = append(ready, asleep[n])
		case alone && wait <= time.Until(r.patience(i)):
			later = append(later, asleep[n])
		default:
			name := asleep[n].Agent.Name
			away.parked = true
			away.until(wait)
			r.tasks[i].reject([]myriad.Rejection{{Agent: name, Reason: myriad.RejectedParked, RetryAfterMS: max(1, wait.Milliseconds())}})
			r.emit(myriad.Event{Kind: myriad.KindRejected, TaskID: r.plan.tasks[i].ID.Key, Agent: name, Reason: myriad.RejectedParked, RetryAfter: wait})
		}
	}
	return append(ready, later...)
}

// wakeUp wakes the first of the dormant candidates, and when that fails the next; the task goes on with the agent that woke up before those
// that are awake.
func (r *run) wakeUp(i int32, asleep, awake []myriad.Candidate) (g granted, ok bool, more []int32) {
	from, task := time.Now(), &r.plan.tasks[i]
	r.waitsFor(i, alive{agent: asleep[0].Agent.Name})
	return later(r, i, "waking an agent", func(done func(myriad.Woken)) {
		r.o.cfg.Waker.Wake(r.ctx, myriad.WakeRequest{Agent: asleep[0].Agent, Kind: myriad.QueueWake, Concept: task.ConceptKey, Intent: task.IntentKey,
			Priority: task.Priority, Deadline: r.patience(i)}, done)
	}, func(a myriad.Woken) (granted, bool, []int32) {
		if !r.pin(i, a.Release, time.Since(from)) {
			return granted{}, false, nil
		}
		w := &r.tasks[i]
		w.cold += a.Cold
		if a.Err == nil && a.Agent != nil {
			up := asleep[0]
			up.Agent = a.Agent
			w.all = append([]myriad.Candidate{up}, awake...)
			return r.queue(i, w.all)
		}
		if myriad.ErrorCode(a.Err) == myriad.CodeDeadline {
			return granted{}, false, r.overslept(i, asleep[0].Agent.Name)
		}
		if rest := asleep[1:]; wakeFirst(rest, awake) {
			return r.wakeUp(i, rest, awake)
		}
		if len(awake) > 0 {
			return r.queue(i, awake)
		}
		return granted{}, false, r.conclude(i, r.failure(i, asleepFailure(asleep[0].Agent.Name, a.Err)))
	})
}

// patience is until when a task can wait for an agent: its own timeout counts from its first dispatch.
func (r *run) patience(i int32) time.Time {
	if r.tasks[i].first == 0 {
		return r.deadline
	}
	deadline, _ := r.until(i)
	return deadline
}

// overslept concludes a task whose time passed before its agent was awake, which is no failure of the agent's.
func (r *run) overslept(i int32, agent string) []int32 {
	if r.patience(i).Equal(r.deadline) {
		r.end(cutDeadline)
	}
	return r.conclude(i, r.failure(i, &failure{code: myriad.TaskErrTimeout, status: myriad.StatusTimeout, mayFall: fallsAll,
		message: "the task's timeout passed while it waited for " + awakeAt(agent, r.o.cfg.Waker.Place(agent))}))
}

// asleepFailure is the failure of a task whose only agents could not be woken. An error's code that is a TaskErr word is the result's.
func asleepFailure(agent string, err error) *failure {
	code := string(myriad.ErrorCode(err))
	if !slices.Contains([]string{myriad.TaskErrFleetFull, myriad.TaskErrCoolingDown}, code) {
		code = myriad.TaskErrStart
	}
	return &failure{code: code, status: myriad.StatusServiceUnavailable, retryAfter: retryAfterOf(err), mayFall: fallsAll,
		message: fmt.Sprintf("agent %q could not be woken: %v", agent, err)}
}

// pin keeps what unpins an agent until the task is settled, and counts the time that it took to get it; false when the task is settled already, and then
// the agent is unpinned at once. The time is counted under the lock: whoever ends the run sums it up, also for tasks that are in other hands.
func (r *run) pin(i int32, release func(), took time.Duration) bool {
	w := &r.tasks[i]
	r.mu.Lock()
	over := r.over.Load() || w.phase == phaseDone
	before := w.release
	if !over {
		w.busy += took
	}
	if !over && release != nil {
		w.release = release
		if before != nil {
			w.release = func() { before(); release() }
		}
	}
	r.mu.Unlock()
	if over && release != nil {
		r.unpin(release)
	}
	return !over
}

// unpin lets an agent go that was woken or grown.
func (r *run) unpin(release func()) {
	defer r.guard("releasing an agent")
	release()
}

// grow has an agent made for a concept that nobody knows, and goes on with it.
func (r *run) grow(i int32) (g granted, ok bool, more []int32) {
	task := &r.plan.tasks[i]
	from := time.Now()
	r.waitsFor(i, alive{concept: task.Concept})
	return later(r, i, "growing an agent", func(done func(myriad.Growth)) {
		r.o.cfg.Grower.Grow(r.ctx, myriad.GrowRequest{Concept: task.ConceptKey, Display: task.Concept, Intent: task.IntentKey, Priority: task.Priority,
			Deadline: r.deadline}, done)
	}, func(growth myriad.Growth) (granted, bool, []int32) {
		if !r.pin(i, growth.Release, time.Since(from)) {
			return granted{}, false, nil
		}
		w := &r.tasks[i]
		w.cold += growth.Cold
		if growth.Agent == nil && growth.ErrorCode == myriad.TaskErrRunDeadline {
			r.end(cutDeadline) // the grower's clock was a little ahead of ours
			return granted{}, false, nil
		}
		w.growth = &growth
		if growth.Agent == nil {
			return granted{}, false, r.conclude(i, r.failure(i, r.ungrown(i, &growth)))
		}
		w.all = []myriad.Candidate{{Agent: growth.Agent, Tier: myriad.TierExact}}
		return r.queue(i, w.all)
	})
}

// ungrown is the failure of a task for which no agent was grown, now or at all.
func (r *run) ungrown(i int32, g *myriad.Growth) *failure {
	if g.Status == "" || g.Status == myriad.StatusNoAgent {
		return r.nobody(i)
	}
	f := &failure{status: g.Status, code: g.ErrorCode, message: g.Message, data: g.Definition, retryAfter: g.RetryAfter, mayFall: fallsToDefault}
	if f.code == "" {
		f.code = myriad.TaskErrNoAgent
	}
	if f.message == "" {
		f.message = fmt.Sprintf("no agent was made for concept %q", shorten(r.plan.tasks[i].Concept, 80))
	}
	if f.data == "" {
		f.data = f.message
	}
	return f
}

// tellGrowth adds to a result what growing came to.
func (w *work) tellGrowth(result *myriad.Result) {
	g := w.growth
	if g == nil || g.Status == "" || g.Status == myriad.StatusNoAgent {
		return
	}
	result.Status = g.Status
	result.Extra.AgentName, result.Extra.NeurogenesisData, result.Extra.Queued = neurogenesisName, &g.Data, g.Queued
	if g.Agent != nil {
		result.Extra.NewAgent = &myriad.NewAgent{Name: g.Agent.Name, Endpoint: g.Agent.Endpoint, Capabilities: g.Agent.Capabilities}
	}
}
