package lifecycle

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// The delay in which what an agent learns is put together, and how many agents' knowledge may wait.
const (
	lessonDelay = 500 * time.Millisecond
	mostLessons = 1000
)

// lessons is what agents were told and their packets do not hold yet: the latest for each.
type lessons struct {
	mu      sync.Mutex
	pending map[string]*myriad.Knowledge // not changed once they are here; guarded by mu
	closed  map[string]bool              // agents whose packets are being written, for whom none are taken; guarded by mu
	some    chan struct{}
}

func (l *lessons) init() {
	l.pending, l.closed, l.some = map[string]*myriad.Knowledge{}, map[string]bool{}, make(chan struct{}, 1)
}

// add has an agent's lesson wait, in place of an earlier one. It is refused for a moment while the agent's packet is written, and when too many wait.
func (l *lessons) add(name string, k *myriad.Knowledge) *myriad.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, waits := l.pending[name]
	switch {
	case l.closed[name]:
		return myriad.Errorf(myriad.CodeUnavailable, "agent %s learns nothing while its packet is written: tell it again", name)
	case !waits && len(l.pending) >= mostLessons:
		return myriad.Errorf(myriad.CodeUnavailable, "agent %s learns nothing now: what %d agents have learned waits to be written", name, mostLessons)
	}
	l.pending[name] = k
	return nil
}

// close has no lessons of an agent be taken until open is called. The turn is held.
func (l *lessons) close(name string) (open func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed[name] = true
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.closed, name)
	}
}

// of is what waits for an agent, nil when nothing does.
func (l *lessons) of(name string) *myriad.Knowledge {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pending[name]
}

// wrote drops what was written, unless something newer came.
func (l *lessons) wrote(name string, k *myriad.Knowledge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending[name] == k {
		delete(l.pending, name)
	}
}

// names are the agents for which something waits.
func (l *lessons) names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.pending))
}

// Learned takes what a knowledge agent was told in an instance, with all that it knows then, and has its packet follow: it is written behind, at most a
// second late, and before Drain returns; the instance goes on, and the agent's next one knows it. CodeUnavailable, with nothing taken, when the agent's
// packet was written anew or deleted since, because that would be undone, or the instance is not the agent's present one; with RetryAfter while the packet is
// being written, and when too many wait.
func (m *Manager) Learned(instance, agent string, k myriad.Knowledge) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.learners[agent]
	if i == nil || i.id != instance || i.dated {
		return myriad.Errorf(myriad.CodeUnavailable, "this instance of agent %s learns nothing more, for its packet was written anew: tell its next instance", agent)
	}
	if i.knows(&k) && m.lessons.of(agent) == nil {
		return nil // it was told the same again
	}
	if err := m.lessons.add(agent, &k); err != nil {
		err.RetryAfter = lessonDelay
		return err
	}
	signal(m.lessons.some)
	return nil
}

// knows says whether that is what the instance's packet holds. mu is held.
func (i *instance) knows(k *myriad.Knowledge) bool {
	return learns(i.packet) && reflect.DeepEqual(i.packet.Agent.Template.Knowledge, k)
}

// learns says whether an agent can be told something that its packet has to follow.
func learns(p *myriad.Packet) bool {
	return p != nil && p.Agent.Template != nil && p.Agent.Template.Kind == myriad.TemplateKnowledge
}

// enrol makes an instance the one of its agent that may learn, once nothing is left of the one before: what that was told last is in the packet from which
// this one starts. So an agent that learns never has two instances that know different things. It waits until ctx ends.
func (m *Manager) enrol(ctx context.Context, i *instance) error {
	gone := m.claim(i)
	if gone == nil {
		return nil // as nearly always
	}
	for ; gone != nil; gone = m.claim(i) {
		select {
		case <-gone:
		case <-ctx.Done():
			return fmt.Errorf("its former instance has not ended: %w", ctx.Err())
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	i.decided = time.Now() // what it waited is no part of its start
	return nil
}

// claim makes i the instance of its agent that may learn. While another one is, it is that one's end that has to be waited for.
func (m *Manager) claim(i *instance) (gone <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !learns(i.packet) {
		return nil
	}
	if former := m.learners[i.agent]; former != nil && former != i {
		return former.whenGone()
	}
	m.learners[i.agent] = i
	return nil
}

// disenrol has an instance of which nothing is left learn no more. mu is held.
func (m *Manager) disenrol(i *instance) {
	if m.learners[i.agent] == i {
		delete(m.learners, i.agent)
	}
}

// lose tells that something bounded was full.
func (m *Manager) lose(agent, what string) {
	m.out.post(notice{event: myriad.Event{Kind: myriad.KindLost, At: time.Now(), Agent: agent, Reason: what, Count: 1}, level: slog.LevelWarn,
		text: "lost what an agent learned", attrs: []slog.Attr{slog.String("agent", agent)}})
	m.out.deliver()
}

// writeLessons writes what agents learn, a moment after they did.
func (m *Manager) writeLessons(ctx context.Context) {
	wait := lessonDelay
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.lessons.some:
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if m.flush(ctx) {
			wait = lessonDelay
		} else {
			wait = min(2*wait, lastSync)
			signal(m.lessons.some)
		}
	}
}

// flush writes what waits; false when something of it has to wait on.
func (m *Manager) flush(ctx context.Context) bool {
	all := true
	for _, name := range m.lessons.names() {
		all = m.settle(ctx, name) && all
	}
	return all
}

// settle writes what waits for an agent; false when it has to wait on. It is done before an agent starts, so that the instance begins with
// it; where it fails the instance gets it from taught, and it is written later.
func (m *Manager) settle(ctx context.Context, name string) bool {
	if m.lessons.of(name) == nil {
		return true
	}
	err := m.learn(ctx, name)
	if err != nil {
		m.cfg.Logger.Warn("what an agent learned is not in its packet yet", "agent", name, "error", err)
	}
	return err == nil
}

// renew gives an instance that learns its packet as it is now: what its former instance was told may have been written after it was read, and before the
// instance was known by it. What was written anew as a whole is left to changed.
func (m *Manager) renew(i *instance) {
	p, err := m.packets.Recall(i.agent)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil && learns(p) && learns(i.packet) && p.Revision > i.packet.Revision && alike(ignorant(p.Agent), ignorant(i.packet.Agent)) {
		i.packet = p
	}
}

// ignorant is an agent without what it knows.
func ignorant(a myriad.Agent) myriad.Agent {
	template := *a.Template
	template.Knowledge = nil
	a.Template = &template
	return a
}

// taught is a packet with what its agent learned and the row does not hold yet.
func (m *Manager) taught(p myriad.Packet) myriad.Packet {
	k := m.lessons.of(p.Agent.Name)
	if k == nil || !learns(&p) {
		return p
	}
	template := *p.Agent.Template
	template.Knowledge = k
	p.Agent.Template = &template
	return p
}

// learn writes what waits for an agent to its packet, whose instance is up to date already.
func (m *Manager) learn(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	over, err := m.turns.take(ctx, name)
	if err != nil {
		return err
	}
	defer over()
	p, err := m.writeLesson(ctx, name)
	if p == nil {
		return err
	}
	if err := m.show(ctx, *p, myriad.Guard{}); err != nil {
		m.syncSoon()
	}
	return nil
}

// writeLesson writes what waits for an agent to its row, and gives the packet; nil when nothing did, because another has written it, or could not
// be written. An agent that is gone, or holds no knowledge any more, has nothing to learn. The turn is held.
func (m *Manager) writeLesson(ctx context.Context, name string) (*myriad.Packet, error) {
	k := m.lessons.of(name)
	if k == nil {
		return nil, nil
	}
	p, err := m.cfg.Store.SetKnowledge(ctx, name, *k)
	switch myriad.ErrorCode(err) {
	case "":
		m.follow(p, p.Revision-1)
		m.lessons.wrote(name, k) // after that: who starts from a packet in between finds it in one of the two
		return &p, nil
	case myriad.CodeNotFound, myriad.CodeInvalid:
		m.lessons.wrote(name, k)
		m.cfg.Logger.Warn("what an agent learned is dropped", "agent", name, "error", err)
		return nil, nil
	}
	return nil, err
}
