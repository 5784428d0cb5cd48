package orchestrator

import (
	"errors"
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
)

// maxRequeues bounds how often a task goes back into the queue. Each time an agent has told it to wait, mostly for a second or more.
const maxRequeues = 1000

// judge decides what follows from a reply: the task waits for another slot, or it is done.
func (r *run) judge(i int32, reply *myriad.Reply) (next granted, ok bool, more []int32) {
	switch {
	case reply.Outcome.Class() == myriad.ClassSuccess:
		result := r.answered(i, reply)
		return next, false, r.conclude(i, &result)
	case r.ctx.Err() != nil && time.Now().Before(r.deadline):
		r.end(cutLeft)
	case reply.ErrorCode == myriad.TaskErrRunDeadline || !time.Now().Before(r.deadline):
		r.end(cutDeadline)
	case reply.Requeue && r.mayWait(i, reply):
		return r.requeue(i, reply)
	}
	more = r.conclude(i, r.failure(i, failed(reply)))
	if reply.Outcome.Class() == myriad.ClassWait {
		more = append(more, r.sweep()...)
	}
	return next, false, more
}

// mayWait says whether waiting for another slot can end before the task's time does.
func (r *run) mayWait(i int32, reply *myriad.Reply) bool {
	deadline, _ := r.until(i)
	return r.tasks[i].requeues < maxRequeues && time.Until(deadline) > reply.RetryAfter
}

// requeue puts the task back into the queues of who may still serve. Its own timeout goes on.
func (r *run) requeue(i int32, reply *myriad.Reply) (next granted, ok bool, more []int32) {
	w := &r.tasks[i]
	w.requeues++
	r.mu.Lock()
	if r.over.Load() {
		r.mu.Unlock()
		return next, false, r.conclude(i, r.failure(i, failed(reply)))
	}
	w.phase = phaseReady
	if deadline, own := r.until(i); own {
		failure := failed(reply)
		w.timer = time.AfterFunc(time.Until(deadline), func() { r.expire(i, failure) })
	}
	r.mu.Unlock()
	if reply.Outcome == myriad.OutcomeAsleep {
		return r.find(i) // where it is now, or how to wake it
	}
	return r.choose(i, w.all)
}

// expire ends the wait of a task whose own timeout passes while it is queued again.
func (r *run) expire(i int32, f *failure) {
	w := &r.tasks[i]
	r.mu.Lock()
	if w.phase != phaseQueued {
		r.mu.Unlock()
		return
	}
	f.message = "the task's timeout passed while it waited for another slot of " + agentsOf(w.candidates) + ": " + f.message
	t := r.unqueue(w)
	w.phase = phaseReady
	r.mu.Unlock()
	r.o.cfg.Dispatcher.Cancel(t)
	r.resume(i, "ending a task's wait", func() (granted, bool, []int32) { return granted{}, false, r.conclude(i, r.failure(i, f)) })
}

// unqueue takes the task's turn away and counts the wait. r.mu is held.
func (r *run) unqueue(w *work) *myriad.Turn {
	t := w.turn
	w.turn = nil
	w.queued += time.Since(r.start) - w.queuedAt
	return t
}

// answered is the result of a task that an agent answered.
func (r *run) answered(i int32, reply *myriad.Reply) myriad.Result {
	result := r.result(i)
	result.Succeeded = true
	result.Answer = reply.Answer
	result.Status = reply.Answer.Status
	if result.Status == "" {
		result.Status = myriad.StatusSuccess
	}
	result.Provenance.Source = myriad.SourceLive
	result.Provenance.Agent, result.Provenance.Endpoint = reply.Agent, reply.Endpoint
	r.tasks[i].tellGrowth(&result)
	r.keep(i, reply)
	return result
}

// failed is what a reply other than an answer comes to.
func failed(reply *myriad.Reply) *failure {
	f := &failure{code: reply.ErrorCode, message: reply.Error, retryAfter: reply.RetryAfter, reply: reply, status: myriad.StatusError}
	if f.code == "" {
		f.code = myriad.TaskErrInternal
	}
	if f.message == "" {
		f.message = "the task was not carried out: " + string(reply.Outcome)
	}
	switch f.code {
	case myriad.TaskErrTimeout:
		f.status = myriad.StatusTimeout
	case myriad.TaskErrParked, myriad.TaskErrCircuitOpen, myriad.TaskErrAsleep, myriad.TaskErrStart, myriad.TaskErrFleetFull, myriad.TaskErrCoolingDown, myriad.TaskErrGraph:
		f.status = myriad.StatusServiceUnavailable
	case myriad.TaskErrCancelled:
		f.status = myriad.StatusCancelled
	}
	if falls(reply, f.code) {
		f.mayFall = fallsAll
	}
	return f
}

// falls says whether a reply means that nobody could answer (see the package comment).
func falls(reply *myriad.Reply, code string) bool {
	switch reply.Outcome.Class() {
	case myriad.ClassAgent, myriad.ClassWait:
		return true
	case myriad.ClassCaller, myriad.ClassSuccess:
		return false
	}
	switch reply.Outcome {
	case myriad.OutcomeCircuitOpen, myriad.OutcomeTaskDeadline, myriad.OutcomeAsleep:
		return true
	}
	return slices.Contains([]string{myriad.TaskErrDenied, myriad.TaskErrCredentials, myriad.TaskErrStart, myriad.TaskErrFleetFull, myriad.TaskErrCoolingDown}, code)
}

// failure is why a task did not come to an answer.
type failure struct {
	status     string // ours
	code       string // a TaskErr word
	message    string
	data       string // for people, where the status carries data
	retryAfter time.Duration
	reply      *myriad.Reply // of the call, nil when there was none
	mayFall    fall
}

// fall says what may stand in for an answer.
type fall uint8

const (
	fallsNot       fall = iota
	fallsToDefault      // only the task's own default
	fallsAll            // the last good answer, then the default
)

// failure is the result of a task that failed, or of what stands in for its answer.
func (r *run) failure(i int32, f *failure) *myriad.Result {
	if result := r.fallBack(i, f); result != nil {
		return result
	}
	result := r.result(i)
	result.Status, result.ErrorCode, result.ErrorMessage = f.status, f.code, f.message
	if f.code == "" {
		result.ErrorCode = myriad.TaskErrInternal
	}
	x := &result.Extra
	if f.data != "" {
		x.Data = myriad.AppendJSONString(nil, f.data)
	}
	if f.retryAfter > 0 {
		x.RetryAfterMS = max(1, f.retryAfter.Milliseconds())
	}
	if f.status == myriad.StatusServiceUnavailable {
		x.Message = f.message
	}
	if f.reply != nil {
		r.tellReply(&result, f.reply)
	}
	r.tasks[i].tellGrowth(&result)
	return &result
}

// tellReply adds what the last agent said, and who it was. An agent's own words stay, but for a status that would call a failure a success.
func (r *run) tellReply(result *myriad.Result, reply *myriad.Reply) {
	result.Provenance.Agent, result.Provenance.Endpoint = reply.Agent, reply.Endpoint
	if result.Status == myriad.StatusTimeout {
		result.Extra.AgentURL = reply.Endpoint
	}
	if result.Status != myriad.StatusError || reply.Answer.Raw == nil {
		return
	}
	result.Answer = reply.Answer
	if s := reply.Answer.Status; s != "" && s != myriad.StatusSuccess {
		result.Status = s
	}
}

// result is the start of a task's result: all that is known of how it came about. Whoever has the task in hand calls it.
func (r *run) result(i int32) myriad.Result {
	w := &r.tasks[i]
	result := r.bare(i)
	p := &result.Provenance
	p.Attempts, p.Rejections, p.Ranking = w.attempts, w.rejections, w.ranking
	p.QueuedMS, p.ColdStartMS, p.DurationMS = myriad.Millis(w.queued), myriad.Millis(w.cold), myriad.Millis(w.busy)
	if w.found {
		p.Graph = myriad.GraphFresh
		if w.graphStale {
			p.Graph, p.GraphAgeMS = myriad.GraphStale, max(1, w.graphAge.Milliseconds())
		}
	}
	return result
}

// bare is a result that says no more than whose it is and when the task became ready.
func (r *run) bare(i int32) myriad.Result {
	return myriad.Result{TaskID: r.plan.tasks[i].ID,
		Provenance: myriad.Provenance{Source: myriad.SourceNone, StartMS: myriad.Millis(r.tasks[i].readyAt)}}
}

// retryAfterOf is when the error says that trying again may help.
func retryAfterOf(err error) time.Duration {
	if e, ok := errors.AsType[*myriad.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}
