package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script answers requests in turn and keeps what it was asked.
type script struct {
	mu      sync.Mutex
	asked   []string // method, path and query, body
	headers []http.Header
	answers []http.HandlerFunc
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.asked = append(s.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	s.headers = append(s.headers, r.Header.Clone())
	answer := s.answers[min(len(s.asked), len(s.answers))-1]
	s.mu.Unlock()
	answer(w, r)
}

func (s *script) last() (string, http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[len(s.asked)-1], s.headers[len(s.headers)-1]
}

func reply(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// against makes a client of a server that answers so.
func against(t *testing.T, cfg client.Config, answers ...http.HandlerFunc) (*client.Client, *script) {
	t.Helper()
	s := &script{answers: answers}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	cfg.Server = srv.URL
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, s
}

func TestNewNamesEveryMistake(t *testing.T) {
	for _, cfg := range []client.Config{
		{Server: "ftp://x"}, {Server: "127.0.0.1:5000"}, {Server: "http://"}, {Server: "http://u:p@h"}, {Server: "http://h?x=1"},
		{Server: "http://h#f"}, {Server: "http://[::1"}, {Token: "a b"}, {Token: "a\n"},
	} {
		if _, err := client.New(cfg); myriad.ErrorCode(err) != myriad.CodeInvalid {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	_, err := client.New(client.Config{Server: "x", Token: "a b"})
	if e, _ := errors.AsType[*myriad.Error](err); e == nil || len(e.Mistakes) != 2 {
		t.Errorf("want both mistakes: %v", err)
	}
	c, err := client.New(client.Config{})
	if err != nil || c.Server() != client.DefaultServer {
		t.Errorf("%v %v", c, err)
	}
}

func TestEveryRequestSaysWhoAsks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, s := against(t, client.Config{TokenFile: file}, reply(200, `{}`))
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	what, h := s.last()
	if what != "GET /readyz" || h.Get("Authorization") != "Bearer first" || h.Get("Accept") != "application/json" || h.Get("User-Agent") != "myriad-client" || h.Get("Content-Type") != "" {
		t.Errorf("%s %v", what, h)
	}
	if err := os.WriteFile(file, []byte("second"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = c.Ready(t.Context())
	if _, h = s.last(); h.Get("Authorization") != "Bearer second" {
		t.Error("a rotated token is not read")
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it is kept from the first to the second
		_ = c.Ready(t.Context())
		if _, h = s.last(); h.Get("Authorization") != "Bearer second" {
			t.Errorf("of an old file: %q", h.Get("Authorization"))
		}
	}
	if err := os.WriteFile(file, []byte("third!"), 0o600); err != nil { // of the same length
		t.Fatal(err)
	}
	_ = c.Ready(t.Context())
	if _, h = s.last(); h.Get("Authorization") != "Bearer third!" {
		t.Error("a token that was rotated after it was kept is not read")
	}
	for _, bad := range []string{"", " \n", "two words", strings.Repeat("x", 5000)} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.Ready(t.Context()); myriad.ErrorCode(err) != myriad.CodeUnauthorized {
			t.Errorf("%.10q: %v", bad, err)
		}
	}
	_ = os.Remove(file)
	if err := c.Ready(t.Context()); !errors.Is(err, os.ErrNotExist) || myriad.ErrorCode(err) != myriad.CodeUnauthorized {
		t.Errorf("a missing file: %v", err)
	}
}

func TestProblemsComeBackWhole(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		code   myriad.Code
		text   string
		retry  time.Duration
		wrong  int
	}{
		{"problem+json", reply(400, `{"type":"about:blank","title":"Bad Request","status":400,"code":"invalid_request","detail":"two mistakes","mistakes":[{"path":"tasks[0].concept","rule":"is empty"},{"path":"x","rule":"unknown"}]}`), myriad.CodeInvalid, "two mistakes", 0, 2},
		{"a code of its own", reply(409, `{"code":"conflict","detail":"owned by the file"}`), myriad.CodeConflict, "owned by the file", 0, 0},
		{"draining", reply(503, `{"code":"draining","detail":"going"}`, "Retry-After", "3"), myriad.CodeDraining, "going", 3 * time.Second, 0},
		{"milliseconds win", reply(429, `{"detail":"full","retry_after_ms":250}`, "Retry-After", "1"), myriad.CodeOverloaded, "full", 250 * time.Millisecond, 0},
		{"absurd wait", reply(429, `{"retry_after_ms":9000000000000000000}`), myriad.CodeOverloaded, "429", 24 * time.Hour, 0},
		{"compatible error", reply(404, `{"error":"nobody"}`), myriad.CodeNotFound, "nobody", 0, 0},
		{"compatible message", reply(503, `{"status":"error","message":"no database"}`), myriad.CodeUnavailable, "no database", 0, 0},
		{"HTML", reply(502, `<html>`), myriad.CodeInternal, "502 Bad Gateway", 0, 0},
		{"nothing", reply(401, ``), myriad.CodeUnauthorized, "401", 0, 0},
		{"redirect", reply(302, ``, "Location", "http://127.0.0.1:1/"), myriad.CodeInternal, "redirects", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl, s := against(t, client.Config{}, c.answer)
			_, err := cl.Agent(t.Context(), "x")
			e, ok := errors.AsType[*myriad.Error](err)
			if !ok || e.Code != c.code || !strings.Contains(e.Message, c.text) || e.RetryAfter != c.retry || len(e.Mistakes) != c.wrong {
				t.Errorf("got %#v", err)
			}
			if len(s.asked) != 1 {
				t.Errorf("asked %v", s.asked)
			}
		})
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	c, err := client.New(client.Config{Server: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(t.Context()); myriad.ErrorCode(err) != myriad.CodeUnavailable || !strings.Contains(err.Error(), strings.TrimPrefix(srv.URL, "http://")) {
		t.Errorf("got %v", err)
	}
}

func TestRepliesAreBounded(t *testing.T) {
	c, _ := against(t, client.Config{MaxReply: 100}, reply(200, `{"name":"`+strings.Repeat("x", 200)+`"}`))
	if _, err := c.Agent(t.Context(), "x"); myriad.ErrorCode(err) != myriad.CodeTooLarge {
		t.Errorf("got %v", err)
	}
	c, _ = against(t, client.Config{}, reply(200, `[]`))
	if _, err := c.Agent(t.Context(), "x"); myriad.ErrorCode(err) != myriad.CodeInternal {
		t.Errorf("garbage: %v", err)
	}
}

func TestRoutes(t *testing.T) {
	ctx := t.Context()
	page := myriad.Page{Limit: 2, Cursor: "c&1"}
	a := myriad.Agent{Name: "a/b", Endpoint: "http://h", Concepts: []string{"x"}, Revision: 3, Owner: "file", Dormant: true, CreatedAt: time.Unix(1, 0)}
	for _, c := range []struct {
		want, body string
		do         func(*client.Client) (any, error)
		got        string
	}{
		{"GET /v1/runs?cursor=c%261&limit=2", `{"runs":[{"run_id":"r1","status":"partial"}],"next_cursor":"n"}`, func(c *client.Client) (any, error) {
			runs, next, err := c.List(ctx, page)
			return fmt.Sprint(runs[0].RunID, runs[0].Status, next), err
		}, "r1partialn"},
		{"DELETE /v1/runs/r%2F1", ``, func(c *client.Client) (any, error) { return "", c.Cancel(ctx, "r/1") }, ""},
		{"GET /v1/runs/%2E%2E", `{"run_id":"r"}`, func(c *client.Client) (any, error) {
			r, err := c.Get(ctx, "..")
			return r.RunID, err
		}, "r"},
		{"GET /v1/agents", `{"agents":[{"name":"A"},{"name":"B"}],"next_cursor":""}`, func(c *client.Client) (any, error) {
			as, next, err := c.Agents(ctx, myriad.Page{})
			return fmt.Sprint(len(as), next), err
		}, "2"},
		{"GET /v1/agents/a%2Fb", `{"name":"a/b","revision":4}`, func(c *client.Client) (any, error) {
			got, err := c.Agent(ctx, "a/b")
			return fmt.Sprint(got.Name, got.Revision), err
		}, "a/b4"},
		{`POST /v1/agents {"name":"a/b","endpoint":"http://h","concepts":["x"]}`, `{"name":"a/b"}`, func(c *client.Client) (any, error) {
			got, err := c.CreateAgent(ctx, a)
			return got.Name, err
		}, "a/b"},
		{`PUT /v1/agents/a%2Fb {"name":"a/b","endpoint":"http://h","concepts":["x"]}`, `{"name":"a/b"}`, func(c *client.Client) (any, error) {
			got, err := c.PutAgent(ctx, a, client.WithRevision(3))
			return got.Name, err
		}, "a/b"},
		{"DELETE /v1/agents/A", ``, func(c *client.Client) (any, error) { return "", c.DeleteAgent(ctx, "A") }, ""},
		{"GET /v1/agents/A/breaker", `{"breakers":[{"circuit":"A","state":"open"}]}`, func(c *client.Client) (any, error) {
			b, err := c.Breaker(ctx, "A")
			return b[0].State, err
		}, "open"},
		{`POST /v1/agents/A/breaker {"action":"auto"}`, `{"breakers":[{"circuit":"A","state":"closed"}]}`, func(c *client.Client) (any, error) {
			b, err := c.SetBreaker(ctx, "A", client.BreakerAuto)
			return b[0].State, err
		}, "closed"},
		{`POST /v1/discover {"concept":"c","intent":"i"}`, `{"concept":"c","intent":"i","known":true,"candidates":[{"agent":"A","score":0.5,"tier":"exact","endpoint":"http://h","parts":{"weight":0.5}}]}`, func(c *client.Client) (any, error) {
			d, err := c.Discover(ctx, "c", "i")
			return fmt.Sprint(d.Known, d.Candidates[0].Agent, d.Candidates[0].Endpoint, d.Candidates[0].Parts.Weight), err
		}, "trueAhttp://h0.5"},
		{"GET /v1/concepts", `{"concepts":[{"name":"x","agents":2}]}`, func(c *client.Client) (any, error) {
			cs, _, err := c.Concepts(ctx, myriad.Page{})
			return cs[0].Name, err
		}, "x"},
		{"GET /v1/concepts/x%20y", `{"name":"x_y"}`, func(c *client.Client) (any, error) {
			got, err := c.Concept(ctx, "x y")
			return got.Name, err
		}, "x_y"},
		{"GET /v1/fleet", `{"limits":{"max_agents":20},"instances":[{"id":"i1"}]}`, func(c *client.Client) (any, error) {
			f, err := c.Fleet(ctx)
			return fmt.Sprint(f.Limits.MaxAgents, f.Instances[0].ID), err
		}, "20i1"},
		{"POST /v1/fleet/i1/stop {}", ``, func(c *client.Client) (any, error) { return "", c.StopInstance(ctx, "i1") }, ""},
		{"POST /v1/fleet/i1/restart {}", ``, func(c *client.Client) (any, error) { return "", c.RestartInstance(ctx, "i1") }, ""},
		{`PATCH /v1/fleet/limits {"max_agents":3}`, `{"max_agents":3}`, func(c *client.Client) (any, error) {
			l, err := c.SetFleetLimits(ctx, map[string]any{"max_agents": 3})
			return fmt.Sprint(l.MaxAgents), err
		}, "3"},
	} {
		cl, s := against(t, client.Config{}, reply(200, c.body))
		got, err := c.do(cl)
		what, h := s.last()
		if err != nil || got != c.got || what != c.want {
			t.Errorf("%s: asked %q, got %v, %v", c.want, what, got, err)
		}
		if strings.HasPrefix(what, "P") && h.Get("Content-Type") != "application/json" {
			t.Errorf("%s: content type %q", what, h.Get("Content-Type"))
		}
		if strings.HasPrefix(what, "PUT") && h.Get("If-Match") != `"3"` {
			t.Errorf("If-Match %q", h.Get("If-Match"))
		}
	}
}

func TestRunAndStart(t *testing.T) {
	c, s := against(t, client.Config{}, reply(200, `{"run_id":"r1","status":"success","tasks":1,"results":{"a":{"task_id":"a","status":"success","succeeded":true,"data":"x","provenance":{"source":"live","attempts":[{"agent":"A","outcome":"success"}]}}}}`))
	plan := client.Plan{Tasks: []client.Task{{ID: "a", Concept: "c", Intent: "i"}}, Timeout: time.Second}
	rec, err := c.Run(t.Context(), plan, client.WithKey("k"), client.WithTrace("tp"))
	if err != nil || rec.RunID != "r1" || rec.Status != myriad.RunSuccess || len(rec.Results) != 1 {
		t.Fatalf("%+v %v", rec, err)
	}
	if r := rec.Results[0]; !r.Succeeded || string(r.Answer.Data) != `"x"` || r.Provenance.Source != "live" || r.Provenance.Attempts[0].Agent != "A" {
		t.Errorf("%+v", r)
	}
	what, h := s.last()
	if want := `POST /v1/runs {"tasks":[{"task_id":"a","concept":"c","intent":"i"}],"timeout_ms":1000}`; what != want || h.Get("Idempotency-Key") != "k" || h.Get("Traceparent") != "tp" {
		t.Errorf("asked %s %v", what, h)
	}
	for _, answer := range []http.HandlerFunc{reply(202, `{"run_id":"r2"}`), reply(202, ``, "Location", "/v1/runs/r2")} {
		c, s = against(t, client.Config{}, answer)
		id, err := c.Start(t.Context(), json.RawMessage(`{"tasks":[]}`))
		what, h := s.last()
		if err != nil || id != "r2" || h.Get("Prefer") != "respond-async" || what != `POST /v1/runs {"tasks":[]}` {
			t.Errorf("%q %v %s", id, err, what)
		}
	}
	c, _ = against(t, client.Config{}, reply(202, `{}`))
	if _, err := c.Start(t.Context(), client.Plan{}); err == nil {
		t.Error("a reply that names no run went through")
	}
}
