package telemetry

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/myriad-mind/myriad"
)

// fleetMetrics follow the instances through their states.
type fleetMetrics struct {
	instances   stateGauges
	starts      bounded
	reaps       bounded
	evictions   prometheus.Counter
	queue       prometheus.Gauge
	coldStart   *prometheus.HistogramVec
	unenforced  prometheus.Counter
	neurogen    bounded
	mu          sync.Mutex
	stateOf     map[string]instanceState // by instance id; guarded by mu
	stateCounts map[string]int           // guarded by mu
}

// instanceState is where an instance is.
type instanceState struct {
	word  string
	ready bool // it is, or was when it began to end: one that is ending from its start was called off
}

// stateGauges has one gauge per state.
type stateGauges map[string]prometheus.Gauge

func newFleetMetrics(f promauto.Factory) *fleetMetrics {
	m := &fleetMetrics{
		instances: stateGauges{}, stateOf: map[string]instanceState{}, stateCounts: map[string]int{},
		starts: newBounded(f, "myriad_instance_starts_total", "Instance starts by result.", "result", "ready", "failed"),
		reaps: newBounded(f, "myriad_instance_reaps_total", "Instances that were ready and ended, by reason.", "reason", myriad.ReasonIdle, myriad.ReasonAge,
			myriad.ReasonEvicted, myriad.ReasonOperator, myriad.ReasonShutdown, myriad.ReasonCrashed, myriad.ReasonFailed, myriad.ReasonDeleted),
		evictions: f.NewCounter(prometheus.CounterOpts{Name: "myriad_instance_evictions_total", Help: "Instances put to sleep to make room for another."}),
		queue:     f.NewGauge(prometheus.GaugeOpts{Name: "myriad_fleet_queue_depth", Help: "Requests that wait for room in the fleet."}),
		coldStart: f.NewHistogramVec(prometheus.HistogramOpts{Name: "myriad_cold_start_seconds", Help: "From the decision to start until ready, by runtime.",
			Buckets: fineBuckets}, []string{"runtime"}),
		unenforced: f.NewCounter(prometheus.CounterOpts{Name: "myriad_limits_unenforced_total", Help: "Instances that run without one of their limits in force."}),
		neurogen: newBounded(f, "myriad_neurogenesis_total", "Outcomes of growth by status.", "status", myriad.StatusNeurogenesisSuccess,
			myriad.StatusNeurogenesisAgent, myriad.StatusNeurogenesisPartial, myriad.StatusNeurogenesisFailed),
	}
	vec := f.NewGaugeVec(prometheus.GaugeOpts{Name: "myriad_instances", Help: "Instances by state."}, []string{"state"})
	for _, s := range []string{myriad.InstanceQueued, myriad.InstanceStarting, myriad.InstanceReady, myriad.InstanceDraining, myriad.InstanceFailed} {
		m.instances[s] = vec.WithLabelValues(s)
	}
	return m
}

func (m *fleetMetrics) emit(e myriad.Event) {
	switch e.Kind {
	case myriad.KindInstance:
		m.move(e)
	case myriad.KindQueue:
		m.queue.Set(float64(e.Count))
	case myriad.KindEvicted:
		m.evictions.Inc()
	case myriad.KindUnenforced:
		m.unenforced.Inc()
	case myriad.KindNeurogenesis:
		m.neurogen.add(e.Reason, 1)
	}
}

func (m *fleetMetrics) move(e myriad.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was, ok := m.stateOf[e.Instance]
	if ok {
		m.set(was.word, -1)
	}
	if _, shown := m.instances[e.To]; shown {
		m.stateOf[e.Instance] = instanceState{word: e.To, ready: e.To == myriad.InstanceReady || e.From == myriad.InstanceReady}
		m.set(e.To, 1)
	} else {
		delete(m.stateOf, e.Instance)
	}
	ended := e.To == myriad.InstanceStopped || e.To == myriad.InstanceFailed
	switch {
	case e.Reason == myriad.ReasonAdopted: // nothing was started
	case e.From == myriad.InstanceStarting && e.To == myriad.InstanceReady:
		m.starts.add("ready", 1)
		m.coldStart.WithLabelValues(runtimeWord(e.Runtime)).Observe(e.Duration.Seconds())
	case e.From == myriad.InstanceStarting && e.To == myriad.InstanceFailed:
		m.starts.add("failed", 1)
	case ended && (e.From == myriad.InstanceReady || e.From == myriad.InstanceDraining && was.ready):
		m.reaps.add(e.Reason, 1)
	}
}

// set is called with mu held.
func (m *fleetMetrics) set(state string, by int) {
	m.stateCounts[state] += by
	if g, ok := m.instances[state]; ok {
		g.Set(float64(m.stateCounts[state]))
	}
}

// runtimeWord keeps the label's values a closed set.
func runtimeWord(s string) string {
	switch s {
	case "inproc", "process", "docker":
		return s
	}
	return other
}
