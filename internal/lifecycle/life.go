package lifecycle

import (
	"context"
	"time"

	"github.com/myriad-mind/myriad"
)

// spawn begins the life of an instance. mu is held, and the Manager is not ending.
func (m *Manager) spawn(i *instance) {
	m.lives++
	go m.life(i, true)
}

// life carries an instance from its first wish to its end, in two parts where nothing has to be watched while it is ready: halt begins the second.
// Whatever happens in between, what was started is stopped, the permit is back and everybody who waited has an answer.
func (m *Manager) life(i *instance, first bool) {
	if m.carry(i, first) {
		return // it goes on when it is to end
	}
	defer m.died()
	m.conclude(i)
}

// carry is life without its end. It is true when that is not near.
func (m *Manager) carry(i *instance, first bool) (paused bool) {
	defer func() {
		if v := recover(); v != nil {
			m.panicked("keeping an instance", v)
			paused = false
		}
	}()
	if first {
		if !m.enter(i) || !m.start(i) {
			return false
		}
		if m.pause(i) {
			return true
		}
	}
	for m.serve(i) && m.start(i) {
	}
	return false
}

// pause lets an instance be that is ready and ends only because it is halted: thousands of them need no goroutine. It is false for all others.
func (m *Manager) pause(i *instance) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i.paused = i.host.brief && i.machine.state() == ready
	return i.paused
}

// died is the end of a life; the last one lets Drain go on.
func (m *Manager) died() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lives--
	if m.lives == 0 && m.phase == ending {
		close(m.lifeless)
	}
}

// conclude closes the books on an instance: nothing of it is left but, when it failed, its memory.
func (m *Manager) conclude(i *instance) {
	if i.running != nil && !i.left {
		m.finish(i, m.cfg.StopGrace) // it was left by an earlier life and is not wanted, or there was a panic of ours
	}
	m.lock()
	i.permit.giveBack()
	switch i.machine.state() {
	case starting, ready: // only after a panic of ours
		i.fault = "a defect of the fleet; the log has it"
		m.offBoard(i)
		m.move(i, failed, myriad.ReasonFailed)
		m.cool(i)
	case draining:
		if i.left {
			m.move(i, failed, i.reason)
		} else {
			m.move(i, stopped, i.reason)
		}
	case queued:
		m.queue.remove(i)
		m.move(i, stopped, myriad.ReasonFailed)
	}
	m.answerAll(i, myriad.Errorf(myriad.TaskErrStart, "agent %s was stopped before it was awake", i.agent))
	m.leave(i)
	if i.machine.state() == failed {
		if m.bury(i); i.cleared {
			m.exhume(i)
		}
	} else {
		delete(m.instances, i.id)
	}
	m.disenrol(i)
	if i.over = true; i.gone != nil {
		close(i.gone)
	}
	shutdown := i.reason == myriad.ReasonShutdown
	m.schedule()
	m.unlock()
	if i.recorded && !i.left {
		m.surely("forget an instance", func(ctx context.Context) error { return m.cfg.Store.DropInstance(ctx, i.id) })
	}
	if !shutdown { // else the next life of the server goes on with it
		m.dequeue(i)
	}
}

// enter reads the packet and takes a permit, at once or when its turn has come. It is false when the instance has ended before.
func (m *Manager) enter(i *instance) bool {
	m.mu.Lock()
	entered := i.counts() || i.kept // it was left by an earlier life, alive or in the queue
	m.mu.Unlock()
	if entered {
		return m.wait(i)
	}
	packet, host, err := m.packetOf(i)
	m.lock()
	soon := false
	if err != nil {
		m.refuse(i, err)
	} else if i.machine.state() == queued {
		soon = m.line(i, packet, host)
	}
	m.unlock()
	if m.waitBriefly(i, soon) {
		return true
	}
	m.linger(i)
	return m.announce(i) && m.keep(i) && m.wait(i)
}

// line puts an instance in the line for room, where it may be its turn at once. It is true when its turn may come in a moment, because somebody is
// ending. mu is held.
func (m *Manager) line(i *instance, packet *myriad.Packet, host *host) (soon bool) {
	if i.revision() <= packet.Revision { // else it was written since
		i.packet, i.host = packet, host
	}
	i.limits = bounded(i.packet.Agent.Template.Limits, m.limits)
	m.queue.add(i)
	m.schedule()
	if i.machine.state() != queued {
		return false
	}
	i.turn = make(chan struct{})
	return m.room.leaving != load{}
}

// moment is how long an instance waits for the end of another one before its own place in the queue is worth keeping: to put a knowledge agent to
// sleep takes less than to write the place down and cross it out.
const moment = 5 * time.Millisecond

// waitBriefly is true when it is the instance's turn, at once or in a moment.
func (m *Manager) waitBriefly(i *instance, soon bool) bool {
	if begun := m.begun(i); begun || !soon {
		return begun
	}
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-i.turn:
		return true
	case <-i.halted:
	case <-timer.C:
	}
	return false
}

// begun says whether an instance has had its turn.
func (m *Manager) begun(i *instance) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return i.permit != nil
}

// linger is the wait of an instance that was only asked for in passing: nobody sees it, and it is not kept, for it is worth nothing once its askers
// have left. It is over when the instance has its turn, or its end, or is needed.
func (m *Manager) linger(i *instance) {
	if !m.lingers(i) {
		return
	}
	select {
	case <-i.turn:
	case <-i.halted:
	case <-i.wanted:
	}
}

// lingers says whether an instance is to wait unseen; where too many do, it is refused.
func (m *Manager) lingers(i *instance) bool {
	m.lock()
	defer m.unlock()
	if !i.passing || i.machine.state() != queued {
		return false
	}
	if m.queue.passing > m.limits.MaxQueue {
		m.queue.remove(i)
		m.refuse(i, m.full(i.agent))
		return false
	}
	if most := millis(m.limits.QueueMaxAgeMS); most > 0 {
		m.dueBy(i.entry.QueuedAt.Add(most))
	}
	return true
}

// announce has the wait of an instance be seen, if there is a place in the queue for it. It is false when the instance has ended.
func (m *Manager) announce(i *instance) bool {
	m.lock()
	defer m.unlock()
	switch {
	case i.machine.state() == starting:
		return true
	case i.machine.state() != queued:
		return false
	case !m.makePlace():
		m.queue.remove(i)
		m.refuse(i, m.full(i.agent))
		return false
	}
	m.enlist(i)
	return true
}

// enlist counts an instance among those that wait, for all to see. mu is held.
func (m *Manager) enlist(i *instance) {
	i.waits = true
	m.queue.shown++
	m.tellMove(i, "", queued, "")
	if most := millis(m.limits.QueueMaxAgeMS); most > 0 {
		m.dueBy(i.entry.QueuedAt.Add(most / 2)) // then it goes before others
	}
}

// packetOf reads the packet of an instance and finds who can host it.
func (m *Manager) packetOf(i *instance) (*myriad.Packet, *host, error) {
	m.settle(context.Background(), i.agent)
	packet, err := m.packets.Recall(i.agent)
	if myriad.ErrorCode(err) == myriad.CodeNotFound {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, myriad.Errorf(myriad.TaskErrStart, "read the packet of agent %s: %w", i.agent, err)
	}
	host, err := m.hostOf(packet)
	return packet, host, err
}

// refuse ends an instance that may not even wait. mu is held.
func (m *Manager) refuse(i *instance, err error) {
	m.answerAll(i, err)
	i.fault = err.Error()
	m.halt(i, myriad.ReasonFailed, err)
}

// keep stores the place of an instance in the queue; only then may anybody be told of it. It is false when the store does not take it.
func (m *Manager) keep(i *instance) bool {
	if m.begun(i) {
		return true // its turn came meanwhile
	}
	err := m.enqueue(i)
	if myriad.ErrorCode(err) == myriad.CodeConflict {
		m.clearQueue(i)
		err = m.enqueue(i)
	}
	m.lock()
	defer m.unlock()
	if err != nil {
		if i.machine.state() == queued {
			m.queue.remove(i)
			m.refuse(i, myriad.Errorf(myriad.TaskErrFleetFull, "no room for agent %s, and its place in the queue cannot be kept: %w", i.agent, err))
			return false
		}
		return true // its turn came meanwhile: there is nothing to keep
	}
	i.kept = true
	if i.machine.state() == queued {
		for a := range i.askers {
			if a.impatient {
				m.answer(a, m.queuedAnswer(i))
			}
		}
	}
	return true
}

func (m *Manager) enqueue(i *instance) error {
	m.mu.Lock()
	entry := i.entry
	m.mu.Unlock()
	ctx, cancel := asking()
	defer cancel()
	return m.cfg.Store.Enqueue(ctx, entry)
}

// clearQueue removes the rows of the same agent, which an earlier instance or an earlier life left: this one is in their place. When it is another agent
// that grows for the same concept, this one is in the queue as one that is woken.
func (m *Manager) clearQueue(i *instance) {
	ctx, cancel := asking()
	defer cancel()
	rows, err := m.cfg.Store.Queue(ctx)
	if err != nil {
		return // Enqueue will tell
	}
	for _, row := range rows {
		m.mu.Lock()
		if row.Agent != i.agent && row.Kind == myriad.QueueGrow && row.Concept == i.entry.Concept {
			i.entry.Kind = myriad.QueueWake
		}
		m.mu.Unlock()
		if row.Agent == i.agent && row.ID != i.id {
			_ = m.cfg.Store.Dequeue(ctx, row.ID) // Enqueue will tell
		}
	}
}

// wait waits for the turn; false when the instance is to end before.
func (m *Manager) wait(i *instance) bool {
	if i.turn == nil {
		return true // it had it at once
	}
	select {
	case <-i.turn:
		return true
	case <-i.halted:
		return false
	}
}

// dequeue forgets the place in the queue of an instance that has had its turn, or will not have it.
func (m *Manager) dequeue(i *instance) {
	m.mu.Lock()
	kept := i.kept
	i.kept = false
	m.mu.Unlock()
	if kept {
		m.surely("forget an entry of the queue", func(ctx context.Context) error { return m.cfg.Store.Dequeue(ctx, i.id) })
	}
}

// bury keeps what is known of an instance that failed, until its agent is started again, or for a while. mu is held.
func (m *Manager) bury(i *instance) {
	i.buried, i.running, i.live = time.Now(), nil, nil
	m.dueBy(i.buried.Add(graveTime))
	r := m.resident(i.agent)
	if r.grave != nil {
		m.exhume(r.grave)
	}
	m.residents[i.agent] = r
	r.grave = i
	var graves int
	oldest := i
	for _, other := range m.instances {
		if !other.buried.IsZero() {
			graves++
			if other.buried.Before(oldest.buried) {
				oldest = other
			}
		}
	}
	if graves > mostGraves {
		m.exhume(oldest)
	}
}

// How many instances that failed are shown, and for how long.
const (
	mostGraves = 100
	graveTime  = time.Hour
)

// exhume forgets an instance that failed. mu is held.
func (m *Manager) exhume(i *instance) {
	m.move(i, stopped, myriad.ReasonFailed)
	delete(m.instances, i.id)
	m.leave(i)
}
