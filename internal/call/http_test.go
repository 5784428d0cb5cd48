package call

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// recorder keeps the requests that an agent got.
type recorder struct {
	mu     sync.Mutex
	paths  []string
	heads  []http.Header
	bodies []string
}

func (rec *recorder) then(answers ...http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rec.mu.Lock()
		n := len(rec.paths)
		rec.paths = append(rec.paths, r.Method+" "+r.URL.RequestURI())
		rec.heads = append(rec.heads, r.Header.Clone())
		rec.bodies = append(rec.bodies, string(body))
		rec.mu.Unlock()
		answers[min(n, len(answers)-1)](w, r)
	}
}

func TestTheRequest(t *testing.T) {
	rec := &recorder{}
	a := agentServing(t, "A", rec.then(answering(503, ``), answering(200, `{"status":"success"}`)))
	r := newRig(t, nil)
	call := r.job("define", a)
	call.Job.TaskID = myriad.TaskID{Key: "7", Raw: json.RawMessage(`7`)}
	call.Job.Args = json.RawMessage(`{"n": 12345678901234567890}`)
	call.Job.Dependencies = map[string]myriad.Dependency{
		"b": {Status: "success", Data: json.RawMessage(`[1,2]`), AgentName: "B"}, `a"`: {Status: "skipped"},
	}
	call.Attempt = 2
	call.Deadline, call.TaskTimeout = time.Now().Add(4*time.Second), true
	reply := r.do(t.Context(), call)
	is(t, "outcome", reply.Outcome, myriad.OutcomeSuccess)
	same(t, "paths", rec.paths, []string{"POST /query", "POST /query"})
	want := `{"task_id":7,"intent":"define","concept":"Lightbulb","args":{"n": 12345678901234567890},"dependencies":{` +
		`"a\"":{"status":"skipped","data":null,"agent_name":""},"b":{"status":"success","data":[1,2],"agent_name":"B"}}}`
	same(t, "bodies", rec.bodies, []string{want, want})
	run := myriad.RunSpan(call.RunID, "")
	for i, h := range rec.heads {
		is(t, "Content-Type", h.Get("Content-Type"), "application/json")
		is(t, "Accept", h.Get("Accept"), "application/json")
		is(t, "User-Agent", h.Get("User-Agent"), "myriad/test")
		is(t, "Idempotency-Key", h.Get("Idempotency-Key"), "key-1")
		is(t, "Accept-Encoding", h.Get("Accept-Encoding"), "")
		is(t, "traceparent", h.Get("Traceparent"), run.AttemptSpan(call.RunID, "t1", 3+i).String())
		if ms, err := strconv.Atoi(h.Get("X-Myriad-Deadline-Ms")); err != nil || ms < 1 || ms > 4000 {
			t.Errorf("deadline %q", h.Get("X-Myriad-Deadline-Ms"))
		}
	}
	for i, e := range r.events.of(myriad.KindAttempt) {
		is(t, "number in the event", e.Count, int64(3+i))
	}
}

// agentServing is an agent whose handler reads the body itself.
func agentServing(t testing.TB, name string, h http.HandlerFunc) *myriad.Agent {
	t.Helper()
	srv := serve(t, h)
	return &myriad.Agent{Name: name, Endpoint: srv}
}

func TestTheDeadlineIsTheAttemptsOwn(t *testing.T) {
	rec := &recorder{}
	a := agentServing(t, "A", rec.then(answering(200, `{"status":"success"}`)))
	r := newRig(t, nil, func(c *Config) { c.AttemptTimeout = 3 * time.Second })
	call := r.job("define", a)
	call.Deadline = time.Now().Add(time.Hour)
	r.do(t.Context(), call)
	if ms, err := strconv.Atoi(rec.heads[0].Get("X-Myriad-Deadline-Ms")); err != nil || ms < 1 || ms > 3000 {
		t.Errorf("the agent is told %q ms, but nobody listens after 3000", rec.heads[0].Get("X-Myriad-Deadline-Ms"))
	}
}

func TestTargets(t *testing.T) {
	for stored, want := range map[string]string{
		"http://a:1":              "http://a:1/query",
		"http://a:1/":             "http://a:1/query",
		"http://a:1/query":        "http://a:1/query",
		"http://a:1/x/y?k=v":      "http://a:1/x/y?k=v",
		"http://a:1?k=v":          "http://a:1/query?k=v",
		"https://a/a%2Fb":         "https://a/a%2Fb",
		"http://[::1]:8080#there": "http://[::1]:8080/query",
	} {
		got := newTarget(stored)
		if got.wrong != nil || got.url.String() != want {
			t.Errorf("%s: %v %v, want %s", stored, got.url, got.wrong, want)
		}
	}
}

func TestTheJobsSize(t *testing.T) {
	a := agentAt(t, "A", nil)
	b := agentAt(t, "B", nil)
	r := newRig(t, nil, func(c *Config) { c.MaxJob = 1 << 20 })
	call := r.job("define", a.Agent, b.Agent)
	pad := 1<<20 - len(appendJob(nil, &call.Job)) // with args {} there is room for so much more
	call.Job.Args = json.RawMessage(`{"x":"` + strings.Repeat("y", pad-6) + `"}`)
	is(t, "as large as may be", r.do(t.Context(), call).Outcome, myriad.OutcomeSuccess)

	call = r.job("define", a.Agent, b.Agent)
	call.Job.Args = json.RawMessage(`{"x":"` + strings.Repeat("y", pad-5) + `"}`)
	reply := r.do(t.Context(), call)
	same(t, "attempts", outcomes(reply.Attempts), []myriad.Outcome{myriad.OutcomeLocal}) // no other candidate takes it either
	is(t, "code", reply.ErrorCode, myriad.TaskErrTooLarge)
	if want := "agent A: the job is larger than 1 MiB"; reply.Error != want {
		t.Errorf("message %q, want %q", reply.Error, want)
	}
	is(t, "jobs", a.effects.Load()+b.effects.Load(), 1)
}

func TestUnknownProtocol(t *testing.T) {
	b := agentAt(t, "B", nil)
	r := newRig(t, nil)
	reply := r.do(t.Context(), r.job("turn_on", &myriad.Agent{Name: "A", Endpoint: "http://127.0.0.1:1", Protocol: "pigeon/1"}, b.Agent))
	same(t, "attempts", outcomes(reply.Attempts), []myriad.Outcome{myriad.OutcomeLocal, myriad.OutcomeSuccess})
	if !strings.Contains(reply.Attempts[0].Error, "pigeon/1 is not known here") {
		t.Errorf("message %q", reply.Attempts[0].Error)
	}
	is(t, "failures of A", r.Breakers("A")[0].ConsecutiveFailures, 0)
}

func FuzzJob(f *testing.F) {
	f.Add("1", "define", "light \"bulb\"", "{}", "dep", "ok\u2028\xff")
	f.Fuzz(func(t *testing.T, id, intent, concept, args, dep, agent string) {
		if !json.Valid([]byte(args)) {
			args = "{}"
		}
		job := &myriad.Job{TaskID: myriad.StringID(id), Intent: intent, Concept: concept, Args: json.RawMessage(args),
			Dependencies: map[string]myriad.Dependency{dep: {Status: "success", AgentName: agent}}}
		raw := appendJob(nil, job)
		var got, want any
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
		std, err := json.Marshal(map[string]any{"task_id": id, "intent": intent, "concept": concept, "args": json.RawMessage(args),
			"dependencies": map[string]any{dep: map[string]any{"status": "success", "data": nil, "agent_name": agent}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(std, &want); err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if string(a) != string(b) {
			t.Fatalf("got %s\nwant %s", a, b)
		}
	})
}
