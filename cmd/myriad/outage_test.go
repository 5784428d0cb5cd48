package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
	"github.com/myriad-mind/myriad/internal/faultproxy"
)

// TestGraphBreakerOpensAtTheFifthFailureForAMinute is the promise of the defaults: five failures in a row, then 60 s to the moment, then one probe.
func TestGraphBreakerOpensAtTheFifthFailureForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		g := newGraphGuard(config.Default().GraphBreaker, myriad.SinkFunc(func(e myriad.Event) { told = append(told, e.Circuit+" "+e.From+" "+e.To) }))
		ask := func(failed bool) error {
			done, err := g.Acquire()
			if err == nil {
				done(failed)
			}
			return err
		}
		for range 3 { // it opens again for as long as before
			for i := range 5 {
				if err := ask(true); err != nil && i < 1 {
					t.Fatalf("failure %d: %v", i+1, err)
				}
			}
			opened := time.Now()
			for _, at := range []time.Duration{0, 59 * time.Second, time.Minute - 1} {
				time.Sleep(time.Until(opened.Add(at)))
				err := ask(true)
				if e, ok := err.(*myriad.Error); !ok || e.Code != myriad.CodeUnavailable || e.RetryAfter != time.Minute-at {
					t.Errorf("%v after it opened: %v", at, err)
				}
			}
			time.Sleep(time.Nanosecond)
		}
		probe, err := g.Acquire()
		if err != nil {
			t.Fatalf("after a minute: %v", err)
		}
		if ask(false) == nil {
			t.Error("two probes at once")
		}
		probe(false)
		for range 4 {
			if err := ask(true); err != nil {
				t.Error(err)
			}
		}
		want := "GraphDB Manager closed open, GraphDB Manager open half_open, GraphDB Manager half_open open, GraphDB Manager open half_open, " +
			"GraphDB Manager half_open open, GraphDB Manager open half_open, GraphDB Manager half_open closed"
		if got := strings.Join(told, ", "); got != want {
			t.Errorf("told\n%s\nwant\n%s", got, want)
		}
	})
}

// closable is a graph that can be away, for reading and for writing.
type closable struct{ *door }

func (c closable) PutAgent(ctx context.Context, a myriad.Agent, g myriad.Guard) (myriad.Agent, error) {
	if err := c.open(); err != nil {
		return myriad.Agent{}, err
	}
	return c.door.PutAgent(ctx, a, g)
}

// startClosable is startServer with a graph that can be away.
func startClosable(t *testing.T, change func(*config.Config)) (*server, *client.Client, *door) {
	t.Helper()
	cfg := config.Default()
	cfg.Data, cfg.Listen = t.TempDir(), "127.0.0.1:0"
	change(&cfg)
	var d *door
	s, err := newServer(t.Context(), cfg, slog.New(slog.DiscardHandler), options{wrapGraph: func(g myriad.Graph) myriad.Graph {
		d = newDoor(g)
		return closable{d}
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- s.run(ctx) }()
	c, err := client.New(client.Config{Server: s.url()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	return s, c, d
}

// TestGraphGoesAndComesBack: while the graph is away what is known goes on, what is not is honest about it, writes wait, and nobody has to do anything
// when it is back.
func TestGraphGoesAndComesBack(t *testing.T) {
	s, c, door := startClosable(t, func(cfg *config.Config) { cfg.GraphBreaker.OpenFor = 50 * time.Millisecond })
	url := startAgent(t, func(w http.ResponseWriter, _ *http.Request) { say(w, "alive") })
	put(t, c, myriad.Agent{Name: "Known", Endpoint: url, Concepts: []string{"known"}})
	ask := func(concept string) *myriad.Result {
		t.Helper()
		rec, err := c.Run(t.Context(), client.Plan{Tasks: []client.Task{{ID: "1", Concept: concept, Intent: "do"}}})
		if err != nil {
			t.Fatal(err)
		}
		return &rec.Results[0]
	}
	if r := ask("known"); r.Provenance.Graph != myriad.GraphFresh {
		t.Fatalf("%+v", r)
	}
	door.closed.Store(math.MaxInt64)
	for i := range 7 {
		r := ask(fmt.Sprint("unheard_of_", i))
		if r.Status != myriad.StatusServiceUnavailable || r.ErrorCode != myriad.TaskErrGraph || r.Extra.Message == "" || r.Succeeded {
			t.Errorf("an unknown concept: %+v", r)
		}
	}
	if got := metric(t, s.url(), `myriad_circuit_breaker_transitions_total{circuit_name="GraphDB Manager",to="open"}`); got == "" || got == "0" {
		t.Errorf("the breaker around the graph opened %q times", got)
	}
	if r := ask("known"); !r.Succeeded || r.Provenance.Graph != myriad.GraphStale || r.Provenance.GraphAgeMS < 1 {
		t.Errorf("a known concept: %+v", r)
	}
	if got := metric(t, s.url(), "myriad_graph_stale"); got != "1" {
		t.Errorf("myriad_graph_stale is %q", got)
	}
	put(t, c, myriad.Agent{Name: "Late", Endpoint: url, Concepts: []string{"late"}})
	if _, err := s.store.Graph().Agent(t.Context(), "Late"); myriad.ErrorCode(err) != myriad.CodeNotFound {
		t.Errorf("a write reached a graph that is away: %v", err)
	}
	if r := ask("late"); !r.Succeeded {
		t.Errorf("an agent that was registered meanwhile: %+v", r)
	}

	door.closed.Store(0)
	soon(t, "the graph is noticed", func() bool { return metric(t, s.url(), "myriad_graph_stale") == "0" })
	soon(t, "the kept write is applied", func() bool { _, err := s.store.Graph().Agent(t.Context(), "Late"); return err == nil })
	if r := ask("unheard_of_0"); r.ErrorCode == myriad.TaskErrGraph {
		t.Errorf("after the graph is back: %+v", r)
	}
	if r := ask("known"); r.Provenance.Graph != myriad.GraphFresh {
		t.Errorf("after the graph is back: %+v", r)
	}
	soon(t, "its breaker is closed", func() bool {
		return metric(t, s.url(), `myriad_circuit_breaker_state{circuit_name="GraphDB Manager"}`) == "0"
	})
}

// TestAgentDiesAndComesBack: an agent is asked ten times while it is dead. It is called three times, the answers are last good ones with their age, the breaker
// is seen open in the metrics, and it closes by itself when the agent is there again.
func TestAgentDiesAndComesBack(t *testing.T) {
	s, c := startServer(t, func(cfg *config.Config) { cfg.Breaker.OpenFor = 300 * time.Millisecond })
	changes := followBreakers(t, c)
	p := startPatient(t, "Function_AI", 1)
	put(t, c, myriad.Agent{Name: p.name, Endpoint: p.proxy.URL() + "/query", Concepts: []string{"lightbulb"}})
	ask := func() *myriad.Result {
		t.Helper()
		rec, err := c.Run(t.Context(), client.Plan{Tasks: []client.Task{{ID: "1", Concept: "lightbulb", Intent: "define", Args: question(1)}}})
		if err != nil {
			t.Fatal(err)
		}
		return &rec.Results[0]
	}
	state := func(circuit string) string {
		return metric(t, s.url(), `myriad_circuit_breaker_state{circuit_name="`+circuit+`"}`)
	}
	live := ask()
	if live.Provenance.Source != myriad.SourceLive {
		t.Fatalf("%+v", live)
	}
	if err := p.proxy.Set(faultproxy.Fault{Mode: faultproxy.Refuse}); err != nil {
		t.Fatal(err)
	}
	// A kept connection that was found dead counts for nothing, so the first of the ten may make two attempts.
	failures, rejected := 0, 0
	for range 10 {
		r := ask()
		if r.Provenance.Source != myriad.SourceCache || r.Provenance.AgeMS < 1 || !bytes.Equal(r.Answer.Data, live.Answer.Data) || r.Provenance.Fallback == "" {
			t.Errorf("%+v", r)
		}
		for _, a := range r.Provenance.Attempts {
			if a.Outcome == myriad.OutcomeRefused || a.Outcome == myriad.OutcomeReset {
				failures++
			}
		}
		rejected += len(r.Provenance.Rejections)
	}
	if probes := changes.count(p.name, "half_open"); failures != tripsAfter+probes || rejected < 1 {
		t.Errorf("%d failures with %d probes, %d rejections", failures, probes, rejected)
	}
	if state(p.name) == "0" || state("Agent Communication") == "0" {
		t.Errorf("the breaker is %s, the worst of all %s", state(p.name), state("Agent Communication"))
	}
	if err := p.proxy.Set(faultproxy.Fault{}); err != nil {
		t.Fatal(err)
	}
	soon(t, "a live answer", func() bool { return ask().Provenance.Source == myriad.SourceLive })
	if state(p.name) != "0" || state("Agent Communication") != "0" {
		t.Errorf("after a live answer the breaker is %s, the worst of all %s", state(p.name), state("Agent Communication"))
	}
	soon(t, "the story is told whole", func() bool { return changes.count(p.name, "closed") == 1 })
	if all := changes.of(p.name); all[0].From != "closed" || all[0].To != "open" || all[0].Reason == "" || all[len(all)-1].To != "closed" {
		t.Errorf("%+v", all)
	}
}

// TestWhenAllAreOpenNobodyIsCalled: all candidates' breakers are open; nobody is called, and the task says when trying again may help.
func TestWhenAllAreOpenNobodyIsCalled(t *testing.T) {
	_, c := startServer(t)
	var all []*patient
	for _, name := range []string{"First", "Second"} {
		p := startPatient(t, name, 1)
		p.agent.Set(faultproxy.Behaviour{Status: http.StatusInternalServerError})
		put(t, c, myriad.Agent{Name: name, Endpoint: p.proxy.URL() + "/query", Concepts: []string{"both"}})
		all = append(all, p)
	}
	ask := func() *myriad.Result {
		t.Helper()
		rec, err := c.Run(t.Context(), client.Plan{Tasks: []client.Task{{ID: "1", Concept: "both", Intent: "turn_on"}}})
		if err != nil {
			t.Fatal(err)
		}
		return &rec.Results[0]
	}
	next := func() (least time.Duration) {
		least = time.Hour
		for _, p := range all {
			states, err := c.Breaker(t.Context(), p.name)
			if err != nil || len(states) != 1 {
				t.Fatalf("%+v, %v", states, err)
			}
			if states[0].State != "open" {
				return 0
			}
			least = min(least, time.Until(states[0].NextProbeAt))
		}
		return least
	}
	soon(t, "both breakers are open", func() bool { ask(); return next() > 0 })
	before := all[0].agent.Stats().Jobs + all[1].agent.Stats().Jobs
	for range 20 {
		late := next()
		r := ask()
		early := next()
		if wait := time.Duration(r.Extra.RetryAfterMS) * time.Millisecond; wait > late+time.Second || wait < early-time.Second || wait < 20*time.Second {
			t.Errorf("retry_after_ms is %v, the next probe is due in %v to %v", wait, early, late)
		}
		if r.Status != myriad.StatusServiceUnavailable || r.ErrorCode != myriad.TaskErrCircuitOpen || len(r.Provenance.Attempts) > 0 || len(r.Provenance.Rejections) != 2 {
			t.Errorf("%+v", r)
		}
	}
	if after := all[0].agent.Stats().Jobs + all[1].agent.Stats().Jobs; after != before {
		t.Errorf("the agents got %d jobs while their breakers were open", after-before)
	}
}

// TestOverloadIsToldAtOnce: past the bound on runs a new one gets 429 with Retry-After while the running ones go on; the server stays ready.
func TestOverloadIsToldAtOnce(t *testing.T) {
	s, c := startServer(t, func(cfg *config.Config) { cfg.Run.MaxRuns = 3 })
	release := make(chan struct{})
	p := startPatient(t, "Slow", 1)
	p.agent.Set(faultproxy.Behaviour{Hold: release})
	put(t, c, myriad.Agent{Name: p.name, Endpoint: p.proxy.URL() + "/query", Concepts: []string{"slow"}})
	plan := client.Plan{Tasks: []client.Task{{ID: "1", Concept: "slow", Intent: "do"}}}
	var running sync.WaitGroup
	for range 3 {
		running.Go(func() {
			if rec, err := c.Run(context.Background(), plan); err != nil || rec.Status != myriad.RunSuccess {
				t.Errorf("a run that was taken: %+v, %v", rec, err)
			}
		})
	}
	soon(t, "three runs are under way", func() bool { return p.agent.Stats().Running == 3 })
	body, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range []string{"/v1/runs", "/process"} {
		resp, err := http.Post(s.url()+route, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: status %d, Retry-After %q", route, resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	}
	if err := c.Ready(t.Context()); err != nil {
		t.Errorf("a server with enough to do is ready: %v", err)
	}
	if got := metric(t, s.url(), `myriad_runs_refused_total{reason="overloaded"}`); got != "2" {
		t.Errorf("%q runs were refused", got)
	}
	close(release)
	running.Wait()
	if rec, err := c.Run(t.Context(), plan); err != nil || rec.Status != myriad.RunSuccess {
		t.Errorf("when there is room again: %+v, %v", rec, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestEventsCommand follows the server from the command line.
func TestEventsCommand(t *testing.T) {
	s, c := startServer(t)
	url := startAgent(t, func(w http.ResponseWriter, _ *http.Request) { say(w, "here") })
	put(t, c, myriad.Agent{Name: "A", Endpoint: url, Concepts: []string{"a"}})
	// The breaker of an agent that was never called is not there yet.
	if _, err := c.Run(t.Context(), client.Plan{Tasks: []client.Task{{ID: "1", Concept: "a", Intent: "do"}}}); err != nil {
		t.Fatal(err)
	}
	var out lockedBuffer
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, []string{"events", "--server", s.url()}, strings.NewReader(""), &out, &out)
	}()
	soon(t, "the breaker's transitions are printed", func() bool {
		for _, action := range []string{client.BreakerOpen, client.BreakerClose, client.BreakerAuto} {
			if _, err := c.SetBreaker(t.Context(), "A", action); err != nil {
				t.Fatal(err)
			}
		}
		return strings.Contains(out.String(), `breaker.changed`) && strings.Contains(out.String(), `"to":"open"`)
	})
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}

// lockedBuffer is what one goroutine writes and another reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
