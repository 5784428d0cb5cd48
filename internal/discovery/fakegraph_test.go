package discovery_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/myriad-mind/myriad"
)

// graph answers from a map of agents; it counts look-ups, can be held, and can be taken away.
type graph struct {
	myriad.Graph // what these tests do not ask for

	lookups atomic.Int64
	down    atomic.Bool
	hold    chan struct{} // when set, look-ups wait for it

	mu     sync.Mutex
	agents map[string]myriad.Agent
}

func newGraph(agents ...myriad.Agent) *graph {
	g := &graph{agents: map[string]myriad.Agent{}}
	for _, a := range agents {
		a, mistakes := myriad.CheckAgent(a)
		if len(mistakes) > 0 {
			panic(fmt.Sprint(mistakes))
		}
		g.agents[a.Name] = a
	}
	return g
}

var errDown = myriad.Errorf(myriad.CodeUnavailable, "taken away")

func (g *graph) err(ctx context.Context) error {
	if g.down.Load() {
		return errDown
	}
	return ctx.Err()
}

func (g *graph) Ping(ctx context.Context) error { return g.err(ctx) }

func (g *graph) Handlers(ctx context.Context, concept string) (myriad.Handlers, error) {
	g.lookups.Add(1)
	g.mu.Lock()
	h := myriad.Handlers{Concept: concept}
	for _, a := range g.agents {
		for _, key := range a.ConceptKeys() {
			switch key {
			case concept:
				h.Exact = append(h.Exact, myriad.Handler{Agent: a, Weight: 0.5})
			case myriad.AnyConcept:
				h.Any = append(h.Any, myriad.Handler{Agent: a, Weight: 0.5})
			}
		}
	}
	g.mu.Unlock()
	if g.hold != nil {
		<-g.hold
	}
	return h, g.err(ctx)
}

func (g *graph) Agent(ctx context.Context, name string) (myriad.Agent, error) {
	if err := g.err(ctx); err != nil {
		return myriad.Agent{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	a, ok := g.agents[name]
	if !ok {
		return a, myriad.Errorf(myriad.CodeNotFound, "no agent %s", name)
	}
	return a, nil
}

func (g *graph) PutAgent(ctx context.Context, a myriad.Agent, guard myriad.Guard) (myriad.Agent, error) {
	if err := g.err(ctx); err != nil {
		return a, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	was, ok := g.agents[a.Name]
	if ok && guard.MustNotExist {
		return a, myriad.Errorf(myriad.CodeConflict, "taken")
	}
	a.Revision = was.Revision + 1
	g.agents[a.Name] = a
	return a, nil
}

func (g *graph) DeleteAgent(ctx context.Context, name string, _ myriad.Guard) (myriad.Agent, error) {
	was, err := g.Agent(ctx, name)
	if err == nil {
		g.mu.Lock()
		delete(g.agents, name)
		g.mu.Unlock()
	}
	return was, err
}

func agent(name string, change ...func(*myriad.Agent)) myriad.Agent {
	a := myriad.Agent{Name: name, Endpoint: "http://127.0.0.1:1/" + name, Concepts: []string{"pump"}}
	for _, c := range change {
		c(&a)
	}
	return a
}

func concepts(c ...string) func(*myriad.Agent) { return func(a *myriad.Agent) { a.Concepts = c } }
func intents(i ...string) func(*myriad.Agent)  { return func(a *myriad.Agent) { a.Intents = i } }

func names(f myriad.Found) []string {
	out := []string{}
	for _, c := range f.Candidates {
		out = append(out, c.Agent.Name)
	}
	return out
}
