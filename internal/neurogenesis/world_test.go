package neurogenesis

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// world is everything around a Grower, in memory: agents are found as soon as they are put. A hook that is set decides a call before it is done.
type world struct {
	cfg Config

	mu       sync.Mutex
	agents   map[string]myriad.Agent
	concepts map[string]myriad.Properties
	events   []myriad.Event
	pins     map[string]int // by agent
	wakes    []myriad.WakeRequest
	calls    []string // of graph, packets and fleet, in order

	stale      bool
	putConcept func(name string) error
	putAgent   func(a myriad.Agent) error
	wake       func(ctx context.Context, req myriad.WakeRequest) (myriad.Woken, bool)
	grown      func() (int64, error)
}

func newWorld(t *testing.T, sources ...Source) *world {
	w := &world{agents: map[string]myriad.Agent{}, concepts: map[string]myriad.Properties{}, pins: map[string]int{}}
	w.cfg = Config{
		Enabled: true, Sources: sources, Graph: w, Packets: w, Fleet: w, Count: w, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Sink: myriad.SinkFunc(func(e myriad.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		}),
	}
	return w
}

// grower makes the Grower, closed at the end of the test.
func (w *world) grower(t *testing.T) *Grower {
	t.Helper()
	g, err := New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func (w *world) note(call string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call)
}

func (w *world) Find(_ context.Context, concept, intent string, done func(myriad.Found, error)) {
	w.note("find")
	w.mu.Lock()
	found := myriad.Found{Concept: concept, Stale: w.stale}
	for _, name := range slices.Sorted(maps.Keys(w.agents)) {
		if a := w.agents[name]; slices.Contains(a.ConceptKeys(), concept) {
			found.Known = true
			if len(a.Intents) == 0 || slices.Contains(a.Intents, intent) {
				found.Candidates = append(found.Candidates, myriad.Candidate{Agent: &a, Tier: myriad.TierExact})
			}
		}
	}
	w.mu.Unlock()
	done(found, nil)
}

func (w *world) PutConcept(_ context.Context, name string, props myriad.Properties) error {
	w.note("put concept")
	if w.putConcept != nil {
		if err := w.putConcept(name); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.concepts[name] = props
	return nil
}

func (w *world) Concept(_ context.Context, name string) (myriad.Concept, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	props, ok := w.concepts[name]
	if !ok {
		return myriad.Concept{}, myriad.Errorf(myriad.CodeNotFound, "no concept")
	}
	definition, _ := props["primary_definition"].(string)
	return myriad.Concept{Name: name, Definition: definition}, nil
}

func (w *world) PutAgent(_ context.Context, a myriad.Agent, guard myriad.Guard) (myriad.Agent, error) {
	w.note("put agent")
	if w.putAgent != nil {
		if err := w.putAgent(a); err != nil {
			return myriad.Agent{}, err
		}
	}
	a, mistakes := myriad.CheckAgent(a)
	if err := myriad.Invalid(mistakes); err != nil {
		return a, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, taken := w.agents[a.Name]; taken && guard.MustNotExist {
		return a, myriad.Errorf(myriad.CodeConflict, "taken")
	}
	a.Revision = 1
	w.agents[a.Name] = a
	return a, nil
}

func (w *world) Agent(_ context.Context, name string) (myriad.Agent, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, ok := w.agents[name]
	if !ok {
		return a, myriad.Errorf(myriad.CodeNotFound, "no agent")
	}
	return a, nil
}

func (w *world) CountGrown(context.Context) (n int64, err error) {
	if w.grown != nil {
		return w.grown()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.agents {
		if a.Owner == myriad.OwnerFleet {
			n++
		}
	}
	return n, nil
}

// Wake answers later, from a goroutine of its own.
func (w *world) Wake(ctx context.Context, req myriad.WakeRequest, done func(myriad.Woken)) {
	w.note("wake")
	w.mu.Lock()
	w.wakes = append(w.wakes, req)
	w.mu.Unlock()
	go func() {
		if w.wake != nil {
			if woken, ok := w.wake(ctx, req); ok {
				done(woken)
				return
			}
		}
		up := *req.Agent
		up.Endpoint, up.Dormant = "http://127.0.0.1:9/"+up.Name+"/query", false
		w.mu.Lock()
		w.pins[up.Name]++
		w.mu.Unlock()
		done(myriad.Woken{Agent: &up, Cold: 3 * time.Millisecond, Release: func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.pins[up.Name]--
		}})
	}()
}

// grow asks and waits for the answer; one that comes twice fails the test.
func (w *world) grow(t *testing.T, g *Grower, ctx context.Context, req myriad.GrowRequest) myriad.Growth {
	t.Helper()
	answers := make(chan myriad.Growth, 2)
	g.Grow(ctx, req, func(growth myriad.Growth) { answers <- growth })
	growth := <-answers
	select {
	case again := <-answers:
		t.Errorf("told twice: %+v", again)
	default:
	}
	return growth
}

// statuses are those of the neurogenesis events.
func (w *world) statuses() (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind == myriad.KindNeurogenesis {
			all = append(all, e.Concept+" "+e.Reason)
		}
	}
	return all
}

func (w *world) names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.agents))
}

// led is the question of most tests.
var led = myriad.GrowRequest{Concept: "led", Display: "LED", Intent: "define", Priority: 3}

// source is a Source made of a function.
type source struct {
	name string
	f    func(ctx context.Context, q Question) ([]Finding, error)
}

func (s source) Name() string { return s.name }

func (s source) Research(ctx context.Context, q Question) ([]Finding, error) { return s.f(ctx, q) }

func ptr(f float64) *float64 { return &f }

// knows is a source that knows everything.
func knows(name, definition string, confidence float64, uses ...string) Source {
	return source{name, func(context.Context, Question) ([]Finding, error) {
		return []Finding{{Definition: definition, Confidence: ptr(confidence), Applications: uses}}, nil
	}}
}

// empty is a source that knows nothing.
var empty = source{"empty", func(context.Context, Question) ([]Finding, error) { return nil, nil }}
