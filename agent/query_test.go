package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad/agent"
)

var quiet = slog.New(slog.DiscardHandler)

func say(text string) agent.HandlerFunc {
	return func(context.Context, agent.Job) (any, error) { return text, nil }
}

// ask posts body to the agent without a network.
func ask(t *testing.T, a http.Handler, path, body string, header ...string) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s: the answer is no JSON object: %v: %s", path, err, w.Body)
	}
	return w, out
}

func TestQueryAnswersInTheAgentsForm(t *testing.T) {
	a := agent.New("Lamp").Handle("light bulb", "define", say("it glows"))
	w, out := ask(t, a, "/query", `{"task_id":1,"concept":"Light-Bulb","intent":" Define ","args":{}}`)
	if w.Code != 200 || out["agent_name"] != "Lamp" || out["status"] != "success" || out["data"] != "it glows" || len(out) != 3 {
		t.Fatalf("got %d %v", w.Code, out)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/json" {
		t.Errorf("content type %q", ct)
	}
}

func TestTheClosestHandlerWins(t *testing.T) {
	a := agent.New("A").
		Handle("x", "define", say("x define")).Handle("x", agent.Any, say("x any")).
		Handle(agent.Any, "define", say("any define")).Handle(agent.Any, "sum", say("any sum"))
	for _, c := range []struct{ job, want string }{
		{`{"concept":"x","intent":"define"}`, "x define"},
		{`{"concept":"x","intent":"sum"}`, "x any"},
		{`{"concept":"y","intent":"define"}`, "any define"},
		{`{"concept":"y","intent":"sum"}`, "any sum"},
		{`{"intent":"sum"}`, "any sum"},
	} {
		if _, out := ask(t, a, "/query", c.job); out["data"] != c.want {
			t.Errorf("%s: got %v, want %q", c.job, out, c.want)
		}
	}
	only := agent.New("B").Handle("x", "define", say("x"))
	if _, out := ask(t, only, "/query", `{"intent":"define"}`); out["data"] != "x" {
		t.Errorf("a job without a concept asks by its intent: %v", out)
	}
}

func TestRefusals(t *testing.T) {
	a := agent.New("A").With(agent.Options{MaxBody: 200, Logger: quiet}).
		Handle("x", "define", say("yes")).
		Handle("x", "boom", func(context.Context, agent.Job) (any, error) { panic("secret") }).
		Handle("x", "fail", func(context.Context, agent.Job) (any, error) { return nil, errors.New("out of ink") }).
		Handle("x", "caller", func(context.Context, agent.Job) (any, error) { return nil, agent.Callerf("no %s", "ink") }).
		Handle("x", "gone", func(context.Context, agent.Job) (any, error) {
			return nil, agent.CallerError{Message: "gone", Status: 410}
		}).
		Handle("x", "odd", func(context.Context, agent.Job) (any, error) {
			return nil, agent.CallerError{Message: "odd", Status: 422}
		}).
		Handle("x", "busy", func(context.Context, agent.Job) (any, error) {
			return nil, fmt.Errorf("queue: %w", agent.Busy{RetryAfter: 1500 * time.Millisecond})
		}).
		Handle("x", "late", func(context.Context, agent.Job) (any, error) { return nil, context.DeadlineExceeded }).
		Handle("x", "unwritable", func(context.Context, agent.Job) (any, error) { return func() {}, nil })
	for _, c := range []struct {
		name, body string
		status     int
		text       string
	}{
		{"empty body", ``, 400, "no JSON"},
		{"malformed", `{"intent"`, 400, "no JSON"},
		{"empty object", `{}`, 400, "Missing 'intent'"},
		{"empty array", ` [] `, 400, "Missing 'intent'"},
		{"null", `null`, 400, "Missing 'intent'"},
		{"no object", `"define"`, 400, "Missing 'intent'"},
		{"null intent", `{"intent":null}`, 400, "Missing 'intent'"},
		{"intent of a wrong type", `{"intent":5}`, 400, "Unknown intent"},
		{"unknown intent", `{"intent":"sing","concept":"x"}`, 400, "Unknown intent 'sing'"},
		{"empty intent", `{"intent":" "}`, 400, "Unknown intent"},
		{"unknown concept", `{"intent":"define","concept":"y"}`, 400, "Unknown concept 'y'"},
		{"concept of a wrong type", `{"intent":"define","concept":[1]}`, 400, "Unknown concept"},
		{"unreadable concept", `{"intent":"define","concept":"\u0001"}`, 400, "Unknown concept"},
		{"dependencies of a wrong type", `{"intent":"define","dependencies":[1]}`, 400, "does not fit"},
		{"too large", `{"intent":"define","concept":"` + strings.Repeat("x", 300) + `"}`, 413, "over 200 bytes"},
		{"panic", `{"intent":"boom"}`, 500, "panicked"},
		{"failure", `{"intent":"fail"}`, 500, "out of ink"},
		{"caller's fault", `{"intent":"caller"}`, 400, "no ink"},
		{"caller's fault with another's status", `{"intent":"gone"}`, 400, "gone"},
		{"caller's fault with its own status", `{"intent":"odd"}`, 422, "odd"},
		{"busy", `{"intent":"busy"}`, 429, "busy"},
		{"late", `{"intent":"late"}`, 504, "deadline"},
		{"an answer that is no JSON", `{"intent":"unwritable"}`, 500, "cannot be written"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, out := ask(t, a, "/query", c.body)
			text, _ := out["data"].(string)
			if w.Code != c.status || out["status"] != "error" || out["agent_name"] != "A" || !strings.Contains(text, c.text) {
				t.Errorf("got %d %v", w.Code, out)
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Errorf("a panic's value reached the caller: %s", w.Body)
			}
			if retry := w.Header().Get("Retry-After"); (c.status == 429) != (retry == "2") {
				t.Errorf("Retry-After %q", retry)
			}
		})
	}
}

func TestOlderClientsExpectAnotherStatusForABadBody(t *testing.T) {
	a := agent.New("A").With(agent.Options{BadBody: 500}).Handle("x", "define", say("yes"))
	if w, _ := ask(t, a, "/query", `{`); w.Code != 500 {
		t.Errorf("malformed: %d", w.Code)
	}
	if w, _ := ask(t, a, "/query", `{"intent":"define"}`, "Content-Type", "text/plain"); w.Code != 500 {
		t.Errorf("content type: %d", w.Code)
	}
	if w, _ := ask(t, a, "/query", `{}`); w.Code != 400 {
		t.Errorf("falsy: %d", w.Code)
	}
}

func TestRoutes(t *testing.T) {
	a := agent.New("A").Handle("x", "define", say("yes"))
	for _, c := range []struct {
		method, path, contentType string
		status                    int
	}{
		{"POST", "/query", "application/vnd.x+json", 200},
		{"POST", "/query", "application/json; charset=utf-8", 200},
		{"POST", "/query", "text/plain", 415},
		{"POST", "/query", "", 415},
		{"GET", "/query", "", 405},
		{"GET", "/health", "", 200},
		{"HEAD", "/health", "", 200},
		{"POST", "/health", "", 405},
		{"GET", "/query/", "", 404},
		{"GET", "/", "", 404},
		{"POST", "/collaborate", "application/json", 404},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(`{"intent":"define"}`))
		r.Header.Set("Content-Type", c.contentType)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s %s (%s): got %d, want %d", c.method, c.path, c.contentType, w.Code, c.status)
		}
	}
}

func TestAJobCarriesWhatTheCallerSent(t *testing.T) {
	var got agent.Job
	var left time.Duration
	synctest.Test(t, func(t *testing.T) {
		a := agent.New("A").Handle("x", "define", func(ctx context.Context, job agent.Job) (any, error) {
			got = job
			if at, ok := ctx.Deadline(); ok {
				left = time.Until(at)
			}
			return nil, nil
		})
		ask(t, a, "/query", `{"task_id":7,"concept":"x","intent":"define","args":{"n":1234567890123456789},"query_type":"q",
			"dependencies":{"a":{"status":"success","data":[1,2],"agent_name":"B"}}}`,
			"Idempotency-Key", "k1", "Traceparent", "tp", agent.DeadlineHeader, "1500")
	})
	if got.Key != "k1" || got.TraceParent != "tp" || got.TaskID.Key != "7" || string(got.Args) != `{"n":1234567890123456789}` || left != 1500*time.Millisecond {
		t.Fatalf("got %+v with %s left", got, left)
	}
	var nums []int
	if err := got.Dependency("a", &nums); err != nil || len(nums) != 2 || got.Dependencies["a"].AgentName != "B" {
		t.Errorf("dependency: %v %v", nums, err)
	}
	if err := got.Dependency("b", &nums); err == nil {
		t.Error("a missing dependency went through")
	}
	if err := got.Dependency("a", new(string)); err == nil {
		t.Error("a dependency of another type went through")
	}
	if !bytes.Contains(got.Body, []byte(`"query_type":"q"`)) {
		t.Errorf("the whole job is not at hand: %s", got.Body)
	}
}

func TestOddTaskIDsDoNotRefuseTheJob(t *testing.T) {
	a := agent.New("A").Handle("x", "define", func(_ context.Context, job agent.Job) (any, error) { return job.TaskID, nil })
	for raw, want := range map[string]any{`1`: 1.0, `"a"`: "a", `true`: true, `null`: nil} {
		if _, out := ask(t, a, "/query", `{"intent":"define","task_id":`+raw+`}`); out["status"] != "success" || out["data"] != want {
			t.Errorf("%s: %v", raw, out)
		}
	}
}

func TestFuncTakesTypedArgs(t *testing.T) {
	a := agent.New("A").Handle("text", "repeat", agent.Func(func(_ context.Context, in struct {
		Text  string
		Times int
	}) (string, error) {
		return strings.Repeat(in.Text, in.Times), nil
	}))
	if _, out := ask(t, a, "/query", `{"intent":"repeat","args":{"text":"ab","times":3,"more":1}}`); out["data"] != "ababab" {
		t.Error(out)
	}
	if w, out := ask(t, a, "/query", `{"intent":"repeat","args":{"times":"three"}}`); w.Code != 400 || !strings.Contains(out["data"].(string), "args") {
		t.Error(w.Code, out)
	}
	if _, out := ask(t, a, "/query", `{"intent":"repeat","args":null}`); out["data"] != "" {
		t.Error(out)
	}
}

func TestAnAnswerInFull(t *testing.T) {
	a := agent.New("A").Handle("x", "define", func(context.Context, agent.Job) (any, error) {
		return agent.Answer{Status: "unsure", Data: 1, Fields: map[string]any{"confidence": 0.5, "agent_name": "imposter"}}, nil
	})
	_, out := ask(t, a, "/query", `{"intent":"define"}`)
	if out["status"] != "unsure" || out["confidence"] != 0.5 || out["agent_name"] != "A" || out["data"] != 1.0 {
		t.Error(out)
	}
}

func TestHealth(t *testing.T) {
	t.Setenv("MYRIAD_NONCE", "n-1")
	a := agent.New("A").With(agent.Options{Health: func() map[string]any { return map[string]any{"concept": "x", "agent": "imposter"} }})
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/health", nil))
	if got, want := strings.TrimSpace(w.Body.String()), `{"agent":"A","concept":"x","nonce":"n-1","status":"healthy"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestJobsBeyondTheLimitWaitThenAreTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var running, most int
		var mu sync.Mutex
		a := agent.New("A").With(agent.Options{MaxConcurrency: 2}).Handle("x", "wait", func(context.Context, agent.Job) (any, error) {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			<-release
			mu.Lock()
			running--
			mu.Unlock()
			return nil, nil
		})
		codes := make(chan int, 5)
		for range 5 { // two run, two wait, one finds the queue full
			go func() {
				w, _ := ask(t, a, "/query", `{"intent":"wait"}`)
				codes <- w.Code
			}()
		}
		synctest.Wait()
		if code := <-codes; code != 429 {
			t.Errorf("the fifth got %d", code)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if a, b := <-codes, <-codes; a != 429 || b != 429 {
			t.Errorf("those that waited too long got %d and %d", a, b)
		}
		close(release)
		if a, b := <-codes, <-codes; a != 200 || b != 200 {
			t.Errorf("those that ran got %d and %d", a, b)
		}
		if most != 2 {
			t.Errorf("%d ran at once", most)
		}
	})
}

func TestAPanicGivesItsSlotBack(t *testing.T) {
	a := agent.New("A").With(agent.Options{MaxConcurrency: 1, Logger: quiet}).
		Handle("x", "boom", func(context.Context, agent.Job) (any, error) { panic("x") }).Handle("x", "define", say("yes"))
	for range 3 {
		ask(t, a, "/query", `{"intent":"boom"}`)
	}
	if w, _ := ask(t, a, "/query", `{"intent":"define"}`); w.Code != 200 {
		t.Errorf("got %d", w.Code)
	}
}

func TestCollaborate(t *testing.T) {
	a := agent.New("A").With(agent.Options{Logger: quiet}).Collaborate(agent.CollaboratorFunc(
		func(_ context.Context, c agent.Collaboration) (agent.CollaborationReply, error) {
			switch c.Type {
			case agent.KnowledgeRequest:
				if c.TargetConcept != "x" {
					return agent.CollaborationReply{Status: "no_expertise", Text: "not mine"}, nil
				}
				return agent.CollaborationReply{Data: map[string]any{"kind": c.Ask("knowledge_type", "definition")}, Metadata: map[string]any{"k": 1}}, nil
			case "panic":
				panic("secret")
			}
			return agent.CollaborationReply{}, agent.Callerf("no such type: %s", c.Type)
		}))
	w, out := ask(t, a, "/collaborate", `{"target_concept":"x","source_agent":{"name":"B"},"specific_request":{"knowledge_type":"history"}}`)
	meta, _ := out["collaboration_metadata"].(map[string]any)
	data, _ := out["data"].(map[string]any)
	if w.Code != 200 || out["status"] != "success" || data["kind"] != "history" || meta["response_to"] != "B" || meta["collaboration_type"] != "knowledge_sharing" || meta["k"] != 1.0 {
		t.Errorf("got %d %v", w.Code, out)
	}
	if at, _ := meta["timestamp"].(string); at == "" {
		t.Error("no timestamp")
	} else if _, err := time.Parse(time.RFC3339, at); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		body, status, text string
		code               int
	}{
		{`{"target_concept":"y"}`, "no_expertise", "not mine", 200},
		{`{"collaboration_type":"dance"}`, "error", "dance", 400},
		{`{"collaboration_type":"panic"}`, "error", "panicked", 500},
		{`{}`, "error", "no collaboration data", 400},
		{` [ ] `, "error", "no collaboration data", 400},
		{`{"context":"text"}`, "error", "does not fit", 400},
		{`{`, "error", "no JSON", 400},
	} {
		w, out := ask(t, a, "/collaborate", c.body)
		if text, _ := out["data"].(string); w.Code != c.code || out["status"] != c.status || !strings.Contains(text, c.text) {
			t.Errorf("%s: got %d %v", c.body, w.Code, out)
		}
	}
	if _, out := ask(t, a, "/collaborate", `{"target_concept":"y"}`); out["message"] != "not mine" {
		t.Errorf("readers of the other dialect find nothing: %v", out)
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"intent":"define"}`, `{"intent":"define","concept":"x","task_id":[1],"args":[]}`, `[1]`, `"x"`, `{"intent":{"a":1}}`, `{"dependencies":{"a":null},"intent":"define"}`} {
		f.Add([]byte(s))
	}
	a := agent.New("A").Handle("x", "define", func(_ context.Context, job agent.Job) (any, error) { return job.Args, nil })
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/query", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		raw, _ := io.ReadAll(w.Body)
		if !json.Valid(raw) || (w.Code != 200 && w.Code != 400) {
			t.Fatalf("%q: %d %s", body, w.Code, raw)
		}
	})
}
