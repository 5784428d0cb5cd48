package conformance

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// Registry checks the promises of what discovery uses of a graph. open gives an empty one.
func Registry(t *testing.T, open func(t *testing.T) Lookup) {
	for name, check := range map[string]func(t *testing.T, g Lookup){
		"PutAgent":         putAgent,
		"PutAgentInvalid":  putAgentInvalid,
		"PutAgentReplaces": putAgentReplaces,
		"Guards":           guards,
		"DeleteAgent":      deleteAgent,
		"WholeAgent":       wholeAgent,
		"Handlers":         lookUp,
		"Concepts":         concepts,
		"CanonicalNames":   canonicalNames,
		"Researchers":      researchers,
		"AgentsPages":      agentsPages,
		"ConceptsPages":    conceptsPages,
		"PagesBesideWrite": pagesBesideWriter,
		"BadPages":         badPages,
		"ContextEnds":      contextEnds,
		"ConcurrentPuts":   concurrentPuts,
		"OneCreates":       oneCreates,
	} {
		t.Run("Registry/"+name, func(t *testing.T) { check(t, open(t)) })
	}
}

func putAgent(t *testing.T, g Lookup) {
	mustNot(t, g.Ping(t.Context()))
	before := time.Now().Add(-time.Second)
	first := put(t, g, agent("a", "Led Lamp", "pump"))
	if first.Revision != 1 || first.CreatedAt.Before(before) || !first.UpdatedAt.Equal(first.CreatedAt) {
		t.Errorf("first write: %+v", first)
	}
	if first.Status != myriad.AgentActive || first.Protocol != myriad.ProtocolHTTP {
		t.Errorf("what is stored is checked and filled in: %+v", first)
	}
	again := first
	again.Revision, again.CreatedAt = 77, time.Time{} // neither is the caller's to set
	second := put(t, g, again)
	if second.Revision != 2 || !second.CreatedAt.Equal(first.CreatedAt) || second.UpdatedAt.Before(first.UpdatedAt) {
		t.Errorf("second write: %+v", second)
	}
	read, err := g.Agent(t.Context(), "a")
	mustNot(t, err)
	if !reflect.DeepEqual(read, second) {
		t.Errorf("read  %+v\nwrote %+v", read, second)
	}
	_, err = g.Agent(t.Context(), "b")
	wantCode(t, "an agent that is not there", err, myriad.CodeNotFound)
	if n, err := g.CountAgents(t.Context()); err != nil || n != 1 {
		t.Errorf("count %d, %v", n, err)
	}
}

func putAgentInvalid(t *testing.T, g Lookup) {
	for _, a := range []myriad.Agent{{}, agent("a b", "x"), agent("a"), agent("a", " "), {Name: "a", Concepts: []string{"x"}}} {
		_, err := g.PutAgent(t.Context(), a, myriad.Guard{})
		wantCode(t, fmt.Sprintf("%+v", a), err, myriad.CodeInvalid)
	}
	if n, err := g.CountAgents(t.Context()); err != nil || n != 0 {
		t.Errorf("a refused agent leaves nothing: %d agents, %v", n, err)
	}
	if listed, _, err := g.Concepts(t.Context(), myriad.Page{}); err != nil || len(listed) != 0 {
		t.Errorf("a refused agent leaves nothing: concepts %v, %v", listed, err)
	}
}

func putAgentReplaces(t *testing.T, g Lookup) {
	a := agent("a", "x", "y")
	a.Description = "first"
	put(t, g, a)
	put(t, g, agent("a", "y", "z"))
	for concept, want := range map[string]string{"x": "[]", "y": "[a]", "z": "[a]"} {
		if got := names(handlers(t, g, concept).Exact); got != want {
			t.Errorf("%s is handled by %s, want %s", concept, got, want)
		}
	}
	read, err := g.Agent(t.Context(), "a")
	mustNot(t, err)
	if read.Description != "" || !slices.Equal(read.Concepts, []string{"y", "z"}) {
		t.Errorf("a write replaces the agent: %+v", read)
	}
	if c, err := g.Concept(t.Context(), "x"); err != nil || c.Agents != 0 {
		t.Errorf("the concept that nobody handles stays: %+v, %v", c, err)
	}
}

func guards(t *testing.T, g Lookup) {
	try := func(what string, guard myriad.Guard, want myriad.Code) {
		t.Helper()
		_, err := g.PutAgent(t.Context(), agent("a", "changed"), guard)
		wantCode(t, "put: "+what, err, want)
	}
	_, err := g.PutAgent(t.Context(), agent("a", "x"), myriad.Guard{Revision: 1})
	wantCode(t, "a revision of an agent that is not there", err, myriad.CodePrecondition)
	owned := agent("a", "x")
	owned.Owner = myriad.OwnerFile
	_, err = g.PutAgent(t.Context(), owned, myriad.Guard{MustNotExist: true, Owner: myriad.OwnerFile})
	mustNot(t, err)
	try("must not exist", myriad.Guard{MustNotExist: true}, myriad.CodeConflict)
	try("another owner", myriad.Guard{Owner: myriad.OwnerAPI}, myriad.CodeConflict)
	try("another revision", myriad.Guard{Revision: 2}, myriad.CodePrecondition)
	for what, guard := range map[string]myriad.Guard{"another owner": {Owner: myriad.OwnerAPI}, "another revision": {Revision: 9}} {
		want := myriad.CodeConflict
		if guard.Revision > 0 {
			want = myriad.CodePrecondition
		}
		_, err := g.DeleteAgent(t.Context(), "a", guard)
		wantCode(t, "delete: "+what, err, want)
	}
	if a, err := g.Agent(t.Context(), "a"); err != nil || a.Revision != 1 || a.Concepts[0] != "x" {
		t.Errorf("a refused write changes nothing: %+v, %v", a, err)
	}
	if h := handlers(t, g, "changed"); len(h.Exact) != 0 {
		t.Errorf("a refused write changes nothing: %v", h)
	}
	try("the right revision and owner", myriad.Guard{Revision: 1, Owner: myriad.OwnerFile}, "")
}

func deleteAgent(t *testing.T, g Lookup) {
	put(t, g, agent("a", "x", "*"))
	put(t, g, agent("b", "x"))
	was, err := g.DeleteAgent(t.Context(), "a", myriad.Guard{})
	if err != nil || was.Name != "a" || was.Endpoint == "" || was.Revision != 1 {
		t.Errorf("deleted %+v, %v", was, err)
	}
	h := handlers(t, g, "x")
	if names(h.Exact) != "[b]" || len(h.Any) != 0 {
		t.Errorf("edges go with the agent: %+v", h)
	}
	_, err = g.DeleteAgent(t.Context(), "a", myriad.Guard{})
	wantCode(t, "deleted twice", err, myriad.CodeNotFound)
	_, err = g.Agent(t.Context(), "a")
	wantCode(t, "read after delete", err, myriad.CodeNotFound)
	if n, err := g.CountAgents(t.Context()); err != nil || n != 1 {
		t.Errorf("count %d, %v", n, err)
	}
	if again := put(t, g, agent("a", "x")); again.Revision != 1 {
		t.Errorf("an agent made anew starts at revision 1: %+v", again)
	}
}

// wholeAgent stores an agent that has everything, a packet with its template included.
func wholeAgent(t *testing.T, g Lookup) {
	a := myriad.Agent{
		Name: "whole", Concepts: []string{"Écran & <LED>", "日本", "c++"}, Intents: []string{"define", "explain"}, SafeIntents: []string{"define"},
		MaxConcurrency: 3, Labels: map[string]string{"k": "v <&> \u2028"}, Auth: &myriad.Auth{Scheme: "header", Header: "X-Key", Env: "KEY"},
		Description: "d", Capabilities: []string{"c1", "c2"}, Version: "1.2", Owner: myriad.OwnerFleet,
		Template: &myriad.Template{
			Kind: myriad.TemplateKnowledge, ID: "factbase_basic", Limits: myriad.Limits{CPU: .5, MemoryBytes: 1 << 28, PIDs: 64},
			Knowledge: &myriad.Knowledge{
				Concept: "led", DisplayName: "LED", PrimaryDefinition: "glows", ConfidenceScore: .925, Applications: []string{"light"},
				Learned: map[string]myriad.Learn{"fact": {Content: "blue", Confidence: .1}},
			},
		},
	}
	stored := put(t, g, a)
	if !stored.Dormant {
		t.Error("a packet without an endpoint is dormant")
	}
	read, err := g.Agent(t.Context(), "whole")
	mustNot(t, err)
	if !reflect.DeepEqual(read, stored) {
		t.Errorf("read  %+v\nwrote %+v", read, stored)
	}
	if h := handlers(t, g, "日本"); len(h.Exact) != 1 || !reflect.DeepEqual(h.Exact[0].Agent, stored) {
		t.Errorf("the look-up gives the whole agent: %+v", h)
	}
	want, _ := myriad.CheckAgent(a)
	want.Revision, want.CreatedAt, want.UpdatedAt = stored.Revision, stored.CreatedAt, stored.UpdatedAt
	if !reflect.DeepEqual(stored, want) {
		t.Errorf("stored %+v\nwant   %+v", stored, want)
	}
}

func lookUp(t *testing.T, g Lookup) {
	if h := handlers(t, g, "nobody_knows"); h.Concept != "nobody_knows" || len(h.Exact)+len(h.Any) != 0 {
		t.Errorf("an unknown concept: %+v", h)
	}
	put(t, g, agent("c", "x"))
	put(t, g, agent("b", "x", "*"))
	put(t, g, agent("a", "*"))
	inactive := agent("d", "x")
	inactive.Status = myriad.AgentInactive
	put(t, g, inactive)
	h := handlers(t, g, "x")
	if names(h.Exact) != "[b c d]" || names(h.Any) != "[a b]" {
		t.Errorf("by name, every status: exact %s, any %s", names(h.Exact), names(h.Any))
	}
	for _, handler := range append(h.Exact, h.Any...) {
		if handler.Weight != .5 {
			t.Errorf("a new edge has the weight 0.5: %s has %v", handler.Agent.Name, handler.Weight)
		}
	}
	if h := handlers(t, g, "y"); len(h.Exact) != 0 || names(h.Any) != "[a b]" {
		t.Errorf("another concept: %+v", h)
	}
	if h := handlers(t, g, "*"); len(h.Exact) != 0 || names(h.Any) != "[a b]" {
		t.Errorf("the concept *: %+v", h)
	}
}

func concepts(t *testing.T, g Lookup) {
	put(t, g, agent("a", "Smart Grid", "*"))
	put(t, g, agent("b", "smart-grid"))
	c, err := g.Concept(t.Context(), "SMART_GRID")
	if err != nil || c.Name != "smart_grid" || c.DisplayName != "Smart Grid" || c.Agents != 2 {
		t.Errorf("concept %+v, %v", c, err)
	}
	_, err = g.Concept(t.Context(), "other")
	wantCode(t, "a concept that is not there", err, myriad.CodeNotFound)
	_, err = g.Concept(t.Context(), " ")
	wantCode(t, "no concept", err, myriad.CodeInvalid)
	listed, next, err := g.Concepts(t.Context(), myriad.Page{})
	if err != nil || next != "" || len(listed) != 1 || listed[0].Name != "smart_grid" || listed[0].Agents != 2 {
		t.Errorf("* is no concept of its own: %+v, %q, %v", listed, next, err)
	}
}

// canonicalNames: one concept, however it is written.
func canonicalNames(t *testing.T, g Lookup) {
	for i, written := range []string{"it's a lamp", "It_S-A.Lamp", "  IT/S  A  LAMP ", "ｉｔ's a lamp"} {
		put(t, g, agent(fmt.Sprint("a", i), written))
	}
	if h := handlers(t, g, "it_s_a_lamp"); names(h.Exact) != "[a0 a1 a2 a3]" {
		t.Errorf("handlers %s", names(h.Exact))
	}
	if listed, _, err := g.Concepts(t.Context(), myriad.Page{}); err != nil || len(listed) != 1 {
		t.Errorf("concepts %+v, %v", listed, err)
	}
	a := put(t, g, agent("a0", "IT/S A LAMP", "it's a lamp"))
	if !slices.Equal(a.Concepts, []string{"IT/S A LAMP"}) {
		t.Errorf("concepts stay as written, once each: %q", a.Concepts)
	}
}

// researchers are found among agents that hold the word elsewhere, and follow every change.
func researchers(t *testing.T, g Lookup) {
	want := func(when string, limit int, want ...string) {
		t.Helper()
		agents, err := g.Researchers(t.Context(), limit)
		mustNot(t, err)
		var got []string
		for _, a := range agents {
			got = append(got, a.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	want("nobody", 10)
	for _, name := range []string{"c", "a", "b"} {
		a := agent(name, "x")
		a.Intents = []string{"define", " Concept_Research "}
		put(t, g, a)
	}
	decoy := agent("decoy", myriad.IntentResearch)
	decoy.Intents, decoy.SafeIntents = []string{"define", "concept_research_more"}, []string{myriad.IntentResearch}
	decoy.Capabilities, decoy.Description = []string{myriad.IntentResearch}, `"concept_research"`
	decoy.Labels = map[string]string{myriad.IntentResearch: myriad.IntentResearch}
	put(t, g, decoy)
	put(t, g, agent("any", "x")) // answers every intent, and declares none
	want("by name", 10, "a", "b", "c")
	want("at most", 2, "a", "b")
	want("none", 0)
	put(t, g, agent("a", "x"))
	_, err := g.DeleteAgent(t.Context(), "b", myriad.Guard{})
	mustNot(t, err)
	want("later", 10, "c")
	if read, err := g.Researchers(t.Context(), 1); err != nil || read[0].Endpoint == "" || len(read[0].Intents) != 2 {
		t.Errorf("whole agents: %+v, %v", read, err)
	}
}

func contextEnds(t *testing.T, g Lookup) {
	put(t, g, agent("a", "x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls := map[string]func() error{
		"Agent":       func() error { _, err := g.Agent(ctx, "a"); return err },
		"Agents":      func() error { _, _, err := g.Agents(ctx, myriad.Page{}); return err },
		"Handlers":    func() error { _, err := g.Handlers(ctx, "x"); return err },
		"Concepts":    func() error { _, _, err := g.Concepts(ctx, myriad.Page{}); return err },
		"Researchers": func() error { _, err := g.Researchers(ctx, 5); return err },
		"CountAgents": func() error { _, err := g.CountAgents(ctx); return err },
		"PutAgent":    func() error { _, err := g.PutAgent(ctx, agent("b", "x"), myriad.Guard{}); return err },
		"DeleteAgent": func() error { _, err := g.DeleteAgent(ctx, "a", myriad.Guard{}); return err },
		"Ping":        func() error { return g.Ping(ctx) },
	}
	for name, call := range calls {
		if err := call(); !ended(err) {
			t.Errorf("%s with an ended context: %v", name, err)
		}
	}
	if h := handlers(t, g, "x"); names(h.Exact) != "[a]" {
		t.Errorf("a write whose caller left changes nothing: %s", names(h.Exact))
	}
}

func concurrentPuts(t *testing.T, g Lookup) {
	const writers, writes = 4, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range writes {
				if _, err := g.PutAgent(t.Context(), agent("shared", "x", fmt.Sprintf("c%d", w*writes+i)), myriad.Guard{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	a, err := g.Agent(t.Context(), "shared")
	mustNot(t, err)
	if a.Revision != writers*writes {
		t.Errorf("every write counts once: revision %d", a.Revision)
	}
	edges := 0
	for i := range writers * writes {
		edges += len(handlers(t, g, fmt.Sprintf("c%d", i)).Exact)
	}
	if edges != 1 || names(handlers(t, g, a.Concepts[1]).Exact) != "[shared]" {
		t.Errorf("the edges are those of one write: %d for %q", edges, a.Concepts)
	}
}

func oneCreates(t *testing.T, g Lookup) {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs = map[myriad.Code]int{}
	)
	for range 8 {
		wg.Go(func() {
			_, err := g.PutAgent(t.Context(), agent("one", "x"), myriad.Guard{MustNotExist: true})
			mu.Lock()
			defer mu.Unlock()
			errs[myriad.ErrorCode(err)]++
		})
	}
	wg.Wait()
	if errs[""] != 1 || errs[myriad.CodeConflict] != 7 {
		t.Errorf("one of eight makes the agent: %v", errs)
	}
}
