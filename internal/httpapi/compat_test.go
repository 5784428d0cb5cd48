package httpapi

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// golden compares a reply with its file; -update writes the file.
func golden(t *testing.T, name string, got answer) {
	t.Helper()
	text := got.header.Get("Content-Type") + "\n" + got.body
	file := filepath.Join("testdata", "compat", strings.ReplaceAll(name, " ", "_")+".golden")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("the reply changed\n got: %s\nwant: %s", text, want)
	}
}

func compatWorld(t *testing.T) *world {
	w := newWorld(t, func(c *Config) { c.Performance = func() any { return map[string]int{"runs": 3} } })
	w.addAgent(lamp())
	w.addAgent(myriad.Agent{Name: "Bare", Concepts: []string{"bare"}})
	return w
}

// TestCompatibleReplies holds every compatible reply against its golden file (wire facts 1, 9, 11b, 14).
func TestCompatibleReplies(t *testing.T) {
	const task = `{"task_id": 1, "concept": "lightbulb", "intent": "define", "args": {}}`
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		headers                  []string
	}{
		{"health", "GET", "/health", "", 200, nil},
		{"status", "GET", "/status", "", 200, nil},
		{"agents", "GET", "/agents", "", 200, nil},
		{"metrics json", "GET", "/metrics/json", "", 200, nil},
		{"metrics", "GET", "/metrics", "", 200, nil},
		{"tasks", "POST", "/process", `{"query_id": "q", "tasks": [` + task + `, {"task_id": "a", "concept": "nobody", "intent": "define"}]}`, 200, nil},
		{"tasks alias", "POST", "/process_query", `{"tasks": [` + task + `]}`, 200, nil},
		{"tasks with a json suffix", "POST", "/process", `{"tasks": [` + task + `]}`, 200, []string{"Content-Type", "application/vnd.x+json; charset=utf-8"}},
		{"tasks win over query", "POST", "/process", `{"query": "x", "tasks": [` + task + `]}`, 200, nil},
		{"no task", "POST", "/process", `{"tasks": []}`, 200, nil},
		{"query", "POST", "/process", `{"query": "Define a \"lightbulb\""}`, 200, nil},
		{"query of a user", "POST", "/process", `{"query": "lightbulb", "user_id": "u1"}`, 200, nil},
		{"falsy object", "POST", "/process", `{}`, 400, nil},
		{"falsy list", "POST", "/process", `[]`, 400, nil},
		{"falsy null", "POST", "/process", `null`, 400, nil},
		{"falsy zero", "POST", "/process", `0`, 400, nil},
		{"falsy text", "POST", "/process", `""`, 400, nil},
		{"falsy false", "POST", "/process", `false`, 400, nil},
		{"malformed", "POST", "/process", `{"tasks": [`, 400, nil},
		{"empty body", "POST", "/process", "", 400, nil},
		{"wrong content type", "POST", "/process", `{"tasks": []}`, 400, []string{"Content-Type", "text/plain"}},
		{"tasks no list", "POST", "/process", `{"tasks": null}`, 400, nil},
		{"neither", "POST", "/process", `{"something": 1}`, 400, nil},
		{"list of something", "POST", "/process", `[1]`, 400, nil},
		{"bare text", "POST", "/process", `"tasks"`, 400, nil},
		{"query no text", "POST", "/process", `{"query": 7}`, 400, nil},
		{"task without concept", "POST", "/process", `{"tasks": [{"task_id": 1, "intent": "define"}]}`, 400, nil},
		{"discover", "POST", "/discover", `{"concept": "Light Bulb", "intent": "define"}`, 200, nil},
		{"discover without intent", "POST", "/discover", `{"concept": "light-bulb"}`, 200, nil},
		{"discover nobody", "POST", "/discover", `{"concept": "x"}`, 404, nil},
		{"discover dormant", "POST", "/discover", `{"concept": "bare"}`, 404, nil},
		{"discover no concept", "POST", "/discover", `{"intent": "define"}`, 400, nil},
		{"discover nothing", "POST", "/discover", `{}`, 400, nil},
		{"discover malformed", "POST", "/discover", `{`, 400, nil},
		{"discover a number", "POST", "/discover", `{"concept": 7}`, 400, nil},
		{"orchestration", "POST", "/run_orchestration", `{"tasks": [` + task + `]}`, 200, nil},
		{"orchestration no tasks", "POST", "/run_orchestration", `{"query": "x"}`, 400, nil},
		{"orchestration malformed", "POST", "/run_orchestration", `{`, 400, nil},
		{"unknown path", "GET", "/explore/start", "", 404, nil},
		{"trailing slash", "GET", "/health/", "", 404, nil},
		{"wrong method", "GET", "/process", "", 405, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := compatWorld(t)
			got := w.do(tc.method, tc.path, tc.body, tc.headers...)
			if got.status != tc.status {
				t.Errorf("status %d, want %d: %s", got.status, tc.status, got.body)
			}
			golden(t, tc.name, got)
		})
	}
}

func TestQueryBecomesOneTask(t *testing.T) {
	w := newWorld(t)
	w.do("POST", "/process", `{"query":"Define a lightbulb","user_id":"u1"}`)
	req := w.runs.last()
	const want = `{"tasks":[{"task_id":1,"concept":"Define a lightbulb","intent":"define","args":{"user_id":"u1"}}]}`
	if string(req.Body) != want || req.Dialect != myriad.Compat {
		t.Errorf("asked for %s in dialect %d", req.Body, req.Dialect)
	}
}

func TestCompatibleFailures(t *testing.T) {
	overloaded := &myriad.Error{Code: myriad.CodeOverloaded, Message: "full", RetryAfter: 1500 * time.Millisecond}
	for name, tc := range map[string]struct {
		err    error
		status int
		body   string
		retry  string
	}{
		"overloaded": {overloaded, 429, `{"error":"full"}`, "2"},
		"draining":   {myriad.Errorf(myriad.CodeDraining, "no new work"), 503, `{"error":"no new work"}`, ""},
		"internal":   {errors.New("password=x"), 500, `{"error":"the server failed; its log has the cause"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.runs.do = func(context.Context, myriad.RunRequest) (*myriad.RunRecord, error) { return nil, tc.err }
			got := w.do("POST", "/process", `{"query":"x"}`)
			if got.status != tc.status || strings.TrimSpace(got.body) != tc.body || got.header.Get("Retry-After") != tc.retry {
				t.Errorf("got %d %s, Retry-After %q", got.status, got.body, got.header.Get("Retry-After"))
			}
		})
	}
}

func TestCompatibleEvents(t *testing.T) {
	w := compatWorld(t)
	w.do("POST", "/process", `{"query":"x"}`)
	w.do("POST", "/process_query", `{}`)
	w.do("POST", "/process", `{}`, "Content-Type", "text/plain")
	w.runs.do = func(context.Context, myriad.RunRequest) (*myriad.RunRecord, error) { return nil, errors.New("down") }
	w.do("POST", "/run_orchestration", `{"tasks":[{}]}`)
	if got, want := w.emitted(myriad.KindQuery), []string{"success", "invalid", "invalid", "error"}; !slices.Equal(got, want) {
		t.Errorf("queries were told as %q, want %q", got, want)
	}
	w.do("POST", "/discover", `{"concept":"light bulb"}`)
	w.do("POST", "/discover", `{"concept":"x"}`)
	w.do("POST", "/discover", `{}`)
	w.found.err = myriad.Errorf(myriad.CodeUnavailable, "the graph does not answer")
	w.do("POST", "/discover", `{"concept":"x"}`)
	if got, want := w.emitted(myriad.KindDiscover), []string{"found", "not_found", "invalid", "error"}; !slices.Equal(got, want) {
		t.Errorf("discoveries were told as %q, want %q", got, want)
	}
}

func TestStatusOfADeadGraph(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Graph.Ping = func(context.Context) error { return errors.New("down") } })
	if got := w.do("GET", "/status", ""); !strings.Contains(got.body, `"graphdb_manager":"disconnected"`) {
		t.Errorf("status says %s", got.body)
	}
}

func TestManyAgentsAreCutAndSaidSo(t *testing.T) {
	w := newWorld(t)
	for i := range maxListed + 1 {
		name := "a" + string(rune('0'+i/10000)) + string(rune('0'+i/1000%10)) + string(rune('0'+i/100%10)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10))
		w.agents.byID[name] = myriad.Agent{Name: name, Concepts: []string{"x"}}
	}
	got := w.do("GET", "/agents", "")
	if !strings.Contains(got.body, `"count":10000,"truncated":true`) {
		t.Errorf("ends in %s", got.body[max(0, len(got.body)-80):])
	}
}

func TestOptionsAndHead(t *testing.T) {
	w := newWorld(t)
	if got := w.do("OPTIONS", "/process", ""); got.status != 200 || got.header.Get("Allow") != "POST, OPTIONS" || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("OPTIONS gave %d %v", got.status, got.header)
	}
	if got := w.do("HEAD", "/health", ""); got.status != 200 || got.body != "" || got.header.Get("Content-Length") == "0" {
		t.Errorf("HEAD gave %d %q", got.status, got.body)
	}
}

// FuzzForm holds the reading of /process bodies against encoding/json: it must not panic, and agree on what is JSON and what tasks are.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{`{"tasks":[{"task_id":1}]}`, `{"query":"x","user_id":null}`, `{"t\u0061sks":[]}`, `[]`, `"tasks"`, `{"tasks":[],"tasks":7}`, `{`, ` {"query" : "\ud800"} `} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := formOf(body)
		var fields map[string]any
		isObject := jsonObject(body, &fields)
		list, isList := fields["tasks"].([]any)
		switch {
		case isObject && isList && (err != nil || got.query || got.empty != (len(list) == 0)):
			t.Fatalf("%q is a list of tasks, got %+v, %v", body, got, err)
		case err == nil && !isObject:
			t.Fatalf("%q is no object, got %+v", body, got)
		case err == nil && got.query && !jsonObject(got.plan, new(map[string]any)):
			t.Fatalf("%q became the plan %q, which is not JSON", body, got.plan)
		case err != nil && myriad.ErrorCode(err) != myriad.CodeInvalid:
			t.Fatalf("%q gave %v", body, err)
		}
	})
}
