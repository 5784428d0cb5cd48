package lifecycle

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
)

// Status is the whole fleet at one moment. What instances use is asked after that, and left out where there is no quick answer.
func (m *Manager) Status(ctx context.Context) myriad.FleetStatus {
	s, asks := m.snapshot()
	ctx, cancel := context.WithTimeout(ctx, usageTime)
	defer cancel()
	for at, ask := range asks {
		if ask != nil {
			s.Instances[at].Usage = ask.wait(ctx)
		}
	}
	return s
}

// snapshot is the books as they are, and, by the place of an instance in it, the question for its usage; nil where there is none.
func (m *Manager) snapshot() (s myriad.FleetStatus, asks []*usageAsk) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	s = myriad.FleetStatus{Enabled: !m.cfg.GrowthOff, Limits: m.limits, InUse: m.room.used.agents, Instances: []myriad.InstanceStatus{}, Queue: []myriad.QueueEntry{}}
	all := make([]*instance, 0, len(m.instances))
	for _, i := range m.instances {
		if i.machine.state() != queued {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b *instance) int {
		return cmp.Or(cmp.Compare(a.agent, b.agent), a.began.Compare(b.began), cmp.Compare(a.id, b.id))
	})
	for _, i := range all {
		s.Instances = append(s.Instances, i.status(now))
	}
	for at, i := range m.queue.order(m.patience()) {
		if !i.kept {
			continue // nobody is told of it before it is in the store
		}
		e := i.entry
		e.Position, e.AgeMS = at+1, max(0, now.Sub(e.QueuedAt).Milliseconds())
		s.Queue = append(s.Queue, e)
	}
	return s, m.askUsage(all, now)
}

// status is one instance as people see it. mu is held.
func (i *instance) status(now time.Time) myriad.InstanceStatus {
	s := myriad.InstanceStatus{ID: i.id, Agent: i.agent, Concept: i.concept(), State: i.machine.state().String(), Reason: i.reason, StartedAt: i.began.UTC(),
		AgeMS: max(0, now.Sub(i.began).Milliseconds()), Restarts: i.crashes, ColdMS: float64(i.cold) / float64(time.Millisecond), Limits: i.limits,
		Unenforced: i.missing, LastLog: i.lastLog, InFlight: len(i.askers)}
	if i.machine.state() == failed {
		s.Error = i.fault
	}
	if i.host != nil {
		s.Runtime = i.host.name
	}
	if i.live != nil && (i.machine.state() == ready || i.machine.state() == draining) {
		held := i.live.held.Load()
		s.Endpoint = i.live.card.Endpoint
		s.InFlight += int(max(leases(held), pins(held))) // whoever pinned it and works with it is one, not two
		s.IdleMS = i.live.idleFor().Milliseconds()
	}
	return s
}
