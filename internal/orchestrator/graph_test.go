package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// randomGraph is a graph without cycles of at most n tasks, as dependencies by place, in no particular order.
func randomGraph(seed uint64, n int) [][]int {
	rng := rand.New(rand.NewPCG(seed, 42))
	n = 1 + rng.IntN(n)
	shuffled := rng.Perm(n) // shuffled[k] is the place of the k-th in topological order
	g := make([][]int, n)
	density := rng.Float64() * 4
	for k, place := range shuffled {
		for range int(rng.ExpFloat64() * density) {
			if k > 0 {
				if dep := shuffled[rng.IntN(k)]; !slices.Contains(g[place], dep) {
					g[place] = append(g[place], dep)
				}
			}
		}
	}
	return g
}

// value is what task i comes to, from what its dependencies came to: any mistake in the order or the handing over shows in it.
func value(i int, deps map[int]uint64) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, i)
	for dep := range 100_000 {
		if len(deps) == 0 {
			break
		}
		if v, ok := deps[dep]; ok {
			fmt.Fprint(h, ",", dep, "=", v)
			delete(deps, dep)
		}
	}
	return h.Sum64()
}

// sequential runs the graph one task after the other: the value of each that succeeds, and the status of all.
func sequential(g [][]int, fails func(int) bool, goesOn func(int) bool) (values map[int]uint64, statuses []string) {
	values, statuses = map[int]uint64{}, make([]string, len(g))
	var visit func(i int)
	visit = func(i int) {
		if statuses[i] != "" {
			return
		}
		deps, broken := map[int]uint64{}, false
		for _, dep := range g[i] {
			visit(dep)
			if v, ok := values[dep]; ok {
				deps[dep] = v
			} else {
				broken = true
			}
		}
		switch {
		case broken && !goesOn(i):
			statuses[i] = myriad.StatusSkipped
		case fails(i):
			statuses[i] = myriad.StatusError
		default:
			statuses[i], values[i] = myriad.StatusSuccess, value(i, deps)
		}
	}
	for i := range g {
		visit(i)
	}
	return values, statuses
}

func graphBody(g [][]int, goesOn func(int) bool) []byte {
	tasks := make([]task, len(g))
	for i, deps := range g {
		tasks[i] = task{"task_id": i, "concept": fmt.Sprint("c", i%7), "dependencies": deps, "priority": i % 10}
		if len(deps) == 0 {
			delete(tasks[i], "dependencies")
		}
		if goesOn(i) {
			tasks[i]["on_dependency_failure"] = "continue"
		}
	}
	return body(tasks...)
}

// observer is a caller that computes value, and checks that each task comes once and after its dependencies.
type observer struct {
	mu    sync.Mutex
	count map[int]int
	done  map[int]bool
}

func (o *observer) call(t testing.TB, g [][]int, fails func(int) bool) func(context.Context, *myriad.Call) myriad.Reply {
	return func(_ context.Context, c *myriad.Call) myriad.Reply {
		var i int
		if err := json.Unmarshal(c.Task.ID.Raw, &i); err != nil {
			t.Error(err)
		}
		deps := map[int]uint64{}
		o.mu.Lock()
		o.count[i]++
		for _, dep := range g[i] {
			d, ok := c.Job.Dependencies[fmt.Sprint(dep)]
			if !ok {
				t.Errorf("task %d does not get dependency %d", i, dep)
			}
			if d.Status == myriad.StatusSuccess {
				if !o.done[dep] {
					t.Errorf("task %d ran before its dependency %d was done", i, dep)
				}
				var v uint64
				if err := json.Unmarshal(d.Data, &v); err != nil {
					t.Error(err)
				}
				deps[dep] = v
			}
		}
		o.mu.Unlock()
		runtime.Gosched()
		if fails(i) {
			return bad(c, myriad.OutcomeServerError, myriad.TaskErrAgent)
		}
		v := value(i, deps)
		o.mu.Lock()
		o.done[i] = true
		o.mu.Unlock()
		return good(c, v)
	}
}

// Random graphs with random failures come to what a sequential reference comes to, however they are interleaved.
func TestRandomGraphs(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			g := randomGraph(seed, 120)
			chance := int(seed % 4)
			fails := func(i int) bool { return i%11 < chance }
			goesOn := func(i int) bool { return i%3 == 0 }
			o := &observer{count: map[int]int{}, done: map[int]bool{}}
			w := newWorld(t)
			w.caller.call = o.call(t, g, fails)
			if seed%2 == 1 { // answers of the finder come later
				w.finder.find = func(_ context.Context, _, _ string, done func(myriad.Found, error)) { go done(foundA, nil) }
			}
			rec, err := w.Do(t.Context(), myriad.RunRequest{Body: graphBody(g, goesOn)})
			if err != nil {
				t.Fatal(err)
			}
			values, statuses := sequential(g, fails, goesOn)
			for i := range g {
				r := &rec.Results[i]
				if r.Status != statuses[i] || r.Succeeded != (statuses[i] == myriad.StatusSuccess) {
					t.Errorf("task %d: %s, want %s", i, r.Status, statuses[i])
				}
				if want := fmt.Sprint(values[i]); r.Succeeded && string(r.Answer.Data) != want {
					t.Errorf("task %d: %s, want %s", i, r.Answer.Data, want)
				}
				ran := 1
				if statuses[i] == myriad.StatusSkipped {
					ran = 0
					culprit := resultOf(t, rec, r.Extra.SkippedBecause)
					if culprit.Status != myriad.StatusError {
						t.Errorf("task %d was skipped because of one that came to %s", i, culprit.Status)
					}
				}
				if o.count[i] != ran {
					t.Errorf("task %d was carried out %d times, want %d", i, o.count[i], ran)
				}
			}
			checkLog(t, rec, g)
			checkSummary(t, rec)
		})
	}
}

// checkLog: each task finishes once, after its dependencies, and starts before it finishes and after its dependencies finished.
func checkLog(t *testing.T, rec *myriad.RunRecord, g [][]int) {
	t.Helper()
	finished, started := map[int]int{}, map[int]int{}
	for n, step := range rec.Log {
		switch step.Kind {
		case myriad.EventTaskStarted:
			if _, again := started[step.Task]; again {
				t.Errorf("task %d starts twice", step.Task)
			}
			started[step.Task] = n
		case myriad.EventTaskFinished:
			if _, again := finished[step.Task]; again {
				t.Errorf("task %d finishes twice", step.Task)
			}
			finished[step.Task] = n
			if s, ok := started[step.Task]; ok && s > n {
				t.Errorf("task %d finishes before it starts", step.Task)
			}
		}
		if step.Kind == myriad.EventTaskStarted || step.Kind == myriad.EventTaskFinished {
			for _, dep := range g[step.Task] {
				if _, ok := finished[dep]; !ok {
					t.Errorf("%s of task %d before its dependency %d finished", step.Kind, step.Task, dep)
				}
			}
		}
	}
	if len(finished) != len(g) || rec.Log[0].Kind != myriad.EventRunStarted || rec.Log[len(rec.Log)-1].Kind != myriad.EventRunFinished {
		t.Errorf("%d of %d tasks finish in the log", len(finished), len(g))
	}
}

func checkSummary(t *testing.T, rec *myriad.RunRecord) {
	t.Helper()
	if sum := rec.CriticalPathMS + rec.QueuedMS + rec.OrchestrationMS; sum > rec.DurationMS+0.01 || sum < rec.DurationMS-0.01 {
		t.Errorf("%v + %v + %v is not %v", rec.CriticalPathMS, rec.QueuedMS, rec.OrchestrationMS, rec.DurationMS)
	}
	sequential := 0.0
	for i := range rec.Results {
		sequential += rec.Results[i].Provenance.DurationMS
	}
	if d := sequential - rec.SequentialMS; d > 1 || d < -1 {
		t.Errorf("durations add up to %v, told %v", sequential, rec.SequentialMS)
	}
}

// Runs are cancelled at random moments, by their client, by id, by their deadline and by leaving in mid-stream. The world's clean-up checks
// that every slot came back and nothing is left.
func TestEndedAtAnyMoment(t *testing.T) {
	w := newWorld(t)
	w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply {
		return slow(ctx, c, time.Duration(rand.IntN(300))*time.Microsecond)
	}
	w.finder.find = func(_ context.Context, concept, _ string, done func(myriad.Found, error)) {
		if concept == "c3" {
			go func() { runtime.Gosched(); done(foundA, nil) }()
			return
		}
		done(foundA, nil)
	}
	never := func(int) bool { return false }
	var wg sync.WaitGroup
	for worker := range uint64(8) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(worker, 7))
			for n := range uint64(25) {
				g := randomGraph(worker*1000+n, 80)
				req := myriad.RunRequest{Body: graphBody(g, never)}
				after := time.Duration(rng.IntN(2500)) * time.Microsecond
				var rec *myriad.RunRecord
				var err error
				switch n % 4 {
				case 0:
					ctx, stop := context.WithTimeout(t.Context(), after)
					rec, err = w.Do(ctx, req)
					stop()
				case 1:
					req.Timeout = max(time.Millisecond, after)
					rec, err = w.Do(t.Context(), req)
				case 2:
					var id string
					if id, _, err = w.Start(t.Context(), req); err == nil {
						events, stop := rng.IntN(60), errors.New("now")
						if err = w.Follow(t.Context(), id, 0, func(myriad.RunEvent) error {
							if events--; events < 0 {
								return stop
							}
							return nil
						}); err == nil || errors.Is(err, stop) {
							err = w.Cancel(t.Context(), id)
						}
					}
					if err == nil {
						rec, err = w.Run(t.Context(), id)
					}
				case 3:
					events, leave := 0, errors.New("enough")
					err = w.DoStream(t.Context(), req, func(e myriad.RunEvent) error {
						if events++; events > rng.IntN(60) {
							return leave
						}
						if e.ID != events {
							t.Errorf("event %d has id %d", events, e.ID)
						}
						return nil
					})
					if err == nil || errors.Is(err, leave) {
						continue
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
				for i := range rec.Results {
					if rec.Results[i].Status == "" {
						t.Errorf("task %d has no status in a run that is %s", i, rec.Status)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestWideFanOutAndFanIn(t *testing.T) {
	const n = 10_000
	tasks := []task{{"task_id": "first"}}
	join := make([]string, n)
	for i := range n {
		join[i] = fmt.Sprint("w", i)
		tasks = append(tasks, task{"task_id": join[i], "dependencies": []string{"first"}})
	}
	tasks = append(tasks, task{"task_id": "join", "dependencies": join})
	w := newWorld(t, func(c *Config) { c.Limits.MaxTasks = n + 2 })
	joined := 0
	w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
		if c.Task.ID.Key == "join" {
			joined = len(c.Job.Dependencies)
		}
		return good(c, 1)
	}
	rec := w.do(tasks...)
	if rec.Status != myriad.RunSuccess || joined != n || w.caller.calls.Load() != n+2 || w.caller.most.Load() > 10 {
		t.Errorf("%s, joined %d, %d calls, %d at once", rec.Status, joined, w.caller.calls.Load(), w.caller.most.Load())
	}
}

func TestLongChain(t *testing.T) {
	const n = 10_000
	for name, fails := range map[string]bool{"through": false, "skipped": true} {
		t.Run(name, func(t *testing.T) {
			tasks := make([]task, n)
			for i := range tasks {
				tasks[i] = task{"task_id": i}
				if i > 0 {
					tasks[i]["dependencies"] = []int{i - 1}
				}
			}
			w := newWorld(t)
			if fails {
				w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
					return bad(c, myriad.OutcomeServerError, myriad.TaskErrAgent)
				}
			}
			rec := w.do(tasks...)
			want := myriad.RunSuccess
			if fails {
				want = myriad.RunFailed
				if last := resultOf(t, rec, "9999"); last.Extra.SkippedBecause != "0" {
					t.Errorf("the last names %q", last.Extra.SkippedBecause)
				}
			}
			if rec.Status != want {
				t.Errorf("got %s", rec.Status)
			}
		})
	}
}

// Where everything comes at once, by failing, a long chain that goes on in spite of it is still no chain of calls.
func TestLongChainThatFailsAtOnce(t *testing.T) {
	const n = 10_000
	tasks := make([]task, n)
	for i := range tasks {
		tasks[i] = task{"task_id": i, "on_dependency_failure": "continue"}
		if i > 0 {
			tasks[i]["dependencies"] = []int{i - 1}
		}
	}
	w := newWorld(t)
	deepest := 0
	w.finder.find = func(_ context.Context, _, _ string, done func(myriad.Found, error)) {
		var pcs [400]uintptr
		deepest = max(deepest, runtime.Callers(0, pcs[:]))
		done(myriad.Found{}, nil)
	}
	if rec := w.do(tasks...); rec.Status != myriad.RunFailed || deepest > 100 {
		t.Errorf("%s, %d frames deep", rec.Status, deepest)
	}
}
