package httpapi

import (
	"net/http"

	"github.com/myriad-mind/myriad"
)

// DiscoverRequest is the body of POST /v1/discover.
type DiscoverRequest struct {
	Concept string `json:"concept"`
	Intent  string `json:"intent"`
}

// Discovery is who may serve a concept and an intent now, the best first.
type Discovery struct {
	Concept    string      `json:"concept" jsonschema:"canonical"`
	Intent     string      `json:"intent" jsonschema:"canonical"`
	Known      bool        `json:"known" jsonschema:"false: no agent handles the concept, so one may be grown"`
	Graph      string      `json:"graph"`
	GraphAgeMS int64       `json:"graph_age_ms,omitempty" jsonschema:"of a stale view"`
	Candidates []Candidate `json:"candidates"`
}

// Candidate is one agent with the reasons for its place: the tier, and the factors of the score.
type Candidate struct {
	Agent    string            `json:"agent"`
	Score    float64           `json:"score"`
	Tier     string            `json:"tier,omitempty"`
	Parts    myriad.ScoreParts `json:"parts"`
	Endpoint string            `json:"endpoint,omitempty"`
}

// ConceptList is one page of concepts, by canonical name.
type ConceptList struct {
	Concepts   []myriad.Concept `json:"concepts"`
	NextCursor string           `json:"next_cursor,omitempty"`
}

func (a *API) discover(w *responder, r *http.Request, body []byte) error {
	ask, err := decodeStrict[DiscoverRequest](body)
	if err != nil {
		return err
	}
	concept, intent, err := canonical(ask)
	if err != nil {
		return err
	}
	found, err := a.cfg.Discover.Lookup(r.Context(), concept, intent)
	if err != nil {
		return err
	}
	reply := Discovery{Concept: concept, Intent: intent, Known: found.Known, Graph: myriad.GraphFresh, Candidates: []Candidate{}}
	if found.Stale {
		reply.Graph, reply.GraphAgeMS = myriad.GraphStale, found.Age.Milliseconds()
	}
	for _, c := range found.Candidates {
		reply.Candidates = append(reply.Candidates, Candidate{Agent: c.Agent.Name, Score: c.Score, Tier: c.Tier, Parts: c.Parts,
			Endpoint: c.Agent.Endpoint})
	}
	return a.replyJSON(w, http.StatusOK, reply)
}

// canonical gives both names their one form, or both their mistakes.
func canonical(ask DiscoverRequest) (concept, intent string, err error) {
	var mistakes []myriad.Mistake
	if concept, err = myriad.CanonicalConcept(ask.Concept); err != nil {
		mistakes = append(mistakes, myriad.Mistake{Path: "concept", Rule: err.Error()})
	}
	if intent, err = myriad.CanonicalIntent(ask.Intent); err != nil {
		mistakes = append(mistakes, myriad.Mistake{Path: "intent", Rule: err.Error()})
	}
	return concept, intent, myriad.Invalid(mistakes)
}

func (a *API) listConcepts(w *responder, r *http.Request, _ []byte) error {
	page, err := pageOf(r)
	if err != nil {
		return err
	}
	list, next, err := a.cfg.Agents.Concepts(r.Context(), page)
	if err != nil {
		return cursorMistake(page, err)
	}
	return a.replyJSON(w, http.StatusOK, ConceptList{Concepts: orEmpty(list), NextCursor: next})
}

func (a *API) getConcept(w *responder, r *http.Request, _ []byte) error {
	name, err := myriad.CanonicalConcept(r.PathValue("name"))
	if err != nil {
		return at("name", err)
	}
	concept, err := a.cfg.Agents.Concept(r.Context(), name)
	if err != nil {
		return err
	}
	return a.replyJSON(w, http.StatusOK, concept)
}
