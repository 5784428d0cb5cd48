package orchestrator

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestRunDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply {
			if c.Task.ID.Key == "quick" {
				return good(c, 1)
			}
			return slow(ctx, c, time.Hour)
		}
		tasks := []task{{"task_id": "quick"}, {"task_id": "after", "dependencies": []string{"quick", "s0"}}}
		for i := range 12 {
			tasks = append(tasks, task{"task_id": fmt.Sprint("s", i)})
		}
		from := time.Now()
		rec := w.do(tasks...)
		if took := time.Since(from); took != 30*time.Second {
			t.Errorf("took %s, want 30s", took)
		}
		if rec.Status != myriad.RunTimeout || rec.Succeeded != 1 {
			t.Errorf("summary %+v", rec.RunSummary)
		}
		for _, r := range rec.Results[1:] {
			if r.Status != myriad.StatusTimeout || r.ErrorCode != myriad.TaskErrRunDeadline || r.Succeeded {
				t.Errorf("got %s", r.AppendJSON(nil))
			}
		}
		if r := resultOf(t, rec, "s0"); r.Extra.AgentURL != "http://A/query" || len(r.Provenance.Attempts) != 1 {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
		if r := resultOf(t, rec, "s11"); r.Provenance.QueuedMS != 30000 || len(r.Provenance.Attempts) != 0 {
			t.Errorf("a task that never got a slot: %s", r.AppendJSON(nil))
		}
	})
}

func TestRunTimeoutIsTheRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Hour) }
		for _, c := range []struct {
			req  myriad.RunRequest
			want time.Duration
		}{
			{myriad.RunRequest{Body: []byte(`{"timeout_ms":250,"tasks":[{"task_id":1,"concept":"a","intent":"b"}]}`)}, 250 * time.Millisecond},
			{myriad.RunRequest{Body: []byte(`{"timeout_ms":600000,"tasks":[{"task_id":1,"concept":"a","intent":"b"}]}`)}, 10 * time.Minute},
			{myriad.RunRequest{Body: body(task{}), Timeout: time.Second}, time.Second},
			{myriad.RunRequest{Body: []byte(`{"timeout_ms":250,"tasks":[{"task_id":1,"concept":"a","intent":"b"}]}`), Dialect: myriad.Compat}, 30 * time.Second},
		} {
			from := time.Now()
			if rec, err := w.Do(t.Context(), c.req); err != nil || rec.Status != myriad.RunTimeout || time.Since(from) != c.want {
				t.Errorf("%s: %v, took %s, want %s", c.req.Body, err, time.Since(from), c.want)
			}
		}
	})
}

func TestTaskTimeoutCountsFromItsFirstSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply {
			if strings.HasPrefix(c.Task.ID.Key, "s") {
				return slow(ctx, c, 5*time.Second)
			}
			return slow(ctx, c, time.Hour)
		}
		var tasks []task
		for i := range 10 {
			tasks = append(tasks, task{"task_id": fmt.Sprint("s", i), "priority": 9})
		}
		tasks = append(tasks, task{"task_id": "late", "timeout_ms": 1500})
		rec := w.do(tasks...)
		r := resultOf(t, rec, "late")
		if r.Status != myriad.StatusTimeout || r.ErrorCode != myriad.TaskErrTimeout || r.Extra.AgentURL != "http://A/query" || r.Provenance.QueuedMS != 5000 || r.Provenance.DurationMS != 1500 {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
		if rec.Status != myriad.RunPartial || rec.DurationMS != 6500 {
			t.Errorf("summary %+v", rec.RunSummary)
		}
	})
}
