package lifecycle

import (
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
)

// serve watches an instance that is ready. It is true when the instance is to be started again.
func (m *Manager) serve(i *instance) bool {
	select {
	case <-i.halted:
		m.windDown(i)
		return false
	case <-i.running.Exited():
		return m.crashed(i)
	}
}

// crashed takes an instance that ended by itself out of routing. It is true when it has rested long enough to be started again, and false
// when it is to stay down.
func (m *Manager) crashed(i *instance) bool {
	log, why := m.lastLog(i), m.exitError("it crashed", i.running)
	m.lock()
	if i.machine.state() != ready { // it was to end, and did
		m.unlock()
		m.finish(i, m.cfg.StopGrace)
		return false
	}
	m.offBoard(i)
	i.fault, i.lastLog = why.Error(), log
	m.move(i, failed, myriad.ReasonCrashed)
	wait, again := m.rest(i)
	if i.resting = again; !again {
		m.cool(i)
		m.leave(i)
	}
	m.schedule()
	m.unlock()
	m.finish(i, min(m.cfg.StopGrace, abortGrace)) // what it may have left
	if !again {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-i.halted:
		return false
	}
}

// rest decides whether an instance is started again after a crash, and when. mu is held.
func (m *Manager) rest(i *instance) (wait time.Duration, again bool) {
	r := m.resident(i.agent)
	r.crashes = slices.DeleteFunc(r.crashes, func(t time.Time) bool { return time.Since(t) >= m.cfg.RestartWindow })
	r.crashes = append(r.crashes, time.Now())
	m.dueBy(time.Now().Add(m.cfg.RestartWindow)) // then it can be forgotten
	if r.now != i || len(r.crashes) > m.cfg.RestartLimit || m.phase != running {
		return 0, false
	}
	wait, _ = m.cfg.RestartBackoff.Next(len(r.crashes)-1, time.Time{})
	return wait, true
}

// cool has the agent of an instance that failed cool down, longer with every failure in a row, and gives the time. A replacement that fails
// cools nothing: the instance that it was for is there, and is to be replaced later. mu is held.
func (m *Manager) cool(i *instance) time.Duration {
	r := m.resident(i.agent)
	if r.next == i && r.now != nil {
		r.now.retire = time.Now().Add(m.cfg.MaxCoolDown)
		m.dueBy(r.now.retire)
		return 0
	}
	r.fails++
	wait := m.cfg.CoolDown
	for n := 1; n < r.fails && wait < m.cfg.MaxCoolDown; n++ {
		wait *= 2
	}
	wait = min(wait, m.cfg.MaxCoolDown)
	r.coolUntil, r.fault = time.Now().Add(wait), i.fault
	m.dueBy(r.coolUntil.Add(m.cfg.MaxCoolDown)) // then it can be forgotten
	return wait
}

// forgive forgets the failures of an agent: its packet is another one now, or somebody who knows better wants it started. mu is held.
func (m *Manager) forgive(agent string) {
	if r := m.residents[agent]; r != nil {
		r.fails, r.coolUntil, r.fault, r.crashes = 0, time.Time{}, "", nil
		m.tidy(agent, r)
	}
}

// errGone is what askers are told of an agent that was deleted.
func errGone(name string) error {
	return myriad.Errorf(myriad.CodeNotFound, "agent %s was deleted", name)
}
