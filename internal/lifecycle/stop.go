package lifecycle

import (
	"context"
	"time"

	"github.com/myriad-mind/myriad"
)

// halt has an instance end, wherever it is in its life; a goroutine of its own does what takes time. It is out of routing when halt returns. Askers that
// wait for it are told err; nil is that it was stopped. More than once is harmless. mu is held.
func (m *Manager) halt(i *instance, reason string, err error) {
	switch i.machine.state() {
	case queued:
		m.queue.remove(i)
		if i.waits {
			m.move(i, stopped, reason)
		} else { // nobody was told that it is there
			i.machine.move(stopped)
			i.reason = reason
		}
	case starting, ready:
		if r := m.residents[i.agent]; r != nil && i.machine.state() == ready {
			r.fails = 0 // it came to a good end
		}
		m.offBoard(i)
		m.move(i, draining, reason)
	case failed:
		if !i.resting { // nothing runs, and nobody waits
			if i.cleared = i.buried.IsZero(); !i.cleared {
				m.exhume(i)
			}
			return
		}
		i.resting = false
		m.move(i, stopped, reason)
	default:
		return
	}
	i.permit.leave()
	if err == nil {
		err = myriad.Errorf(myriad.TaskErrStart, "agent %s was stopped before it was awake: %s", i.agent, reason)
	}
	m.answerAll(i, err)
	m.leave(i)
	if close(i.halted); i.abort != nil {
		i.abort()
	}
	if i.paused {
		i.paused = false
		go m.life(i, false)
	}
}

// offBoard takes an instance out of routing: nobody finds it, and no lease or pin is given out any more. mu is held.
func (m *Manager) offBoard(i *instance) {
	if i.live != nil {
		m.board.remove(i.agent, i.live)
		i.live.close()
	}
}

// windDown lets jobs under way end, within the grace, and then ends the instance.
func (m *Manager) windDown(i *instance) {
	grace := time.NewTimer(m.cfg.StopGrace)
	defer grace.Stop()
	select {
	case <-i.live.drained:
	case <-grace.C:
	case <-i.running.Exited():
	case <-m.kill.Done():
	}
	m.finish(i, m.endGrace(i))
}

// evictGrace is the grace of an instance that was evicted for somebody. It had nothing in flight, so all that a longer one gives it is time to tidy up,
// which takes a program that heeds SIGTERM well under a second; one that does not heed it is killed in any case, and somebody's task waits meanwhile.
const evictGrace = 2 * time.Second

// endGrace is how long an instance that was ready may take to end by itself when nothing is in flight any more.
func (m *Manager) endGrace(i *instance) time.Duration {
	if i.hurried {
		return min(m.cfg.StopGrace, evictGrace)
	}
	return m.cfg.StopGrace
}

// finish stops what runs of an instance. What cannot be stopped still holds its resources, so it keeps its permit and is tried again, until the
// Manager gives everything up.
func (m *Manager) finish(i *instance, grace time.Duration) {
	if i.running == nil {
		return
	}
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		ctx, cancel := context.WithTimeout(m.kill, grace)
		err := m.guarded("stopping an instance", func() error { return i.running.Stop(ctx) })
		cancel()
		if err == nil {
			break
		}
		m.cfg.Logger.Error("an instance could not be stopped", "agent", i.agent, "instance", i.id, "runtime", i.host.name, "error", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-m.abandon.Done():
			timer.Stop()
			i.left = true
			return
		}
	}
	m.mu.Lock()
	i.running = nil
	m.mu.Unlock()
}

// StopInstance ends an instance and waits until nothing of it is left, or ctx ends; the end goes on then. The agent's next task wakes it
// again. CodeNotFound when there is no such instance.
func (m *Manager) StopInstance(ctx context.Context, id string) error {
	m.lock()
	i := m.instances[id]
	var gone chan struct{}
	if i != nil {
		m.halt(i, myriad.ReasonOperator, nil)
		gone = i.whenGone()
	}
	m.unlock()
	if i == nil {
		return noInstance(id)
	}
	select {
	case <-gone:
	case <-ctx.Done():
	}
	return nil
}

// whenGone is closed when nothing of the instance is left. mu is held.
func (i *instance) whenGone() chan struct{} {
	if i.gone == nil {
		i.gone = make(chan struct{})
		if i.over {
			close(i.gone)
		}
	}
	return i.gone
}

func noInstance(id string) error {
	return myriad.Errorf(myriad.CodeNotFound, "there is no instance %.80q", id)
}

// RestartInstance has the agent of an instance started anew, also while it cools down. The old instance serves until the new one is ready where
// there is room for both and the agent does not learn; otherwise it ends first and the new one goes to the head of the queue. Askers go with it. It does
// not wait.
// CodeNotFound when there is no such instance, CodeConflict when it waits for room or is ending already.
func (m *Manager) RestartInstance(ctx context.Context, id string) error {
	m.lock()
	defer m.unlock()
	i := m.instances[id]
	if i == nil {
		return noInstance(id)
	}
	if m.phase != running {
		return errDraining()
	}
	switch state := i.machine.state(); {
	case state == queued || state == draining || state == stopped:
		return myriad.Errorf(myriad.CodeConflict, "instance %s of agent %s is %s: there is nothing to restart", id, i.agent, state)
	case m.resident(i.agent).next == i || !i.buried.IsZero() && m.resident(i.agent).now != nil:
		return myriad.Errorf(myriad.CodeConflict, "agent %s has another instance", i.agent)
	}
	m.need(i) // an operator does
	if i.machine.state() != ready || !m.replace(i, myriad.ReasonOperator) {
		m.forgive(i.agent)
		m.succeed(i, myriad.ReasonOperator)
	}
	return nil
}

// replace starts a second instance of an agent that takes over from the first when it is ready. It is false when there is no room for it that
// nobody waits for, and for an agent that learns: what the first was told meanwhile, the second would not know. mu is held.
func (m *Manager) replace(i *instance, reason string) bool {
	r := m.resident(i.agent)
	if r.next != nil {
		return true
	}
	if r.now != i || m.queue.needed() || learns(i.packet) {
		return false
	}
	limits := bounded(i.packet.Agent.Template.Limits, m.limits)
	p := m.room.take(limits)
	if p == nil {
		return false
	}
	next := m.newInstance("", i.agent)
	next.entry = myriad.QueueEntry{ID: next.id, Kind: myriad.QueueWake, Agent: i.agent, Concept: i.entry.Concept, QueuedAt: time.Now().UTC()}
	next.packet, next.host, next.limits, next.heir, next.passing = i.packet, i.host, limits, reason, i.inPassing()
	m.instances[next.id] = next
	r.next = next
	m.grant(next, p)
	m.spawn(next)
	return true
}

// succeed ends an instance and has a new one of its agent started as soon as there is room; askers wait on for that. mu is held, and the
// Manager is running.
func (m *Manager) succeed(i *instance, reason string) {
	if next := m.resident(i.agent).next; next != nil && next != i {
		m.inherit(next, i)
		m.halt(i, reason, nil)
		return
	}
	next := m.newInstance("", i.agent)
	next.entry = i.entry
	next.entry.ID, next.entry.Kind, next.entry.QueuedAt, next.entry.Priority = next.id, myriad.QueueWake, time.Now().UTC(), maxPriority
	if i.inPassing() {
		next.passing, next.wanted = true, make(chan struct{})
	}
	m.inherit(next, i)
	m.halt(i, reason, nil)
	m.settleIn(next)
	m.spawn(next)
}

// maxPriority is the highest priority of a task.
const maxPriority = 9
