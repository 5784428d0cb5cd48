package telemetry

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// someFleet is a fleet with an instance of each sort.
func someFleet() myriad.FleetStatus {
	use := &myriad.Usage{CPUSeconds: 1.5, MemoryBytes: 1 << 20, PIDs: 2}
	return myriad.FleetStatus{InUse: 4, Limits: myriad.FleetLimits{MaxAgents: 20},
		Instances: []myriad.InstanceStatus{
			{ID: "1", Agent: "A", Runtime: "process", State: "ready", InFlight: 2, Usage: use, Unenforced: []string{"cpu", "memory"}},
			{ID: "2", Agent: "A", Runtime: "process", State: "draining", InFlight: 1, Usage: use},
			{ID: "3", Agent: "B", Runtime: "docker", State: "ready", Usage: use, Unenforced: []string{"cpu", "colour"}},
			{ID: "4", Agent: "C", Runtime: "inproc", State: "starting"},
			{ID: "5", Agent: "D", Runtime: "process", State: "failed", InFlight: 9, Usage: use, Unenforced: []string{"pids"}},
		},
		Queue: []myriad.QueueEntry{{ID: "q1", Priority: 9, AgeMS: 500}, {ID: "q2", AgeMS: 4500}}}
}

func TestFleetGauges(t *testing.T) {
	status := someFleet()
	tel := newTelemetry(t, Config{Gauges: Gauges{Fleet: func() myriad.FleetStatus { return status }}})
	text := scrape(t, tel)
	has(t, text, `myriad_fleet_in_use 4`, `myriad_fleet_max_agents 20`, `myriad_fleet_queue_oldest_seconds 4.5`, `myriad_instance_jobs 3`,
		`myriad_instance_cpu_seconds_total{agent="A",runtime="process"} 3`, `myriad_instance_memory_bytes{agent="A",runtime="process"} 2.097152e+06`,
		`myriad_instance_memory_bytes{agent="B",runtime="docker"} 1.048576e+06`, `myriad_instances_unenforced{limit="cpu"} 2`,
		`myriad_instances_unenforced{limit="memory"} 1`, `myriad_instances_unenforced{limit="pids"} 0`)
	for _, absent := range []string{`agent="C"`, `agent="D"`, "colour"} {
		if strings.Contains(text, absent) {
			t.Errorf("metrics have %s", absent)
		}
	}
	status = myriad.FleetStatus{Limits: status.Limits}
	text = scrape(t, tel)
	has(t, text, `myriad_fleet_in_use 0`, `myriad_fleet_queue_oldest_seconds 0`)
	if strings.Contains(text, `agent="`) {
		t.Error("the series of instances that are gone stayed")
	}
}

// TestAgentSeriesAreBounded: by how many agents may be alive, whatever the fleet tells.
func TestAgentSeriesAreBounded(t *testing.T) {
	status := myriad.FleetStatus{Limits: myriad.FleetLimits{MaxAgents: 3}}
	for n := range 50 {
		status.Instances = append(status.Instances, myriad.InstanceStatus{Agent: fmt.Sprint("a", n), Runtime: fmt.Sprint("r", n), State: "ready", Usage: &myriad.Usage{MemoryBytes: 1}})
	}
	text := scrape(t, newTelemetry(t, Config{Gauges: Gauges{Fleet: func() myriad.FleetStatus { return status }}}))
	if n := strings.Count(text, "myriad_instance_memory_bytes{"); n != 4 {
		t.Errorf("%d series, want 3 and the one of all others", n)
	}
	has(t, text, `myriad_instance_memory_bytes{agent="other",runtime="other"} 47`)
}

func TestStartsAndReaps(t *testing.T) {
	tel := newTelemetry(t, Config{})
	move := func(from, to, reason string) {
		tel.Emit(myriad.Event{Kind: myriad.KindInstance, Instance: "1", From: from, To: to, Reason: reason, Runtime: "process"})
	}
	move("queued", "starting", "adopted") // alive from an earlier life: no start
	move("starting", "ready", "adopted")
	move("ready", "draining", "idle")
	move("draining", "stopped", "idle")
	move("", "queued", "")
	move("queued", "starting", "")
	move("starting", "failed", "failed")
	move("failed", "starting", "")
	move("starting", "ready", "")
	move("ready", "failed", "crashed")
	move("failed", "starting", "")
	move("starting", "ready", "")
	move("ready", "draining", "evicted")
	move("draining", "stopped", "evicted")
	tel.Emit(myriad.Event{Kind: myriad.KindEvicted, Instance: "1"})
	tel.Emit(myriad.Event{Kind: myriad.KindQueue, Count: 7})
	text := scrape(t, tel)
	has(t, text, `myriad_instance_starts_total{result="ready"} 2`, `myriad_instance_starts_total{result="failed"} 1`,
		`myriad_instance_reaps_total{reason="crashed"} 1`, `myriad_instance_reaps_total{reason="evicted"} 1`, `myriad_instance_reaps_total{reason="failed"} 0`,
		`myriad_cold_start_seconds_count{runtime="process"} 2`, `myriad_instance_evictions_total 1`, `myriad_fleet_queue_depth 7`)
	for _, state := range []string{"queued", "starting", "ready", "draining", "failed"} {
		has(t, text, fmt.Sprintf(`myriad_instances{state="%s"} 0`, state))
	}
	move("failed", "stopped", "deleted") // was counted when it failed
	has(t, scrape(t, tel), `myriad_instance_reaps_total{reason="deleted"} 0`)
}

// TestStartsThatAreCalledOff are no ends of instances that were in use, whatever came before them.
func TestStartsThatAreCalledOff(t *testing.T) {
	tel := newTelemetry(t, Config{})
	move := func(id, from, to, reason string) {
		tel.Emit(myriad.Event{Kind: myriad.KindInstance, Instance: id, From: from, To: to, Reason: reason, Runtime: "process"})
	}
	move("1", "queued", "starting", "")
	move("1", "starting", "draining", "operator")
	move("2", "queued", "starting", "")
	move("2", "starting", "ready", "")
	move("2", "ready", "failed", "crashed")
	move("2", "failed", "starting", "crashed")
	move("2", "starting", "draining", "shutdown")
	has(t, scrape(t, tel), `myriad_instances{state="draining"} 2`)
	move("1", "draining", "stopped", "operator")
	move("2", "draining", "stopped", "shutdown")
	has(t, scrape(t, tel), `myriad_instance_reaps_total{reason="operator"} 0`, `myriad_instance_reaps_total{reason="shutdown"} 0`,
		`myriad_instance_reaps_total{reason="crashed"} 1`, `myriad_instances{state="draining"} 0`)
}

func TestGrowthIsCounted(t *testing.T) {
	tel := newTelemetry(t, Config{})
	for _, status := range []string{myriad.StatusNeurogenesisAgent, myriad.StatusNeurogenesisAgent, myriad.StatusNeurogenesisFailed, "no_agent_available"} {
		tel.Emit(myriad.Event{Kind: myriad.KindNeurogenesis, Concept: "tax", Reason: status})
	}
	has(t, scrape(t, tel), `orchestrator_neurogenesis_total 4`, `myriad_neurogenesis_total{status="neurogenesis_with_agent_creation"} 2`,
		`myriad_neurogenesis_total{status="neurogenesis_failed"} 1`, `myriad_neurogenesis_total{status="other"} 1`)
}

// TestTransitionsAreNotLoggedTwice: the fleet writes its own line of each; the event's is for those who debug.
func TestTransitionsAreNotLoggedTwice(t *testing.T) {
	for level, lines := range map[slog.Level]int{slog.LevelInfo: 0, slog.LevelDebug: 1} {
		var out bytes.Buffer
		tel := newTelemetry(t, Config{Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level}))})
		tel.Emit(myriad.Event{Kind: myriad.KindInstance, Agent: "A", Instance: "1", Runtime: "process", From: "starting", To: "ready", Duration: 20 * time.Millisecond})
		if strings.Count(out.String(), "\n") != lines || lines == 1 && !strings.Contains(out.String(), "old=starting new=ready cold_start=20ms") {
			t.Errorf("at %v: %s", level, out.String())
		}
	}
}
