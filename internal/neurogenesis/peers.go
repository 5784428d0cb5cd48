package neurogenesis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/myriad-mind/myriad"
)

// self is the name under which peers are asked (wire facts 5.2).
const self = "Orchestrator_Neurogenesis"

// researchers finds the agents that may be asked about any concept.
type researchers interface {
	Researchers(ctx context.Context, limit int) ([]myriad.Agent, error)
}

// caller has one exchange with an agent beside its jobs.
type caller interface {
	Research(ctx context.Context, a *myriad.Agent, path string, body []byte) ([]byte, error)
}

// PeersConfig is what the source of peers is made of. Graph and Caller must be set.
type PeersConfig struct {
	Graph  researchers  // *discovery.Directory
	Caller caller       // *call.Caller
	Logger *slog.Logger // nil: slog.Default
	Max    int          // peers that are asked about one concept, the first by name; 0 is 8
}

// Peers is the Source of agents that declare the intent concept_research: each is asked at /collaborate. Those that sleep or are not active are
// passed over, and so are programs that are only given jobs. It fails when the graph does not answer, or every one that was asked failed.
type Peers struct{ cfg PeersConfig }

// NewPeers makes the source.
func NewPeers(cfg PeersConfig) *Peers {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Max <= 0 {
		cfg.Max = 8
	}
	return &Peers{cfg}
}

// Name is "peers".
func (p *Peers) Name() string { return "peers" }

// Research asks the peers at once and gives what they know, in the order of their names.
func (p *Peers) Research(ctx context.Context, q Question) ([]Finding, error) {
	peers, err := p.peers(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the agents to ask: %w", err)
	}
	body, err := json.Marshal(requestOf(q))
	if err != nil {
		return nil, err
	}
	type answer struct {
		Finding
		ok  bool
		err error
	}
	answers := make([]answer, len(peers))
	var asking sync.WaitGroup
	for i := range peers {
		asking.Go(func() {
			a := &answers[i]
			a.Finding, a.ok, a.err = p.ask(ctx, &peers[i], body)
		})
	}
	asking.Wait()
	var findings []Finding
	var failures []error
	for i, a := range answers {
		switch {
		case a.err != nil:
			p.cfg.Logger.Warn("a peer cannot tell of a concept", slog.String("agent", peers[i].Name), slog.String("concept", q.Concept), slog.Any("error", a.err))
			failures = append(failures, a.err)
		case a.ok:
			a.Source = peers[i].Name
			findings = append(findings, a.Finding)
		}
	}
	if len(failures) == len(peers) {
		return nil, errors.Join(failures...) // nil when there are no peers
	}
	return findings, nil
}

// peers are the agents to ask.
func (p *Peers) peers(ctx context.Context) ([]myriad.Agent, error) {
	listed, err := p.cfg.Graph.Researchers(ctx, 8*p.cfg.Max) // some of them sleep
	if err != nil {
		return nil, err
	}
	var peers []myriad.Agent
	for _, a := range listed {
		if !a.Dormant && a.Endpoint != "" && (a.Status == "" || a.Status == myriad.AgentActive) && listens(a.Template) && len(peers) < p.cfg.Max {
			peers = append(peers, a)
		}
	}
	return peers, nil
}

// listens says whether an agent answers HTTP itself: a program of another mode is given jobs, and has no /collaborate.
func listens(t *myriad.Template) bool {
	return t == nil || t.Kind != myriad.TemplateCommand || t.Mode == myriad.ModeHTTP
}

// ask asks one peer; a panic is its failure.
func (p *Peers) ask(ctx context.Context, a *myriad.Agent, body []byte) (f Finding, ok bool, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			f, ok, err = Finding{}, false, fmt.Errorf("asking it panicked: %v", caught)
		}
	}()
	raw, err := p.cfg.Caller.Research(ctx, a, "/collaborate", body)
	if err != nil {
		return f, false, err
	}
	return readReply(raw)
}

// request is the body of wire facts 5.2.
type request struct {
	SourceAgent struct {
		Name string `json:"name"`
		Type string `json:"type"`
	} `json:"source_agent"`
	CollaborationType string `json:"collaboration_type"`
	TargetConcept     string `json:"target_concept"`
	SpecificRequest   struct {
		KnowledgeType string   `json:"knowledge_type"`
		ResearchDepth string   `json:"research_depth"`
		FocusAreas    []string `json:"focus_areas"`
	} `json:"specific_request"`
	Context struct {
		NeurogenesisTrigger bool   `json:"neurogenesis_trigger"`
		UnknownConcept      string `json:"unknown_concept"`
		OriginalIntent      string `json:"original_intent"`
		ResearchPurpose     string `json:"research_purpose"`
	} `json:"context"`
}

func requestOf(q Question) (r request) {
	r.SourceAgent.Name, r.SourceAgent.Type = self, "ConceptResearcher"
	r.CollaborationType, r.TargetConcept = "knowledge_request", q.Display
	r.SpecificRequest.KnowledgeType, r.SpecificRequest.ResearchDepth = myriad.IntentResearch, "comprehensive"
	r.SpecificRequest.FocusAreas = []string{q.Intent, "definition", "relationships", "applications"}
	r.Context.NeurogenesisTrigger, r.Context.UnknownConcept = true, q.Display
	r.Context.OriginalIntent, r.Context.ResearchPurpose = q.Intent, "concept_expansion"
	return r
}
