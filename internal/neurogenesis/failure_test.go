package neurogenesis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

var errBroken = errors.New("broken")

// broken is a source that fails.
var broken = source{"broken", func(context.Context, Question) ([]Finding, error) { return nil, errBroken }}

var full = source{"full", func(context.Context, Question) ([]Finding, error) {
	return nil, fmt.Errorf("ask A: %w", myriad.Errorf(myriad.TaskErrFleetFull, "no room for agent A"))
}}

// TestWhatGrowingComesTo goes through sources that know enough, too little, nothing and fail, with a node and a packet that can be written or not.
func TestWhatGrowingComesTo(t *testing.T) {
	for _, c := range []struct {
		source             Source
		noNode, noPacket   bool
		status, code, says string
		confidence         float64
		method             string
	}{
		{knows("A", "x", 0.9), false, false, myriad.StatusNeurogenesisAgent, "", "", 0.9, methodAgent},
		{knows("A", "x", 0.9), true, false, myriad.StatusNeurogenesisAgent, "", "", 0.9, methodAgent},
		{knows("A", "x", 0.9), false, true, myriad.StatusNeurogenesisSuccess, myriad.TaskErrGraph, "could not be stored", 0.9, methodNode},
		{knows("A", "x", 0.9), true, true, myriad.StatusNeurogenesisPartial, myriad.TaskErrGraph, "could not be stored", 0.9, methodResearch},
		{knows("A", "x", 0.3), false, false, myriad.StatusNeurogenesisSuccess, myriad.TaskErrNoAgent, "is 0.3, and must be more than 0.3", 0.3, methodNode},
		{knows("A", "x", 0.3), true, false, myriad.StatusNeurogenesisPartial, myriad.TaskErrNoAgent, "is 0.3", 0.3, methodResearch},
		{empty, false, false, myriad.StatusNeurogenesisSuccess, myriad.TaskErrNoAgent, "nobody who could be asked", 0.1, methodNode},
		{empty, true, false, myriad.StatusNeurogenesisPartial, myriad.TaskErrNoAgent, "nobody who could be asked", 0.1, methodResearch},
		{broken, false, false, myriad.StatusNeurogenesisSuccess, myriad.TaskErrNoAgent, "nobody who could be asked", 0.1, methodNode},
		{broken, true, false, myriad.StatusNeurogenesisFailed, myriad.TaskErrNoAgent, "nobody who could be asked", 0.1, methodResearch},
		{full, false, false, myriad.StatusNeurogenesisSuccess, myriad.TaskErrFleetFull, "there was no room to wake them", 0.1, methodNode},
		{full, true, false, myriad.StatusNeurogenesisFailed, myriad.TaskErrFleetFull, "there was no room to wake them", 0.1, methodResearch},
	} {
		w := newWorld(t, c.source)
		if c.noNode {
			w.putConcept = func(string) error { return errBroken }
		}
		if c.noPacket {
			w.putAgent = func(myriad.Agent) error { return myriad.Errorf(myriad.CodeUnavailable, "broken") }
		}
		growth := w.grow(t, w.grower(t), t.Context(), led)
		what := fmt.Sprintf("%s %s, node %v, packet %v", c.source.Name(), c.says, !c.noNode, !c.noPacket)
		if growth.Status != c.status || growth.ErrorCode != c.code || !strings.Contains(growth.Message, c.says) || growth.Data.Confidence != c.confidence ||
			growth.Data.ExpansionMethod != c.method || growth.Definition == "" || growth.Data.ResearchSummary != growth.Definition || growth.Data.Sources == nil {
			t.Errorf("%s: %+v", what, growth)
		}
		cool := 5 * time.Minute
		if c.code == myriad.TaskErrFleetFull || c.code == myriad.TaskErrGraph { // our doing, which may be over in a moment
			cool = 5 * time.Second
		}
		if (growth.Agent != nil) != (c.status == myriad.StatusNeurogenesisAgent) || (growth.RetryAfter == cool) != (growth.Agent == nil) {
			t.Errorf("%s: agent %v, retry after %v", what, growth.Agent, growth.RetryAfter)
		}
		if got := w.statuses(); !slices.Equal(got, []string{"led " + c.status}) {
			t.Errorf("%s: events %q", what, got)
		}
	}
}

// TestSourceCostsOnlyItself puts bad sources beside a good one.
func TestSourceCostsOnlyItself(t *testing.T) {
	say := func(f ...Finding) Source {
		return source{"bad", func(context.Context, Question) ([]Finding, error) { return f, nil }}
	}
	huge := strings.Repeat("x", maxText+1)
	for name, bad := range map[string]Source{
		"fails":             source{"bad", func(context.Context, Question) ([]Finding, error) { return []Finding{{Definition: "half"}}, errBroken }},
		"panics":            source{"bad", func(context.Context, Question) ([]Finding, error) { panic("broken") }},
		"hangs":             source{"bad", func(ctx context.Context, _ Question) ([]Finding, error) { <-ctx.Done(); return nil, ctx.Err() }},
		"is late":           source{"bad", func(ctx context.Context, _ Question) ([]Finding, error) { time.Sleep(time.Minute); return nil, nil }},
		"is too sure":       say(Finding{Definition: "bad", Confidence: ptr(1.1)}),
		"is less than sure": say(Finding{Definition: "bad", Confidence: ptr(-0.1)}),
		"is no number":      say(Finding{Definition: "bad", Confidence: ptr(math.NaN())}),
		"is huge":           say(Finding{Definition: huge, Confidence: ptr(1)}),
		"has a huge name":   say(Finding{Source: huge, Confidence: ptr(1)}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, bad, knows("good", "a diode", 0.8))
				growth := w.grow(t, w.grower(t), t.Context(), led)
				if growth.Agent == nil || growth.Definition != "Research found: a diode" || growth.Data.Confidence != 0.8 || !slices.Equal(growth.Data.Sources, []string{"good"}) {
					t.Errorf("got %+v", growth)
				}
				if panics := slices.ContainsFunc(w.events, func(e myriad.Event) bool { return e.Kind == myriad.KindPanic && e.Stack != "" }); panics != (name == "panics") {
					t.Errorf("events %+v", w.events)
				}
			})
		})
	}
}

// TestSourcesAreAskedAtOnce: the slowest one is what research takes, a source without end takes its deadline and a second.
func TestSourcesAreAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := source{"slow", func(ctx context.Context, _ Question) ([]Finding, error) {
			select {
			case <-time.After(3 * time.Second):
			case <-ctx.Done():
			}
			return []Finding{{Definition: "slow", Confidence: ptr(1)}}, nil
		}}
		w := newWorld(t, slow, knows("quick", "quick", 1), slow)
		began := time.Now()
		growth := w.grow(t, w.grower(t), t.Context(), led)
		if took := time.Since(began); took != 3*time.Second || growth.Definition != "Research found: slow | quick" {
			t.Errorf("after %v: %+v", took, growth)
		}
		deaf := newWorld(t, source{"deaf", func(context.Context, Question) ([]Finding, error) { time.Sleep(time.Hour); return nil, nil }})
		began = time.Now()
		if deaf.grow(t, deaf.grower(t), t.Context(), led); time.Since(began) != 11*time.Second {
			t.Errorf("a source that does not hear took %v", time.Since(began))
		}
	})
}

func TestTooManyFindings(t *testing.T) {
	w := newWorld(t, source{"many", func(context.Context, Question) ([]Finding, error) { return make([]Finding, 1000), nil }})
	if growth := w.grow(t, w.grower(t), t.Context(), led); len(growth.Data.Sources) != maxFindings || growth.Data.Confidence != 0.1 || growth.Agent != nil {
		t.Errorf("got %+v", growth)
	}
}

// TestCooldown: a concept that came to nothing is left alone for a while, the others are not.
func TestCooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		w := newWorld(t, source{"s", func(context.Context, Question) ([]Finding, error) { asked++; return nil, nil }})
		g := w.grower(t)
		first := w.grow(t, g, t.Context(), led)
		time.Sleep(time.Minute)
		again := led
		again.Display = "Led"
		cooling := w.grow(t, g, t.Context(), again)
		if asked != 1 || cooling.Status != first.Status || cooling.Definition != first.Definition || cooling.ErrorCode != myriad.TaskErrCoolingDown ||
			cooling.RetryAfter != 4*time.Minute || cooling.Data.Concept != "Led" || cooling.Data.Confidence != 0.1 {
			t.Errorf("asked %d times, got %+v", asked, cooling)
		}
		other := led
		other.Concept = "oled"
		if w.grow(t, g, t.Context(), other); asked != 2 {
			t.Errorf("another concept: asked %d times", asked)
		}
		time.Sleep(4 * time.Minute)
		if growth := w.grow(t, g, t.Context(), led); asked != 3 || growth.ErrorCode != myriad.TaskErrNoAgent {
			t.Errorf("later: asked %d times, got %+v", asked, growth)
		}
	})
}

// TestShortCooldown: a concept that came to nothing because the fleet was full is tried again soon, also behind concepts that wait for longer.
func TestShortCooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := false
		w := newWorld(t, source{"s", func(ctx context.Context, q Question) ([]Finding, error) {
			if room || q.Concept != led.Concept {
				return nil, nil
			}
			return full.Research(ctx, q)
		}})
		g := w.grower(t)
		longer := led
		longer.Concept = "oled"
		w.grow(t, g, t.Context(), longer)
		if first := w.grow(t, g, t.Context(), led); first.ErrorCode != myriad.TaskErrFleetFull || first.RetryAfter != 5*time.Second {
			t.Errorf("%+v", first)
		}
		room = true
		time.Sleep(4 * time.Second)
		if again := w.grow(t, g, t.Context(), led); again.ErrorCode != myriad.TaskErrCoolingDown || again.RetryAfter != time.Second {
			t.Errorf("too early: %+v", again)
		}
		time.Sleep(time.Second)
		if again := w.grow(t, g, t.Context(), led); again.ErrorCode != myriad.TaskErrNoAgent {
			t.Errorf("with room: %+v", again)
		}
	})
}

func TestCooldownsAreBounded(t *testing.T) {
	c := newCooldowns(3)
	at := time.Now()
	for i := range 10 {
		c.put(fmt.Sprint(i), myriad.Growth{Message: fmt.Sprint(i)}, at.Add(time.Duration(i)*time.Second))
		c.put(fmt.Sprint(i), myriad.Growth{Message: fmt.Sprint("again ", i)}, at.Add(time.Duration(i)*time.Second))
	}
	if len(c.concepts) != 3 || c.order.Len() != 3 {
		t.Errorf("%d kept", len(c.concepts))
	}
	if growth, left := c.get("8", at); left != 8*time.Second || growth.Message != "again 8" {
		t.Errorf("got %+v, %v", growth, left)
	}
	if _, left := c.get("8", at.Add(8*time.Second)); left != 0 || len(c.concepts) != 1 {
		t.Errorf("left %v, kept %d", left, len(c.concepts))
	}
}

// TestNothingFoundKeepsADefinition: what somebody wrote about a concept is worth more than that nobody was found who knows it.
func TestNothingFoundKeepsADefinition(t *testing.T) {
	w := newWorld(t, empty)
	w.concepts["led"] = myriad.Properties{"primary_definition": "written by hand"}
	growth := w.grow(t, w.grower(t), t.Context(), led)
	if growth.Definition != "written by hand" || growth.Data.Confidence != 0.1 || growth.Status != myriad.StatusNeurogenesisSuccess || len(w.concepts["led"]) != 1 {
		t.Errorf("got %+v, node %v", growth, w.concepts["led"])
	}
	full := newWorld(t, knows("A", "found", 0.9))
	full.concepts["led"] = myriad.Properties{"primary_definition": "old"}
	full.grow(t, full.grower(t), t.Context(), led)
	if full.concepts["led"]["primary_definition"] != "Research found: found" {
		t.Errorf("node %v", full.concepts["led"])
	}
}

// TestAgentIsThereButAsleep goes through the ends that waking may come to.
func TestAgentIsThereButAsleep(t *testing.T) {
	for _, c := range []struct {
		err    error
		queued *myriad.QueuePosition
		code   string
		after  time.Duration
	}{
		{&myriad.Error{Code: myriad.TaskErrFleetFull, Message: "no room", RetryAfter: 7 * time.Second}, &myriad.QueuePosition{Position: 2}, myriad.TaskErrFleetFull, 7 * time.Second},
		{&myriad.Error{Code: myriad.TaskErrFleetFull, Message: "the queue is full", RetryAfter: time.Second}, nil, myriad.TaskErrFleetFull, time.Second},
		{myriad.Errorf(myriad.TaskErrCoolingDown, "it failed"), nil, myriad.TaskErrCoolingDown, 0},
		{myriad.Errorf(myriad.TaskErrStart, "no"), nil, myriad.TaskErrStart, 0},
		{myriad.Errorf(myriad.CodeDeadline, "late"), nil, myriad.TaskErrRunDeadline, 0},
		{myriad.Errorf(myriad.CodeDraining, "bye"), nil, myriad.TaskErrCancelled, 0},
		{errBroken, nil, myriad.TaskErrStart, 0},
		{nil, nil, myriad.TaskErrStart, 0},
	} {
		w := newWorld(t, knows("A", "a diode", 0.9))
		w.wake = func(context.Context, myriad.WakeRequest) (myriad.Woken, bool) {
			return myriad.Woken{Err: c.err, Queued: c.queued}, true
		}
		g := w.grower(t)
		for round := range 2 { // as the one who made it, and as one who finds it
			growth := w.grow(t, g, t.Context(), led)
			if growth.Status != myriad.StatusNeurogenesisSuccess || growth.ErrorCode != c.code || growth.RetryAfter != c.after || growth.Queued != c.queued ||
				growth.Definition != "Research found: a diode" || growth.Data.DynamicAgentCreated || growth.Data.ExpansionMethod != methodNode ||
				growth.Data.Confidence != 0.9 || growth.Agent != nil || growth.Message == "" {
				t.Errorf("%v, round %d: %+v", c.err, round, growth)
			}
		}
		if len(w.agents) != 1 || !slices.Equal(w.statuses(), []string{"led " + myriad.StatusNeurogenesisAgent}) {
			t.Errorf("%v: agents %q, events %q", c.err, w.names(), w.statuses())
		}
	}
}

// TestPanicsAreTheFlightsFailure has each port panic.
func TestPanicsAreTheFlightsFailure(t *testing.T) {
	for name, arm := range map[string]func(w *world){
		"put concept": func(w *world) { w.putConcept = func(string) error { panic("broken") } },
		"put agent":   func(w *world) { w.putAgent = func(myriad.Agent) error { panic("broken") } },
		"count":       func(w *world) { w.grown = func() (int64, error) { panic("broken") } },
	} {
		w := newWorld(t, knows("A", "a diode", 0.9))
		arm(w)
		g := w.grower(t)
		growth := w.grow(t, g, t.Context(), led)
		if growth.Status != myriad.StatusNeurogenesisFailed || growth.ErrorCode != myriad.TaskErrInternal || !strings.Contains(growth.Message, "panicked") {
			t.Errorf("%s: %+v", name, growth)
		}
		if len(w.events) != 2 || w.events[0].Kind != myriad.KindPanic || g.making != 0 || len(g.turn) != 0 || len(g.flights) != 0 {
			t.Errorf("%s: events %+v, making %d", name, w.events, g.making)
		}
	}
}

// TestTakenNames: an agent of another concept, or of somebody else, that has the name.
func TestTakenNames(t *testing.T) {
	w := newWorld(t, knows("A", "a diode", 0.5))
	w.agents["Led_Definition_AI"] = myriad.Agent{Name: "Led_Definition_AI", Endpoint: "http://h/", Concepts: []string{"something else"}}
	growth := w.grow(t, w.grower(t), t.Context(), led)
	if growth.Agent == nil || growth.Agent.Name == "Led_Definition_AI" || !strings.HasPrefix(growth.Agent.Name, "Led_") || !strings.HasSuffix(growth.Agent.Name, "_Definition_AI") {
		t.Errorf("got %+v", growth)
	}
	if w.agents["Led_Definition_AI"].Owner != "" || len(w.agents) != 2 {
		t.Errorf("agents %q", w.names())
	}
	full := newWorld(t, knows("A", "a diode", 0.5))
	full.putAgent = func(myriad.Agent) error { return myriad.Errorf(myriad.CodeConflict, "taken") }
	if growth := full.grow(t, full.grower(t), t.Context(), led); growth.Agent != nil || growth.ErrorCode != myriad.TaskErrInternal {
		t.Errorf("every name is taken: %+v", growth)
	}
}
