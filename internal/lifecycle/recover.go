package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// Start takes over from an earlier life of the server: instances that it left alive are adopted where their packet is still the same and there
// is room, and ended otherwise; the queue goes on in its order; packets that the graph does not show yet are brought into it in the background.
// It is quick however many packets there are. Call it once, before Run and Wake.
func (m *Manager) Start(ctx context.Context) error {
	m.mu.Lock()
	again := m.phase != fresh
	m.mu.Unlock()
	if again {
		return myriad.Errorf(myriad.CodeInternal, "the fleet was started before, or has been drained")
	}
	records, err := m.cfg.Store.Instances(ctx)
	if err != nil {
		return fmt.Errorf("read what the last life left: %w", err)
	}
	entries, err := m.cfg.Store.Queue(ctx)
	if err != nil {
		return fmt.Errorf("read the queue: %w", err)
	}
	left, absent := m.recoverAll(ctx)
	if err := m.open(ctx); err != nil {
		for _, l := range left {
			m.end(l)
		}
		return err
	}
	m.background(func() { m.keepInSync(m.ctx) })
	m.background(func() { m.writeLessons(m.ctx) })
	m.takeIn(ctx, left)
	m.clearRecords(records, absent)
	for _, h := range m.hosts {
		if absent[h.name] && slices.ContainsFunc(records, func(r myriad.InstanceRecord) bool { return r.Runtime == h.name }) {
			m.background(func() { m.recoverLater(m.ctx, h) })
		}
	}
	m.resume(ctx, entries)
	m.syncSoon()
	return nil
}

// open lets the fleet run, unless it is over already.
func (m *Manager) open(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("recover the fleet: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.phase != fresh {
		return errDraining()
	}
	m.phase = running
	return nil
}

// leftover is what a runtime found.
type leftover struct {
	myriad.Left
	host   *host
	reason string // why it ends, if it is not adopted
	dated  bool   // its packet is another one now, or may be
}

// recoverAll asks every runtime what is left. One that cannot tell, like a container daemon that is down, is asked again before it starts
// anything; the absent ones are named.
func (m *Manager) recoverAll(ctx context.Context) (left []leftover, absent map[string]bool) {
	ctx, cancel := context.WithTimeout(ctx, recoverTime)
	defer cancel()
	found, errs := make([][]leftover, len(m.hosts)), make([]error, len(m.hosts))
	var asked sync.WaitGroup
	for n, h := range m.hosts {
		asked.Go(func() { found[n], errs[n] = m.recoverOnce(ctx, h) })
	}
	asked.Wait()
	absent = map[string]bool{}
	for n, h := range m.hosts {
		if errs[n] != nil {
			absent[h.name] = true
			m.cfg.Logger.Warn("a runtime cannot tell what an earlier life left; it is asked again before it starts anything", "runtime", h.name, "error", errs[n])
		}
		left = append(left, found[n]...)
	}
	return left, absent
}

// recoverTime is how long the start of a server waits for runtimes to tell what is left.
const recoverTime = 10 * time.Second

// recoverOnce asks a runtime that has not answered yet.
func (m *Manager) recoverOnce(ctx context.Context, h *host) (left []leftover, err error) {
	select {
	case h.recovery <- struct{}{}:
		defer func() { <-h.recovery }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if h.recovered.Load() {
		return nil, nil
	}
	var found []myriad.Left
	if err := m.guarded("recovering a runtime", func() (err error) { found, err = h.Recover(ctx, m.cfg.OwnerID); return err }); err != nil {
		return nil, err
	}
	h.recovered.Store(true)
	for _, l := range found {
		left = append(left, leftover{Left: l, host: h})
	}
	return left, nil
}

// recoverHost makes sure that a runtime has told what is left before it starts anything.
func (m *Manager) recoverHost(ctx context.Context, h *host) error {
	if h.recovered.Load() {
		return nil
	}
	left, err := m.recoverOnce(ctx, h)
	if err != nil {
		return fmt.Errorf("runtime %s is not available: %w", h.name, err)
	}
	m.takeIn(ctx, left)
	return nil
}

// recoverLater asks an absent runtime again and again: the records say that something of the last life may be there.
func (m *Manager) recoverLater(ctx context.Context, h *host) {
	for wait := firstRecovery; ; wait = min(2*wait, lastRecovery) {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if m.recoverHost(ctx, h) == nil {
			m.cfg.Logger.Info("a runtime has told what an earlier life left", "runtime", h.name)
			return
		}
	}
}

// The wait before an absent runtime is asked again, which grows from the first to the second.
const (
	firstRecovery = time.Second
	lastRecovery  = 5 * time.Minute
)

// takeIn adopts instances that an earlier life left, as far as their packets are the same and there is room, and ends the others. Either way
// they count from now on; those that end must not take the room of those that can stay.
func (m *Manager) takeIn(ctx context.Context, left []leftover) {
	var others []leftover
	for _, l := range left {
		packet, found, err := m.packet(ctx, l.Agent)
		if err == nil && !found {
			l.reason = myriad.ReasonDeleted
		} else {
			l.reason = myriad.ReasonShutdown
		}
		l.dated = err != nil || !found || packet.Revision != l.Revision
		if l.dated || !m.adopt(l, packet) {
			others = append(others, l)
		}
	}
	for _, l := range others {
		m.end(l)
	}
}

// book makes an instance of what was left; it is starting. mu is held.
func (m *Manager) book(l leftover, p *permit, reason string) *instance {
	i := m.newInstance(l.InstanceID, l.Agent)
	i.entry = myriad.QueueEntry{ID: i.id, Agent: i.agent}
	i.host, i.limits, i.running, i.recorded, i.permit, i.decided, i.dated = l.host, l.Limits, l.Instance, true, p, time.Now(), l.dated
	if !l.StartedAt.IsZero() {
		i.began = l.StartedAt
	}
	m.instances[i.id] = i
	if m.learners[i.agent] == nil {
		m.learners[i.agent] = i // whether it learns or not: nobody else does before it has ended
	}
	m.move(i, starting, reason)
	return i
}

// adopt takes over an instance that is what its packet says, if there is room for it and its agent has no other.
func (m *Manager) adopt(l leftover, packet myriad.Packet) bool {
	host, err := m.hostOf(&packet)
	m.lock()
	defer m.unlock()
	if err != nil || host != l.host || m.phase != running || m.instances[l.InstanceID] != nil ||
		bounded(packet.Agent.Template.Limits, m.limits) != l.Limits || m.resident(l.Agent).now != nil {
		return false
	}
	p := m.room.take(l.Limits)
	if p == nil {
		return false
	}
	i := m.book(l, p, myriad.ReasonAdopted)
	i.packet = &packet
	m.settleIn(i)
	m.spawn(i)
	return true
}

// end stops what cannot be adopted.
func (m *Manager) end(l leftover) {
	m.lock()
	if m.phase == running && m.instances[l.InstanceID] == nil {
		i := m.book(l, m.room.force(l.Limits), l.reason)
		m.halt(i, l.reason, nil)
		m.spawn(i)
		m.unlock()
		return
	}
	m.unlock() // nobody is there any more to look after it
	if err := m.guarded("stopping an instance", func() error { return l.Instance.Stop(m.kill) }); err != nil {
		m.cfg.Logger.Error("an instance could not be stopped", "agent", l.Agent, "instance", l.InstanceID, "runtime", l.host.name, "error", err)
	}
}

// clearRecords forgets the records of instances that are gone. Those of a runtime that could not tell stay, for the next start.
func (m *Manager) clearRecords(records []myriad.InstanceRecord, absent map[string]bool) {
	for _, r := range records {
		m.mu.Lock()
		_, alive := m.instances[r.ID]
		m.mu.Unlock()
		if !alive && !absent[r.Runtime] {
			m.surely("forget an instance", func(ctx context.Context) error { return m.cfg.Store.DropInstance(ctx, r.ID) })
		}
	}
}

// resume goes on with the queue of the last life, in its order. Entries for which there is nothing to start any more are dropped.
func (m *Manager) resume(ctx context.Context, entries []myriad.QueueEntry) {
	var waiting []*instance
	for _, e := range entries {
		i := m.newInstance(e.ID, e.Agent)
		i.entry, i.kept = e, true
		packet, found, err := m.packet(ctx, e.Agent)
		if err != nil {
			m.cfg.Logger.Error("an entry of the queue waits for the next start", "agent", e.Agent, "error", err)
			continue
		}
		if err = errGone(e.Agent); found {
			i.packet = &packet
			i.host, err = m.hostOf(&packet)
		}
		if err != nil {
			m.cfg.Logger.Warn("an entry of the queue is dropped", "agent", e.Agent, "error", err)
			m.drop(e.ID)
			continue
		}
		waiting = append(waiting, i)
	}
	for _, id := range m.lineUp(waiting) {
		m.drop(id)
	}
}

// lineUp puts instances of the last life into the queue, and gives the ids of those that are not needed.
func (m *Manager) lineUp(waiting []*instance) (spare []string) {
	m.lock()
	defer m.unlock()
	if m.phase != running {
		return nil
	}
	for _, i := range waiting {
		if m.resident(i.agent).now != nil || m.instances[i.id] != nil {
			spare = append(spare, i.id) // it is awake, or two entries asked for it
			continue
		}
		i.limits = bounded(i.packet.Agent.Template.Limits, m.limits)
		m.settleIn(i)
		i.turn = make(chan struct{})
		m.queue.add(i)
		m.enlist(i)
		m.spawn(i)
	}
	m.schedule()
	return spare
}

// drop forgets an entry of the queue.
func (m *Manager) drop(id string) {
	m.surely("forget an entry of the queue", func(ctx context.Context) error { return m.cfg.Store.Dequeue(ctx, id) })
}
