package discovery

import (
	"cmp"
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
)

// The score of a candidate never falls below floor, so that one in disfavour is still asked when nobody else can be; unhealthy is what an agent's
// availability counts for when the graph calls it so.
const (
	floor     = 0.01
	unhealthy = 0.1
)

// place is where a candidate's tier comes; dormant ones of every concept come last.
func place(c *myriad.Candidate) int {
	switch {
	case c.Tier == myriad.TierExact:
		return 0
	case c.Tier == myriad.TierDormant:
		return 1
	case !c.Agent.Dormant:
		return 2
	}
	return 3
}

// rank orders those who may answer the intent: awake exact ones, dormant exact ones, those of every concept; inside a tier by score, then by name.
// The handlers are as the graph had them at.
func (d *Directory) rank(h *myriad.Handlers, at time.Time, intent string, now time.Time) myriad.Found {
	found := myriad.Found{Concept: h.Concept, Known: len(h.Exact) > 0}
	if len(h.Exact)+len(h.Any) > 0 {
		found.Candidates = make([]myriad.Candidate, 0, len(h.Exact)+len(h.Any))
	}
	for i := range h.Exact {
		if a := d.present(&h.Exact[i].Agent); mayAnswer(a, intent) {
			tier := myriad.TierExact
			if a.Dormant {
				tier = myriad.TierDormant
			}
			found.Candidates = append(found.Candidates, d.candidate(a, h.Exact[i].Weight, tier, intent))
		}
	}
	for i := range h.Any {
		if a := d.present(&h.Any[i].Agent); mayAnswer(a, intent) {
			found.Known = true
			if slices.ContainsFunc(h.Exact, func(e myriad.Handler) bool { return e.Agent.Name == a.Name }) {
				continue // it handles the concept itself too
			}
			found.Candidates = append(found.Candidates, d.candidate(a, h.Any[i].Weight, myriad.TierAny, intent))
		}
	}
	slices.SortFunc(found.Candidates, func(a, b myriad.Candidate) int {
		if by := cmp.Or(cmp.Compare(place(&a), place(&b)), cmp.Compare(b.Score, a.Score)); by != 0 {
			return by
		}
		return cmp.Compare(a.Agent.Name, b.Agent.Name)
	})
	if len(found.Candidates) > d.cfg.MaxCandidates {
		found.Candidates = slices.Clip(found.Candidates[:d.cfg.MaxCandidates])
	}
	if d.down.Load() {
		found.Stale, found.Age = true, now.Sub(at)
	}
	return found
}

// mayAnswer says whether the agent may be asked: it is not switched off, and declares the intent or none at all.
func mayAnswer(a *myriad.Agent, intent string) bool {
	return a.Status != myriad.AgentInactive && (len(a.Intents) == 0 || slices.Contains(a.Intents, intent))
}

// present is the agent as it can be reached now: the graph knows packets as dormant, whoever runs them knows where they are.
func (d *Directory) present(a *myriad.Agent) *myriad.Agent {
	if a.Template != nil && d.cfg.Awake != nil {
		if live := d.cfg.Awake(a.Name); live != nil {
			return live
		}
	}
	return a
}

// candidate scores an agent.
func (d *Directory) candidate(a *myriad.Agent, weight float64, tier, intent string) myriad.Candidate {
	parts := myriad.ScoreParts{Weight: weight, Availability: 1, Load: 1, Latency: 1}
	if d.cfg.Signals != nil {
		parts.Availability, parts.Load, parts.Latency = d.cfg.Signals(a, intent)
	}
	if a.Status == myriad.AgentUnhealthy {
		parts.Availability *= unhealthy
	}
	score := floor + (1-floor)*parts.Weight*parts.Availability*parts.Load*parts.Latency
	return myriad.Candidate{Agent: a, Tier: tier, Score: score, Parts: parts}
}
