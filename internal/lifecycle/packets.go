package lifecycle

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/myriad-mind/myriad"
)

// PutAgent writes an agent. One with a template is a packet: its row comes first, its dormant card in the graph follows, at once or when the graph
// answers again, and an instance of an earlier revision is replaced by the next task that needs it. One without a template goes straight
// to the graph; a packet of that name is dropped and its instance stopped. The reply shows the agent as Agent does. Errors: CodeInvalid with
// every mistake, CodeConflict and CodePrecondition by the guard, CodeUnavailable when it can be judged by the graph alone, which does not answer.
func (m *Manager) PutAgent(ctx context.Context, a myriad.Agent, g myriad.Guard) (myriad.Agent, error) {
	if a.Template != nil {
		a.Endpoint = "" // of an instance; it may be there because what was read is written back
	}
	a, mistakes := myriad.CheckAgent(a)
	if err := myriad.Invalid(mistakes); err != nil {
		return myriad.Agent{}, err
	}
	over, err := m.turns.take(ctx, a.Name)
	if err != nil {
		return myriad.Agent{}, err
	}
	defer over()
	defer m.lessons.close(a.Name)()
	old, found, err := m.latest(ctx, a.Name)
	if err != nil {
		return myriad.Agent{}, err
	}
	g = ours(g, old, found)
	switch {
	case a.Template != nil:
		return m.putPacket(ctx, a, g, old, found)
	case found:
		return m.unpack(ctx, a, g, old)
	}
	return m.cfg.Graph.PutAgent(ctx, a, g)
}

// latest is packet, with what the agent has learned until now, on which a guard is judged. The turn is held.
func (m *Manager) latest(ctx context.Context, name string) (p myriad.Packet, found bool, err error) {
	if wrote, err := m.writeLesson(ctx, name); err != nil {
		return myriad.Packet{}, false, err
	} else if wrote != nil {
		m.syncSoon() // should nothing come of the write
		return *wrote, true, nil
	}
	return m.packet(ctx, name)
}

// packet reads a packet; found is false when there is none.
func (m *Manager) packet(ctx context.Context, name string) (p myriad.Packet, found bool, err error) {
	p, err = m.cfg.Store.Packet(ctx, name)
	if myriad.ErrorCode(err) == myriad.CodeNotFound {
		return myriad.Packet{}, false, nil
	}
	return p, err == nil, err
}

// ours lets those who write over the API write what the fleet grew: nobody else does.
func ours(g myriad.Guard, old myriad.Packet, found bool) myriad.Guard {
	if found && g.Owner == myriad.OwnerAPI && old.Agent.Owner == myriad.OwnerFleet {
		g.Owner = myriad.OwnerFleet
	}
	return g
}

// putPacket writes a packet: its row, its card, and the note that both agree. The turn is held.
func (m *Manager) putPacket(ctx context.Context, a myriad.Agent, g myriad.Guard, old myriad.Packet, found bool) (myriad.Agent, error) {
	cardGuard := myriad.Guard{}
	if !found {
		var err error
		if g, cardGuard, err = m.judgeCard(ctx, a.Name, g); err != nil {
			return myriad.Agent{}, err
		}
	}
	p, err := m.cfg.Store.PutPacket(ctx, myriad.Packet{Agent: a}, g)
	if err != nil {
		return myriad.Agent{}, err
	}
	if err := m.show(ctx, p, cardGuard); refused(err) {
		m.putBack(a.Name, old, found)
		return myriad.Agent{}, err
	} else if err != nil {
		m.cfg.Logger.Warn("the graph may not show a packet yet", "agent", a.Name, "error", err)
		m.syncSoon()
	}
	if found && alike(old.Agent, p.Agent) {
		m.follow(p, old.Revision)
	} else {
		m.changed(p)
	}
	return m.shown(p), nil
}

// alike says whether two revisions of an agent are the same agent: nothing has to start anew then.
func alike(a, b myriad.Agent) bool {
	a.Revision, a.CreatedAt, a.UpdatedAt = b.Revision, b.CreatedAt, b.UpdatedAt
	x, err := json.Marshal(a) // not DeepEqual: what was read back has nil where what was written has an empty list
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// judgeCard judges a guard on an agent of the graph that is no packet, and gives what is left of it for the row and for the card.
func (m *Manager) judgeCard(ctx context.Context, name string, g myriad.Guard) (row, card myriad.Guard, err error) {
	there, err := m.cfg.Graph.Agent(ctx, name)
	switch {
	case myriad.ErrorCode(err) == myriad.CodeNotFound || err == nil && there.Template != nil: // a card without a row is what is left of a packet
		card.MustNotExist = g.MustNotExist && err != nil
		return g, card, nil
	case err != nil && g == myriad.Guard{}:
		return g, card, nil // nothing to judge
	case err != nil:
		return g, card, err
	case g.MustNotExist:
		return g, card, myriad.Errorf(myriad.CodeConflict, "there is an agent %s already", name)
	case g.Owner != "" && there.Owner != g.Owner:
		return g, card, myriad.Errorf(myriad.CodeConflict, "agent %s belongs to %q, not to %q", name, there.Owner, g.Owner)
	case g.Revision > 0 && there.Revision != g.Revision:
		return g, card, myriad.Errorf(myriad.CodePrecondition, "agent %s is at revision %d, not %d", name, there.Revision, g.Revision)
	}
	return myriad.Guard{MustNotExist: true}, g, nil // the graph judges again, in case it has moved on
}

// show writes a packet's dormant card to the graph and notes that it is there. After an error the packet still counts as not shown; writing the
// card again changes nothing.
func (m *Manager) show(ctx context.Context, p myriad.Packet, g myriad.Guard) error {
	card := p.Agent
	card.Endpoint, card.Dormant, card.Revision = "", true, 0
	stored, err := m.cfg.Graph.PutAgent(ctx, card, g)
	if err != nil {
		return err
	}
	if stored.Revision == 0 { // kept for when the graph answers, in memory alone
		return myriad.Errorf(myriad.CodeUnavailable, "the graph does not answer")
	}
	return m.cfg.Store.PacketSynced(ctx, p.Agent.Name, p.Revision)
}

// refused tells a refusal of the graph, which stands, from its absence.
func refused(err error) bool {
	switch myriad.ErrorCode(err) {
	case myriad.CodeConflict, myriad.CodePrecondition, myriad.CodeInvalid:
		return true
	}
	return false
}

// putBack undoes the write of a row whose card the graph refused.
func (m *Manager) putBack(name string, old myriad.Packet, found bool) {
	m.surely("put a packet back as it was", func(ctx context.Context) error {
		if found {
			p, err := m.cfg.Store.PutPacket(ctx, old, myriad.Guard{})
			if err == nil {
				m.follow(p, old.Revision)
				m.syncSoon()
			}
			return err
		}
		if _, err := m.cfg.Store.DropPacket(ctx, name, myriad.Guard{}); err != nil && myriad.ErrorCode(err) != myriad.CodeNotFound {
			return err
		}
		return m.cfg.Store.PacketGone(ctx, name)
	})
}

// unpack turns a packet into an agent that only has an endpoint. The row is marked as not shown before the graph is written, and dropped
// after it, so that a crash in between leaves the packet whole, and one after it the agent. The turn is held.
func (m *Manager) unpack(ctx context.Context, a myriad.Agent, g myriad.Guard, old myriad.Packet) (myriad.Agent, error) {
	marked, err := m.cfg.Store.PutPacket(ctx, old, g)
	if err != nil {
		return myriad.Agent{}, err
	}
	m.follow(marked, old.Revision)
	stored, err := m.cfg.Graph.PutAgent(ctx, a, myriad.Guard{})
	if err == nil && stored.Revision == 0 {
		err = myriad.Errorf(myriad.CodeUnavailable, "the graph does not answer: agent %s stays a packet", a.Name)
	}
	if err == nil {
		_, err = m.cfg.Store.DropPacket(ctx, a.Name, myriad.Guard{})
	}
	if err != nil {
		m.syncSoon() // the card again
		return myriad.Agent{}, err
	}
	m.gone(a.Name)
	m.surely("forget a packet", func(ctx context.Context) error { return m.cfg.Store.PacketGone(ctx, a.Name) })
	return stored, nil
}

// DeleteAgent removes an agent. A packet's row goes first, then its instance, then its card, at once or when the graph answers again. It returns the
// agent that was. Errors: CodeNotFound, and those of the guard.
func (m *Manager) DeleteAgent(ctx context.Context, name string, g myriad.Guard) (myriad.Agent, error) {
	over, err := m.turns.take(ctx, name)
	if err != nil {
		return myriad.Agent{}, err
	}
	defer over()
	defer m.lessons.close(name)()
	old, found, err := m.latest(ctx, name)
	if err != nil {
		return myriad.Agent{}, err
	}
	if !found {
		return m.cfg.Graph.DeleteAgent(ctx, name, g)
	}
	was, err := m.cfg.Store.DropPacket(ctx, name, ours(g, old, found))
	if err != nil {
		return myriad.Agent{}, err
	}
	m.gone(name)
	if err := m.hide(ctx, name); err != nil {
		m.cfg.Logger.Warn("the graph still shows a packet that is gone", "agent", name, "error", err)
		m.syncSoon()
	}
	return was.Agent, nil
}

// hide removes the card of a packet that was dropped from the graph, and then the row. A card that is no packet's any more stays.
func (m *Manager) hide(ctx context.Context, name string) error {
	there, err := m.cfg.Graph.Agent(ctx, name)
	if err == nil && there.Template != nil {
		if _, err = m.cfg.Graph.DeleteAgent(ctx, name, myriad.Guard{}); err == nil {
			// The deletion may only be kept for when the graph answers, in memory alone.
			if _, err = m.cfg.Graph.Agent(ctx, name); err == nil {
				return myriad.Errorf(myriad.CodeUnavailable, "the graph still shows agent %s", name)
			}
		}
	}
	if err != nil && myriad.ErrorCode(err) != myriad.CodeNotFound {
		return err
	}
	return m.cfg.Store.PacketGone(ctx, name)
}

// Agent reads one agent: a packet as its row has it, with the endpoint of its instance while it is awake; any other as the graph has it.
func (m *Manager) Agent(ctx context.Context, name string) (myriad.Agent, error) {
	p, found, err := m.packet(ctx, name)
	if err != nil {
		return myriad.Agent{}, err
	}
	if found {
		return m.shown(p), nil
	}
	return m.cfg.Graph.Agent(ctx, name)
}

// Agents lists agents by name, each as Agent has it.
func (m *Manager) Agents(ctx context.Context, page myriad.Page) ([]myriad.Agent, string, error) {
	agents, next, err := m.cfg.Graph.Agents(ctx, page)
	if err != nil {
		return nil, "", err
	}
	for i := range agents {
		if agents[i].Template == nil {
			continue
		}
		p, found, err := m.packet(ctx, agents[i].Name)
		if err != nil {
			return nil, "", err
		}
		if found {
			agents[i] = m.shown(p)
		}
	}
	return agents, next, nil
}

// shown is a packet's agent as clients see it.
func (m *Manager) shown(p myriad.Packet) myriad.Agent {
	a := p.Agent
	a.Endpoint, a.Dormant = "", true
	a.Revision, a.CreatedAt, a.UpdatedAt = p.Revision, p.Created, p.Updated
	if live := m.Awake(a.Name); live != nil {
		a.Endpoint, a.Dormant = live.Endpoint, false
	}
	return a
}
