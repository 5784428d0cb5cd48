package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/myriad-mind/myriad"
)

// fleetGauges read the fleet when metrics are asked for, once for all of them. What an agent's instances use is there while they are: the
// series go when they go.
type fleetGauges struct {
	read                                    func() myriad.FleetStatus
	inUse, most, oldest, cpu, memory, inJob *prometheus.Desc
	unenforced                              *prometheus.Desc
}

func newFleetGauges(read func() myriad.FleetStatus) *fleetGauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &fleetGauges{
		read:   read,
		inUse:  desc("myriad_fleet_in_use", "Instances that hold resources, out of myriad_fleet_max_agents."),
		most:   desc("myriad_fleet_max_agents", "Instances that may hold resources at a time."),
		oldest: desc("myriad_fleet_queue_oldest_seconds", "How long the oldest request has waited for room in the fleet; 0 when none waits."),
		cpu: desc("myriad_instance_cpu_seconds_total", "CPU time of the agent's living instances, where the runtime knows it; starts over when they do.",
			"agent", "runtime"),
		memory: desc("myriad_instance_memory_bytes", "Memory of the agent's living instances, where the runtime knows it.", "agent", "runtime"),
		inJob:  desc("myriad_instance_jobs", "Jobs under way in the fleet's instances."),
		unenforced: desc("myriad_instances_unenforced", "Living instances that run without one of their limits in force, by limit.",
			"limit"),
	}
}

// Describe tells the series that there may be.
func (g *fleetGauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.inUse, g.most, g.oldest, g.cpu, g.memory, g.inJob, g.unenforced} {
		out <- d
	}
}

// used is what all instances of an agent use under one runtime: there are two while one takes over from the other.
type used struct {
	cpu    float64
	memory int64
}

// Collect tells the fleet as it is.
func (g *fleetGauges) Collect(out chan<- prometheus.Metric) {
	status := g.read()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(g.inUse, float64(status.InUse))
	gauge(g.most, float64(status.Limits.MaxAgents))
	oldest := int64(0)
	for _, q := range status.Queue {
		oldest = max(oldest, q.AgeMS)
	}
	gauge(g.oldest, float64(oldest)/1000)

	jobs, loose := 0, map[string]int{myriad.LimitCPU: 0, myriad.LimitMemory: 0, myriad.LimitPIDs: 0}
	for _, i := range status.Instances {
		if !living(i) {
			continue
		}
		jobs += i.InFlight
		for _, limit := range i.Unenforced {
			if _, known := loose[limit]; known {
				loose[limit]++
			}
		}
	}
	gauge(g.inJob, float64(jobs))
	for limit, n := range loose {
		gauge(g.unenforced, float64(n), limit)
	}
	for of, u := range usageByAgent(status) {
		out <- prometheus.MustNewConstMetric(g.cpu, prometheus.CounterValue, u.cpu, of[0], of[1])
		gauge(g.memory, float64(u.memory), of[0], of[1])
	}
}

// usageByAgent sums what is used by agent and runtime. There are never more agents than may be alive; whoever is over, while a lowered limit
// is put in force, counts as other.
func usageByAgent(status myriad.FleetStatus) map[[2]string]used {
	sums := map[[2]string]used{}
	for _, i := range status.Instances {
		if i.Usage == nil || !living(i) {
			continue
		}
		of := [2]string{i.Agent, runtimeWord(i.Runtime)}
		if _, there := sums[of]; !there && len(sums) >= status.Limits.MaxAgents {
			of[0] = other
		}
		u := sums[of]
		u.cpu, u.memory = u.cpu+i.Usage.CPUSeconds, u.memory+i.Usage.MemoryBytes
		sums[of] = u
	}
	return sums
}

func living(i myriad.InstanceStatus) bool {
	return i.State == myriad.InstanceStarting || i.State == myriad.InstanceReady || i.State == myriad.InstanceDraining
}
