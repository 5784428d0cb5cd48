package lifecycle

import (
	"math"

	"github.com/myriad-mind/myriad"
)

// changed has the fleet follow a packet that was written: what waits starts from it, what starts begins anew with its askers, and what serves an
// earlier revision ends; the next task wakes the new one.
func (m *Manager) changed(p myriad.Packet) {
	host, err := m.hostOf(&p)
	m.lock()
	defer m.unlock()
	m.outdate(p.Agent.Name, p.Revision)
	if m.phase != running {
		return
	}
	m.forgive(p.Agent.Name)
	r := m.residents[p.Agent.Name]
	if r == nil {
		return
	}
	if r.next != nil && r.next.revision() < p.Revision {
		m.halt(r.next, myriad.ReasonOperator, nil)
	}
	i := r.now
	if i == nil || i.revision() >= p.Revision {
		return
	}
	switch i.machine.state() {
	case queued:
		i.packet, i.host = &p, host
		i.limits = bounded(p.Agent.Template.Limits, m.limits)
		if err != nil {
			m.halt(i, myriad.ReasonFailed, err)
		}
	case starting, failed:
		if !i.inPassing() || len(i.askers) > 0 {
			m.succeed(i, myriad.ReasonOperator)
			break
		}
		fallthrough // who asked for it in passing has left
	case ready:
		m.halt(i, myriad.ReasonOperator, nil)
	}
	m.schedule()
}

// outdate has nothing be kept of what instances of revisions before this one learn: it is about what was written over. Those that wait for room
// start from what is written now. What was learned before was written before, and nothing is taken meanwhile. mu is held.
func (m *Manager) outdate(agent string, revision int64) {
	for _, i := range m.instances {
		if i.agent == agent && i.machine.state() != queued && i.revision() < revision {
			i.dated = true
		}
	}
}

// follow has instances of one revision of a packet count as ones of a later revision, with which they agree.
func (m *Manager) follow(p myriad.Packet, was int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.residents[p.Agent.Name]; r != nil {
		for _, i := range []*instance{r.now, r.next} {
			if i != nil && i.revision() == was && was > 0 {
				i.packet = &p
			}
		}
	}
}

// gone ends what there is of an agent that was deleted.
func (m *Manager) gone(name string) {
	m.lock()
	defer m.unlock()
	m.outdate(name, math.MaxInt64)
	r := m.residents[name]
	if r == nil {
		return
	}
	for _, i := range []*instance{r.next, r.now, r.grave} {
		if i != nil {
			m.halt(i, myriad.ReasonDeleted, errGone(name))
		}
	}
	m.forgive(name)
	m.schedule()
}
