package httpapi

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// fakeAgents is a registry in memory, with guards and pages.
type fakeAgents struct {
	mu   sync.Mutex
	byID map[string]myriad.Agent
	err  error
}

func (f *fakeAgents) PutAgent(_ context.Context, a myriad.Agent, g myriad.Guard) (myriad.Agent, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, there := f.byID[a.Name]
	if err := guard(old, there, g); err != nil {
		return a, err
	}
	a.Revision, a.CreatedAt, a.UpdatedAt = old.Revision+1, noon, noon
	f.byID[a.Name] = a
	return a, f.err
}

func guard(old myriad.Agent, there bool, g myriad.Guard) error {
	switch {
	case there && g.MustNotExist:
		return myriad.Errorf(myriad.CodeConflict, "there is an agent %s already", old.Name)
	case there && g.Owner != "" && old.Owner != g.Owner:
		return myriad.Errorf(myriad.CodeConflict, "the agent %s belongs to the %s", old.Name, old.Owner)
	case g.Revision > 0 && old.Revision != g.Revision:
		return myriad.Errorf(myriad.CodePrecondition, "the agent %s has another revision", old.Name)
	}
	return nil
}

func (f *fakeAgents) DeleteAgent(_ context.Context, name string, g myriad.Guard) (myriad.Agent, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, there := f.byID[name]
	if !there {
		return old, myriad.Errorf(myriad.CodeNotFound, "there is no agent %s", name)
	}
	if err := guard(old, there, g); err != nil {
		return old, err
	}
	delete(f.byID, name)
	return old, nil
}

func (f *fakeAgents) Agent(_ context.Context, name string) (myriad.Agent, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, there := f.byID[name]
	if !there {
		return a, myriad.Errorf(myriad.CodeNotFound, "there is no agent %s", name)
	}
	return a, nil
}

func (f *fakeAgents) Agents(_ context.Context, page myriad.Page) ([]myriad.Agent, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []myriad.Agent
	for _, a := range f.byID {
		if a.Name > page.Cursor {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, func(a, b myriad.Agent) int { return cmp.Compare(a.Name, b.Name) })
	limit := min(cmp.Or(page.Limit, 100), 1000)
	if len(all) > limit {
		return all[:limit], all[limit-1].Name, f.err
	}
	return all, "", f.err
}

func (f *fakeAgents) Concepts(_ context.Context, page myriad.Page) ([]myriad.Concept, string, error) {
	if page.Cursor != "" {
		return nil, "", myriad.Errorf(myriad.CodeInvalid, "no such cursor")
	}
	return []myriad.Concept{{Name: "lightbulb", Agents: 2, Properties: myriad.Properties{"complexity": 0.5}}}, "", nil
}

func (f *fakeAgents) Concept(_ context.Context, name string) (myriad.Concept, error) {
	if name != "light_bulb" {
		return myriad.Concept{}, myriad.Errorf(myriad.CodeNotFound, "there is no concept %s", name)
	}
	return myriad.Concept{Name: name, DisplayName: "Light Bulb", Agents: 1}, nil
}

// fakeDirectory finds among agents by their first concept.
type fakeDirectory struct {
	agents *fakeAgents
	err    error
	stale  bool
}

func (f *fakeDirectory) Lookup(ctx context.Context, concept, _ string) (myriad.Found, error) {
	found := myriad.Found{Concept: concept, Stale: f.stale, Age: time.Second}
	list, _, _ := f.agents.Agents(ctx, myriad.Page{})
	for i := range list {
		if key, _ := myriad.CanonicalConcept(list[i].Concepts[0]); key == concept {
			found.Known = true
			found.Candidates = append(found.Candidates, myriad.Candidate{Agent: &list[i], Tier: myriad.TierExact, Score: 0.5, Parts: myriad.ScoreParts{Weight: 0.5, Availability: 1, Load: 1, Latency: 1}})
		}
	}
	return found, f.err
}

// fakeBreakers has one breaker for each agent that was forced.
type fakeBreakers struct {
	mu    sync.Mutex
	state map[string]myriad.BreakerState
}

func (f *fakeBreakers) Breakers(agent string) []myriad.BreakerState {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s, ok := f.state[agent]; ok {
		return []myriad.BreakerState{s}
	}
	return nil
}

func (f *fakeBreakers) ForceBreaker(agent, mode string) ([]myriad.BreakerState, error) {
	s := map[string]myriad.BreakerState{
		"open":  {Circuit: agent, Agent: agent, State: "open", Mode: "forced_open", Reason: "forced", ChangedAt: noon},
		"close": {Circuit: agent, Agent: agent, State: "closed", Mode: "forced_closed", Reason: "forced", ChangedAt: noon},
		"auto":  {Circuit: agent, Agent: agent, State: "closed", Mode: "auto", Reason: "forced", ChangedAt: noon},
	}[mode]
	f.mu.Lock()
	f.state[agent] = s
	f.mu.Unlock()
	return f.Breakers(agent), nil
}
