package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/config"
)

// golden compares a result with its golden file, without what differs from run to run: durations, ports, ids of instances and scores.
func golden(t *testing.T, name string, result json.RawMessage) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(result))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		t.Fatalf("%s: %v", result, err)
	}
	got, err := json.MarshalIndent(steady("", value), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
	}
}

// steady replaces what differs from run to run by words for it.
func steady(field string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			v[name] = steady(name, v[name])
		}
	case []any:
		for i := range v {
			v[i] = steady(field, v[i])
		}
	case json.Number:
		if strings.HasSuffix(field, "_ms") {
			return "MS"
		}
		if slices.Contains([]string{"score", "weight", "availability", "load", "latency"}, field) {
			return "SCORE"
		}
	case string:
		if u, err := url.Parse(v); err == nil && u.Scheme == "http" && u.Hostname() == "127.0.0.1" {
			return "http://127.0.0.1:PORT/INSTANCE/" + u.Path[strings.LastIndex(u.Path, "/")+1:]
		}
	}
	return value
}

// TestGrowthOverTheCompatibleRoutes: what clients of the Python system read when a concept is unknown (wire facts 1.4), each a golden file.
func TestGrowthOverTheCompatibleRoutes(t *testing.T) {
	s, c := startServer(t, capped(20, 0))
	startScholar(t, c)
	task := `{"tasks":[{"task_id":1,"concept":"Known Lamp","intent":"define","args":{}}]}`
	status, result := statusOf(t, postJSON(t, s.url()+"/process", task))
	golden(t, "grown_process", result)
	var grown struct {
		Succeeded bool   `json:"succeeded"`
		Data      string `json:"data"`
		Endpoint  string `json:"new_agent_endpoint"`
	}
	if err := json.Unmarshal(result, &grown); err != nil || status != myriad.StatusNeurogenesisAgent || !grown.Succeeded || !strings.Contains(grown.Data, "what the library says") {
		t.Errorf("%s %+v %v", status, grown, err)
	}
	// The endpoint that is announced is a real one: clients may ask the agent themselves.
	if answer := fetched(t, http.MethodPost, grown.Endpoint, `{"task_id":9,"concept":"Known Lamp","intent":"define","args":{}}`); !strings.Contains(answer, "what the library says") {
		t.Errorf("the new agent's endpoint answers %s", answer)
	}
	status, result = statusOf(t, postJSON(t, s.url()+"/process", task))
	if golden(t, "grown_again", result); status != myriad.StatusSuccess {
		t.Errorf("asked again: %s", status)
	}
	_, result = statusOf(t, postJSON(t, s.url()+"/process_query", `{"query":"known kettle","user_id":"u"}`))
	golden(t, "grown_query", result)
	_, result = statusOf(t, postJSON(t, s.url()+"/run_orchestration", `{"tasks":[{"task_id":1,"concept":"known orchestra","intent":"analyze","args":{}}]}`))
	golden(t, "grown_orchestration", result)
	_, result = statusOf(t, postJSON(t, s.url()+"/process", `{"tasks":[{"task_id":1,"concept":"Nothing","intent":"define","args":{}}]}`))
	golden(t, "grown_nothing_known", result)
	if concept := fetched(t, http.MethodGet, s.url()+"/v1/concepts/nothing", ""); !strings.Contains(concept, "needs further research") {
		t.Errorf("the node of a concept without knowledge: %s", concept)
	}
	_, result = statusOf(t, postJSON(t, s.url()+"/process", `{"tasks":[{"task_id":1,"concept":"vague thing","intent":"define","args":{}}]}`))
	golden(t, "grown_too_vague", result)
	_, result = statusOf(t, postJSON(t, s.url()+"/process", `{"tasks":[{"task_id":1,"concept":"vague thing","intent":"define","args":{}}]}`))
	golden(t, "grown_cooling_down", result)
	// A known concept, but nobody for the intent, never grows.
	_, result = statusOf(t, postJSON(t, s.url()+"/process", `{"tasks":[{"task_id":1,"concept":"library","intent":"burn","args":{}}]}`))
	golden(t, "grown_nobody_for_intent", result)
}

// dryGraph takes no new concept nodes.
type dryGraph struct{ myriad.Graph }

func (dryGraph) CreateNode(_ context.Context, label string, _ myriad.Properties) (myriad.Node, error) {
	return myriad.Node{}, myriad.Errorf(myriad.CodeInvalid, "no more nodes of the label %s", label)
}

// TestGrowthWithoutAConceptNode is neurogenesis_partial: neither a node nor an agent could be made.
func TestGrowthWithoutAConceptNode(t *testing.T) {
	s, c := startServerWith(t, options{wrapGraph: func(g myriad.Graph) myriad.Graph { return dryGraph{g} }})
	startScholar(t, c)
	_, result := processOne(t, s, "vague thing", "define")
	golden(t, "grown_partial", result)
	// The agent does not depend on its concept's node.
	if status, result := processOne(t, s, "known thing", "define"); status != myriad.StatusNeurogenesisAgent {
		t.Errorf("%s: %s", status, result)
	}
}

// fromEnvironment is the configuration that the environment gives.
func fromEnvironment(t *testing.T) config.Config {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.Bind(flags)
	loaded, err := config.Load(flags, os.Environ(), "")
	if err != nil {
		t.Fatal(err)
	}
	return loaded.Config
}

// TestGrowthIsTurnedOff by the name that the Python system has for it.
func TestGrowthIsTurnedOff(t *testing.T) {
	t.Setenv("ENABLE_DYNAMIC_AGENTS", "false")
	s, c := startServer(t, func(cfg *config.Config) { cfg.Fleet = fromEnvironment(t).Fleet })
	peer := startScholar(t, c)
	_, result := processOne(t, s, "known thing", "define")
	golden(t, "grown_off", result)
	if peer.asked.Load() != 0 || fleetOf(t, c).Enabled {
		t.Errorf("growth is off, and %d were asked: %+v", peer.asked.Load(), fleetOf(t, c))
	}
}

// TestQueuedGrowthIsRegisteredLater: at the cap the asker gets the research and its place; when there is room, the agent wakes without anybody
// asking again. At first this is the Python system's own third test: the maximum, then one more, which is queued and in the queue.
func TestQueuedGrowthIsRegisteredLater(t *testing.T) {
	s, c := startServer(t, capped(20, time.Hour), func(cfg *config.Config) { cfg.Run.Timeout = 4 * time.Second })
	startScholar(t, c)
	for i := range 20 {
		if status, result := processOne(t, s, fmt.Sprintf("known concept %d", i), "define"); status != myriad.StatusNeurogenesisAgent {
			t.Fatalf("%d: %s", i, result)
		}
	}
	status, result := processOne(t, s, "known latecomer", "define")
	golden(t, "grown_queued", result)
	f := fleetOf(t, c)
	if status != myriad.StatusNeurogenesisSuccess || f.InUse != 20 || len(f.Instances) != 20 || len(f.Queue) != 1 {
		t.Fatalf("%s; the fleet: %+v", status, f)
	}
	if e := f.Queue[0]; e.Kind != myriad.QueueGrow || e.Concept != "known_latecomer" || e.Position != 1 {
		t.Errorf("the queue: %+v", f.Queue)
	}
	name := f.Queue[0].Agent
	if a, err := c.Agent(t.Context(), name); err != nil || !a.Dormant {
		t.Errorf("the queued agent is not in the graph: %+v, %v", a, err)
	}
	if err := c.StopInstance(t.Context(), f.Instances[7].ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() (bool, string) {
		f := fleetOf(t, c)
		i, ok := livingOf(f, name)
		return ok && i.State == myriad.InstanceReady && len(f.Queue) == 0, fmt.Sprintf("%+v", f)
	})
	status, result = processOne(t, s, "known latecomer", "define")
	if status != myriad.StatusSuccess || bytes.Contains(result, []byte("cold_start_ms")) {
		t.Errorf("the agent of the queue: %s", result)
	}
}

// TestManyAskForOneUnknownConcept: 1,000 clients at once, one agent, and an answer for everybody.
func TestManyAskForOneUnknownConcept(t *testing.T) {
	s, c := startServer(t, capped(20, time.Hour))
	peer := startScholar(t, c)
	gate := make(chan struct{})
	peer.hold.Store(&gate)
	const clients = 1000
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	var sent, done sync.WaitGroup
	sent.Add(clients)
	var fresh, live atomic.Int64
	for range clients {
		done.Go(func() {
			body := `{"tasks":[{"task_id":1,"concept":"Known Crowd","intent":"define","args":{}}]}`
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent.Done() }})
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url()+"/process", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			var p processed
			var r struct {
				Status, Data string
				Succeeded    bool
			}
			if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || json.Unmarshal(p.Results["1"], &r) != nil || !r.Succeeded || !strings.Contains(r.Data, "library says") {
				t.Errorf("%v: %s", err, p.Results["1"])
			}
			switch r.Status {
			case myriad.StatusNeurogenesisAgent:
				fresh.Add(1)
			case myriad.StatusSuccess:
				live.Add(1)
			}
		})
	}
	sent.Wait()
	close(gate)
	done.Wait()
	f := fleetOf(t, c)
	if fresh.Load()+live.Load() != clients || fresh.Load() < 1 || peer.asked.Load() != 1 || len(f.Instances) != 1 || f.InUse != 1 || len(f.Queue) != 0 {
		t.Errorf("%d by growth and %d live; %d were asked; %+v", fresh.Load(), live.Load(), peer.asked.Load(), f)
	}
	agents, _, err := c.Agents(t.Context(), myriad.Page{})
	if err != nil || len(agents) != 2 {
		t.Errorf("the peer and one agent are to be there: %+v, %v", agents, err)
	}
}

// TestTwoMayLiveAndFourAreAskedFor: with MAX_DYNAMIC_AGENTS=2 four unknown concepts are all answered by agents of their own, and never are there three.
func TestTwoMayLiveAndFourAreAskedFor(t *testing.T) {
	t.Setenv("MAX_DYNAMIC_AGENTS", "2")
	s, c := startServer(t, capped(fromEnvironment(t).Fleet.MaxAgents, 0))
	startScholar(t, c)
	stop := watchFleet(t, c)
	for round := range 3 {
		var asking sync.WaitGroup
		for i := range 4 {
			asking.Go(func() {
				status, result := processOne(t, s, fmt.Sprintf("known matter %d", i), "define")
				want := myriad.StatusNeurogenesisAgent
				if round > 0 {
					want = myriad.StatusSuccess
				}
				if status != want {
					t.Errorf("round %d, %d: %s", round, i, result)
				}
			})
		}
		asking.Wait()
	}
	if most, samples := stop(); most > 2 || samples == 0 {
		t.Errorf("up to %d instances in %d samples", most, samples)
	}
	if f := fleetOf(t, c); f.InUse != 2 { // nobody has asked the last two to go
		t.Errorf("%d instances in the end", f.InUse)
	}
}
