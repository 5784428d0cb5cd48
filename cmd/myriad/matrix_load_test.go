package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// questions is how many different questions are asked of an ailing agent.
const questions = 20

func question(q int) map[string]int { return map[string]int{"question": q} }

// asked is one run as its client saw it.
type asked struct {
	plan     client.Plan
	way      int
	id       string
	record   *myriad.RunRecord
	finished map[string]int       // by task, where the client followed events
	heard    map[string]time.Time // by task, likewise
	begin    time.Time
	took     time.Duration
	err      error
}

// load has more than 200 clients ask at once. Some leave their runs little time; when these have done, treat is called. The others go on until they have
// asked once more after it.
func (w *ward) load(treat func()) {
	w.t.Helper()
	var tight, mixed sync.WaitGroup
	begin, treated := make(chan struct{}), make(chan struct{})
	for i := range tightRuns {
		rng := rand.New(rand.NewPCG(w.rng.Uint64(), 0))
		tight.Go(func() {
			<-begin
			for n := range rounds() {
				w.ask(i+n, w.tightPlan(fmt.Sprintf("tight/%d/%d", i, n), rng))
			}
		})
	}
	for i := range mixedRuns {
		rng := rand.New(rand.NewPCG(w.rng.Uint64(), 0))
		mixed.Go(func() {
			<-begin
			for n := range rounds() {
				w.ask(i+n, w.mixedPlan(fmt.Sprintf("mixed/%d/%d", i, n), rng))
			}
			<-treated
			w.ask(i, w.mixedPlan(fmt.Sprintf("mixed/%d/last", i), rng))
		})
	}
	close(begin)
	tight.Wait()
	treat()
	close(treated)
	mixed.Wait()
}

// ways are those in which a run can be asked for.
var ways = []string{"synchronous", "streamed", "asynchronous"}

// rounds is how often each client asks: once where the matrix is to be short.
func rounds() int {
	if long() {
		return 2
	}
	return 1
}

// tightPlan is what may well come to nothing: tasks for ailing agents, in a run with little time. Only the run ends them: where it did not, an agent that says
// nothing would be waited for with all patience.
func (w *ward) tightPlan(id string, rng *rand.Rand) client.Plan {
	read, write := w.sickTask(id+"/read", "define", rng), w.sickTask(id+"/write", "turn_on", rng)
	after := client.Task{ID: id + "/after", Concept: "pair", Intent: "define", Args: question(rng.IntN(questions)), DependsOn: []string{read.ID}}
	refuses := w.sickTask(id+"/live", "define", rng)
	refuses.Fallback = client.NoFallback
	plan := client.Plan{Tasks: []client.Task{read, write, after, refuses}, Timeout: time.Duration(20+rng.IntN(1500)) * time.Millisecond}
	for i := range plan.Tasks {
		plan.Tasks[i].Timeout = 0
	}
	return plan
}

// mixedPlan has tasks that must succeed whatever befalls the ailing agents, beside tasks for these.
func (w *ward) mixedPlan(id string, rng *rand.Rand) client.Plan {
	plan := client.Plan{Timeout: time.Minute}
	solid := func(name, intent string, after ...string) {
		plan.Add(client.Task{ID: id + "/solid/" + name, Concept: "solid", Intent: intent, Args: question(rng.IntN(questions)), DependsOn: after,
			OnDependencyFailure: myriad.OnFailureContinue})
	}
	ill := func(t client.Task) { plan.Add(t) }
	pair := func(name, intent string) client.Task {
		return client.Task{ID: id + "/pair/" + name, Concept: "pair", Intent: intent, Args: question(rng.IntN(questions)), Timeout: taskTime}
	}
	solid("read", "define")
	solid("write", "turn_on")
	ill(w.sickTask(id+"/read", "define", rng))
	ill(w.sickTask(id+"/write", "turn_on", rng))
	again := w.sickTask(id+"/again", "turn_on", rng)
	again.Idempotent = true
	ill(again)
	spare := w.sickTask(id+"/spare", "turn_off", rng)
	spare.Fallback = client.Default(map[string]string{"spare": id})
	ill(spare)
	ill(pair("read", "define"))
	ill(pair("write", "turn_on"))
	solid("after", "define", id+"/read", id+"/pair/write")
	return plan
}

func (w *ward) sickTask(id, intent string, rng *rand.Rand) client.Task {
	return client.Task{ID: id, Concept: fmt.Sprint("sick", rng.IntN(len(w.patients))), Intent: intent, Args: question(rng.IntN(questions)), Timeout: taskTime}
}

// ask carries a plan out in one of the ways that there are, and keeps what came of it.
func (w *ward) ask(way int, plan client.Plan) {
	a := &asked{plan: plan, way: way % len(ways), begin: time.Now()}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	switch a.way {
	case 0:
		if a.record, a.err = w.client.Run(ctx, plan); a.err == nil {
			a.id = a.record.RunID
		}
	case 1:
		a.err = w.client.Stream(ctx, plan, a.follow)
	case 2:
		if a.id, a.err = w.client.Start(ctx, plan); a.err == nil {
			a.err = w.client.Follow(ctx, a.id, 0, a.follow)
		}
	}
	a.took = time.Since(a.begin)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs = append(w.runs, a)
}

// follow builds the record from the events of a run.
func (a *asked) follow(e myriad.RunEvent) error {
	if a.record == nil {
		a.record, a.finished, a.heard = &myriad.RunRecord{}, map[string]int{}, map[string]time.Time{}
	}
	switch e.Kind {
	case myriad.EventTaskFinished:
		var r myriad.Result
		if err := json.Unmarshal(e.Data, &r); err != nil {
			return err
		}
		a.finished[r.TaskID.Key]++
		a.heard[r.TaskID.Key] = time.Now()
		a.record.Results = append(a.record.Results, r)
	case myriad.EventRunFinished:
		if a.record.Status != "" {
			return fmt.Errorf("run %s finished twice", a.id)
		}
		if err := json.Unmarshal(e.Data, &a.record.RunSummary); err != nil {
			return err
		}
		a.id = a.record.RunID
	}
	return nil
}

func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
