package telemetry

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/myriad-mind/myriad"
)

// The circuits that always have a series. Their names are label values of existing dashboards (wire facts 11).
const (
	GraphCircuit  = "GraphDB Manager"
	AgentsCircuit = "Agent Communication"
)

// breaker states as numbers: 0 and 1 as the Python system's documents have them.
var stateNumber = map[string]float64{"closed": 0, "open": 1, "half_open": 2}

// severity orders states for the aggregate: open is worse than half-open.
var severity = map[string]int{"closed": 0, "half_open": 1, "open": 2}

// circuits keeps the breaker series, one per endpoint that was ever in trouble, and the aggregate over all agents.
type circuits struct {
	state       *prometheus.GaugeVec
	transitions *prometheus.CounterVec

	mu     sync.Mutex
	agents map[string]circuit // by circuit name; guarded by mu
	count  map[string]int     // agents' circuits by state; guarded by mu
}

type circuit struct{ agent, endpoint, state string }

func newCircuits(f promauto.Factory) *circuits {
	c := &circuits{
		state: f.NewGaugeVec(prometheus.GaugeOpts{Name: "myriad_circuit_breaker_state",
			Help: "Breaker state: 0 closed, 1 open, 2 half-open. " + AgentsCircuit + " is the worst state of all agents' breakers, " + GraphCircuit + " the graph's."},
			[]string{"circuit_name"}),
		transitions: f.NewCounterVec(prometheus.CounterOpts{Name: "myriad_circuit_breaker_transitions_total", Help: "Breaker transitions by new state."},
			[]string{"circuit_name", "to"}),
		agents: make(map[string]circuit),
		count:  make(map[string]int),
	}
	c.state.WithLabelValues(GraphCircuit).Set(0)
	c.state.WithLabelValues(AgentsCircuit).Set(0)
	return c
}

func (c *circuits) change(e myriad.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.WithLabelValues(e.Circuit).Set(stateNumber[e.To])
	c.transitions.WithLabelValues(e.Circuit, e.To).Inc()
	if e.Circuit == GraphCircuit {
		return
	}
	if was, ok := c.agents[e.Circuit]; ok {
		c.count[was.state]--
	}
	c.agents[e.Circuit] = circuit{agent: e.Agent, endpoint: e.Endpoint, state: e.To}
	c.count[e.To]++
	c.aggregate()
}

// forget drops the series of an agent that is gone; with an endpoint, only those of that endpoint.
func (c *circuits) forget(agent, endpoint string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, k := range c.agents {
		if k.agent != agent || endpoint != "" && k.endpoint != "" && k.endpoint != endpoint {
			continue
		}
		delete(c.agents, name)
		c.count[k.state]--
		c.state.DeleteLabelValues(name)
		c.transitions.DeletePartialMatch(prometheus.Labels{"circuit_name": name})
	}
	c.aggregate()
}

// aggregate is called with mu held.
func (c *circuits) aggregate() {
	worst := "closed"
	for state, n := range c.count {
		if n > 0 && severity[state] > severity[worst] {
			worst = state
		}
	}
	c.state.WithLabelValues(AgentsCircuit).Set(stateNumber[worst])
}
