package orchestrator

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// A bug: a task whose only agent had asked to be left alone for longer than the run lasts waited for the run's deadline and was a timeout,
// although a last good answer or its own default could have stood in at once.
func TestParkedPastTheRunsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.do(task{"task_id": "reads", "intent": "define"}) // leaves a last good answer
		w.dispatcher.Park("http://A/query", time.Minute)
		rec := w.do(task{"task_id": "acts"}, task{"task_id": "reads", "intent": "define"}, task{"task_id": "default", "fallback": map[string]any{"value": 7}},
			task{"task_id": "after", "dependencies": []string{"reads"}, "on_dependency_failure": "continue"})
		if rec.DurationMS != 0 {
			t.Errorf("it took %v ms", rec.DurationMS)
		}
		r := resultOf(t, rec, "acts")
		if r.Status != myriad.StatusServiceUnavailable || r.ErrorCode != myriad.TaskErrParked || r.Extra.RetryAfterMS != 60_000 || r.Extra.Message == "" {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
		if r := resultOf(t, rec, "reads"); r.Provenance.Source != myriad.SourceCache {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
		if r := resultOf(t, rec, "default"); r.Provenance.Source != myriad.SourceDefault {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
		if n := w.caller.calls.Load(); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

// Another candidate, or an end of the parking within the run's time, is waited for as ever.
func TestParkedButNotForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.dispatcher.Park("http://A/query", 29*time.Second)
		if rec := w.do(task{}); rec.Succeeded != 1 || rec.DurationMS != 29_000 {
			t.Errorf("%d succeeded after %v ms", rec.Succeeded, rec.DurationMS)
		}
		w.finder.find = func(_ context.Context, _, _ string, done func(myriad.Found, error)) {
			done(myriad.Found{Concept: "lamp", Known: true, Candidates: []myriad.Candidate{candidate("A"), candidate("B")}}, nil)
		}
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Second) }
		w.dispatcher.Park("http://A/query", time.Hour)
		var tasks []task
		for range 20 { // twice what B has slots
			tasks = append(tasks, task{})
		}
		if rec := w.do(tasks...); rec.Succeeded != 20 || rec.DurationMS != 2000 {
			t.Errorf("%d succeeded after %v ms", rec.Succeeded, rec.DurationMS)
		}
	})
}

// The agent asks to be left alone while most of the run still waits for it.
func TestParkedUnderAWideRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
			w.dispatcher.Park("http://A/query", time.Minute)
			reply := bad(c, myriad.OutcomeToldToWait, myriad.TaskErrParked)
			reply.Requeue, reply.RetryAfter = true, time.Minute
			return reply
		}
		var tasks []task
		for i := range 500 {
			tasks = append(tasks, task{"task_id": fmt.Sprint(i), "fallback": map[string]any{"value": i}})
		}
		rec := w.do(tasks...)
		if rec.Succeeded != 500 || rec.DurationMS != 0 {
			t.Errorf("%d succeeded after %v ms", rec.Succeeded, rec.DurationMS)
		}
		if n := w.caller.calls.Load(); n > 10 {
			t.Errorf("%d calls", n)
		}
	})
}
