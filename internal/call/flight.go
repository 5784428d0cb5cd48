package call

import (
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/resilience"
)

// flight is the state of one Call, shared by its attempts.
type flight struct {
	caller *Caller
	call   *myriad.Call
	intent string
	budget *resilience.RetryBudget
	start  time.Time // what start_ms counts from

	mu         sync.Mutex // a hedge runs beside the first attempt; guards all below
	attempts   []myriad.Attempt
	rejections []myriad.Rejection
	tried      candidateSet // those that an attempt was made at
	spent      bool         // the job may have been carried out by an agent for which it is not safe to repeat it
	hedged     bool         // one hedge is enough
	body       []byte       // the encoded job
	encoder    protocol
}

// first is the attempt that the call came with a slot for.
func (f *flight) first() try {
	a := f.call.Candidates[f.call.First].Agent
	return try{cand: f.call.First, agent: a, end: f.caller.ends.of(a), slot: f.call.Slot}
}

// begin takes the attempt into the provenance; its place is kept while others begin.
func (f *flight) begin(t *try) (place int) {
	t.started = time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attempts = append(f.attempts, myriad.Attempt{
		Agent: t.agent.Name, Endpoint: t.agent.Endpoint, StartMS: myriad.Millis(t.started.Sub(f.start)), Hedge: t.hedge,
	})
	f.tried.add(t.cand)
	t.number = f.call.Attempt + len(f.attempts)
	return len(f.attempts) - 1
}

// finish completes what begin began, and tells of it.
func (f *flight) finish(place int, r *result, took time.Duration) {
	repeatable := !r.reached || f.caller.repeatable(f, r.try.agent)
	f.mu.Lock()
	a := &f.attempts[place] // stays what it is when the slice moves
	a.Outcome, a.HTTPStatus, a.DurationMS, a.Error = r.outcome, r.status, myriad.Millis(took), r.text
	f.spent = f.spent || !repeatable
	f.mu.Unlock()
	f.caller.cfg.Sink.Emit(myriad.Event{
		Kind: myriad.KindAttempt, At: r.try.started.Add(took), RunID: f.call.RunID, TaskID: f.call.Task.ID.Key, Agent: a.Agent,
		Endpoint: a.Endpoint, Attempt: a, Duration: took, Count: int64(r.try.number), TraceParent: f.call.TraceParent,
	})
}

// reject notes that the candidate was passed over, and tells of it.
func (f *flight) reject(cand int, reason string, retryAfter time.Duration) {
	name := f.call.Candidates[cand].Agent.Name
	f.mu.Lock()
	f.rejections = append(f.rejections, rejection(name, reason, retryAfter))
	f.mu.Unlock()
	f.emit(myriad.Event{Kind: myriad.KindRejected, Agent: name, Reason: reason, RetryAfter: retryAfter})
}

func rejection(agent, reason string, retryAfter time.Duration) myriad.Rejection {
	return myriad.Rejection{Agent: agent, Reason: reason, RetryAfterMS: ceilMS(retryAfter)}
}

// ceilMS is d in whole milliseconds, rounded up so that who waits so long does not come too early.
func ceilMS(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }

// emit tells of something about the call's task.
func (f *flight) emit(e myriad.Event) {
	e.At, e.RunID, e.TaskID = time.Now(), f.call.RunID, f.call.Task.ID.Key
	f.caller.cfg.Sink.Emit(e)
}

// encoded is the job as p sends it; attempts by one protocol share it.
func (f *flight) encoded(p protocol) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.encoder == p {
		return f.body, nil
	}
	body, err := p.encode(&f.call.Job)
	if err != nil {
		return nil, err
	}
	f.body, f.encoder = body, p
	return body, nil
}

// trace is the traceparent that the attempt of that number sends: its own span in the run's trace.
func (f *flight) trace(number int) string {
	if f.call.RunID == "" && f.call.TraceParent == "" {
		return ""
	}
	return myriad.RunSpan(f.call.RunID, f.call.TraceParent).AttemptSpan(f.call.RunID, f.call.Task.ID.Key, number).String()
}

// reply is what the call came to.
func (f *flight) reply(r *result) myriad.Reply {
	if !r.decided() && r.outcome != myriad.OutcomeToldToWait {
		r.wait = f.soonest()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	reply := myriad.Reply{
		Outcome: r.outcome, Answer: r.answer, Attempts: f.attempts, Rejections: f.rejections,
		ErrorCode: r.code, Error: r.text, RetryAfter: r.wait, Requeue: r.requeue,
	}
	if a := r.try.agent; a != nil {
		reply.Agent, reply.Endpoint = a.Name, a.Endpoint
		if reply.Error != "" {
			reply.Error = "agent " + a.Name + ": " + reply.Error
		}
	}
	return reply
}
