package lifecycle

import (
	"context"
	"sync"

	"github.com/myriad-mind/myriad"
)

// The bounds of a memo: how many packets a generation of it holds, and the bytes of the largest.
const (
	memoPackets = 128
	memoBytes   = 16 << 10
)

// memo is a store that remembers the packets of those who were woken last: in a fleet that is full the same ones fall asleep and wake again and again,
// and reading the row is a third of what waking costs. Only the fleet writes packets (the data directory has one owner), so what is remembered is what
// is stored.
type memo struct {
	store

	mu         sync.Mutex
	writes     uint64                    // begun and ended; guarded by mu, as what follows
	young, old map[string]*myriad.Packet // when the young ones are enough they become the old ones, and the old ones are forgotten
}

func newMemo(s store) *memo { return &memo{store: s, young: map[string]*myriad.Packet{}} }

// Recall is Packet for those who do not change what they get: the packet is shared.
func (m *memo) Recall(name string) (*myriad.Packet, error) {
	p, writes := m.find(name)
	if p != nil {
		return p, nil
	}
	ctx, cancel := asking()
	defer cancel()
	read, err := m.store.Packet(ctx, name)
	if err != nil {
		return nil, err
	}
	m.keep(&read, writes)
	return &read, nil
}

// find gives what is remembered, or how many writes there were.
func (m *memo) find(name string) (*myriad.Packet, uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.young[name]; p != nil {
		return p, 0
	}
	p := m.old[name]
	if p != nil {
		m.put(p)
	}
	return p, m.writes
}

// keep remembers what was read, unless something was written meanwhile: it may be of before.
func (m *memo) keep(p *myriad.Packet, writes uint64) {
	if weight(&p.Agent) > memoBytes {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writes == writes {
		m.put(p)
	}
}

// put adds to the young ones. mu is held.
func (m *memo) put(p *myriad.Packet) {
	if len(m.young) >= memoPackets {
		m.old, m.young = m.young, map[string]*myriad.Packet{}
	}
	delete(m.old, p.Agent.Name)
	m.young[p.Agent.Name] = p
}

// writing forgets a packet that is about to be written, and again when written is called: who read in between may have read either.
func (m *memo) writing(name string) (written func()) {
	forget := func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.writes++
		delete(m.young, name)
		delete(m.old, name)
	}
	forget()
	return forget
}

func (m *memo) PutPacket(ctx context.Context, p myriad.Packet, g myriad.Guard) (myriad.Packet, error) {
	defer m.writing(p.Agent.Name)()
	return m.store.PutPacket(ctx, p, g)
}

func (m *memo) DropPacket(ctx context.Context, name string, g myriad.Guard) (myriad.Packet, error) {
	defer m.writing(name)()
	return m.store.DropPacket(ctx, name, g)
}

func (m *memo) SetKnowledge(ctx context.Context, name string, k myriad.Knowledge) (myriad.Packet, error) {
	defer m.writing(name)()
	return m.store.SetKnowledge(ctx, name, k)
}

// weight is about how many bytes the parts of an agent take that have no narrow bounds.
func weight(a *myriad.Agent) int {
	n := len(a.Description) + lengths(a.Concepts) + lengths(a.Intents) + lengths(a.SafeIntents) + lengths(a.Capabilities) + pairs(a.Labels)
	t := a.Template
	if t == nil {
		return n
	}
	n += lengths(t.Command) + lengths(t.PassEnv) + pairs(t.Env)
	if k := t.Knowledge; k != nil {
		n += len(k.PrimaryDefinition) + lengths(k.Applications) + lengths(k.RelatedConcepts) + lengths(k.KeyAttributes) + lengths(k.ResearchSources)
		for kind, l := range k.Learned {
			n += len(kind) + len(l.Content)
		}
	}
	return n
}

func lengths(list []string) (n int) {
	for _, s := range list {
		n += len(s)
	}
	return n
}

func pairs(of map[string]string) (n int) {
	for name, value := range of {
		n += len(name) + len(value)
	}
	return n
}
