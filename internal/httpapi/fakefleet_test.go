package httpapi

import (
	"context"
	"slices"
	"sync"

	"github.com/myriad-mind/myriad"
)

// fakeFleet is a fleet with one instance for each id, which remembers what was asked of it.
type fakeFleet struct {
	mu     sync.Mutex
	status myriad.FleetStatus
	asked  []string
}

func newFakeFleet() *fakeFleet {
	return &fakeFleet{status: myriad.FleetStatus{Enabled: true, InUse: 1,
		Limits: myriad.FleetLimits{MaxAgents: 20, TotalCPU: 4, IdleTimeoutMS: 1_800_000, MaxAgeMS: 86_400_000, MinLifeMS: 10_000, MaxQueue: 100,
			QueueMaxAgeMS: 600_000, Instance: myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 64}},
		Instances: []myriad.InstanceStatus{{ID: "i1", Agent: "Pump_AI", Concept: "pump", Runtime: "process", State: myriad.InstanceReady,
			Endpoint: "http://127.0.0.1:9/i1/query", StartedAt: noon, AgeMS: 1000, IdleMS: 10, InFlight: 1, Restarts: 2, ColdMS: 21.5,
			Limits: myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 64}, Unenforced: []string{"cpu"}, Usage: &myriad.Usage{CPUSeconds: 0.5, MemoryBytes: 9 << 20, PIDs: 2}}},
		Queue: []myriad.QueueEntry{{ID: "q1", Kind: myriad.QueueGrow, Concept: "tax", Intent: "define", Priority: 3, QueuedAt: noon, Position: 1, AgeMS: 40}}}}
}

func (f *fakeFleet) Status(context.Context) myriad.FleetStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

func (f *fakeFleet) StopInstance(_ context.Context, id string) error { return f.steer("stop", id) }
func (f *fakeFleet) RestartInstance(_ context.Context, id string) error {
	return f.steer("restart", id)
}

func (f *fakeFleet) steer(what, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, what+" "+id)
	if !slices.ContainsFunc(f.status.Instances, func(i myriad.InstanceStatus) bool { return i.ID == id }) {
		return myriad.Errorf(myriad.CodeNotFound, "there is no instance %s", id)
	}
	return nil
}

func (f *fakeFleet) SetLimits(_ context.Context, change func(*myriad.FleetLimits)) (myriad.FleetLimits, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.status.Limits)
	return f.status.Limits, nil
}
