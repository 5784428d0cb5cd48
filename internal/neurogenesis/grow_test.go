package neurogenesis

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestGrowsAnAgent(t *testing.T) {
	w := newWorld(t, knows("A", "a diode that glows", 0.95, "light"), knows("B", "a small lamp", 0.9))
	g := w.grower(t)
	growth := w.grow(t, g, t.Context(), led)
	const definition = "Research found: a diode that glows | a small lamp"
	want := myriad.NeurogenesisData{
		Concept: "LED", ExpansionMethod: "neurogenesis_phase2", ResearchSummary: definition, Confidence: 0.925, Sources: []string{"A", "B"},
		DynamicAgentCreated: true, NewAgentName: "Led_Knowledge_AI", NewAgentEndpoint: "http://127.0.0.1:9/Led_Knowledge_AI/query",
		NewAgentCapabilities: []string{"concept_definition", "knowledge_storage", "fact_retrieval", "relationship_analysis", "context_inference", "knowledge_synthesis"},
	}
	if growth.Status != myriad.StatusNeurogenesisAgent || !reflect.DeepEqual(growth.Data, want) || growth.Definition != definition ||
		growth.Cold != 3*time.Millisecond || growth.ErrorCode != "" || growth.Agent.Endpoint != want.NewAgentEndpoint {
		t.Errorf("got %+v", growth)
	}
	if w.pins["Led_Knowledge_AI"] != 1 {
		t.Error("the agent is not pinned")
	}
	growth.Release()
	if w.pins["Led_Knowledge_AI"] != 0 {
		t.Error("the agent stays pinned")
	}
	a := w.agents["Led_Knowledge_AI"]
	k := a.Template.Knowledge
	if a.Owner != myriad.OwnerFleet || a.Type != myriad.AgentDynamic || !a.Dormant || len(a.Intents) != 0 || a.Template.Kind != myriad.TemplateKnowledge ||
		a.Template.ID != myriad.TemplateFactbaseEnhanced || !slices.Equal(a.Concepts, []string{"LED"}) || a.Labels["original_intent"] != "define" {
		t.Errorf("packet %+v", a)
	}
	if !reflect.DeepEqual(*k, myriad.Knowledge{
		Concept: "led", DisplayName: "LED", PrimaryDefinition: definition, ConfidenceScore: 0.925, Applications: []string{"light"},
		RelatedConcepts: []string{"led"}, ResearchSources: []string{"A", "B"}, OriginalIntent: "define",
	}) {
		t.Errorf("knowledge %+v", *k)
	}
	if req := w.wakes[0]; req.Kind != myriad.QueueGrow || req.Concept != "led" || req.Intent != "define" || req.Priority != 3 || req.Patience != 5*time.Second {
		t.Errorf("woken by %+v", req)
	}
	if got := w.statuses(); !slices.Equal(got, []string{"led " + myriad.StatusNeurogenesisAgent}) {
		t.Errorf("events %q", got)
	}
	if order := strings.Join(w.calls, ", "); order != "find, put concept, put agent, wake" {
		t.Errorf("order: %s", order)
	}
}

// TestConceptNode holds the node to wire facts 5.5.
func TestConceptNode(t *testing.T) {
	w := newWorld(t, knows("A", "a diode", 0.5, "light"))
	w.grow(t, w.grower(t), t.Context(), led).Release()
	p := w.concepts["led"]
	for key, want := range map[string]any{
		"display_name": "LED", "type": "researched_concept", "creation_method": "neurogenesis_research", "primary_definition": "Research found: a diode",
		"confidence_score": 0.5, "research_sources": `["A"]`, "key_attributes": `[]`, "related_concepts": `["led"]`, "applications": `["light"]`,
		"original_intent": "define", "research_status": "active", "complexity": 0.5,
	} {
		if p[key] != want {
			t.Errorf("%s is %v, want %v", key, p[key], want)
		}
	}
	seconds, _ := p["creation_timestamp"].(float64)
	if ms, _ := p["last_updated"].(int64); seconds < 1e9 || seconds > 1e11 || float64(ms)/1000 != seconds {
		t.Errorf("times %v, %v", p["creation_timestamp"], p["last_updated"])
	}
}

// TestOneFlightHoweverManyAsk asks a thousand times at once, while and after the agent is made.
func TestOneFlightHoweverManyAsk(t *testing.T) {
	w := newWorld(t, knows("A", "a diode", 0.9))
	g := w.grower(t)
	var asking sync.WaitGroup
	var mu sync.Mutex
	told := map[string]int{}
	for range 1000 {
		asking.Add(1)
		go g.Grow(t.Context(), led, func(growth myriad.Growth) {
			defer asking.Done()
			if growth.Agent == nil || growth.Agent.Name != "Led_Knowledge_AI" {
				t.Errorf("got %+v", growth)
				return
			}
			mu.Lock()
			told[growth.Status]++
			mu.Unlock()
		})
	}
	asking.Wait()
	if names := w.names(); len(names) != 1 || w.pins[names[0]] != 1000 || len(w.wakes) != 1000 {
		t.Errorf("agents %q, pins %v", names, w.pins)
	}
	if told[myriad.StatusNeurogenesisAgent]+told[""] != 1000 || told[myriad.StatusNeurogenesisAgent] == 0 {
		t.Errorf("told %v", told)
	}
	if got := w.statuses(); len(got) != 1 {
		t.Errorf("events %q", got)
	}
}

// TestSecondFlightFindsTheAgent asks as one who looked before the first flight landed.
func TestSecondFlightFindsTheAgent(t *testing.T) {
	w := newWorld(t, knows("A", "a diode", 0.9))
	g := w.grower(t)
	w.grow(t, g, t.Context(), led).Release()
	again := w.grow(t, g, t.Context(), led)
	if again.Agent == nil || again.Agent.Name != "Led_Knowledge_AI" || again.Status != "" || w.wakes[1].Kind != myriad.QueueWake {
		t.Errorf("got %+v", again)
	}
	if len(w.agents) != 1 || len(w.statuses()) != 1 {
		t.Errorf("agents %q, events %q", w.names(), w.statuses())
	}
}

// TestOthersMadeAnAgentMeanwhile has the concept handled by agents that were not grown.
func TestOthersMadeAnAgentMeanwhile(t *testing.T) {
	w := newWorld(t, knows("A", "a diode", 0.9))
	g := w.grower(t)
	w.agents["Lamp"] = myriad.Agent{Name: "Lamp", Endpoint: "http://127.0.0.1:1/query", Concepts: []string{"LED"}, Intents: []string{"define"}}
	if growth := w.grow(t, g, t.Context(), led); growth.Agent == nil || growth.Agent.Name != "Lamp" || growth.Status != "" || growth.Release == nil || len(w.wakes) != 0 {
		t.Errorf("one with an endpoint: %+v", growth)
	}
	other := led
	other.Intent = "compare"
	if growth := w.grow(t, g, t.Context(), other); growth.Agent != nil || growth.Status != myriad.StatusNoAgent {
		t.Errorf("another intent: %+v", growth)
	}
	w.agents["Lamp"] = myriad.Agent{Name: "Lamp", Concepts: []string{"LED"}, Template: &myriad.Template{Kind: myriad.TemplateCommand, Command: []string{"x"}}, Dormant: true}
	if growth := w.grow(t, g, t.Context(), led); growth.Agent == nil || growth.Status != "" || len(w.wakes) != 1 || w.wakes[0].Kind != myriad.QueueWake {
		t.Errorf("a script: %+v", growth)
	}
	if len(w.agents) != 1 {
		t.Errorf("agents %q", w.names())
	}
}

func TestGrowthIsOff(t *testing.T) {
	g, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if growth := (&world{}).grow(t, g, t.Context(), led); growth.Status != myriad.StatusNoAgent || growth.Agent != nil {
		t.Errorf("got %+v", growth)
	}
}

func TestConfigMistakes(t *testing.T) {
	_, err := New(Config{Enabled: true, Sources: []Source{nil}, MaxFlights: -1, Cooldown: -1})
	for _, want := range []string{"graph", "packets", "fleet", "count", "source 0", "max flights", "cooldown"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named: %v", want, err)
		}
	}
}

// TestAskersLeaveAlone has the first asker leave: neither the flight nor the others mind.
func TestAskersLeaveAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, source{"slow", func(ctx context.Context, _ Question) ([]Finding, error) {
			time.Sleep(2 * time.Second)
			return []Finding{{Definition: "a diode", Confidence: ptr(0.9)}}, ctx.Err()
		}})
		g := w.grower(t)
		first, leave := context.WithCancel(t.Context())
		var told [4]myriad.Growth
		var at [4]time.Duration
		began := time.Now()
		ask := func(i int, ctx context.Context, req myriad.GrowRequest) {
			g.Grow(ctx, req, func(growth myriad.Growth) { told[i], at[i] = growth, time.Since(began) })
		}
		ask(0, first, led)
		hurried := led
		hurried.Deadline = began.Add(1500 * time.Millisecond)
		ask(1, t.Context(), hurried)
		patient := led
		patient.Deadline = began.Add(8 * time.Second)
		ask(2, t.Context(), patient)
		ask(3, t.Context(), led)
		time.Sleep(time.Second)
		leave()
		synctest.Wait()
		if told[0].ErrorCode != myriad.TaskErrCancelled || at[0] != time.Second {
			t.Errorf("the one that left: %+v after %v", told[0], at[0])
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if told[1].ErrorCode != myriad.TaskErrRunDeadline || told[1].Status != myriad.StatusNeurogenesisFailed || at[1] != 1500*time.Millisecond {
			t.Errorf("the hurried one: %+v after %v", told[1], at[1])
		}
		for _, i := range []int{2, 3} {
			if told[i].Agent == nil || at[i] != 2*time.Second {
				t.Errorf("asker %d: %+v after %v", i, told[i], at[i])
			}
		}
		if len(w.wakes) != 2 || w.wakes[0].Patience != 3*time.Second || w.wakes[1].Patience != 5*time.Second || !w.wakes[0].Deadline.Equal(patient.Deadline) {
			t.Errorf("those who left wake nobody, patience is half of what is left: %+v", w.wakes)
		}
	})
}

// TestAllAskersLeave: the agent is made although nobody waits any more, and waits to be woken.
func TestAllAskersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, source{"slow", func(context.Context, Question) ([]Finding, error) {
			time.Sleep(time.Second)
			return []Finding{{Definition: "a diode", Confidence: ptr(0.9)}}, nil
		}})
		g := w.grower(t)
		ctx, leave := context.WithCancel(t.Context())
		g.Grow(ctx, led, func(myriad.Growth) {})
		leave()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(w.agents) != 1 || len(w.wakes) != 0 {
			t.Errorf("agents %q, wakes %v", w.names(), w.wakes)
		}
		if growth := w.grow(t, g, ctx, led); growth.ErrorCode != myriad.TaskErrCancelled {
			t.Errorf("one that has left before it asks: %+v", growth)
		}
	})
}

func TestCloseTellsAskers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, source{"waits", func(ctx context.Context, _ Question) ([]Finding, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		g := w.grower(t)
		var told myriad.Growth
		g.Grow(t.Context(), led, func(growth myriad.Growth) { told = growth })
		synctest.Wait()
		g.Close()
		if told.ErrorCode != myriad.TaskErrCancelled || told.Data.Concept != "LED" || len(w.events) != 0 {
			t.Errorf("got %+v, events %+v", told, w.events)
		}
		if growth := w.grow(t, g, t.Context(), led); growth.ErrorCode != myriad.TaskErrCancelled {
			t.Errorf("asked later: %+v", growth)
		}
		g.Close()
	})
}

// TestFlightsAreBounded refuses the ninth concept, not the ninth asker.
func TestFlightsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, source{"slow", func(context.Context, Question) ([]Finding, error) {
			time.Sleep(4 * time.Second)
			return nil, nil
		}})
		g := w.grower(t)
		var told atomic.Int64
		for i := range 16 {
			req := led
			req.Concept = fmt.Sprint("c", i%8)
			g.Grow(t.Context(), req, func(growth myriad.Growth) {
				if growth.Status != myriad.StatusNeurogenesisSuccess {
					t.Errorf("got %+v", growth)
				}
				told.Add(1)
			})
		}
		time.Sleep(time.Second)
		refused := w.grow(t, g, t.Context(), led)
		if refused.ErrorCode != myriad.TaskErrGrowthRefused || refused.RetryAfter != 9*time.Second || refused.Status != myriad.StatusNeurogenesisFailed {
			t.Errorf("got %+v", refused)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if told.Load() != 16 || len(w.statuses()) != 8 {
			t.Errorf("%d told, events %q", told.Load(), w.statuses())
		}
		if growth := w.grow(t, g, t.Context(), led); growth.Status != myriad.StatusNeurogenesisSuccess {
			t.Errorf("a refusal is not remembered: %+v", growth)
		}
	})
}

// TestGrownPacketsAreBounded grows eight at once for five places.
func TestGrownPacketsAreBounded(t *testing.T) {
	for range 20 {
		w := newWorld(t, knows("A", "x", 0.9))
		w.cfg.MaxGrown = 5
		g := w.grower(t)
		var asking sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for i := range 8 {
			asking.Add(1)
			req := led
			req.Concept = fmt.Sprint("c", i)
			req.Display = req.Concept
			g.Grow(t.Context(), req, func(growth myriad.Growth) {
				defer asking.Done()
				if growth.Agent == nil {
					mu.Lock()
					defer mu.Unlock()
					if refused++; growth.ErrorCode != myriad.TaskErrGrowthRefused || growth.RetryAfter == 0 {
						t.Errorf("got %+v", growth)
					}
				}
			})
		}
		asking.Wait()
		if len(w.agents) > 5 || len(w.agents)+refused != 8 {
			t.Fatalf("%d agents, %d refused", len(w.agents), refused)
		}
		g.Close()
		if g.making != 0 {
			t.Errorf("%d places are held for ever", g.making)
		}
	}
}

func TestCountFails(t *testing.T) {
	w := newWorld(t, knows("A", "x", 0.9))
	w.grown = func() (int64, error) { return 0, errors.New("broken") }
	g := w.grower(t)
	if growth := w.grow(t, g, t.Context(), led); growth.ErrorCode != myriad.TaskErrGrowthRefused || len(w.agents) != 0 || growth.RetryAfter == 0 {
		t.Errorf("got %+v", growth)
	}
	w.grown = func() (int64, error) { return 9999, nil }
	if growth := w.grow(t, g, t.Context(), led); growth.Agent == nil {
		t.Errorf("the last place: %+v", growth)
	}
}

// TestDeadGraphGrowsNothing: what nobody knows cannot be told without a graph.
func TestDeadGraphGrowsNothing(t *testing.T) {
	w := newWorld(t, knows("A", "x", 0.9))
	w.stale = true
	g := w.grower(t)
	if growth := w.grow(t, g, t.Context(), led); growth.ErrorCode != myriad.TaskErrGraph || len(w.agents)+len(w.concepts) != 0 {
		t.Errorf("got %+v", growth)
	}
	w.stale = false
	if growth := w.grow(t, g, t.Context(), led); growth.Agent == nil {
		t.Errorf("that is not remembered: %+v", growth)
	}
}
