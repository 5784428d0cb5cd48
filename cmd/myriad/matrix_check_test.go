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
	w.t.Logf("%d runs, worst scheduling lag %v", len(w.runs), w.lag.is().Round(time.Millisecond))
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
	rec, slack := a.record, w.lag.slack()
	if took := time.Duration(rec.DurationMS * float64(time.Millisecond)); took > a.plan.Timeout+slack {
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
	if strings.Contains(task.ID, "/solid/") && p.Source != myriad.SourceLive && !w.excused(p) {
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
		if healthy && a.Outcome.Class() == myriad.ClassAgent && !w.excused(p) {
			wrong("an attempt at a healthy agent failed")
		}
		if i == 0 {
			first = a.StartMS
		}
		last = max(last, a.StartMS+a.DurationMS)
	}
	if took := time.Duration((last - first) * float64(time.Millisecond)); task.Timeout > 0 && took > task.Timeout+w.lag.slack() {
		wrong("the attempts took " + took.String() + ", longer than the task's timeout")
	}
}

// excused says that the machine stood still for so long that agents that are well were too slow.
func (w *ward) excused(p *myriad.Provenance) bool {
	late := func(a myriad.Attempt) bool { return a.Outcome == myriad.OutcomeTimeout }
	open := func(r myriad.Rejection) bool { return r.Reason == myriad.RejectedOpen }
	return w.lag.is() > patience/4 && (slices.ContainsFunc(p.Attempts, late) || slices.ContainsFunc(p.Rejections, open))
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

// attempted is an attempt in the time of the clock.
type attempted struct {
	begin, end time.Time
	outcome    myriad.Outcome
}

// attemptsAt are those at one agent, in the order in which they began.
func (w *ward) attemptsAt(agent string) (all []attempted) {
	for _, a := range w.runs {
		if a.err != nil {
			continue
		}
		for i := range a.record.Results {
			for _, x := range a.record.Results[i].Provenance.Attempts {
				if x.Agent == agent {
					begin := a.record.StartedAt.Add(time.Duration(x.StartMS * float64(time.Millisecond)))
					all = append(all, attempted{begin, begin.Add(time.Duration(x.DurationMS * float64(time.Millisecond))), x.Outcome})
				}
			}
		}
	}
	slices.SortFunc(all, func(x, y attempted) int { return x.begin.Compare(y.begin) })
	return all
}

// checkBreaker: while the breaker was open nobody was called, and while it was half-open one probe at a time.
func (w *ward) checkBreaker(p *patient) {
	w.t.Helper()
	if w.changes.gaps > 0 {
		w.t.Error("the stream of events has a gap")
	}
	changes, attempts, slack := w.changes.of(p.name), w.attemptsAt(p.name), w.lag.is()+time.Millisecond
	for i, c := range changes {
		if i > 0 && c.From != changes[i-1].To {
			w.t.Errorf("%s: a transition from %s after one to %s", p.name, c.From, changes[i-1].To)
		}
		until := time.Now()
		if i+1 < len(changes) {
			until = changes[i+1].At
		}
		for j, a := range attempts {
			switch {
			case !a.begin.Before(until):
			case c.To == "open" && a.begin.After(c.At.Add(slack)):
				w.t.Errorf("%s was called (%s) while its breaker was open", p.name, a.outcome)
			case c.To == "half_open" && j > 0 && attempts[j-1].begin.After(c.At.Add(slack)) && !attempts[j-1].cameToNothing(a.begin):
				w.t.Errorf("%s was called (%s) beside another probe (%s)", p.name, a.outcome, attempts[j-1].outcome)
			}
		}
	}
}

// cameToNothing says that a probe had ended without telling anything about its agent, so that another one may take its place.
func (a attempted) cameToNothing(by time.Time) bool {
	class := a.outcome.Class()
	return (class != myriad.ClassAgent && class != myriad.ClassSuccess || a.outcome == myriad.OutcomeDeadConn) && !by.Before(a.end.Add(-time.Millisecond))
}

// checkThreshold: the breaker of an agent that only ever fails opened at the threshold, and from then on there were probes alone.
func (w *ward) checkThreshold(p *patient) {
	w.t.Helper()
	changes := w.changes.of(p.name)
	opened := slices.IndexFunc(changes, func(c breakerChange) bool { return c.To == "open" })
	if opened < 0 {
		w.t.Fatalf("the breaker of %s did not open", p.name)
	}
	healed := slices.IndexFunc(changes, func(c breakerChange) bool { return c.To == "closed" })
	before, calls := 0, 0
	for _, a := range w.attemptsAt(p.name) {
		if a.outcome.Class() != myriad.ClassAgent || a.outcome == myriad.OutcomeDeadConn || healed >= 0 && a.begin.After(changes[healed].At) {
			continue
		}
		calls++
		if a.end.Before(changes[opened].At.Add(-w.lag.slack())) {
			before++
		}
	}
	if before >= tripsAfter {
		w.t.Errorf("%s failed %d times before its breaker opened", p.name, before)
	}
	probes := w.changes.count(p.name, "half_open")
	if most := tripsAfter - 1 + sickSlots + probes; calls > most {
		w.t.Errorf("%s was called %d times, more than %d: threshold, calls under way and %d probes", p.name, calls, most, probes)
	}
	w.t.Logf("%s failed %d times, %d probes", p.name, calls, probes)
}
