package orchestrator

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestOneTask(t *testing.T) {
	w := newWorld(t)
	rec := w.do(task{"task_id": 7, "args": map[string]any{"n": 1}})
	if rec.Status != myriad.RunSuccess || len(rec.Results) != 1 || rec.Succeeded != 1 || rec.Tasks != 1 {
		t.Fatalf("got %s", rec.AppendJSON(nil))
	}
	r := &rec.Results[0]
	if r.Status != "success" || !r.Succeeded || string(r.TaskID.Raw) != "7" || r.Provenance.Source != myriad.SourceLive ||
		r.Provenance.Agent != "A" || r.Provenance.Graph != myriad.GraphFresh || len(r.Provenance.Attempts) != 1 || len(r.Provenance.Ranking) != 1 {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
	if stored, err := w.Run(context.Background(), rec.RunID); err != nil || stored != rec {
		t.Errorf("the store has %v, %v", stored, err)
	}
	for kind, n := range map[myriad.EventKind]int{myriad.KindRunStarted: 1, myriad.KindTaskStarted: 1, myriad.KindTaskFinished: 1, myriad.KindRunFinished: 1} {
		if got := w.sink.of(kind); len(got) != n || got[0].RunID != rec.RunID {
			t.Errorf("%d events %s, want %d", len(got), kind, n)
		}
	}
}

// A synchronous run of one task is carried out where it was asked for.
func TestOneTaskRunsInTheCallersGoroutine(t *testing.T) {
	w := newWorld(t)
	var stack string
	w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
		stack = stackHere()
		return good(c, 1)
	}
	w.do(task{})
	if !strings.Contains(stack, "TestOneTaskRunsInTheCallersGoroutine(") {
		t.Errorf("carried out elsewhere:\n%s", stack)
	}
}

func TestEmptyPlan(t *testing.T) {
	w := newWorld(t)
	if rec := w.do(); rec.Status != myriad.RunSuccess || len(rec.Results) != 0 {
		t.Errorf("got %s", rec.AppendJSON(nil))
	}
}

// A task starts when its last dependency is done, not when a level is: b follows the quick a although the slow c stands beside a.
func TestDataflowHasNoLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply {
			if c.Task.ID.Key == "c" {
				return slow(ctx, c, 10*time.Second)
			}
			return slow(ctx, c, time.Second)
		}
		rec := w.do(task{"task_id": "a"}, task{"task_id": "b", "dependencies": []string{"a"}}, task{"task_id": "c"}, task{"task_id": "d", "dependencies": []string{"b"}})
		if got := resultOf(t, rec, "b").Provenance.StartMS; got != 1000 {
			t.Errorf("b became ready at %v ms, want 1000", got)
		}
		if got := resultOf(t, rec, "d").Provenance.StartMS; got != 2000 {
			t.Errorf("d became ready at %v ms, want 2000", got)
		}
		if rec.DurationMS != 10000 || rec.CriticalPathMS != 10000 || rec.SequentialMS != 13000 || rec.Parallelism != 1.3 || rec.OrchestrationMS != 0 {
			t.Errorf("summary %+v", rec.RunSummary)
		}
	})
}

func TestSummaryCountsQueueingOnTheCriticalPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Second) }
		var tasks []task
		for range 25 { // ten slots: three rounds
			tasks = append(tasks, task{})
		}
		rec := w.do(tasks...)
		if rec.DurationMS != 3000 || rec.CriticalPathMS != 1000 || rec.QueuedMS != 2000 || rec.OrchestrationMS != 0 || rec.SequentialMS != 25000 {
			t.Errorf("summary %+v", rec.RunSummary)
		}
		if most := w.caller.most.Load(); most != 10 {
			t.Errorf("%d calls at once, want 10", most)
		}
	})
}

func TestDependenciesReachTheJob(t *testing.T) {
	w := newWorld(t)
	var job myriad.Job
	w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
		switch c.Task.ID.Key {
		case "1":
			return good(c, map[string]any{"list": []any{1, json.Number("12345678901234567890.10")}, "text": "a \"b\""})
		case "b":
			job = c.Job
		}
		return good(c, nil)
	}
	rec := w.do(task{"task_id": 1}, task{"task_id": "mid", "dependencies": []any{"1"}}, task{"task_id": "b", "dependencies": []string{"mid"}, "args": map[string]any{
		"number": "${tasks.1.data.list[1]}", "text": `say ${tasks["1"].data.text} at ${tasks.1.data.list[0]}`, "list": []any{"${tasks.mid.status}", "$${tasks.1}", "${HOME} $5"},
		"object": "${tasks.1.data}",
	}})
	if rec.Status != myriad.RunSuccess {
		t.Fatalf("got %s", rec.AppendJSON(nil))
	}
	var args map[string]json.RawMessage
	if err := json.Unmarshal(job.Args, &args); err != nil {
		t.Fatalf("args %s: %v", job.Args, err)
	}
	for name, want := range map[string]string{
		"number": `12345678901234567890.10`, "text": `"say a \"b\" at 1"`, "list": `["success","${tasks.1}","${HOME} $5"]`,
		"object": `{"list":[1,12345678901234567890.10],"text":"a \"b\""}`,
	} {
		if string(args[name]) != want {
			t.Errorf("%s is %s, want %s", name, args[name], want)
		}
	}
	if d := job.Dependencies["mid"]; len(job.Dependencies) != 1 || d.Status != "success" || d.AgentName != "A" || string(d.Data) != "null" {
		t.Errorf("dependencies %+v", job.Dependencies)
	}
}

func TestReferenceToNothing(t *testing.T) {
	w := newWorld(t)
	rec := w.do(task{"task_id": "a"}, task{"task_id": "b", "dependencies": []string{"a"}, "args": map[string]any{"x": "${tasks.a.data.no[3].where}"}},
		task{"task_id": "c", "dependencies": []string{"b"}})
	r := resultOf(t, rec, "b")
	if r.Status != myriad.StatusError || r.ErrorCode != myriad.TaskErrReference || !strings.Contains(r.ErrorMessage, "${tasks.a.data.no[3].where}") {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
	if rec.Status != myriad.RunPartial || resultOf(t, rec, "c").Status != myriad.StatusSkipped {
		t.Errorf("got %s", rec.AppendJSON(nil))
	}
}

func TestDependencyFailures(t *testing.T) {
	w := newWorld(t)
	var seen myriad.Dependency
	w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
		if c.Task.ID.Key == "a" {
			reply := bad(c, myriad.OutcomeCallerFault, myriad.TaskErrRejected)
			reply.Answer = myriad.ReadAnswer(json.RawMessage(`{"agent_name":"A","status":"error","data":"no such lamp"}`))
			return reply
		}
		if c.Task.ID.Key == "go" {
			seen = c.Job.Dependencies["a"]
		}
		return good(c, 1)
	}
	rec := w.do(task{"task_id": "a"}, task{"task_id": "b", "dependencies": []string{"a", "other"}}, task{"task_id": "c", "dependencies": []string{"b"}}, task{"task_id": "other"},
		task{"task_id": "go", "dependencies": []string{"a"}, "on_dependency_failure": "continue"})
	a := resultOf(t, rec, "a")
	if a.Succeeded || a.Status != "error" || a.ErrorCode != myriad.TaskErrRejected || string(a.Answer.Data) != `"no such lamp"` {
		t.Errorf("a: %s", a.AppendJSON(nil))
	}
	for _, id := range []string{"b", "c"} {
		if r := resultOf(t, rec, id); r.Status != myriad.StatusSkipped || r.Extra.SkippedBecause != "a" || r.ErrorCode != myriad.TaskErrDependency || r.Succeeded {
			t.Errorf("%s: %s", id, r.AppendJSON(nil))
		}
	}
	if r := resultOf(t, rec, "go"); !r.Succeeded || seen.Status != "error" || string(seen.Data) != `"no such lamp"` {
		t.Errorf("go: %s saw %+v", r.AppendJSON(nil), seen)
	}
}
