package lifecycle

import (
	"context"
	"log/slog"
	"maps"
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
	some    chan struct{}
}

func (l *lessons) init() {
	l.pending, l.some = map[string]*myriad.Knowledge{}, make(chan struct{}, 1)
}

// add has an agent's lesson wait, in place of an earlier one; false when too many wait.
func (l *lessons) add(name string, k *myriad.Knowledge) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, waits := l.pending[name]; !waits && len(l.pending) >= mostLessons {
		return false
	}
	l.pending[name] = k
	return true
}

// of is what waits for an agent, nil when nothing does.
func (l *lessons) of(name string) *myriad.Knowledge {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pending[name]
}

// forget drops what waits for an agent.
func (l *lessons) forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pending, name)
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

// Learned has the packet of a knowledge agent follow what the agent was told in an instance. It is written behind, at most a second late, and before
// Drain returns; the instance goes on. Of an instance whose packet was written anew or deleted since it is dropped, because it would undo that. When too many
// wait it is lost and told so.
func (m *Manager) Learned(instance, agent string, k myriad.Knowledge) {
	m.mu.Lock()
	i := m.instances[instance]
	dated := i != nil && i.dated
	kept := !dated && m.lessons.add(agent, &k)
	m.mu.Unlock()
	switch {
	case kept:
		signal(m.lessons.some)
	case dated:
		m.cfg.Logger.Info("what an agent learned is dropped, for its packet was written anew", "agent", agent, "instance", instance)
	default:
		m.lose(agent, "knowledge")
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

// taught is a packet with what its agent learned and the row does not hold yet.
func (m *Manager) taught(p myriad.Packet) myriad.Packet {
	k := m.lessons.of(p.Agent.Name)
	if k == nil || p.Agent.Template == nil || p.Agent.Template.Kind != myriad.TemplateKnowledge {
		return p
	}
	template := *p.Agent.Template
	template.Knowledge = k
	p.Agent.Template = &template
	return p
}

// learn writes what waits for an agent to its packet, whose instance is up to date already. An agent that is gone, or holds no knowledge any
// more, has nothing to learn.
func (m *Manager) learn(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	over, err := m.turns.take(ctx, name)
	if err != nil {
		return err
	}
	defer over()
	k := m.lessons.of(name)
	if k == nil {
		return nil // written by another
	}
	p, err := m.cfg.Store.SetKnowledge(ctx, name, *k)
	switch myriad.ErrorCode(err) {
	case "":
		m.lessons.wrote(name, k)
	case myriad.CodeNotFound, myriad.CodeInvalid:
		m.lessons.wrote(name, k)
		m.cfg.Logger.Warn("what an agent learned is dropped", "agent", name, "error", err)
		return nil
	default:
		return err
	}
	m.follow(p, p.Revision-1)
	if err := m.show(ctx, p, myriad.Guard{}); err != nil {
		m.syncSoon()
	}
	return nil
}
