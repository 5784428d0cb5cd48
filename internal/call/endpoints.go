package call

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/resilience"
)

const (
	maxEndpoints  = 16384
	sweepInterval = 10 * time.Second // not oftener
	maxForced     = 1024             // operators' orders for agents that were not called yet
)

// endpoint is what is kept of one place where jobs go: one agent's, or one that several agents share.
type endpoint struct {
	key     string // SlotKey of its agents
	circuit string // name of its breaker
	agent   string // the first of its agents; guarded by endpoints.mu
	address string // where it is: the first agent's endpoint when it was made
	breaker *resilience.Breaker
	limit   *resilience.AdaptiveLimit // nil: not adaptive
	busy    atomic.Int64              // attempts under way
	gone    atomic.Bool               // forgotten: its breaker is not told of any more
	target  atomic.Pointer[target]
	others  map[string]bool // guarded by endpoints.mu: further agents at this endpoint
}

// leadsTo takes the agent's endpoint apart, once as long as it stays the same.
func (e *endpoint) leadsTo(stored string) *target {
	if t := e.target.Load(); t != nil && t.endpoint == stored {
		return t
	}
	t := newTarget(stored)
	e.target.Store(t)
	return t
}

// serves says whether the agent is one of those at this endpoint. Callers hold endpoints.mu.
func (e *endpoint) serves(agent string) bool { return e.agent == agent || e.others[agent] }

// endpoints holds every endpoint that was called and is not forgotten, by slot key.
type endpoints struct {
	cfg Config

	mu       sync.RWMutex
	byKey    map[string]*endpoint       // guarded by mu
	circuits map[string]*endpoint       // guarded by mu: names are unique
	forced   map[string]resilience.Mode // guarded by mu: orders for agents without an endpoint yet
	swept    time.Time                  // guarded by mu
}

func newEndpoints(cfg Config) *endpoints {
	return &endpoints{cfg: cfg, byKey: map[string]*endpoint{}, circuits: map[string]*endpoint{}, forced: map[string]resilience.Mode{}}
}

// of is the agent's endpoint, made when it is not there.
func (s *endpoints) of(a *myriad.Agent) *endpoint {
	key := a.SlotKey()
	s.mu.RLock()
	e := s.byKey[key]
	known := e != nil && e.serves(a.Name)
	s.mu.RUnlock()
	if known {
		return e
	}
	s.mu.Lock()
	e = s.addLocked(key, a)
	order, ordered := s.forced[a.Name]
	delete(s.forced, a.Name)
	s.mu.Unlock()
	if ordered {
		e.breaker.Force(order)
	}
	return e
}

func (s *endpoints) addLocked(key string, a *myriad.Agent) *endpoint {
	if e := s.byKey[key]; e != nil {
		if !e.serves(a.Name) {
			if e.others == nil {
				e.others = map[string]bool{}
			}
			e.others[a.Name] = true
		}
		return e
	}
	if len(s.byKey) >= maxEndpoints {
		s.sweepLocked()
	}
	e := &endpoint{key: key, circuit: s.circuitName(a), agent: a.Name, address: a.Endpoint}
	e.breaker = resilience.NewBreaker(e.circuit, s.cfg.Breaker, func(ch resilience.Change) { s.changed(e, ch) })
	if s.cfg.Adaptive != nil {
		cfg := *s.cfg.Adaptive
		if a.MaxConcurrency > 0 {
			cfg.Initial = a.MaxConcurrency
		}
		e.limit = resilience.NewAdaptiveLimit(cfg)
	}
	s.byKey[key], s.circuits[e.circuit] = e, e
	return e
}

// circuitName is the agent's name, with the endpoint where that name is taken: by another endpoint of the same agent. Callers hold mu.
func (s *endpoints) circuitName(a *myriad.Agent) string {
	if s.circuits[a.Name] == nil {
		return a.Name
	}
	return a.Name + " " + a.SlotKey()
}

// sweepLocked drops endpoints at rest, of which nothing would be lost but a place in a map.
func (s *endpoints) sweepLocked() {
	if time.Since(s.swept) < sweepInterval {
		return
	}
	s.swept = time.Now()
	room := maxEndpoints / 4
	for _, e := range s.byKey {
		if shot := e.breaker.Snapshot(); e.busy.Load() > 0 || e.limit != nil || shot.State != resilience.Closed ||
			shot.Mode != resilience.Auto || shot.ConsecutiveFailures > 0 {
			continue
		}
		s.dropLocked(e)
		if room--; room == 0 {
			return
		}
	}
}

func (s *endpoints) dropLocked(e *endpoint) {
	e.gone.Store(true)
	delete(s.byKey, e.key)
	delete(s.circuits, e.circuit)
}

// ready says whether the breaker of the agent's endpoint would let a call through, and else when to ask again.
func (s *endpoints) ready(a *myriad.Agent) (bool, time.Duration) {
	s.mu.RLock()
	e := s.byKey[a.SlotKey()]
	orders := len(s.forced) > 0
	s.mu.RUnlock()
	switch {
	case e != nil:
		return e.breaker.Ready()
	case orders:
		return s.of(a).breaker.Ready()
	}
	return true, 0
}

// find lists the endpoints that serve the agent, all for "", by circuit.
func (s *endpoints) find(agent string) []*endpoint {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []*endpoint
	for _, circuit := range slices.Sorted(maps.Keys(s.circuits)) {
		if e := s.circuits[circuit]; agent == "" || e.serves(agent) {
			found = append(found, e)
		}
	}
	return found
}

// forget takes the agent away from its endpoint, and the endpoint with its last agent.
func (s *endpoints) forget(a *myriad.Agent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.forced, a.Name)
	e := s.byKey[a.SlotKey()]
	if e == nil || !e.serves(a.Name) {
		return
	}
	delete(e.others, a.Name)
	switch {
	case e.agent != a.Name:
	case len(e.others) == 0:
		s.dropLocked(e)
	default: // the circuit keeps its name, it is another agent's from now on
		e.agent = slices.Min(slices.Collect(maps.Keys(e.others)))
		delete(e.others, e.agent)
	}
}

// remember keeps an operator's order for an agent that was not called yet; false when there are too many.
func (s *endpoints) remember(agent string, m resilience.Mode) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m == resilience.Auto {
		delete(s.forced, agent)
		return true
	}
	if _, ok := s.forced[agent]; !ok && len(s.forced) >= maxForced {
		return false
	}
	s.forced[agent] = m
	return true
}

// reaches says whether some endpoint is at the same host as the stored one.
func (s *endpoints) reaches(stored string) bool {
	gone := newTarget(stored)
	if gone.url == nil {
		return true // nothing was ever connected to
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, e := range s.byKey {
		if t := e.target.Load(); t != nil && t.url != nil && t.url.Host == gone.url.Host {
			return true
		}
	}
	return false
}
