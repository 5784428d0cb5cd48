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

// ways a task can fail: what the caller replies, what stands in, and the status when nothing does.
var ways = []struct {
	name    string
	outcome myriad.Outcome
	code    string
	falls   bool
	status  string
}{
	{"agent error", myriad.OutcomeAgentError, myriad.TaskErrAgent, true, "error"},
	{"server error", myriad.OutcomeServerError, myriad.TaskErrAgent, true, "error"},
	{"endpoint", myriad.OutcomeEndpoint, myriad.TaskErrEndpoint, true, "error"},
	{"timeout", myriad.OutcomeTimeout, myriad.TaskErrTimeout, true, "timeout"},
	{"task deadline", myriad.OutcomeTaskDeadline, myriad.TaskErrTimeout, true, "timeout"},
	{"refused", myriad.OutcomeRefused, myriad.TaskErrRefused, true, "error"},
	{"reset", myriad.OutcomeReset, myriad.TaskErrReset, true, "error"},
	{"dead", myriad.OutcomeDeadConn, myriad.TaskErrReset, true, "error"},
	{"dns", myriad.OutcomeDNS, myriad.TaskErrDNS, true, "error"},
	{"tls", myriad.OutcomeTLS, myriad.TaskErrTLS, true, "error"},
	{"garbage", myriad.OutcomeGarbage, myriad.TaskErrGarbage, true, "error"},
	{"answer too large", myriad.OutcomeTooLarge, myriad.TaskErrTooLarge, true, "error"},
	{"told to wait", myriad.OutcomeToldToWait, myriad.TaskErrParked, true, "service_unavailable"},
	{"circuit open", myriad.OutcomeCircuitOpen, myriad.TaskErrCircuitOpen, true, "service_unavailable"},
	{"network denied", myriad.OutcomeLocal, myriad.TaskErrDenied, true, "error"},
	{"credentials", myriad.OutcomeLocal, myriad.TaskErrCredentials, true, "error"},
	{"job too large", myriad.OutcomeLocal, myriad.TaskErrTooLarge, false, "error"},
	{"caller's fault", myriad.OutcomeCallerFault, myriad.TaskErrRejected, false, "error"},
	{"panic", myriad.OutcomePanic, myriad.TaskErrInternal, false, "error"},
	{"cancelled", myriad.OutcomeCancelled, myriad.TaskErrCancelled, false, "cancelled"},
}

func TestWhatFallsBack(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				fine := true
				w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
					if fine {
						return good(c, "kept")
					}
					return bad(c, way.outcome, way.code)
				}
				w.do(task{"intent": "define"})
				fine = false
				time.Sleep(90 * time.Second)
				rec := w.do(task{"intent": "define"}, task{"task_id": "none", "intent": "define", "fallback": "none"},
					task{"task_id": "young", "intent": "define", "max_age_ms": 60_000}, task{"task_id": "act", "intent": "act"},
					task{"task_id": "default", "intent": "act", "fallback": map[string]any{"value": map[string]any{"n": 1}}})
				cached, none, young, act, standIn := &rec.Results[0], &rec.Results[1], &rec.Results[2], &rec.Results[3], &rec.Results[4]
				for _, r := range []*myriad.Result{none, young, act} {
					if r.Succeeded || r.Status != way.status || r.ErrorCode != way.code || r.Provenance.Source != myriad.SourceNone || r.Provenance.Agent != "A" || len(r.Provenance.Attempts) != 1 {
						t.Errorf("%s: %s", r.TaskID, r.AppendJSON(nil))
					}
					if (r.Extra.Message != "") != (way.status == myriad.StatusServiceUnavailable) || (r.Extra.AgentURL != "") != (way.status == myriad.StatusTimeout) {
						t.Errorf("%s: %s", r.TaskID, r.AppendJSON(nil))
					}
				}
				if !way.falls {
					if cached.Succeeded || standIn.Succeeded || len(w.sink.of(myriad.KindFallback)) != 0 {
						t.Errorf("fell back: %s", rec.AppendJSON(nil))
					}
					return
				}
				p := cached.Provenance
				if !cached.Succeeded || cached.Status != "success" || string(cached.Answer.Data) != `"kept"` || p.Source != myriad.SourceCache || p.AgeMS != 90_000 || p.Agent != "A" ||
					!strings.HasPrefix(p.Fallback, way.code) || len(p.Attempts) != 1 {
					t.Errorf("cached: %s", cached.AppendJSON(nil))
				}
				if !standIn.Succeeded || standIn.Status != "success" || string(standIn.Extra.Data) != `{"n":1}` || standIn.Provenance.Source != myriad.SourceDefault {
					t.Errorf("default: %s", standIn.AppendJSON(nil))
				}
				told := map[string]int{}
				for _, e := range w.sink.of(myriad.KindFallback) {
					told[e.Reason]++
				}
				if told[myriad.SourceCache] != 1 || told[myriad.SourceDefault] != 1 || told[myriad.SourceNone] != 2 {
					t.Errorf("told %v", told)
				}
			})
		})
	}
}

// An answer is kept when its intent only reads, by the list or by the word of the agent that gave it; never because a task may be repeated.
func TestWhatIsKept(t *testing.T) {
	w := newWorld(t)
	safe := candidate("Safe")
	safe.Agent.SafeIntents = []string{"status"}
	w.finder.find = func(_ context.Context, concept, _ string, done func(myriad.Found, error)) {
		if concept == "safe" {
			done(myriad.Found{Known: true, Candidates: []myriad.Candidate{candidate("A"), safe}}, nil)
			return
		}
		done(foundA, nil)
	}
	who := "A"
	w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
		reply := good(c, 1)
		reply.Agent = who
		return reply
	}
	for _, c := range []struct {
		task task
		who  string
		kept int
	}{
		{task{"intent": "turn_on", "idempotent": true}, "A", 0},
		{task{"intent": "status", "concept": "safe"}, "A", 0},
		{task{"intent": "status", "concept": "safe"}, "Safe", 1},
		{task{"intent": "Define"}, "A", 2},
		{task{"intent": "define"}, "A", 2},
		{task{"intent": "define", "args": map[string]any{"a": 1}}, "A", 3},
	} {
		who = c.who
		w.do(c.task)
		if n := len(w.store.good); n != c.kept {
			t.Errorf("after %v by %s %d answers are kept, want %d", c.task, c.who, n, c.kept)
		}
	}
	for _, a := range w.store.good {
		if a.At.IsZero() || a.Agent == "" || a.Answer.Raw == nil {
			t.Errorf("kept %+v", a)
		}
	}
}

func TestTooOldAnswersAreNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.do(task{"intent": "define"})
		w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
			return bad(c, myriad.OutcomeRefused, myriad.TaskErrRefused)
		}
		time.Sleep(24*time.Hour + time.Millisecond)
		if r := w.do(task{"intent": "define"}).Results[0]; r.Succeeded {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
	})
}

// The age of an answer is at least 1 ms, so that it is on the wire.
func TestAgeIsNeverAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.do(task{"intent": "define"})
		w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
			return bad(c, myriad.OutcomeRefused, myriad.TaskErrRefused)
		}
		if r := w.do(task{"intent": "define"}).Results[0]; r.Provenance.AgeMS != 1 {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
	})
}

func TestQuestionKey(t *testing.T) {
	job := func(args string, deps map[string]myriad.Dependency) *myriad.Job {
		return &myriad.Job{Args: json.RawMessage(args), Dependencies: deps}
	}
	dep := func(id, status, data string) map[string]myriad.Dependency {
		return map[string]myriad.Dependency{id: {Status: status, Data: json.RawMessage(data), AgentName: "whoever"}}
	}
	same := questionKey("c", "i", job(`{"a":1,"b":{"x":"é","y":[1,2]}}`, dep("d", "success", `{"k": "v"}`)))
	for name, key := range map[string]string{
		"order and space": questionKey("c", "i", job(` { "b" : {"y":[1, 2],"x":"\u00e9"}, "a":1}`, dep("d", "success", `{"k":"v"}`))),
		"the last counts": questionKey("c", "i", job(`{"a":7,"a":1,"b":{"x":"é","y":[1,2]}}`, dep("d", "success", `{"k":"v"}`))),
		"another agent":   questionKey("c", "i", job(`{"a":1,"b":{"x":"é","y":[1,2]}}`, map[string]myriad.Dependency{"d": {Status: "success", Data: json.RawMessage(`{"k":"v"}`)}})),
	} {
		if key != same {
			t.Errorf("%s makes it another question", name)
		}
	}
	others := map[string]string{
		"concept": questionKey("ci", "", job(`{"a":1,"b":{"x":"é","y":[1,2]}}`, dep("d", "success", `{"k":"v"}`))),
		"intent":  questionKey("c", "j", job(`{"a":1,"b":{"x":"é","y":[1,2]}}`, dep("d", "success", `{"k":"v"}`))),
		"args":    questionKey("c", "i", job(`{"a":1,"b":{"x":"é","y":[2,1]}}`, dep("d", "success", `{"k":"v"}`))),
		"digits":  questionKey("c", "i", job(`{"a":1.0,"b":{"x":"é","y":[1,2]}}`, dep("d", "success", `{"k":"v"}`))),
		"status":  questionKey("c", "i", job(`{"a":1,"b":{"x":"é","y":[1,2]}}`, dep("d", "error", `{"k":"v"}`))),
		"data":    questionKey("c", "i", job(`{"a":1,"b":{"x":"é","y":[1,2]}}`, dep("d", "success", `{"k":"w"}`))),
		"who":     questionKey("c", "i", job(`{"a":1,"b":{"x":"é","y":[1,2]}}`, dep("e", "success", `{"k":"v"}`))),
		"nobody":  questionKey("c", "i", job(`{"a":1,"b":{"x":"é","y":[1,2]}}`, nil)),
		"plain":   same,
	}
	seen := map[string]string{}
	for name, key := range others {
		if old, again := seen[key]; again {
			t.Errorf("%s and %s are the same question", name, old)
		}
		seen[key] = name
	}
}

func TestCircuitsOpen(t *testing.T) {
	w := newWorld(t)
	w.caller.eligible = func(c []myriad.Candidate) ([]myriad.Candidate, []myriad.Rejection, time.Duration) {
		return nil, []myriad.Rejection{{Agent: "A", Reason: myriad.RejectedOpen, RetryAfterMS: 1500}}, 1500 * time.Millisecond
	}
	r := w.do(task{}).Results[0]
	if r.Status != myriad.StatusServiceUnavailable || r.ErrorCode != myriad.TaskErrCircuitOpen || r.Extra.RetryAfterMS != 1500 || r.Extra.Message == "" || len(r.Provenance.Rejections) != 1 ||
		w.caller.calls.Load() != 0 {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
}

func TestGraphDown(t *testing.T) {
	w := newWorld(t)
	w.finder.find = func(_ context.Context, concept, _ string, done func(myriad.Found, error)) {
		switch concept {
		case "stale":
			f := foundA
			f.Stale, f.Age = true, 5*time.Second
			done(f, nil)
		case "unknown":
			done(myriad.Found{Stale: true, Age: time.Second}, nil)
		default:
			done(myriad.Found{}, &myriad.Error{Code: myriad.CodeUnavailable, Message: "no answer", RetryAfter: 7 * time.Second})
		}
	}
	grown := 0
	w.cfg.Grower = growerFunc(func(context.Context, myriad.GrowRequest, func(myriad.Growth)) { grown++ })
	rec := w.do(task{"concept": "stale"}, task{"concept": "unknown"}, task{"concept": "cold"})
	if r := rec.Results[0]; !r.Succeeded || r.Provenance.Graph != myriad.GraphStale || r.Provenance.GraphAgeMS != 5000 {
		t.Errorf("stale: %s", r.AppendJSON(nil))
	}
	for _, r := range rec.Results[1:] {
		if r.Status != myriad.StatusServiceUnavailable || r.ErrorCode != myriad.TaskErrGraph || r.Extra.Message == "" {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
	}
	if rec.Results[2].Extra.RetryAfterMS != 7000 || grown != 0 {
		t.Errorf("a dead graph grew %d agents; %s", grown, rec.Results[2].AppendJSON(nil))
	}
}

func TestNobodyForTheTask(t *testing.T) {
	w := newWorld(t)
	w.finder.find = func(_ context.Context, concept, _ string, done func(myriad.Found, error)) {
		done(myriad.Found{Known: concept == "known"}, nil)
	}
	rec := w.do(task{"concept": "known", "intent": "Fly High"}, task{"concept": "strange"}, task{"concept": "strange", "fallback": map[string]any{"value": 5}})
	for i, r := range rec.Results[:2] {
		words := []string{"known", "Fly High"}
		if i == 1 {
			words = []string{"strange", "act"}
		}
		if r.Status != myriad.StatusNoAgent || r.ErrorCode != myriad.TaskErrNoAgent || r.Extra.Data == nil || !contains([]string{r.ErrorMessage}, words...) || r.Provenance.Graph != myriad.GraphFresh {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
	}
	if r := rec.Results[2]; !r.Succeeded || r.Provenance.Source != myriad.SourceDefault {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
}

// The agent's own words pass, but a failure is never told as a success, whatever the agent calls it.
func TestStatusOfAgents(t *testing.T) {
	for _, c := range []struct {
		name      string
		outcome   myriad.Outcome
		answer    string
		status    string
		succeeded bool
	}{
		{"own word", myriad.OutcomeSuccess, `{"status":"partial_success"}`, "partial_success", true},
		{"one of ours", myriad.OutcomeSuccess, `{"status":"timeout"}`, "timeout", true},
		{"none", myriad.OutcomeSuccess, `{"data":1}`, "success", true},
		{"not a string", myriad.OutcomeSuccess, `{"status":5}`, "success", true},
		{"error", myriad.OutcomeAgentError, `{"status":"error","data":1}`, "error", false},
		{"500 that says success", myriad.OutcomeServerError, `{"status":"success","data":1}`, "error", false},
		{"404 with a word", myriad.OutcomeCallerFault, `{"status":"unknown_intent"}`, "unknown_intent", false},
		{"claims to be skipped", myriad.OutcomeCallerFault, `{"status":"skipped","succeeded":true}`, "skipped", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.caller.call = func(_ context.Context, call *myriad.Call) myriad.Reply {
				reply := bad(call, c.outcome, myriad.TaskErrAgent)
				reply.Answer = myriad.ReadAnswer(json.RawMessage(c.answer))
				return reply
			}
			rec := w.do(task{}, task{"task_id": "next", "dependencies": []string{"0"}})
			var wire map[string]any
			if err := json.Unmarshal(rec.Results[0].AppendJSON(nil), &wire); err != nil {
				t.Fatal(err)
			}
			if wire["status"] != c.status || wire["succeeded"] != c.succeeded || (rec.Results[1].Status == myriad.StatusSkipped) == c.succeeded {
				t.Errorf("got %s, then %s", rec.Results[0].AppendJSON(nil), rec.Results[1].Status)
			}
		})
	}
}
