package orchestrator

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Limits.MaxRuns = 3; c.Limits.MaxWaiting = 20 })
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Second) }
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { w.do(task{}, task{}, task{}) })
		}
		synctest.Wait()
		var many []task
		for range 15 {
			many = append(many, task{})
		}
		if _, err := w.Do(t.Context(), myriad.RunRequest{Body: body(many...)}); myriad.ErrorCode(err) != myriad.CodeOverloaded {
			t.Errorf("too many tasks: %v", err)
		}
		wg.Go(func() { w.do(task{}) })
		synctest.Wait()
		_, err := w.Do(t.Context(), myriad.RunRequest{Body: body(task{})})
		if myriad.ErrorCode(err) != myriad.CodeOverloaded || err.(*myriad.Error).RetryAfter <= 0 {
			t.Errorf("too many runs: %v", err)
		}
		if got := w.sink.of(myriad.KindRunRejected); len(got) != 2 || got[0].Reason != "overloaded" {
			t.Errorf("rejections told: %+v", got)
		}
		wg.Wait()
		w.do(many...) // there is room again
	})
}

func TestResultsTooLargeTogether(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.MaxResultBytes = 5000 })
	w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply { return good(c, strings.Repeat("x", 1000)) }
	rec := w.do(task{}, task{}, task{}, task{}, task{}, task{}, task{}, task{}, task{"task_id": "after", "dependencies": []string{"0", "1", "2", "3", "4", "5", "6", "7"}})
	large := 0
	for _, r := range rec.Results {
		if r.ErrorCode == myriad.TaskErrTooLarge {
			large++
			if r.Status != myriad.StatusError || r.Answer.Raw != nil {
				t.Errorf("got %s", r.AppendJSON(nil))
			}
		}
	}
	if large != 4 || rec.Status != myriad.RunPartial || resultOf(t, rec, "after").Status != myriad.StatusSkipped {
		t.Errorf("%d too large: %s", large, rec.AppendJSON(nil))
	}
}

func TestJobTooLarge(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.MaxJobBytes = 3000 })
	w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply { return good(c, strings.Repeat("x", 1000)) }
	rec := w.do(task{}, task{}, task{}, task{"task_id": "wide", "dependencies": []string{"0", "1", "2"}},
		task{"task_id": "refs", "dependencies": []string{"0"}, "args": map[string]any{"a": strings.Repeat("${tasks.0.data}", 4)}})
	for _, id := range []string{"wide", "refs"} {
		if r := resultOf(t, rec, id); r.ErrorCode != myriad.TaskErrTooLarge || r.Status != myriad.StatusError {
			t.Errorf("%s: %s", id, r.AppendJSON(nil))
		}
	}
}
