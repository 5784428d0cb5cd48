package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// registry is the agents part of a server, as far as a transfer needs it.
type registry struct {
	mu     sync.Mutex
	agents map[string]myriad.Agent
	writes []string
	fail   func(r *http.Request) int // a status for requests that fail; 0: they do not
}

func newRegistry(t *testing.T) (*registry, *client.Client) {
	t.Helper()
	r := &registry{agents: map[string]myriad.Agent{}}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	c, err := client.New(client.Config{Server: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return r, c
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		if status := r.fail(req); status != 0 {
			reply(status, `{"detail":"no"}`)(w, req)
			return
		}
	}
	name := strings.TrimPrefix(strings.TrimPrefix(req.URL.Path, "/v1/agents"), "/")
	there, ok := r.agents[name]
	var a myriad.Agent
	switch {
	case req.Method == http.MethodGet && name == "":
		r.list(w, req)
		return
	case req.Method == http.MethodGet && !ok:
		reply(404, `{"code":"not_found"}`)(w, req)
		return
	case req.Method == http.MethodGet:
		a = there
	default:
		if err := json.NewDecoder(req.Body).Decode(&a); err != nil {
			reply(400, `{}`)(w, req)
			return
		}
		if a.Name == "refused" {
			reply(400, `{"code":"invalid_request","detail":"x","mistakes":[{"path":"endpoint","rule":"is elsewhere"}]}`)(w, req)
			return
		}
		r.writes = append(r.writes, req.Method+" "+a.Name+" "+req.Header.Get("If-Match"))
		a.Revision, a.Owner, a.CreatedAt, a.Dormant = there.Revision+1, myriad.OwnerAPI, time.Unix(1, 0), a.Template != nil
		r.agents[a.Name] = a
	}
	_ = json.NewEncoder(w).Encode(a)
}

func (r *registry) list(w http.ResponseWriter, req *http.Request) {
	var names []string
	for name := range r.agents {
		if name > req.URL.Query().Get("cursor") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := map[string]any{}
	if len(names) > 3 { // small pages
		names = names[:3]
		out["next_cursor"] = names[2]
	}
	page := []myriad.Agent{}
	for _, name := range names {
		page = append(page, r.agents[name])
	}
	out["agents"] = page
	_ = json.NewEncoder(w).Encode(out)
}

func byScript(name string) myriad.Agent {
	return myriad.Agent{Name: name, Concepts: []string{"text"}, Intents: []string{"summarize"}, Template: &myriad.Template{Kind: myriad.TemplateCommand, Command: []string{"cat"}}}
}

func TestImportIsIdempotent(t *testing.T) {
	from, c := newRegistry(t)
	var agents []myriad.Agent
	for i := range 20 {
		agents = append(agents, byScript(fmt.Sprintf("a%02d", i)))
	}
	done, err := c.Import(t.Context(), agents, client.ImportOptions{})
	if err != nil || done != (client.Imported{Created: 20}) {
		t.Fatalf("%+v, %v", done, err)
	}
	done, err = c.Import(t.Context(), agents, client.ImportOptions{Replace: true})
	if err != nil || done != (client.Imported{Unchanged: 20}) || len(from.writes) != 20 {
		t.Fatalf("again: %+v, %v, %d writes", done, err, len(from.writes))
	}

	// What one server tells of its agents, awake or not, another one takes; and the first one has it just so.
	awake := from.agents["a07"]
	awake.Endpoint, awake.Dormant, awake.Owner = "http://127.0.0.1:9/i/query", false, myriad.OwnerFleet
	from.agents["a07"] = awake
	to, other := newRegistry(t)
	var all []myriad.Agent
	if err := c.EachAgent(t.Context(), func(a myriad.Agent) error { all = append(all, a); return nil }); err != nil || len(all) != 20 {
		t.Fatalf("%d agents, %v", len(all), err)
	}
	if done, err = other.Import(t.Context(), all, client.ImportOptions{Parallel: 3}); err != nil || done.Created != 20 || to.agents["a07"].Endpoint != "" {
		t.Fatalf("%+v, %v: %+v", done, err, to.agents["a07"])
	}
	if done, err = c.Import(t.Context(), all, client.ImportOptions{}); err != nil || done.Unchanged != 20 {
		t.Fatalf("back: %+v, %v", done, err)
	}
}

func TestImportOverDifferentAgents(t *testing.T) {
	r, c := newRegistry(t)
	before := []myriad.Agent{byScript("a"), byScript("b"), byScript("filed")}
	if _, err := c.Import(t.Context(), before, client.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	filed := r.agents["filed"]
	filed.Owner = myriad.OwnerFile
	r.agents["filed"] = filed
	r.writes = nil

	changed := []myriad.Agent{byScript("new"), byScript("a"), byScript("b"), byScript("filed")}
	changed[2].Description, changed[3].Description = "other", "other"
	for _, replace := range []bool{false, true} {
		done, err := c.Import(t.Context(), changed, client.ImportOptions{Replace: replace})
		want := []string{"agents[2]", "agents[3]"}
		if replace {
			want = want[1:]
		}
		if got := placesOf(err); myriad.ErrorCode(err) != myriad.CodeConflict || !slices.Equal(got, want) || done != (client.Imported{}) || len(r.writes) > 0 {
			t.Errorf("replace %v: %+v, %v at %q, wrote %q", replace, done, err, got, r.writes)
		}
	}
	done, err := c.Import(t.Context(), changed[:3], client.ImportOptions{Replace: true, Parallel: 1})
	if err != nil || done != (client.Imported{Created: 1, Replaced: 1, Unchanged: 1}) || !slices.Equal(r.writes, []string{"POST new ", `PUT b "1"`}) {
		t.Errorf("%+v, %v, wrote %q", done, err, r.writes)
	}
}

func placesOf(err error) []string {
	e, _ := errors.AsType[*myriad.Error](err)
	if e == nil {
		return nil
	}
	var out []string
	for _, m := range e.Mistakes {
		out = append(out, m.Path)
	}
	return out
}

func TestImportTellsEveryMistake(t *testing.T) {
	r, c := newRegistry(t)
	bad := byScript("bad")
	bad.Concepts, bad.Template = nil, &myriad.Template{Kind: "shell"}
	done, err := c.Import(t.Context(), []myriad.Agent{byScript("good"), bad, {Name: "-"}}, client.ImportOptions{})
	want := []string{"agents[1].concepts", "agents[1].template.kind", "agents[2].name", "agents[2].endpoint", "agents[2].concepts"}
	if got := placesOf(err); !slices.Equal(got, want) || myriad.ErrorCode(err) != myriad.CodeInvalid || done != (client.Imported{}) || len(r.writes) > 0 {
		t.Errorf("mistakes at %q, want %q; %v", got, want, err)
	}
	// What only the server knows is wrong does not keep the others from coming.
	done, err = c.Import(t.Context(), []myriad.Agent{byScript("x"), byScript("refused"), byScript("y")}, client.ImportOptions{})
	if got := placesOf(err); !slices.Equal(got, []string{"agents[1].endpoint"}) || done.Created != 2 {
		t.Errorf("mistakes at %q, %+v, %v", got, done, err)
	}
}

func TestImportEndsEarly(t *testing.T) {
	r, c := newRegistry(t)
	r.fail = func(req *http.Request) int {
		if req.Method == http.MethodPost {
			return 401
		}
		return 0
	}
	many := make([]myriad.Agent, 1000)
	for i := range many {
		many[i] = byScript(fmt.Sprint("a", i))
	}
	if done, err := c.Import(t.Context(), many, client.ImportOptions{}); myriad.ErrorCode(err) != myriad.CodeUnauthorized || done.Created != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Import(ctx, many, client.ImportOptions{}); myriad.ErrorCode(err) != myriad.CodeCancelled {
		t.Errorf("%v", err)
	}
	stop := errors.New("enough")
	r.fail = nil
	r.agents["a"] = byScript("a")
	if err := c.EachAgent(t.Context(), func(myriad.Agent) error { return stop }); err != stop {
		t.Errorf("%v", err)
	}
}
