package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/agent"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
)

// longest is how long tests wait for what must happen. Nothing depends on how long it takes.
const longest = 60 * time.Second

// eventually waits until what must become true is; what tells what is missing.
func eventually(t testing.TB, is func() (ok bool, what string)) {
	t.Helper()
	for deadline := time.Now().Add(longest); ; time.Sleep(2 * time.Millisecond) {
		ok, what := is()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not come true: %s", what)
		}
	}
}

// scholar is a research peer. It knows of concepts that begin with "known", vaguely of those with "vague", and nothing of others.
type scholar struct {
	card  myriad.Agent
	asked atomic.Int64
	hold  atomic.Pointer[chan struct{}] // research waits until it is closed
}

// startScholar serves a peer made with the SDK, and registers it.
func startScholar(t testing.TB, c *client.Client) *scholar {
	t.Helper()
	s := &scholar{}
	a := agent.New("Scholar_AI").With(agent.Options{Concepts: []string{"library"}, MaxConcurrency: 50}).
		Handle("library", myriad.IntentResearch, func(context.Context, agent.Job) (any, error) { return "ask at /collaborate", nil }).
		Collaborate(agent.CollaboratorFunc(s.research))
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	s.card = a.Card(srv.URL)
	put(t, c, s.card)
	return s
}

func (s *scholar) research(ctx context.Context, q agent.Collaboration) (agent.CollaborationReply, error) {
	s.asked.Add(1)
	if gate := s.hold.Load(); gate != nil {
		select {
		case <-*gate:
		case <-ctx.Done():
			return agent.CollaborationReply{}, ctx.Err()
		}
	}
	confidence := 0.9
	switch {
	case strings.HasPrefix(strings.ToLower(q.TargetConcept), "vague"):
		confidence = 0.2
	case !strings.HasPrefix(strings.ToLower(q.TargetConcept), "known"):
		return agent.CollaborationReply{Status: "no_expertise", Text: "never heard of it"}, nil
	}
	return agent.CollaborationReply{Data: map[string]any{"primary_knowledge": q.TargetConcept + " is what the library says", "confidence": confidence,
		"additional_context": map[string]any{"applications": []string{"reading", "testing"}}}}, nil
}

// ownerOf is a client that may have programs run, as who has the data directory.
func ownerOf(t testing.TB, url, data string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Server: url, TokenFile: filepath.Join(data, config.TokenName)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// program is an agent that plays a role of the test's executable. env are names and values.
func program(t testing.TB, name, concept, mode, role string, env ...string) myriad.Agent {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	a := myriad.Agent{Name: name, Concepts: []string{concept}, Intents: []string{"do"}, Template: &myriad.Template{Kind: myriad.TemplateCommand,
		Command: []string{exe}, Mode: mode, Env: map[string]string{roleEnv: role}}}
	for i := 0; i < len(env); i += 2 {
		a.Template.Env[env[i]] = env[i+1]
	}
	return a
}

// knower is an agent that lives from its packet.
func knower(name, concept, definition string) myriad.Agent {
	return myriad.Agent{Name: name, Concepts: []string{concept}, Template: &myriad.Template{Kind: myriad.TemplateKnowledge,
		Knowledge: &myriad.Knowledge{Concept: concept, PrimaryDefinition: definition, ConfidenceScore: 0.8}}}
}

// one runs one task and gives its result.
func one(t testing.TB, c *client.Client, concept, intent string, args any) myriad.Result {
	t.Helper()
	rec, err := c.Run(t.Context(), client.Plan{Timeout: longest, Tasks: []client.Task{{ID: "1", Concept: concept, Intent: intent, Args: args, Fallback: client.NoFallback}}})
	if err != nil {
		t.Fatal(err)
	}
	return rec.Results[0]
}

// mustOne is one that must succeed.
func mustOne(t testing.TB, c *client.Client, concept, intent string, args any) myriad.Result {
	t.Helper()
	r := one(t, c, concept, intent, args)
	if !r.Succeeded {
		t.Fatalf("%s %s: %s %s: %s", concept, intent, r.Status, r.ErrorCode, r.ErrorMessage)
	}
	return r
}

func fleetOf(t testing.TB, c *client.Client) myriad.FleetStatus {
	t.Helper()
	f, err := c.Fleet(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// livingOf is the instance of an agent that is not failed, stopped or ending; ok is false when it has none.
func livingOf(f myriad.FleetStatus, name string) (i myriad.InstanceStatus, ok bool) {
	at := slices.IndexFunc(f.Instances, func(i myriad.InstanceStatus) bool {
		return i.Agent == name && (i.State == myriad.InstanceReady || i.State == myriad.InstanceStarting)
	})
	if at < 0 {
		return i, false
	}
	return f.Instances[at], true
}

// mustBeReady gives the instance of an agent that is awake now.
func mustBeReady(t testing.TB, c *client.Client, name string) myriad.InstanceStatus {
	t.Helper()
	f := fleetOf(t, c)
	i, ok := livingOf(f, name)
	if !ok || i.State != myriad.InstanceReady {
		t.Fatalf("agent %s is not awake: %+v", name, f.Instances)
	}
	return i
}

// watchFleet samples the fleet until stop is called, which gives the most instances that held resources at any sampled moment, by the fleet's own
// count and by ours, and how many samples there were.
func watchFleet(t testing.TB, c *client.Client) (stop func() (most, samples int)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	var most, samples int
	watching.Go(func() {
		for ctx.Err() == nil {
			f, err := c.Fleet(ctx)
			if err != nil {
				if ctx.Err() == nil {
					t.Error(err)
				}
				return
			}
			counted := 0
			for _, i := range f.Instances {
				if slices.Contains([]string{myriad.InstanceStarting, myriad.InstanceReady, myriad.InstanceDraining}, i.State) {
					counted++
				}
			}
			most, samples = max(most, f.InUse, counted), samples+1
		}
	})
	return func() (int, int) {
		cancel()
		watching.Wait()
		return most, samples
	}
}

// postJSON posts a body and gives the answer, which must be HTTP 200.
func postJSON(t testing.TB, url, body string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("POST %s %s: HTTP %d: %s (%v)", url, body, resp.StatusCode, raw, err)
	}
	return raw
}

// processed is a reply of the compatible routes.
type processed struct {
	Status  string                     `json:"status"`
	Results map[string]json.RawMessage `json:"results"`
	Result  json.RawMessage            `json:"result"`
}

// processOne posts one task to /process and gives its result.
func processOne(t testing.TB, s *server, concept, intent string) (status string, raw json.RawMessage) {
	t.Helper()
	body := fmt.Sprintf(`{"tasks":[{"task_id":1,"concept":%q,"intent":%q,"args":{}}]}`, concept, intent)
	return statusOf(t, postJSON(t, s.url()+"/process", body))
}

// statusOf takes the one result out of a reply.
func statusOf(t testing.TB, reply []byte) (status string, result json.RawMessage) {
	t.Helper()
	var p processed
	if err := json.Unmarshal(reply, &p); err != nil || p.Status != "success" {
		t.Fatalf("%s: %v", reply, err)
	}
	if result = p.Result; result == nil {
		result = p.Results["1"]
	}
	var word struct {
		Status string `json:"status"`
	}
	if err := json.Unmarshal(result, &word); err != nil {
		t.Fatalf("%s: %v", reply, err)
	}
	return word.Status, result
}

// gate is a server that holds jobs (args hold) until it is opened, and tells how many it holds.
type gate struct {
	url  string
	came chan struct{} // one for each job
	open chan struct{}
	once sync.Once
}

func newGate(t testing.TB) *gate {
	t.Helper()
	g := &gate{came: make(chan struct{}, 1000), open: make(chan struct{})}
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		g.came <- struct{}{}
		<-g.open
	}))
	g.url = srv.URL
	t.Cleanup(func() {
		g.let()
		srv.Close()
	})
	return g
}

func (g *gate) let() { g.once.Do(func() { close(g.open) }) }

func (g *gate) args() map[string]string { return map[string]string{"hold": g.url} }

// holds waits until a job is held.
func (g *gate) holds(t testing.TB) {
	t.Helper()
	select {
	case <-g.came:
	case <-time.After(longest):
		t.Fatal("no job came to be held")
	}
}

// capped changes a server's fleet before it starts.
func capped(maxAgents int, minLife time.Duration) func(*config.Config) {
	return func(c *config.Config) {
		c.Fleet.MaxAgents, c.Fleet.MinLife, c.Run.Timeout = maxAgents, minLife, longest
	}
}
