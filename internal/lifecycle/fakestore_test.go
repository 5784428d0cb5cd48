package lifecycle

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// fakeStore keeps what store promises, in memory. A copy of it is what a killed process leaves on disk.
type fakeStore struct {
	mu        sync.Mutex
	packets   map[string]fakeRow               // guarded by mu
	queue     map[string]myriad.QueueEntry     // guarded by mu
	instances map[string]myriad.InstanceRecord // guarded by mu
	fail      func(op, name string) error      // asked before each operation; guarded by mu
	slow      time.Duration                    // each operation; guarded by mu
}

type fakeRow struct {
	packet            myriad.Packet
	deleted, unsynced bool
}

func newFakeStore() *fakeStore {
	return &fakeStore{packets: map[string]fakeRow{}, queue: map[string]myriad.QueueEntry{}, instances: map[string]myriad.InstanceRecord{}}
}

// reopened is the store as the next process finds it.
func (s *fakeStore) reopened() *fakeStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &fakeStore{packets: maps.Clone(s.packets), queue: maps.Clone(s.queue), instances: maps.Clone(s.instances)}
}

func (s *fakeStore) failing(f func(op, name string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// do runs one operation.
func (s *fakeStore) do(ctx context.Context, op, name string, f func() error) error {
	s.mu.Lock()
	slow := s.slow
	s.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return myriad.Errorf(myriad.CodeDeadline, "%s: %w", op, err)
	}
	if s.fail != nil {
		if err := s.fail(op, name); err != nil {
			return err
		}
	}
	return f()
}

func (s *fakeStore) OwnerID() string { return "owner" }

func (s *fakeStore) PutPacket(ctx context.Context, p myriad.Packet, g myriad.Guard) (stored myriad.Packet, err error) {
	a, mistakes := myriad.CheckAgent(p.Agent)
	if a.Template == nil || a.Endpoint != "" {
		mistakes = append(mistakes, myriad.Mistake{Path: "template", Rule: "a packet has a template and no endpoint"})
	}
	if err := myriad.Invalid(mistakes); err != nil {
		return stored, err
	}
	p.Agent = a
	err = s.do(ctx, "PutPacket", a.Name, func() error {
		stored, err = s.put(p, g)
		return err
	})
	return stored, err
}

// put is called with mu held.
func (s *fakeStore) put(p myriad.Packet, g myriad.Guard) (myriad.Packet, error) {
	row, found := s.packets[p.Agent.Name]
	there := found && !row.deleted
	if err := obey(g, row.packet.Agent, row.packet.Revision, there, p.Agent.Name); err != nil {
		return p, err
	}
	now := time.Now().UTC()
	p.Revision, p.Created, p.Updated = row.packet.Revision+1, now, now
	if there {
		p.Created = row.packet.Created
	}
	p.Agent.Revision, p.Agent.CreatedAt, p.Agent.UpdatedAt = p.Revision, p.Created, p.Updated
	s.packets[p.Agent.Name] = fakeRow{packet: p, unsynced: true}
	return p, nil
}

// obey judges a guard.
func obey(g myriad.Guard, old myriad.Agent, revision int64, there bool, name string) error {
	switch {
	case there && g.MustNotExist:
		return myriad.Errorf(myriad.CodeConflict, "%s is there already", name)
	case there && g.Owner != "" && old.Owner != g.Owner:
		return myriad.Errorf(myriad.CodeConflict, "%s belongs to %q", name, old.Owner)
	case g.Revision > 0 && (!there || revision != g.Revision):
		return myriad.Errorf(myriad.CodePrecondition, "%s is at revision %d", name, revision)
	}
	return nil
}

func (s *fakeStore) PacketSynced(ctx context.Context, name string, revision int64) error {
	return s.do(ctx, "PacketSynced", name, func() error {
		if row, ok := s.packets[name]; ok && !row.deleted && row.packet.Revision == revision {
			row.unsynced = false
			s.packets[name] = row
		}
		return nil
	})
}

func (s *fakeStore) DropPacket(ctx context.Context, name string, g myriad.Guard) (was myriad.Packet, err error) {
	g.MustNotExist = false
	return was, s.do(ctx, "DropPacket", name, func() error {
		row, ok := s.packets[name]
		if !ok || row.deleted {
			return myriad.Errorf(myriad.CodeNotFound, "there is no packet %s", name)
		}
		if err := obey(g, row.packet.Agent, row.packet.Revision, true, name); err != nil {
			return err
		}
		was = row.packet
		row.deleted, row.unsynced = true, true
		row.packet.Revision++
		s.packets[name] = row
		return nil
	})
}

func (s *fakeStore) PacketGone(ctx context.Context, name string) error {
	return s.do(ctx, "PacketGone", name, func() error {
		if s.packets[name].deleted {
			delete(s.packets, name)
		}
		return nil
	})
}

func (s *fakeStore) Packet(ctx context.Context, name string) (p myriad.Packet, err error) {
	return p, s.do(ctx, "Packet", name, func() error {
		row, ok := s.packets[name]
		if !ok || row.deleted {
			return myriad.Errorf(myriad.CodeNotFound, "there is no packet %s", name)
		}
		p = row.packet
		return nil
	})
}

func (s *fakeStore) UnsyncedPackets(ctx context.Context, limit int) (changes []myriad.PacketChange, err error) {
	return changes, s.do(ctx, "UnsyncedPackets", "", func() error {
		for _, name := range slices.Sorted(maps.Keys(s.packets)) {
			if row := s.packets[name]; row.unsynced && len(changes) < limit {
				changes = append(changes, myriad.PacketChange{Packet: row.packet, Deleted: row.deleted})
			}
		}
		return nil
	})
}

func (s *fakeStore) SetKnowledge(ctx context.Context, name string, k myriad.Knowledge) (stored myriad.Packet, err error) {
	err = s.do(ctx, "SetKnowledge", name, func() error {
		row, ok := s.packets[name]
		if !ok || row.deleted {
			return myriad.Errorf(myriad.CodeNotFound, "there is no packet %s", name)
		}
		p := row.packet
		t := *p.Agent.Template
		if t.Kind != myriad.TemplateKnowledge {
			return myriad.Errorf(myriad.CodeInvalid, "%s holds no knowledge", name)
		}
		t.Knowledge = &k
		p.Agent.Template = &t
		stored, err = s.put(p, myriad.Guard{})
		return err
	})
	return stored, err
}

func (s *fakeStore) Enqueue(ctx context.Context, e myriad.QueueEntry) error {
	return s.do(ctx, "Enqueue", e.Agent, func() error {
		for _, o := range s.queue {
			same := o.Kind == e.Kind && (o.Kind == myriad.QueueWake && o.Agent == e.Agent || o.Kind == myriad.QueueGrow && o.Concept == e.Concept)
			if o.ID == e.ID || same {
				return myriad.Errorf(myriad.CodeConflict, "there is such an entry already")
			}
		}
		e.Position, e.AgeMS = 0, 0
		s.queue[e.ID] = e
		return nil
	})
}

func (s *fakeStore) Dequeue(ctx context.Context, id string) error {
	return s.do(ctx, "Dequeue", id, func() error { delete(s.queue, id); return nil })
}

func (s *fakeStore) Queue(ctx context.Context) (entries []myriad.QueueEntry, err error) {
	return entries, s.do(ctx, "Queue", "", func() error {
		entries = slices.SortedFunc(maps.Values(s.queue), func(a, b myriad.QueueEntry) int {
			return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.QueuedAt.Compare(b.QueuedAt), cmp.Compare(a.ID, b.ID))
		})
		for i := range entries {
			entries[i].Position = i + 1
		}
		return nil
	})
}

func (s *fakeStore) PutInstance(ctx context.Context, r myriad.InstanceRecord) error {
	return s.do(ctx, "PutInstance", r.Agent, func() error { s.instances[r.ID] = r; return nil })
}

func (s *fakeStore) DropInstance(ctx context.Context, id string) error {
	return s.do(ctx, "DropInstance", id, func() error { delete(s.instances, id); return nil })
}

func (s *fakeStore) Instances(ctx context.Context) (records []myriad.InstanceRecord, err error) {
	return records, s.do(ctx, "Instances", "", func() error {
		records = slices.SortedFunc(maps.Values(s.instances), func(a, b myriad.InstanceRecord) int { return cmp.Compare(a.ID, b.ID) })
		return nil
	})
}

// rows is what the store holds of packets, for comparisons.
func (s *fakeStore) rows() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text string
	for _, name := range slices.Sorted(maps.Keys(s.packets)) {
		row := s.packets[name]
		text += fmt.Sprintf("%s %q deleted=%v unsynced=%v; ", name, row.packet.Agent.Description, row.deleted, row.unsynced)
	}
	return text
}

// queuedAgents are the agents of the entries, in order.
func (s *fakeStore) queuedAgents() (agents []string) {
	entries, err := s.Queue(context.Background())
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		agents = append(agents, e.Agent)
	}
	return agents
}

func (s *fakeStore) recorded() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.instances)
}

// fakeGraph keeps what graph promises, in memory.
type fakeGraph struct {
	mu     sync.Mutex
	agents map[string]myriad.Agent     // guarded by mu
	fail   func(op, name string) error // guarded by mu
	keeps  bool                        // writes are kept for later and come back without a revision; guarded by mu
}

func newFakeGraph() *fakeGraph { return &fakeGraph{agents: map[string]myriad.Agent{}} }

func (g *fakeGraph) reopened() *fakeGraph {
	g.mu.Lock()
	defer g.mu.Unlock()
	return &fakeGraph{agents: maps.Clone(g.agents)}
}

func (g *fakeGraph) set(keeps bool, f func(op, name string) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail, g.keeps = f, keeps
}

func (g *fakeGraph) do(ctx context.Context, op, name string, f func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return myriad.Errorf(myriad.CodeCancelled, "%s: %w", op, err)
	}
	if g.fail != nil {
		if err := g.fail(op, name); err != nil {
			return err
		}
	}
	return f()
}

func (g *fakeGraph) PutAgent(ctx context.Context, a myriad.Agent, guard myriad.Guard) (myriad.Agent, error) {
	a, mistakes := myriad.CheckAgent(a)
	if err := myriad.Invalid(mistakes); err != nil {
		return a, err
	}
	return a, g.do(ctx, "graph.PutAgent", a.Name, func() error {
		if g.keeps {
			a.Revision = 0
			return nil
		}
		old, found := g.agents[a.Name]
		if err := obey(guard, old, old.Revision, found, a.Name); err != nil {
			return err
		}
		a.Revision = old.Revision + 1
		g.agents[a.Name] = a
		return nil
	})
}

func (g *fakeGraph) DeleteAgent(ctx context.Context, name string, guard myriad.Guard) (was myriad.Agent, err error) {
	return was, g.do(ctx, "graph.DeleteAgent", name, func() error {
		old, found := g.agents[name]
		if g.keeps {
			return nil
		}
		if !found {
			return myriad.Errorf(myriad.CodeNotFound, "there is no agent %s", name)
		}
		if err := obey(guard, old, old.Revision, true, name); err != nil {
			return err
		}
		was = old
		delete(g.agents, name)
		return nil
	})
}

func (g *fakeGraph) Agent(ctx context.Context, name string) (a myriad.Agent, err error) {
	return a, g.do(ctx, "graph.Agent", name, func() error {
		var found bool
		if a, found = g.agents[name]; !found {
			return myriad.Errorf(myriad.CodeNotFound, "there is no agent %s", name)
		}
		return nil
	})
}

func (g *fakeGraph) Agents(ctx context.Context, _ myriad.Page) (agents []myriad.Agent, next string, err error) {
	return agents, "", g.do(ctx, "graph.Agents", "", func() error {
		for _, name := range slices.Sorted(maps.Keys(g.agents)) {
			agents = append(agents, g.agents[name])
		}
		return nil
	})
}

// shows is the agents in the graph, for comparisons.
func (g *fakeGraph) shows() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var text string
	for _, name := range slices.Sorted(maps.Keys(g.agents)) {
		a := g.agents[name]
		text += fmt.Sprintf("%s %q packet=%v dormant=%v at=%s; ", name, a.Description, a.Template != nil, a.Dormant, a.Endpoint)
	}
	return text
}
