package lifecycle

import (
	"log/slog"
	"time"

	"github.com/myriad-mind/myriad"
)

// schedule gives room to those who wait, in order, until there is none; for the others idle instances are put to sleep, as many as they need
// beside what is ending already. Nobody overtakes: while the first cannot have its room, it is kept for it. mu is held.
func (m *Manager) schedule() {
	m.unmet, m.starved = false, nil
	if m.phase == running {
		m.trim()
		m.admit()
	}
	m.hungry.Store(m.unmet)
	if m.unmet {
		m.dueUnmet()
	}
}

// reconsider is told of an instance that has fallen idle without giving way.
func (m *Manager) reconsider() {
	m.lock()
	defer m.unlock()
	if m.unmet {
		m.schedule()
	}
}

// dueUnmet has Run look again when the next idle instance is old enough to give way. Those at work do it when they fall idle. mu is held.
func (m *Manager) dueUnmet() {
	for _, i := range m.instances {
		if i.machine.state() == ready && !i.live.busy() {
			m.dueBy(i.readyAt.Add(millis(m.limits.MinLifeMS)))
		}
	}
}

// trim puts idle instances to sleep while more is out than the limits allow. mu is held.
func (m *Manager) trim() {
	for m.room.over() {
		if !m.evict(0, forLimits, false) {
			m.unmet = true
			return
		}
	}
}

func (m *Manager) admit() {
	later := m.room.used.minus(m.room.leaving) // what will be out when what is ending has ended and those before have started
	blocked := false
	for _, i := range m.queue.order(m.patience()) {
		if !blocked {
			if p := m.room.take(i.limits); p != nil {
				m.grant(i, p)
				later = later.plus(p.load)
				continue
			}
			blocked = true
		}
		need := loadOf(i.limits)
		for !later.plus(need).within(m.room.bounds) {
			used := m.room.leaving
			if !m.evict(millis(m.limits.MinLifeMS), i.agent, i.passing) {
				m.unmet, m.starved = true, i
				return
			}
			later = later.minus(m.room.leaving.minus(used))
		}
		later = later.plus(need)
	}
}

// grant lets an instance start. mu is held.
func (m *Manager) grant(i *instance, p *permit) {
	m.queue.remove(i)
	if i.waits {
		m.queue.turned(i)
	}
	i.permit, i.decided, i.waits = p, time.Now(), false
	m.move(i, starting, "")
	if i.turn != nil {
		close(i.turn)
	}
}

// evict puts the longest idle instance to sleep that is at least that long ready; an instance that crashed and is not awaited goes first. The
// word says for whom, and passing whether that one is only asked for in passing. It is false when nobody can go. mu is held.
func (m *Manager) evict(minLife time.Duration, forWhom string, passing bool) bool {
	for {
		var victim *instance
		var idlest time.Duration
		for _, i := range m.instances {
			switch i.machine.state() {
			case failed:
				if i.resting && len(i.askers) == 0 {
					m.evicted(i, forWhom)
					return true
				}
			case ready:
				if i.live.busy() || !i.mayGo(minLife, passing) {
					continue
				}
				if idle := i.live.idleFor(); victim == nil || idle > idlest || idle == idlest && i.id < victim.id {
					victim, idlest = i, idle
				}
			}
		}
		if victim == nil {
			return false
		}
		if victim.live.closeIdle(0) { // else somebody took it this moment
			m.evicted(victim, forWhom)
			return true
		}
	}
}

// mayGo says whether an instance has been ready for long enough to give way. Who was only asked for in passing gives way to all others at once. mu is held.
func (i *instance) mayGo(minLife time.Duration, passing bool) bool {
	return i.inPassing() && !passing || i.aliveFor() >= minLife
}

// forLimits says that an instance was evicted for nobody, because more was out than the limits allow.
const forLimits = "limits lowered"

// evicted ends an instance to make room. mu is held.
func (m *Manager) evicted(i *instance, forWhom string) {
	i.hurried = forWhom != forLimits
	m.out.post(notice{
		event: myriad.Event{Kind: myriad.KindEvicted, At: time.Now(), Agent: i.agent, Instance: i.id, Reason: forWhom},
		level: slog.LevelInfo, text: "instance evicted", attrs: []slog.Attr{slog.String("agent", i.agent), slog.String("instance", i.id), slog.String("for", forWhom)},
	})
	m.halt(i, myriad.ReasonEvicted, nil)
}

// yield is the last unit of an instance coming back while somebody waits for room whom nobody idle could help: the instance gives way now, or a busy
// agent would never be idle when it is looked at. One that is too young is looked at when it is not. It is false when the unit is still out.
func (m *Manager) yield(l *live, unit int64) bool {
	m.lock()
	defer m.unlock()
	i := l.instance
	if !m.unmet || i.live != l || i.machine.state() != ready {
		return false
	}
	forWhom, passing := forLimits, false
	if !m.room.over() {
		if m.starved == nil || m.starved.machine.state() != queued {
			return false // it has left meanwhile: whoever is next is found when the unit is back
		}
		forWhom, passing = m.starved.agent, m.starved.passing
	}
	if !i.mayGo(millis(m.limits.MinLifeMS), passing) && !m.room.over() {
		l.settle(unit)
		m.dueBy(i.readyAt.Add(millis(m.limits.MinLifeMS)))
		return true
	}
	if !l.closeIdle(unit) {
		return false
	}
	m.evicted(i, forWhom)
	m.schedule()
	return true
}
