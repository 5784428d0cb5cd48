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

var tierOrder = map[string]int{myriad.TierExact: 0, myriad.TierDormant: 1, myriad.TierAny: 2}

// rank orders those who may answer the intent: awake exact ones, dormant exact ones, those of every concept; inside a tier by score, then by name.
// The handlers are as the graph had them at.
func (d *Directory) rank(h *myriad.Handlers, at time.Time, intent string, now time.Time) myriad.Found {
	found := myriad.Found{Concept: h.Concept, Known: len(h.Exact) > 0}
	if len(h.Exact)+len(h.Any) > 0 {
		found.Candidates = make([]myriad.Candidate, 0, len(h.Exact)+len(h.Any))
	}
	for i := range h.Exact {
		tier := myriad.TierExact
		if h.Exact[i].Agent.Dormant {
			tier = myriad.TierDormant
		}
		d.consider(&found, &h.Exact[i], tier, intent)
	}
	for i := range h.Any {
		if d.consider(&found, &h.Any[i], myriad.TierAny, intent) {
			found.Known = true
		}
	}
	slices.SortFunc(found.Candidates, func(a, b myriad.Candidate) int {
		return cmp.Or(cmp.Compare(tierOrder[a.Tier], tierOrder[b.Tier]), cmp.Compare(b.Score, a.Score), cmp.Compare(a.Agent.Name, b.Agent.Name))
	})
	if d.down.Load() {
		found.Stale, found.Age = true, now.Sub(at)
	}
	return found
}

// consider adds the handler to the candidates if it may answer the intent now, and says so.
func (d *Directory) consider(found *myriad.Found, h *myriad.Handler, tier, intent string) bool {
	a := &h.Agent
	if a.Status == myriad.AgentInactive || len(a.Intents) > 0 && !slices.Contains(a.Intents, intent) {
		return false
	}
	for i := range found.Candidates { // an agent may handle the concept and every concept
		if found.Candidates[i].Agent.Name == a.Name {
			return true
		}
	}
	parts := myriad.ScoreParts{Weight: h.Weight, Availability: 1, Load: 1, Latency: 1}
	if d.cfg.Signals != nil {
		parts.Availability, parts.Load, parts.Latency = d.cfg.Signals(a, intent)
	}
	if a.Status == myriad.AgentUnhealthy {
		parts.Availability *= unhealthy
	}
	score := floor + (1-floor)*parts.Weight*parts.Availability*parts.Load*parts.Latency
	found.Candidates = append(found.Candidates, myriad.Candidate{Agent: a, Tier: tier, Score: score, Parts: parts})
	return true
}
