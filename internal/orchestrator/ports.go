package orchestrator

import (
	"context"
	"time"

	"github.com/myriad-mind/myriad"
)

// finder finds who may answer. done is called once: before Find returns when the answer is at hand, else later from another goroutine.
// An error of CodeUnavailable says that the graph does not answer and no view of the concept is kept.
type finder interface {
	Find(ctx context.Context, concept, intent string, done func(myriad.Found, error))
}

// dispatcher says who goes next. See myriad.Turn for who calls Grant, and when.
type dispatcher interface {
	// Submit asks for a slot. ok: granted at once and Grant is never called.
	Submit(t *myriad.Turn) (chosen int, slot myriad.Slot, ok bool)
	// Cancel is true when the turn was still waiting: Grant will never be called.
	Cancel(t *myriad.Turn) bool
	// ParkedAll is the time until the first of the candidates gives slots again; 0 when one of them is not parked.
	ParkedAll(candidates []myriad.Candidate) time.Duration
}

// caller reaches agents.
type caller interface {
	// Eligible drops the candidates that would be rejected now; retryAfter is the time until the first of them may be tried.
	Eligible(candidates []myriad.Candidate) (ok []myriad.Candidate, rejected []myriad.Rejection, retryAfter time.Duration)
	// Call blocks until the task is carried out or has failed, its deadline has passed or ctx has ended. It gives the slot back.
	Call(ctx context.Context, c *myriad.Call) myriad.Reply
}

// recorder keeps run records.
type recorder interface {
	RecordRun(rec *myriad.RunRecord) // written behind; the record is not changed any more
	RecordRunNow(ctx context.Context, rec *myriad.RunRecord) error
	LoadRun(ctx context.Context, id string) (*myriad.RunRecord, error)   // CodeNotFound
	RunByKey(ctx context.Context, key string) (*myriad.RunRecord, error) // CodeNotFound
	ListRuns(ctx context.Context, page myriad.Page) (runs []myriad.RunSummary, next string, err error)
}

// lastGood keeps the last good answer to each question.
type lastGood interface {
	Good(ctx context.Context, key string) (myriad.GoodAnswer, bool)
	KeepGood(key string, a myriad.GoodAnswer) // written behind; never blocks
}

// waker brings a dormant agent to life. done is called once; on success the agent stays pinned until Release is called.
type waker interface {
	Wake(ctx context.Context, req myriad.WakeRequest, done func(myriad.Woken))
	// Place is where the agent of that name waits for room; nil when it does not.
	Place(agent string) *myriad.QueuePosition
}

// grower makes an agent for a concept that nobody knows. done is called once.
type grower interface {
	Grow(ctx context.Context, req myriad.GrowRequest, done func(myriad.Growth))
}
