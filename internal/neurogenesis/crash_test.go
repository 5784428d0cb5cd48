package neurogenesis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/discovery"
	"github.com/myriad-mind/myriad/internal/sqlitestore"
)

var errDead = errors.New("the process is dead")

// mortal is a server on a real store that dies at one of its steps: from then on nothing is written any more.
type mortal struct {
	store *sqlitestore.Store
	dir   *discovery.Directory

	mu   sync.Mutex
	left int // steps until death; below 0 is for ever
	dead bool
}

// step says whether the process lives on.
func (m *mortal) step() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = m.dead || m.left == 0
	m.left--
	if m.dead {
		return errDead
	}
	return nil
}

// around is a step before and one after.
func (m *mortal) around(write func() error) error {
	if err := m.step(); err != nil {
		return err
	}
	return errors.Join(write(), m.step())
}

func (m *mortal) Find(ctx context.Context, concept, intent string, done func(myriad.Found, error)) {
	m.dir.Find(ctx, concept, intent, done)
}

func (m *mortal) Concept(ctx context.Context, name string) (myriad.Concept, error) {
	return m.dir.Concept(ctx, name)
}

func (m *mortal) PutConcept(ctx context.Context, name string, props myriad.Properties) error {
	return m.around(func() error { return m.dir.PutConcept(ctx, name, props) })
}

// PutAgent writes the row, then the node, then that they agree.
func (m *mortal) PutAgent(ctx context.Context, a myriad.Agent, guard myriad.Guard) (myriad.Agent, error) {
	var p myriad.Packet
	err := m.around(func() (err error) { p, err = m.store.PutPacket(ctx, myriad.Packet{Agent: a}, guard); return err })
	if err != nil {
		return a, err
	}
	return p.Agent, m.show(ctx, p)
}

func (m *mortal) show(ctx context.Context, p myriad.Packet) error {
	err := m.around(func() error { _, err := m.dir.PutAgent(ctx, p.Agent, myriad.Guard{}); return err })
	if err != nil {
		return err
	}
	return m.around(func() error { return m.store.PacketSynced(ctx, p.Agent.Name, p.Revision) })
}

func (m *mortal) Agent(ctx context.Context, name string) (myriad.Agent, error) {
	p, err := m.store.Packet(ctx, name)
	return p.Agent, err
}

func (m *mortal) CountGrown(ctx context.Context) (int64, error) { return m.store.CountGrown(ctx) }

func (m *mortal) Wake(_ context.Context, req myriad.WakeRequest, done func(myriad.Woken)) {
	if err := m.step(); err != nil {
		done(myriad.Woken{Err: err})
		return
	}
	up := *req.Agent
	up.Endpoint = "http://127.0.0.1:9/query"
	done(myriad.Woken{Agent: &up, Release: func() {}})
}

// reconcile brings the graph after the rows, as the fleet does when it starts.
func (m *mortal) reconcile(ctx context.Context) error {
	changes, err := m.store.UnsyncedPackets(ctx, 100)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if err := m.show(ctx, c.Packet); err != nil {
			return err
		}
	}
	return nil
}

// live opens the data directory and grows.
func live(t *testing.T, dir string, steps int, before func(m *mortal), source Source) (m *mortal, growth myriad.Growth) {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), dir, sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m = &mortal{store: store, dir: discovery.New(discovery.Config{Graph: store.Graph()}), left: steps}
	defer func() {
		m.dir.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	before(m)
	w := newWorld(t, source)
	w.cfg.Graph, w.cfg.Packets, w.cfg.Fleet, w.cfg.Count = m, m, m, m
	g, err := New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	growth = w.grow(t, g, t.Context(), led)
	if m.left < 0 && !m.dead { // it lives on: everything must be whole
		if err := m.reconcile(t.Context()); err != nil {
			t.Error(err)
		}
		whole(t, store)
	}
	return m, growth
}

// whole checks that there is one packet, one agent that shows it, and the concept as research found it.
func whole(t *testing.T, store *sqlitestore.Store) {
	t.Helper()
	packets, _, err := store.Packets(t.Context(), myriad.Page{})
	if err != nil || len(packets) != 1 {
		t.Errorf("packets %+v, %v", packets, err)
		return
	}
	h, err := store.Graph().Handlers(t.Context(), "led")
	if err != nil || len(h.Exact) != 1 || h.Exact[0].Agent.Name != packets[0].Agent.Name || !h.Exact[0].Agent.Dormant {
		t.Errorf("the concept is handled by %+v, %v", h.Exact, err)
	}
	if n, err := store.CountGrown(t.Context()); err != nil || n != 1 {
		t.Errorf("%d grown, %v", n, err)
	}
	c, err := store.Graph().Concept(t.Context(), "led")
	if err != nil || c.Definition != "Research found: a diode" || c.DisplayName != "LED" || fmt.Sprint(c.Properties["confidence_score"]) != "0.9" ||
		c.Properties["research_status"] != "active" || c.Properties["created_at"] == nil {
		t.Errorf("concept %+v, %v", c, err)
	}
	nodes, _, err := store.Graph().Nodes(t.Context(), myriad.LabelConcept, nil, myriad.Page{})
	if err != nil || len(nodes) != 1 {
		t.Errorf("concepts %+v, %v", nodes, err)
	}
}

// TestDiesAtEveryStep lets the process die at each step in turn. The next life is asked again, with the graph brought after the rows before that or
// only later, also with another intent's template in view: there is one agent, and all of it.
func TestDiesAtEveryStep(t *testing.T) {
	for _, reconciled := range []bool{true, false} {
		for steps := 0; ; steps++ {
			dir := t.TempDir()
			m, _ := live(t, dir, steps, func(*mortal) {}, knows("A", "a diode", 0.9))
			if !m.dead {
				if steps < 9 {
					t.Errorf("there are only %d steps", steps)
				}
				break
			}
			confidence := 0.9
			if steps >= 4 { // the packet is there: who finds it does not choose another template
				confidence = 0.5
			}
			_, growth := live(t, dir, -1, func(m *mortal) {
				if reconciled {
					if err := m.reconcile(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}, knows("A", "a diode", confidence))
			if growth.Agent == nil || growth.Agent.Name != "Led_Knowledge_AI" {
				t.Errorf("dead at step %d, reconciled %v: %+v", steps, reconciled, growth)
			}
			if t.Failed() {
				t.Fatalf("dead at step %d, reconciled %v", steps, reconciled)
			}
		}
	}
}
