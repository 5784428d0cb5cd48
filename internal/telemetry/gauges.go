package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/myriad-mind/myriad"
)

// Gauges are values that are read when metrics are asked for. A nil function has no series.
type Gauges struct {
	ActiveAgents func() float64 // agents in the graph
	SlotsInUse   func() float64
	SlotsTotal   func() float64
	TasksWaiting func() float64 // tasks that wait for a slot
	Connections  func() float64 // open connections to agents
	Writable     func() float64 // 1 while the store takes writes, else 0
	Fleet        func() myriad.FleetStatus
}

func (g Gauges) register(r prometheus.Registerer) {
	for _, gauge := range []struct {
		name, help string
		read       func() float64
	}{
		{"orchestrator_active_agents", "Agents in the graph.", g.ActiveAgents},
		{"myriad_slots_in_use", "Exchanges with agents under way, out of myriad_slots_total.", g.SlotsInUse},
		{"myriad_slots_total", "Slots of the whole server.", g.SlotsTotal},
		{"myriad_tasks_waiting", "Tasks that wait for a slot.", g.TasksWaiting},
		{"myriad_connections_open", "Open connections to agents, idle ones included.", g.Connections},
		{"myriad_store_writable", "1 while the store takes writes, 0 when its disk is full, read-only or failing.", g.Writable},
	} {
		if gauge.read != nil {
			r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: gauge.name, Help: gauge.help}, gauge.read))
		}
	}
	if g.Fleet != nil {
		r.MustRegister(newFleetGauges(g.Fleet))
	}
}
