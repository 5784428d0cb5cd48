package main

import (
	"slices"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// check holds everything that came back to the invariants.
func (w *ward) check() {
	w.t.Helper()
	w.t.Logf("%d runs", len(w.runs))
	w.checkRunsAreKept()
	tasks := map[string]int{} // attempts that were told, by task
	once := map[string]bool{} // tasks that may not be repeated
	for _, a := range w.runs {
		if a.err != nil {
			w.t.Errorf("a run was lost or stuck: %v", a.err)
			continue
		}
		w.checkRun(a)
		for i := range a.record.Results {
			tasks[a.record.Results[i].TaskID.Key] = len(a.record.Results[i].Provenance.Attempts)
		}
		for _, task := range a.plan.Tasks {
			once[task.ID] = task.Intent != "define" && !task.Idempotent
		}
	}
	w.checkEffects(tasks, once)
	w.changes.catchUp(w.t, w.client)
	for _, p := range append(slices.Clone(w.patients), w.well...) {
		w.checkBreaker(p)
	}
}

// checkRunsAreKept: every accepted run is on record as it was told.
func (w *ward) checkRunsAreKept() {
	w.t.Helper()
	kept := map[string]myriad.RunStatus{}
	for page := (myriad.Page{Limit: 1000}); ; {
		runs, next, err := w.client.List(w.t.Context(), page)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range runs {
			kept[r.RunID] = r.Status
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	for _, a := range w.runs {
		if a.err == nil && kept[a.id] != a.record.Status {
			w.t.Errorf("run %q is kept as %q, but was told as %q", a.id, kept[a.id], a.record.Status)
		}
	}
}

// checkRun: each task has exactly one result, in time, that says how it came about.
func (w *ward) checkRun(a *asked) {
	w.t.Helper()
	rec := a.record
	if took := time.Duration(rec.DurationMS * float64(time.Millisecond)); took > a.plan.Timeout+unkept {
		w.t.Errorf("run %s (%s) took %v, its time was %v", a.id, ways[a.way], took, a.plan.Timeout)
	}
	if !rec.Status.Done() || len(rec.Results) != len(a.plan.Tasks) {
		w.t.Errorf("run %s: status %s, %d results of %d tasks", a.id, rec.Status, len(rec.Results), len(a.plan.Tasks))
	}
	for _, task := range a.plan.Tasks {
		i := slices.IndexFunc(rec.Results, func(r myriad.Result) bool { return r.TaskID.Key == task.ID })
		if i < 0 || a.finished != nil && a.finished[task.ID] != 1 {
			w.t.Errorf("run %s: task %s finished %d times", a.id, task.ID, a.finished[task.ID])
			continue
		}
		w.checkResult(&task, &rec.Results[i])
	}
}

// checkResult: the status is one of ours with its fields, the data is the answer to the question, and the provenance tells all.
func (w *ward) checkResult(task *client.Task, r *myriad.Result) {
	w.t.Helper()
	wrong := func(what string) {
		w.t.Helper()
		json, _ := r.MarshalJSON()
		w.t.Errorf("task %s: %s: %s", task.ID, what, json)
	}
	p := &r.Provenance
	if r.Succeeded != (p.Source != myriad.SourceNone) {
		wrong("succeeded does not agree with the source")
	}
	switch {
	case p.Source == myriad.SourceLive:
		if data := string(r.Answer.Data); !answers(task, data) {
			wrong("data of another question, or a part of it")
		}
	case p.Source == myriad.SourceCache:
		if task.Intent != "define" || task.Fallback == client.NoFallback {
			wrong("a last good answer where none may be served")
		}
		if p.AgeMS < 1 || p.Fallback == "" || !answers(task, string(r.Answer.Data)) {
			wrong("a last good answer without age or reason, or of another question")
		}
	case p.Source == myriad.SourceDefault:
		if !strings.Contains(string(r.Extra.Data), `"spare"`) || p.Fallback == "" {
			wrong("a default that is not the task's, or without reason")
		}
	case r.ErrorCode == "" || r.ErrorMessage == "" || r.ErrorCode == myriad.TaskErrInternal:
		wrong("a failure without its reason")
	case r.Status == myriad.StatusServiceUnavailable && r.Extra.Message == "":
		wrong("service_unavailable without message")
	case r.Status == myriad.StatusTimeout && len(p.Attempts) > 0 && r.Extra.AgentURL == "":
		wrong("timeout without agent_url")
	case r.ErrorCode == myriad.TaskErrCircuitOpen && !slices.ContainsFunc(p.Rejections, func(x myriad.Rejection) bool { return x.Reason == myriad.RejectedOpen }):
		wrong("circuit_open, and no breaker is named that rejected")
	}
	if strings.Contains(task.ID, "/solid/") && p.Source != myriad.SourceLive {
		wrong("a task of a healthy agent failed")
	}
	w.checkAttempts(task, p, wrong)
}

// answers says whether data is an agent's whole answer to the task's question: what echo makes, or what an agent says whose behaviour is over.
func answers(task *client.Task, data string) bool {
	return strings.Contains(data, string(mustMarshal(task.Args))) && strings.Contains(data, `"concept":"`+task.Concept+`"`) && strings.Contains(data, "middle") ||
		data == `"`+task.Intent+" of "+task.Concept+`"`
}

func (w *ward) checkAttempts(task *client.Task, p *myriad.Provenance, wrong func(string)) {
	var first, last float64
	for i, a := range p.Attempts {
		if a.Outcome == "" || a.Outcome == myriad.OutcomePanic || a.Endpoint == "" || a.Outcome.Class() != myriad.ClassSuccess && a.Error == "" {
			wrong("an attempt that does not say how it ended")
		}
		healthy := slices.ContainsFunc(w.well, func(p *patient) bool { return p.name == a.Agent })
		hurried := a.Outcome == myriad.OutcomeTimeout && time.Duration(a.DurationMS*float64(time.Millisecond)) < patience // by the task's own timeout, which may be the machine's doing
		if healthy && a.Outcome.Class() == myriad.ClassAgent && !hurried {
			wrong("an attempt at a healthy agent failed")
		}
		if i == 0 {
			first = a.StartMS
		}
		last = max(last, a.StartMS+a.DurationMS)
	}
	if took := time.Duration((last - first) * float64(time.Millisecond)); task.Timeout > 0 && took > task.Timeout+unkept {
		wrong("the attempts took " + took.String() + ", longer than the task's timeout")
	}
}

// checkEffects: what may not be repeated was begun once at the most, whoever began it, and nothing was begun more often than attempts were told.
func (w *ward) checkEffects(attempts map[string]int, once map[string]bool) {
	w.t.Helper()
	begun := map[string]int{}
	for _, p := range append(slices.Clone(w.patients), w.well...) {
		if p.agent.Stats().Untracked > 0 {
			w.t.Fatal("the ledger of effects is too small")
		}
		for _, e := range p.agent.Effects() {
			begun[e.TaskID] += e.Begun
		}
	}
	for task, n := range begun {
		told, known := attempts[task]
		if known && (once[task] && n > 1 || n > told) {
			w.t.Errorf("task %s was begun %d times in %d attempts (may not be repeated: %v)", task, n, told, once[task])
		}
	}
}
