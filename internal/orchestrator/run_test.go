package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
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

func TestClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Hour) }
		var tasks []task
		for range 20 {
			tasks = append(tasks, task{})
		}
		tasks = append(tasks, task{"task_id": "x", "dependencies": []string{"0"}})
		ctx, leave := context.WithTimeout(t.Context(), 3*time.Second)
		defer leave()
		rec, err := w.Do(ctx, myriad.RunRequest{Body: body(tasks...)})
		if err != nil || rec.Status != myriad.RunCancelled || rec.DurationMS != 3000 {
			t.Fatalf("got %s, %v", rec.Status, err)
		}
		for _, r := range rec.Results {
			if r.Status != myriad.StatusCancelled || r.ErrorCode != myriad.TaskErrCancelled {
				t.Errorf("got %s", r.AppendJSON(nil))
			}
		}
	})
}

func TestCancelByID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Hour) }
		id, replayed, err := w.Start(t.Context(), myriad.RunRequest{Body: body(task{}, task{})})
		if err != nil || replayed {
			t.Fatal(replayed, err)
		}
		if rec, err := w.store.LoadRun(t.Context(), id); err != nil || rec.Status != myriad.RunRunning {
			t.Fatalf("the store has %v, %v before Start returns", rec, err)
		}
		synctest.Wait()
		if err := w.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if rec, err := w.Run(t.Context(), id); err != nil || rec.Status != myriad.RunCancelled {
			t.Errorf("got %v, %v", rec, err)
		}
		if err := w.Cancel(t.Context(), id); err != nil {
			t.Errorf("cancelling again: %v", err)
		}
		if err := w.Cancel(t.Context(), "nobody"); myriad.ErrorCode(err) != myriad.CodeNotFound {
			t.Errorf("cancelling nothing: %v", err)
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply {
			if c.Task.ID.Key == "short" {
				return slow(ctx, c, time.Second)
			}
			return slow(ctx, c, 20*time.Second)
		}
		var wg sync.WaitGroup
		recs := map[string]*myriad.RunRecord{}
		var mu sync.Mutex
		for _, id := range []string{"short", "long"} {
			wg.Go(func() {
				rec := w.do(task{"task_id": id})
				mu.Lock()
				defer mu.Unlock()
				recs[id] = rec
			})
		}
		synctest.Wait()
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		from := time.Now()
		if err := w.Drain(ctx); err != nil || time.Since(from) != 10*time.Second {
			t.Errorf("drained in %s: %v", time.Since(from), err)
		}
		wg.Wait()
		if recs["short"].Status != myriad.RunSuccess || recs["long"].Status != myriad.RunCancelled {
			t.Errorf("short %s, long %s", recs["short"].Status, recs["long"].Status)
		}
		_, err := w.Do(t.Context(), myriad.RunRequest{Body: body(task{})})
		if myriad.ErrorCode(err) != myriad.CodeDraining || err.(*myriad.Error).RetryAfter == 0 {
			t.Errorf("a run while draining: %v", err)
		}
	})
}

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

func TestPanics(t *testing.T) {
	for name, breakIt := range map[string]func(w *world){
		"call": func(w *world) {
			w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
				if c.Task.ID.Key == "0" {
					panic("in the call")
				}
				return good(c, 1)
			}
		},
		"find": func(w *world) {
			n := 0
			w.finder.find = func(_ context.Context, _, _ string, done func(myriad.Found, error)) {
				if n++; n == 1 {
					panic("in the finder")
				}
				done(foundA, nil)
			}
		},
		"eligible": func(w *world) {
			n := 0
			w.caller.eligible = func(c []myriad.Candidate) ([]myriad.Candidate, []myriad.Rejection, time.Duration) {
				if n++; n == 1 {
					panic("in eligible")
				}
				return c, nil, 0
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			breakIt(w)
			rec := w.do(task{}, task{"task_id": "after", "dependencies": []string{"0"}}, task{"task_id": "other"})
			r := resultOf(t, rec, "0")
			if r.Status != myriad.StatusError || r.ErrorCode != myriad.TaskErrInternal || resultOf(t, rec, "after").Status != myriad.StatusSkipped || !resultOf(t, rec, "other").Succeeded {
				t.Errorf("got %s", rec.AppendJSON(nil))
			}
			told := w.sink.of(myriad.KindPanic)
			if len(told) != 1 || told[0].TaskID != "0" || !strings.Contains(told[0].Stack, "run_test.go") {
				t.Errorf("told %+v", told)
			}
		})
	}
}

// A panic in a callback that comes later fails the task, and the goroutine that called back lives on.
func TestPanicInALateAnswer(t *testing.T) {
	w := newWorld(t)
	w.finder.find = func(_ context.Context, _, _ string, done func(myriad.Found, error)) {
		go done(foundA, nil)
	}
	w.caller.eligible = func([]myriad.Candidate) ([]myriad.Candidate, []myriad.Rejection, time.Duration) { panic("late") }
	if rec := w.do(task{}); rec.Results[0].ErrorCode != myriad.TaskErrInternal {
		t.Errorf("got %s", rec.AppendJSON(nil))
	}
}

// A sink or a release that panics is told in the log, and nothing stops because of it.
func TestPanicsOfThoseWhoAreTold(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Sink = myriad.SinkFunc(func(myriad.Event) { panic("sink") }) })
	w.finds(asleep("S"))
	w.cfg.Waker = wakerFunc(func(_ context.Context, _ myriad.WakeRequest, done func(myriad.Woken)) {
		done(myriad.Woken{Agent: candidate("S").Agent, Release: func() { panic("release") }})
	})
	if rec := w.do(task{}, task{"task_id": "b", "dependencies": []string{"0"}}); rec.Status != myriad.RunSuccess {
		t.Errorf("got %s", rec.AppendJSON(nil))
	}
}
