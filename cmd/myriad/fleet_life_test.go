package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
)

// answerOf reads what the agents of tests answer.
func answerOf(t testing.TB, r myriad.Result) (a struct {
	PID                     int
	Instance, Concept, Says string
}) {
	t.Helper()
	if err := json.Unmarshal(r.Answer.Data, &a); err != nil {
		t.Fatalf("%s: %v", r.AppendJSON(nil), err)
	}
	return a
}

// TestWhatAnAgentIsToldStays: in the answers at once, after it slept, and in the next life of the server.
func TestWhatAnAgentIsToldStays(t *testing.T) {
	dir := t.TempDir()
	here := func(cfg *config.Config) { cfg.Data = dir }
	t.Run("life", func(t *testing.T) {
		_, c := startServer(t, here)
		startScholar(t, c)
		name := mustOne(t, c, "known tide", "define", nil).Provenance.Agent
		teach := func(kind, content string, confidence float64) {
			t.Helper()
			i := mustBeReady(t, c, name)
			body := fmt.Sprintf(`{"knowledge_type":%q,"content":%q,"confidence":%g}`, kind, content, confidence)
			reply := fetched(t, http.MethodPost, strings.TrimSuffix(i.Endpoint, "query")+"update_knowledge", body)
			if !strings.Contains(reply, `"status":"success"`) {
				t.Fatalf("told %s: %s", body, reply)
			}
		}
		knows := func(intent, what string, cold bool) {
			t.Helper()
			r := mustOne(t, c, "known tide", intent, nil)
			if !strings.Contains(string(r.Answer.Data), what) || cold != (r.Provenance.ColdStartMS > 0) {
				t.Errorf("%s: %s", intent, r.AppendJSON(nil))
			}
		}
		teach("definition", "the pull of the moon", 0.95)
		knows("define", "the pull of the moon", false)
		for range 3 { // each lesson is the newest when it falls asleep
			teach("dangers", fmt.Sprint("quicksand ", time.Now().UnixNano()), 0.7)
		}
		teach("dangers", "being cut off by the sea", 0.7)
		if err := c.StopInstance(t.Context(), mustBeReady(t, c, name).ID); err != nil {
			t.Fatal(err)
		}
		knows("define", "the pull of the moon", true)
		knows("dangers", "being cut off by the sea", false)
		a, err := c.Agent(t.Context(), name)
		if err != nil || a.Template == nil || a.Template.Knowledge.Learned["dangers"].Content != "being cut off by the sea" {
			t.Errorf("the packet does not follow: %+v, %v", a, err)
		}
		teach("origin", "older than the land", 0.8) // and the server stops at once
	})
	_, c := startServer(t, here)
	for intent, what := range map[string]string{"define": "the pull of the moon", "dangers": "being cut off by the sea", "origin": "older than the land"} {
		if r := mustOne(t, c, "known tide", intent, nil); !strings.Contains(string(r.Answer.Data), what) {
			t.Errorf("in the next life, %s: %s", intent, r.AppendJSON(nil))
		}
	}
}

// TestCrashesBetweenJobsAreNobodysFault: an instance that ends after its answer is started again; neither that nor its first start counts against
// the agent.
func TestCrashesBetweenJobsAreNobodysFault(t *testing.T) {
	s, _ := startServer(t, capped(5, 0))
	c := ownerOf(t, s.url(), s.cfg.Data)
	put(t, c, program(t, "Frail_AI", "frailty", myriad.ModeHTTP, "http"))
	first := mustOne(t, c, "frailty", "do", nil)
	if first.Provenance.ColdStartMS <= 0 {
		t.Errorf("no cold start: %s", first.AppendJSON(nil))
	}
	if r := mustOne(t, c, "frailty", "do", nil); r.Provenance.ColdStartMS != 0 {
		t.Errorf("a cold start of who is awake: %s", r.AppendJSON(nil))
	}
	for n := 1; n <= 2; n++ {
		before := answerOf(t, mustOne(t, c, "frailty", "do", map[string]bool{"exit": true}))
		eventually(t, func() (bool, string) { // the crash is known: from here on nothing reaches the one that is gone
			f := fleetOf(t, c)
			at := slices.IndexFunc(f.Instances, func(i myriad.InstanceStatus) bool { return i.Agent == "Frail_AI" })
			return at >= 0 && (f.Instances[at].Restarts >= n || f.Instances[at].State != myriad.InstanceReady), fmt.Sprintf("crash %d is seen: %+v", n, f)
		})
		if after := answerOf(t, mustOne(t, c, "frailty", "do", nil)); after.PID == before.PID {
			t.Errorf("process %d answers after its end", after.PID)
		}
		b, err := c.Breaker(t.Context(), "Frail_AI")
		if err != nil || len(b) != 1 || b[0].State != "closed" || b[0].ConsecutiveFailures != 0 {
			t.Errorf("after crash %d: %+v, %v", n, b, err)
		}
	}
}

// TestLoweredLimits: idle instances go at once, those at work when they have finished.
func TestLoweredLimits(t *testing.T) {
	s, _ := startServer(t, capped(4, time.Hour))
	c := ownerOf(t, s.url(), s.cfg.Data)
	for _, name := range []string{"Busy", "Idle"} {
		put(t, c, program(t, name, name, myriad.ModeStdio, "stdio"))
	}
	for _, name := range []string{"Rests", "Sleeps"} {
		put(t, c, knower(name, name, "knows little"))
		mustOne(t, c, name, "define", nil)
	}
	g := newGate(t)
	var work sync.WaitGroup
	work.Go(func() { mustOne(t, c, "busy", "do", g.args()) })
	g.holds(t)
	mustOne(t, c, "idle", "do", nil)
	if f := fleetOf(t, c); f.InUse != 4 {
		t.Fatalf("four are to be awake: %+v", f)
	}
	limits, err := c.SetFleetLimits(t.Context(), map[string]any{"max_agents": 1})
	if err != nil || limits.MaxAgents != 1 {
		t.Fatalf("%+v, %v", limits, err)
	}
	eventually(t, func() (bool, string) {
		f := fleetOf(t, c)
		return f.InUse == 1, fmt.Sprintf("the idle ones go: %+v", f)
	})
	if i := mustBeReady(t, c, "Busy"); i.InFlight != 1 {
		t.Errorf("who works is to stay: %+v", i)
	}
	if _, err := c.SetFleetLimits(t.Context(), map[string]any{"max_agents": 2}); err != nil {
		t.Fatal(err)
	}
	second := newGate(t)
	work.Go(func() { mustOne(t, c, "idle", "do", second.args()) })
	second.holds(t)
	if _, err := c.SetFleetLimits(t.Context(), map[string]any{"max_agents": 1}); err != nil {
		t.Fatal(err)
	}
	mustBeReady(t, c, "Idle") // both work, so both stay
	mustBeReady(t, c, "Busy")
	second.let()
	eventually(t, func() (bool, string) {
		f := fleetOf(t, c)
		return f.InUse == 1, fmt.Sprintf("who has finished goes: %+v", f)
	})
	mustBeReady(t, c, "Busy")
	g.let()
	work.Wait()
}

// TestBudgetsOfMemoryBoundTheFleet: the budgets count as the number does.
func TestBudgetsOfMemoryBoundTheFleet(t *testing.T) {
	s, _ := startServer(t, capped(10, 0), func(cfg *config.Config) { cfg.Fleet.TotalMemory = 2 * cfg.Fleet.Memory })
	c := ownerOf(t, s.url(), s.cfg.Data)
	var tasks []client.Task
	for i := range 4 {
		name := fmt.Sprint("Heavy_", i)
		put(t, c, knower(name, name, "weighs much"))
		tasks = append(tasks, client.Task{ID: name, Concept: name, Intent: "define"})
	}
	stop := watchFleet(t, c)
	rec, err := c.Run(t.Context(), client.Plan{Tasks: tasks, Timeout: longest})
	if err != nil || rec.Status != myriad.RunSuccess {
		t.Errorf("%+v, %v", rec, err)
	}
	if most, samples := stop(); most > 2 {
		t.Errorf("%d instances of half the budget at once, in %d samples", most, samples)
	}
}
