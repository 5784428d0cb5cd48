package neurogenesis

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/agent"
	"github.com/myriad-mind/myriad/internal/call"
)

// noSlots gives no slots: research holds none.
type noSlots struct{}

func (noSlots) Try(myriad.Candidate) (myriad.Slot, bool) { return nil, false }
func (noSlots) Park(string, time.Duration)               {}
func (noSlots) SetLimit(string, int)                     {}

// newCaller reaches agents over HTTP as the server does.
func newCaller(t *testing.T) *call.Caller {
	t.Helper()
	c, err := call.New(call.Config{Slots: noSlots{}, AttemptTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// registry lists agents that research.
type registry []myriad.Agent

func (r registry) Researchers(_ context.Context, limit int) ([]myriad.Agent, error) {
	return slices.Clone(r[:min(limit, len(r))]), nil
}

// peer serves h as an agent that researches.
func peer(t *testing.T, name string, h http.Handler) myriad.Agent {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return myriad.Agent{Name: name, Endpoint: s.URL + "/query", Status: myriad.AgentActive, Intents: []string{myriad.IntentResearch}}
}

// says answers every request with one body.
func says(body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	})
}

func newPeers(t *testing.T, agents ...myriad.Agent) *Peers {
	return NewPeers(PeersConfig{Graph: registry(agents), Caller: newCaller(t), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

// TestPeersAreAsked grows an agent from what two agents of the SDK know, beside one that knows nothing and some that are not to be asked.
func TestPeersAreAsked(t *testing.T) {
	var mu sync.Mutex
	var asked []agent.Collaboration
	expert := func(name string, data any) myriad.Agent {
		a := agent.New(name).With(agent.Options{Concepts: []string{"x"}}).Handle(agent.Any, myriad.IntentResearch, silent).Collaborate(
			agent.CollaboratorFunc(func(_ context.Context, c agent.Collaboration) (agent.CollaborationReply, error) {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, c)
				if data == nil {
					return agent.CollaborationReply{Status: "no_expertise", Text: "nothing"}, nil
				}
				return agent.CollaborationReply{Data: data}, nil
			}))
		return peer(t, name, a)
	}
	never := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("an agent was asked that should not be") })
	sleeps, resting, worker := peer(t, "Sleeps", never), peer(t, "Resting", never), peer(t, "Worker", never)
	sleeps.Dormant, resting.Status = true, myriad.AgentInactive
	worker.Template = &myriad.Template{Kind: myriad.TemplateCommand, Mode: myriad.ModeStdio}
	peers := newPeers(t,
		expert("A", map[string]any{"primary_knowledge": "a diode", "confidence": 0.95, "additional_context": map[string]any{"applications": []string{"light"}}}),
		expert("B", nil), expert("C", map[string]any{"primary_knowledge": "a lamp", "research_confidence": 0.9}), sleeps, resting, worker)
	w := newWorld(t, peers)
	growth := w.grow(t, w.grower(t), t.Context(), myriad.GrowRequest{Concept: "smart_led", Display: "Smart LED", Intent: "define"})
	if growth.Agent == nil || growth.Agent.Name != "Smart_Led_Knowledge_AI" || growth.Definition != "Research found: a diode | a lamp" ||
		!slices.Equal(growth.Data.Sources, []string{"A", "C"}) || growth.Data.Confidence != 0.925 ||
		!slices.Equal(w.agents["Smart_Led_Knowledge_AI"].Template.Knowledge.Applications, []string{"light"}) {
		t.Errorf("got %+v", growth)
	}
	if len(asked) != 3 {
		t.Fatalf("%d were asked", len(asked))
	}
	for _, c := range asked {
		if c.Type != agent.KnowledgeRequest || c.TargetConcept != "Smart LED" || c.SourceAgent != (agent.SourceAgent{Name: "Orchestrator_Neurogenesis", Type: "ConceptResearcher"}) ||
			c.Ask("knowledge_type", "") != "concept_research" || c.Context["original_intent"] != "define" {
			t.Errorf("asked %+v", c)
		}
	}
}

func silent(context.Context, agent.Job) (any, error) { return "", nil }

// TestPeerRequest holds the body to wire facts 5.2.
func TestPeerRequest(t *testing.T) {
	raw, err := json.Marshal(requestOf(Question{Concept: "smart_led", Display: "Smart LED", Intent: "define"}))
	const want = `{"source_agent":{"name":"Orchestrator_Neurogenesis","type":"ConceptResearcher"},"collaboration_type":"knowledge_request",` +
		`"target_concept":"Smart LED","specific_request":{"knowledge_type":"concept_research","research_depth":"comprehensive",` +
		`"focus_areas":["define","definition","relationships","applications"]},"context":{"neurogenesis_trigger":true,"unknown_concept":"Smart LED",` +
		`"original_intent":"define","research_purpose":"concept_expansion"}}`
	if err != nil || string(raw) != want {
		t.Errorf("%s, %v", raw, err)
	}
}

// TestBadPeersCostOnlyThemselves puts every kind of bad peer beside a good one, over HTTP.
func TestBadPeersCostOnlyThemselves(t *testing.T) {
	good := peer(t, "Good", says(`{"status":"success","data":{"primary_knowledge":"a diode","confidence":0.8}}`))
	refused := good
	refused.Name, refused.Endpoint = "Refused", "http://127.0.0.1:1/query"
	bad := map[string]myriad.Agent{
		"refused": refused,
		"500": peer(t, "Bad", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
		})),
		"400": peer(t, "Bad", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"status":"error"}`, http.StatusBadRequest)
		})),
		"cut short": peer(t, "Bad", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })),
	}
	for _, c := range replies {
		if c.want == "!" || c.want == "" {
			bad[c.name] = peer(t, "Bad", says(c.body))
		}
	}
	for name, b := range bad {
		findings, err := newPeers(t, b, good).Research(t.Context(), Question{Concept: "led", Display: "LED", Intent: "define"})
		if err != nil || len(findings) != 1 || findings[0].Source != "Good" || findings[0].Definition != "a diode" {
			t.Errorf("%s: %+v, %v", name, findings, err)
		}
	}
}

// TestOnlyBadPeers: when everybody fails the source fails, when nobody is there, or nobody knows, it does not.
func TestOnlyBadPeers(t *testing.T) {
	q := Question{Concept: "led", Display: "LED", Intent: "define"}
	if found, err := newPeers(t).Research(t.Context(), q); err != nil || found != nil {
		t.Errorf("nobody: %v, %v", found, err)
	}
	if found, err := newPeers(t, peer(t, "A", says(`{"status":"no_expertise"}`))).Research(t.Context(), q); err != nil || found != nil {
		t.Errorf("nobody knows: %v, %v", found, err)
	}
	if _, err := newPeers(t, peer(t, "A", says(`[]`)), peer(t, "B", says(`{`))).Research(t.Context(), q); err == nil {
		t.Error("everybody failed")
	}
	away := NewPeers(PeersConfig{Graph: awayGraph{}, Caller: newCaller(t)})
	if _, err := away.Research(t.Context(), q); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("the graph is away: %v", err)
	}
}

type awayGraph struct{}

func (awayGraph) Researchers(context.Context, int) ([]myriad.Agent, error) { return nil, errBroken }

// TestPeersAreBounded asks the first eight by name.
func TestPeersAreBounded(t *testing.T) {
	var all []myriad.Agent
	for i := range 12 {
		all = append(all, peer(t, fmt.Sprintf("P%02d", i), says(`{"status":"success","data":{"primary_knowledge":"x","confidence":1}}`)))
	}
	findings, err := newPeers(t, all...).Research(t.Context(), Question{Concept: "led", Display: "LED", Intent: "define"})
	if err != nil || len(findings) != 8 || findings[0].Source != "P00" || findings[7].Source != "P07" {
		t.Errorf("%+v, %v", findings, err)
	}
}

// TestSlowPeerIsLeft: the others' answers count when one peer takes all the time there is.
func TestSlowPeerIsLeft(t *testing.T) {
	over := make(chan struct{})
	slow := peer(t, "A", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}))
	defer close(over)
	good := peer(t, "B", says(`{"status":"success","data":{"primary_knowledge":"a diode","confidence":0.8}}`))
	w := newWorld(t, newPeers(t, slow, good))
	w.cfg.SourceTimeout = 300 * time.Millisecond
	if growth := w.grow(t, w.grower(t), t.Context(), led); growth.Agent == nil || !slices.Equal(growth.Data.Sources, []string{"B"}) {
		t.Errorf("got %+v", growth)
	}
}

// unwired lets everybody be asked, and panics when somebody is.
type unwired struct{ caller }

func (unwired) Ready(*myriad.Agent) (bool, time.Duration) { return true, 0 }

// TestPanicOfTheCaller is the peer's failure.
func TestPanicOfTheCaller(t *testing.T) {
	p := NewPeers(PeersConfig{Graph: registry{{Name: "A", Endpoint: "http://h/"}}, Caller: unwired{}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if _, err := p.Research(t.Context(), Question{}); err == nil || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("got %v", err)
	}
}
