package resilience

import "sync"

// Stats is a bounded registry of [Series], one for each agent and intent. When it is full, the series that was asked for the
// longest ago makes room.
type Stats struct {
	limit int

	mu      sync.Mutex
	agents  map[string]map[string]*Series // agent, intent
	size    int
	evicted uint64
	ring    Series // sentinel: ring.older is the newest, ring.newer the oldest
}

// NewStats returns a registry of at most limit series; 0 or less means 10,000 (some 5 MB).
func NewStats(limit int) *Stats {
	s := &Stats{limit: positiveOr(limit, 10_000), agents: map[string]map[string]*Series{}}
	s.ring.newer, s.ring.older = &s.ring, &s.ring
	return s
}

// Series returns the series of the agent and the intent, a new one when there is none. A series that left the registry meanwhile still
// takes observations; they are lost with it.
func (s *Stats) Series(agent, intent string) *Series {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.agents[agent][intent]; found != nil {
		s.touch(found)
		return found
	}
	if s.size >= s.limit {
		s.remove(s.ring.newer)
		s.evicted++
	}
	added := &Series{agent: agent, intent: intent}
	if s.agents[agent] == nil {
		s.agents[agent] = map[string]*Series{}
	}
	s.agents[agent][intent] = added
	s.size++
	s.link(added)
	return added
}

// Summary returns what is known of the agent and the intent, nothing when there is no series. It neither makes a series nor counts
// as asking for one, so ranking many candidates leaves the registry as it is.
func (s *Stats) Summary(agent, intent string) Summary {
	s.mu.Lock()
	found := s.agents[agent][intent]
	s.mu.Unlock()
	if found == nil {
		return Summary{SuccessRatio: 1}
	}
	return found.Summary()
}

// Forget drops all series of an agent that is gone.
func (s *Stats) Forget(agent string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, series := range s.agents[agent] {
		s.remove(series)
	}
}

// Len returns how many series there are, and how many had to make room ever.
func (s *Stats) Len() (series int, evicted uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size, s.evicted
}

// remove takes a series out. Callers hold mu.
func (s *Stats) remove(gone *Series) {
	s.unlink(gone)
	s.size--
	delete(s.agents[gone.agent], gone.intent)
	if len(s.agents[gone.agent]) == 0 {
		delete(s.agents, gone.agent)
	}
}

// touch makes a series the newest. Callers hold mu.
func (s *Stats) touch(x *Series) {
	if s.ring.older != x {
		s.unlink(x)
		s.link(x)
	}
}

func (s *Stats) link(x *Series) {
	x.newer, x.older = &s.ring, s.ring.older
	x.older.newer, s.ring.older = x, x
}

func (s *Stats) unlink(x *Series) {
	x.newer.older, x.older.newer = x.older, x.newer
	x.newer, x.older = nil, nil
}
