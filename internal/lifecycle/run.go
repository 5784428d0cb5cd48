package lifecycle

import (
	"context"
	"time"

	"github.com/myriad-mind/myriad"
)

// Run puts idle instances to sleep, replaces old ones and drops entries that waited too long, each when it is due; in between it sleeps. It
// returns ctx's error when ctx has ended, and nil after Drain.
func (m *Manager) Run(ctx context.Context) error {
	for m.tick(); ; {
		timer, stop := after(m.next())
		select {
		case <-ctx.Done():
			stop()
			return ctx.Err()
		case <-m.drained:
			stop()
			return nil
		case <-m.kick: // the timer is set anew
		case <-timer:
			m.tick()
		}
		stop()
	}
}

func (m *Manager) next() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.due
}

// after is a timer for that moment, none for the zero moment.
func after(at time.Time) (c <-chan time.Time, stop func() bool) {
	if at.IsZero() {
		return nil, func() bool { return true }
	}
	t := time.NewTimer(time.Until(at))
	return t.C, t.Stop
}

// agenda finds what is due and when the next thing will be.
type agenda struct{ now, next time.Time }

// due says whether the moment has come, and otherwise takes note of it.
func (a *agenda) due(at time.Time) bool {
	if !at.After(a.now) {
		return true
	}
	if a.next.IsZero() || at.Before(a.next) {
		a.next = at
	}
	return false
}

// tick does all that is due and sets the moment of the next thing.
func (m *Manager) tick() {
	m.lock()
	defer m.unlock()
	a := agenda{now: time.Now()}
	m.due = time.Time{}
	if m.phase != running {
		return
	}
	for _, i := range m.instances {
		switch i.machine.state() {
		case ready:
			m.tickReady(&a, i)
		case queued:
			if most := millis(m.limits.QueueMaxAgeMS); most > 0 && (i.waits || i.passing) && a.due(i.entry.QueuedAt.Add(most)) {
				m.tooOld(i)
			} else if i.waits && most > 0 {
				a.due(i.entry.QueuedAt.Add(most / 2)) // then it goes before others
			}
		case failed:
			if !i.buried.IsZero() && a.due(i.buried.Add(graveTime)) {
				m.exhume(i)
			}
		}
	}
	for agent, r := range m.residents {
		if until := m.tidy(agent, r); !until.IsZero() {
			a.due(until)
		}
	}
	if !a.next.IsZero() {
		m.dueBy(a.next)
	}
	m.schedule()
}

// dueReady has Run look at an instance that serves when it may be idle for too long, or too old. mu is held.
func (m *Manager) dueReady(i *instance) {
	a := agenda{now: time.Now()}
	m.tickReady(&a, i)
	if !a.next.IsZero() {
		m.dueBy(a.next)
	}
}

// tickReady looks at an instance that serves: is it idle, is it old.
func (m *Manager) tickReady(a *agenda, i *instance) {
	if most := millis(m.limits.IdleTimeoutMS); most > 0 {
		if a.due(a.now.Add(most - i.live.idleFor())) {
			if i.live.closeIdle(0) {
				m.halt(i, myriad.ReasonIdle, nil)
				return
			}
			a.due(a.now.Add(most)) // somebody took it this moment
		}
	}
	if most := m.limits.MaxAgeMS; most > 0 {
		at := i.began.Add(time.Duration(float64(millis(most)) * i.jitter))
		if at.Before(i.retire) {
			at = i.retire
		}
		if a.due(at) && m.residents[i.agent].next == nil && !m.replace(i, myriad.ReasonAge) {
			m.halt(i, myriad.ReasonAge, nil)
			return
		}
	}
}

// tooOld drops an entry that has waited for longer than anybody will want it. mu is held.
func (m *Manager) tooOld(i *instance) {
	e := myriad.Errorf(myriad.TaskErrFleetFull, "no room for agent %s in %s: it waits no longer", i.agent, millis(m.limits.QueueMaxAgeMS))
	e.RetryAfter = m.estimate(max(1, m.queue.shown)) // one asked for in passing is not shown
	m.halt(i, myriad.ReasonAge, e)
}

// SetLimits changes limits while the fleet runs, and gives what holds then; they are not kept, and the next start has those of its
// Config. Instances above lowered limits are put to sleep, the longest idle first, as they fall idle; those at work are left alone. Limits of one
// instance hold for instances that start from now on. change may be called again when limits were changed beside it. CodeInvalid when the result has
// mistakes; nothing changes then.
func (m *Manager) SetLimits(_ context.Context, change func(*myriad.FleetLimits)) (myriad.FleetLimits, error) {
	for {
		m.mu.Lock()
		before := m.limits
		m.mu.Unlock()
		next := before
		change(&next)
		if err := checkLimits(next); err != nil {
			return before, err
		}
		if m.exchange(before, next) {
			return next, nil
		}
	}
}

// exchange puts limits in force unless they were changed meanwhile.
func (m *Manager) exchange(before, next myriad.FleetLimits) bool {
	m.lock()
	defer m.unlock()
	if m.limits != before {
		return false
	}
	m.limits = next
	m.room.set(next)
	for _, i := range m.queue.waiting {
		i.limits = bounded(i.packet.Agent.Template.Limits, next)
	}
	m.schedule()
	m.dueBy(time.Now()) // everything is looked at by the new limits
	return true
}
