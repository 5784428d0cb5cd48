package neurogenesis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

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
	// Ready says whether the agent's breaker would let a call through now, else how long until it may. It tells nobody: who is looked at was
	// offered no task.
	Ready(a *myriad.Agent) (ok bool, retryAfter time.Duration)
}

// PeersConfig is what the source of peers is made of. Graph and Caller must be set.
type PeersConfig struct {
	Graph    researchers   // *discovery.Directory
	Caller   caller        // *call.Caller
	Fleet    fleet         // *lifecycle.Manager; nil: those that sleep are passed over
	Logger   *slog.Logger  // nil: slog.Default
	Max      int           // peers that are asked about one concept, those that are awake before those that are not, each by name; 0 is 8
	Patience time.Duration // how long one that sleeps waits for room in the fleet, and half of the time left at most; 0 is 1 s
}

// mostResearchers is how many agents that research are looked at for those to ask.
const mostResearchers = 1024

// Peers is the Source of agents that declare the intent concept_research: each is asked at /collaborate. One that sleeps is woken for it, as far as those
// that are awake leave places, and pinned until it has answered. Those that are not active are passed over, and so are programs that are only given jobs.
// It fails when the graph does not answer, or every one that was to be asked failed or was turned away; with the code of a reason not to ask (see Source) when
// one of them was turned away, since that one may know.
type Peers struct{ cfg PeersConfig }

// NewPeers makes the source.
func NewPeers(cfg PeersConfig) *Peers {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Max <= 0 {
		cfg.Max = 8
	}
	if cfg.Patience <= 0 {
		cfg.Patience = time.Second
	}
	return &Peers{cfg}
}

// Name is "peers".
func (p *Peers) Name() string { return "peers" }

// Research asks the peers at once and gives what they know, in the order in which they were chosen.
func (p *Peers) Research(ctx context.Context, q Question) ([]Finding, error) {
	peers, failures, err := p.peers(ctx)
	if err != nil {
		return nil, myriad.Errorf(myriad.TaskErrGraph, "find the agents to ask: %w", err)
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
			a.Finding, a.ok, a.err = p.ask(ctx, &peers[i], q, body)
		})
	}
	asking.Wait()
	var findings []Finding
	heard := len(peers) == 0 && len(failures) == 0 // there is nobody to be heard
	for i, a := range answers {
		switch {
		case a.err != nil:
			p.cfg.Logger.Warn("a peer cannot tell of a concept", slog.String("agent", peers[i].Name), slog.String("concept", q.Concept), slog.Any("error", a.err))
			failures = append(failures, a.err)
			continue
		case a.ok:
			a.Source = peers[i].Name
			findings = append(findings, a.Finding)
		}
		heard = true
	}
	if heard {
		return findings, nil
	}
	return nil, allFailed(failures)
}

// allFailed is why no peer could tell. The others may not be asked again any better, but one that was turned away may.
func allFailed(failures []error) error {
	var why *myriad.Error
	away := 0
	for _, err := range failures {
		e, ok := errors.AsType[*myriad.Error](err)
		if !ok || !unasked(err) {
			continue
		}
		away++
		switch {
		case why == nil:
			first := *e
			why = &first
		case e.Code == myriad.TaskErrFleetFull && why.Code != e.Code: // room may be there before anything else is
			why.Code, why.Message, why.Err = e.Code, e.Message, e.Err
		}
		if e.RetryAfter > 0 && (why.RetryAfter == 0 || e.RetryAfter < why.RetryAfter) {
			why.RetryAfter = e.RetryAfter
		}
	}
	if why == nil {
		return errors.Join(failures...)
	}
	if away > 1 {
		why.Message += fmt.Sprintf("; %d more could not be asked", away-1)
	}
	return why
}

// peers are the agents to ask: those that are awake, then those that can be woken. away is why others are not, each: they would take a place, or be
// woken, to be turned away.
func (p *Peers) peers(ctx context.Context) (peers []myriad.Agent, away []error, err error) {
	listed, err := p.cfg.Graph.Researchers(ctx, mostResearchers)
	if err != nil {
		return nil, nil, err
	}
	for _, asleep := range []bool{false, true} {
		for i := range listed {
			a := &listed[i]
			if len(peers) == p.cfg.Max || dormant(a) != asleep || !asked(a) || asleep && (p.cfg.Fleet == nil || a.Template == nil) {
				continue
			}
			if ready, wait := p.cfg.Caller.Ready(a); !ready {
				open := myriad.Errorf(myriad.TaskErrCircuitOpen, "the circuit breaker of agent %s is open, so it is not asked", a.Name)
				open.RetryAfter = wait
				away = append(away, open)
				continue
			}
			peers = append(peers, *a)
		}
	}
	return peers, away, nil
}

func dormant(a *myriad.Agent) bool { return a.Dormant || a.Endpoint == "" }

// asked says whether an agent may be asked when it is awake.
func asked(a *myriad.Agent) bool {
	return (a.Status == "" || a.Status == myriad.AgentActive) && listens(a.Template)
}

// listens says whether an agent answers HTTP itself: a program of another mode is given jobs, and has no /collaborate.
func listens(t *myriad.Template) bool {
	return t == nil || t.Kind != myriad.TemplateCommand || t.Mode == myriad.ModeHTTP
}

// ask asks one peer, which is woken first when it sleeps, and pinned; a panic is its failure.
func (p *Peers) ask(ctx context.Context, a *myriad.Agent, q Question, body []byte) (f Finding, ok bool, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			f, ok, err = Finding{}, false, fmt.Errorf("asking it panicked: %v", caught)
		}
	}()
	if p.cfg.Fleet != nil && a.Template != nil { // one that was awake a moment ago may not be any more
		woken := p.wake(ctx, a, q)
		if woken.Err != nil {
			return f, false, woken.Err
		}
		defer woken.Release()
		a = woken.Agent
	}
	raw, err := p.cfg.Caller.Research(ctx, a, "/collaborate", body)
	if err != nil {
		return f, false, err
	}
	return readReply(raw)
}

// wake has a peer woken and pinned. What it needs for that is its own time: it is no part of the exchange, and counts against nobody.
func (p *Peers) wake(ctx context.Context, a *myriad.Agent, q Question) myriad.Woken {
	req := myriad.WakeRequest{Agent: a, Kind: myriad.QueueWake, Concept: q.Concept, Intent: myriad.IntentResearch, Patience: p.cfg.Patience, Passing: true}
	if deadline, ok := ctx.Deadline(); ok {
		req.Deadline, req.Patience = deadline, max(min(req.Patience, time.Until(deadline)/2), 1)
	}
	answers := make(chan myriad.Woken, 1)
	p.cfg.Fleet.Wake(ctx, req, func(w myriad.Woken) { answers <- w })
	w := <-answers // at the end of ctx at the latest
	switch code := myriad.ErrorCode(w.Err); {
	case w.Err == nil && w.Agent == nil:
		w.Err = errors.New("the fleet gave none")
	case code == myriad.CodeDeadline || code == myriad.CodeUnavailable || code == myriad.CodeDraining:
		w.Err = myriad.Errorf(myriad.TaskErrAsleep, "ask agent %s: it was not awake in time: %w", a.Name, w.Err)
	}
	return w
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
