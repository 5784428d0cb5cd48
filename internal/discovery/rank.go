package discovery

import (
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

// before says whether candidate a comes before b: awake exact ones, dormant exact ones, those of every concept; inside a tier by score, then by name.
func before(a, b *myriad.Candidate) bool {
	if at, other := place(a), place(b); at != other {
		return at < other
	}
	if a.Score != b.Score {
		return a.Score > b.Score
	}
	return a.Agent.Name < b.Agent.Name
}

// best are the best candidates so far, in order, at most as many as an answer names. Of a concept that tens of thousands handle a look-up asks after
// the state of few: an agent whose weight alone keeps it from coming in is not scored.
type best struct {
	list []myriad.Candidate
	most int
}

// beyond says that no agent of this tier and weight comes in, however well it does otherwise.
func (b *best) beyond(a *myriad.Agent, tier string, weight float64) bool {
	return len(b.list) == b.most && !before(&myriad.Candidate{Agent: a, Tier: tier, Score: scoreOf(weight)}, &b.list[b.most-1])
}

func (b *best) add(c myriad.Candidate) {
	switch {
	case len(b.list) < b.most:
		b.list = append(b.list, c)
	case before(&c, &b.list[b.most-1]):
		b.list[b.most-1] = c
	default:
		return
	}
	for at := len(b.list) - 1; at > 0 && before(&b.list[at], &b.list[at-1]); at-- {
		b.list[at], b.list[at-1] = b.list[at-1], b.list[at]
	}
}

// rank orders those who may answer the intent. The handlers are as the graph had them at.
func (d *Directory) rank(h *myriad.Handlers, at time.Time, intent string, now time.Time) myriad.Found {
	found := myriad.Found{Concept: h.Concept, Known: len(h.Exact) > 0}
	ranked := best{most: d.cfg.MaxCandidates}
	if n := min(len(h.Exact)+len(h.Any), ranked.most); n > 0 {
		ranked.list = make([]myriad.Candidate, 0, n)
	}
	for i := range h.Exact {
		if a := d.present(&h.Exact[i].Agent); mayAnswer(a, intent) {
			tier := myriad.TierExact
			if a.Dormant {
				tier = myriad.TierDormant
			}
			if !ranked.beyond(a, tier, h.Exact[i].Weight) {
				ranked.add(d.candidate(a, h.Exact[i].Weight, tier, intent))
			}
		}
	}
	for i := range h.Any {
		if a := d.present(&h.Any[i].Agent); mayAnswer(a, intent) {
			found.Known = true
			if !ranked.beyond(a, myriad.TierAny, h.Any[i].Weight) && !handles(h.Exact, a.Name) { // else it is among them already
				ranked.add(d.candidate(a, h.Any[i].Weight, myriad.TierAny, intent))
			}
		}
	}
	found.Candidates = ranked.list
	if d.down.Load() {
		found.Stale, found.Age = true, now.Sub(at)
	}
	return found
}

// handles says whether the agent is one of those that handle the concept itself.
func handles(exact []myriad.Handler, name string) bool {
	for i := range exact { // not a range over values: a handler is large
		if exact[i].Agent.Name == name {
			return true
		}
	}
	return false
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
	score := scoreOf(parts.Weight * parts.Availability * parts.Load * parts.Latency)
	return myriad.Candidate{Agent: a, Tier: tier, Score: score, Parts: parts}
}

// scoreOf is the score of a candidate whose parts, none of them over 1, have this product.
func scoreOf(product float64) float64 { return floor + (1-floor)*product }
