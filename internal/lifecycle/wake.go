package lifecycle

import (
	"context"
	"errors"
	"time"

	"github.com/myriad-mind/myriad"
)

// asker is one Wake that waits for its answer. It is guarded by Manager.mu.
type asker struct {
	done      func(myriad.Woken)
	at        *instance // nil once it is answered
	impatient bool      // it is to be told its place as soon as it has one
	deadline  *time.Timer
	patience  *time.Timer
	leave     func() bool
}

// Wake brings an agent to life, or finds it alive, and tells done, exactly once: with the agent pinned, so that it is not put to sleep until
// Release is called; or with why not. An agent that is awake is answered before Wake returns. However many ask, an agent is started once, and on the
// Manager's own account: whoever's ctx or deadline ends leaves alone. Without room in the fleet the agent waits in the queue, and goes on waiting
// when its askers have lost patience. done is called under no lock and must not block. Errors are those of myriad.Woken, and CodeNotFound
// when there is no packet of that name.
func (m *Manager) Wake(ctx context.Context, req myriad.WakeRequest, done func(myriad.Woken)) {
	if req.Agent == nil {
		done(myriad.Woken{Err: myriad.Errorf(myriad.CodeInvalid, "no agent is named to be woken")})
		return
	}
	if l := m.board.get(req.Agent.Name); l != nil && l.take(onePin) {
		if !req.Passing {
			l.need()
		}
		done(l.woken(0))
		return
	}
	if err := leftAlready(ctx, req.Deadline); err != nil {
		done(myriad.Woken{Err: err})
		return
	}
	m.lock()
	defer m.unlock()
	i, err := m.flight(req)
	switch {
	case err != nil:
		m.reply(done, myriad.Woken{Err: err})
	case i.machine.state() == ready && i.live.take(onePin):
		m.reply(done, i.live.woken(0))
	default:
		m.join(ctx, i, req, done)
	}
}

// leftAlready is the error of an asker that does not wait any more.
func leftAlready(ctx context.Context, deadline time.Time) error {
	switch err := ctx.Err(); {
	case errors.Is(err, context.DeadlineExceeded), err == nil && !deadline.IsZero() && !time.Now().Before(deadline):
		return myriad.Errorf(myriad.CodeDeadline, "the deadline passed before the agent was awake")
	case err != nil:
		return myriad.Errorf(myriad.CodeCancelled, "the asker left before the agent was awake")
	}
	return nil
}

// flight finds the instance that all who want the agent wait for, and begins one when there is none. mu is held.
func (m *Manager) flight(req myriad.WakeRequest) (*instance, error) {
	name := req.Agent.Name
	switch m.phase {
	case fresh:
		return nil, myriad.Errorf(myriad.CodeUnavailable, "the fleet has not started yet")
	case ending:
		return nil, errDraining()
	}
	if r := m.residents[name]; r != nil {
		if r.now != nil {
			return r.now, m.attend(r.now, req)
		}
		if left := time.Until(r.coolUntil); left > 0 {
			return nil, coolingDown(name, r.fault, left)
		}
	}
	if req.Passing && m.crowdedInPassing() || !req.Passing && m.crowded() {
		return nil, m.full(name)
	}
	i := m.newInstance("", name)
	i.entry = entryOf(i.id, req)
	if i.passing = req.Passing; i.passing {
		i.wanted = make(chan struct{})
	}
	m.settleIn(i)
	m.spawn(i)
	return i, nil
}

// entryOf is the place in the queue of who is woken for that request.
func entryOf(id string, req myriad.WakeRequest) myriad.QueueEntry {
	e := myriad.QueueEntry{ID: id, Kind: req.Kind, Concept: req.Concept, Agent: req.Agent.Name, Intent: req.Intent, Priority: req.Priority,
		QueuedAt: time.Now().UTC()}
	if e.Kind != myriad.QueueGrow || e.Concept == "" {
		e.Kind = myriad.QueueWake
	}
	return e
}

// attend has an instance that is there already serve one more request. Where it was only asked for in passing and this one needs it, its place is this
// one's from now on, as if nobody had asked before. mu is held.
func (m *Manager) attend(i *instance, req myriad.WakeRequest) error {
	waiting := i.passing && i.machine.state() == queued
	switch {
	case req.Passing || !waiting:
		m.queue.raise(i, req.Priority)
		if !req.Passing {
			m.need(i)
		}
		return nil
	case m.crowded():
		return m.full(i.agent)
	}
	lined := m.queue.remove(i)
	i.entry = entryOf(i.id, req)
	m.need(i)
	if lined {
		m.queue.add(i)
		m.schedule() // it may have room that those in passing do not make for one another
	}
	return nil
}

// settleIn makes an instance its agent's present one, in place of one that failed. mu is held.
func (m *Manager) settleIn(i *instance) {
	r := m.resident(i.agent)
	if r.grave != nil {
		m.exhume(r.grave)
	}
	m.residents[i.agent] = r // exhume may have tidied it away
	r.now = i
	m.instances[i.id] = i
}

func errDraining() error {
	return myriad.Errorf(myriad.CodeDraining, "the server is shutting down and wakes nobody any more")
}

func coolingDown(name, fault string, left time.Duration) error {
	e := myriad.Errorf(myriad.TaskErrCoolingDown, "agent %s is not started again yet: %s", name, fault)
	e.RetryAfter = left
	return e
}

// full is the refusal of who cannot even wait. mu is held.
func (m *Manager) full(name string) error {
	e := myriad.Errorf(myriad.TaskErrFleetFull, "no room for agent %s: %d instances, and %d that wait", name, m.room.used.agents, m.queue.shown)
	e.RetryAfter = m.estimate(m.queue.shown + 1)
	return e
}

// queuedAnswer tells an asker where the agent waits on without it. mu is held.
func (m *Manager) queuedAnswer(i *instance) myriad.Woken {
	place := m.place(i)
	if place == nil {
		return myriad.Woken{Err: m.full(i.agent)}
	}
	e := myriad.Errorf(myriad.TaskErrFleetFull, "no room for agent %s yet: it waits at place %d", i.agent, place.Position)
	e.RetryAfter = millis(place.EstimateMS)
	return myriad.Woken{Err: e, Queued: place}
}

// join has an asker wait for an instance, until its ctx or deadline ends, or, while the instance waits for room, its patience. mu is held.
func (m *Manager) join(ctx context.Context, i *instance, req myriad.WakeRequest, done func(myriad.Woken)) {
	a := &asker{done: done}
	i.await(a)
	if ctx.Done() != nil {
		a.leave = context.AfterFunc(ctx, func() { m.lapse(a, leftAlready(ctx, req.Deadline)) })
	}
	if !req.Deadline.IsZero() {
		a.deadline = time.AfterFunc(time.Until(req.Deadline), func() { m.lapse(a, leftAlready(context.Background(), req.Deadline)) })
	}
	if req.Patience > 0 {
		a.patience = time.AfterFunc(req.Patience, func() { m.losePatience(a) })
	}
}

// await adds an asker. mu is held.
func (i *instance) await(a *asker) {
	if i.askers == nil {
		i.askers = map[*asker]struct{}{}
	}
	a.at = i
	i.askers[a] = struct{}{}
}

// lapse answers an asker whose time is over; the instance goes on.
func (m *Manager) lapse(a *asker, err error) {
	m.lock()
	defer m.unlock()
	if err == nil { // the timer was early by less than the clock shows
		err = myriad.Errorf(myriad.CodeDeadline, "the deadline passed before the agent was awake")
	}
	i := a.at
	if m.answer(a, myriad.Woken{Err: err}) {
		m.pass(i)
	}
}

// losePatience answers an asker that will not wait for room any longer; once its agent starts, it waits until its deadline.
func (m *Manager) losePatience(a *asker) {
	m.lock()
	defer m.unlock()
	a.impatient = true
	i := a.at
	switch {
	case i == nil || i.machine.state() != queued:
	case i.passing:
		m.answer(a, myriad.Woken{Err: m.full(i.agent)})
		m.pass(i)
	case i.kept:
		m.answer(a, m.queuedAnswer(i))
	}
}

// pass takes an instance out of the queue that was only asked for in passing, and whose askers have all passed. Nobody was told of it, so nobody is
// told a reason. mu is held.
func (m *Manager) pass(i *instance) {
	if i.passing && len(i.askers) == 0 && i.machine.state() == queued {
		m.halt(i, "", nil)
		m.schedule() // nobody gives way for it any more
	}
}

// answer takes an asker off its instance and has it told when mu is free; false when it was answered before. mu is held.
func (m *Manager) answer(a *asker, w myriad.Woken) bool {
	if a.at == nil {
		return false
	}
	if delete(a.at.askers, a); len(a.at.askers) == 0 {
		a.at.askers = nil
	}
	a.at = nil
	for _, t := range []*time.Timer{a.deadline, a.patience} {
		if t != nil {
			t.Stop()
		}
	}
	if a.leave != nil {
		a.leave()
	}
	m.reply(a.done, w)
	return true
}

// answerAll tells all askers of an instance the same error. mu is held.
func (m *Manager) answerAll(i *instance, err error) {
	for a := range i.askers {
		m.answer(a, myriad.Woken{Err: err})
	}
}

// inherit moves the askers of one instance to another, and whether it is needed. mu is held.
func (m *Manager) inherit(to, from *instance) {
	if !from.inPassing() {
		m.need(to)
	}
	for a := range from.askers {
		to.await(a)
	}
	from.askers = nil
}

func (m *Manager) reply(done func(myriad.Woken), w myriad.Woken) {
	m.answers = append(m.answers, func() { done(w) })
}
