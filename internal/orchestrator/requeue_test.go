package orchestrator

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// A task that is told to wait goes back into the queue; its own timeout goes on there.
func TestRequeue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		tries := map[string]int{}
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply {
			tries[c.Task.ID.Key]++
			if tries[c.Task.ID.Key] <= 2 {
				if c.Attempt != tries[c.Task.ID.Key]-1 {
					t.Errorf("call %d says %d attempts before", tries[c.Task.ID.Key], c.Attempt)
				}
				w.dispatcher.Park("http://A/query", 2*time.Second)
				reply := bad(c, myriad.OutcomeToldToWait, myriad.TaskErrParked)
				reply.Requeue, reply.RetryAfter = true, 2*time.Second
				return reply
			}
			return good(c, 1)
		}
		rec := w.do(task{"task_id": "patient"})
		r := resultOf(t, rec, "patient")
		if !r.Succeeded || len(r.Provenance.Attempts) != 3 || r.Provenance.QueuedMS != 4000 {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
		if started := w.sink.of(myriad.KindTaskStarted); len(started) != 1 {
			t.Errorf("told to start %d times", len(started))
		}
		rec = w.do(task{"task_id": "hurried", "timeout_ms": 3000})
		r = resultOf(t, rec, "hurried")
		if r.Status != myriad.StatusServiceUnavailable || r.ErrorCode != myriad.TaskErrParked || r.Extra.RetryAfterMS != 2000 || len(r.Provenance.Attempts) != 2 || rec.DurationMS != 2000 {
			t.Errorf("no use in waiting past the timeout, yet %s (%v ms)", r.AppendJSON(nil), rec.DurationMS)
		}
	})
}

// The endpoint stays parked for longer than it said: the task's own timeout ends the wait.
func TestTaskTimeoutWhileRequeued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply {
			w.dispatcher.Park("http://A/query", 20*time.Second)
			reply := bad(c, myriad.OutcomeToldToWait, myriad.TaskErrParked)
			reply.Requeue, reply.RetryAfter = true, time.Second
			return reply
		}
		rec := w.do(task{"timeout_ms": 5000})
		r := &rec.Results[0]
		if r.Status != myriad.StatusServiceUnavailable || rec.DurationMS != 5000 || r.Provenance.QueuedMS != 5000 {
			t.Errorf("got %s after %v ms", r.AppendJSON(nil), rec.DurationMS)
		}
	})
}
