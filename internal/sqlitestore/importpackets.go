package sqlitestore

import (
	"context"
	"database/sql"

	"github.com/myriad-mind/myriad"
)

// ImportOptions say how packets are imported.
type ImportOptions struct {
	Guard myriad.Guard // holds for every packet, as by PutPacket
	// Graph writes the agents into the graph of this store too, so that the packets are in sync at once. An agent of the same name that is there
	// without a packet is judged by the guard's MustNotExist and Owner, and becomes the packet's. Whoever keeps views of the graph must read them
	// again.
	Graph bool
}

// ImportPackets writes many packets as PutPacket writes one, in one transaction: all or none. A thousand at a time are written fast and let
// others write in between. The same name twice is written twice; the later one stays. Errors are PutPacket's; of several mistakes the first packet's are told.
func (s *Store) ImportPackets(ctx context.Context, packets []myriad.Packet, o ImportOptions) error {
	checked := make([]myriad.Packet, len(packets))
	for i, p := range packets {
		var err error
		if checked[i], err = checkPacket(p); err != nil {
			return myriad.Errorf(myriad.CodeInvalid, "packet %d, %.80q: %w", i+1, p.Agent.Name, err)
		}
	}
	return s.write(ctx, "import packets", func(tx *sql.Tx) error {
		for _, p := range checked {
			stored, err := s.putPacket(ctx, tx, p, o.Guard, !o.Graph)
			if err != nil {
				return err
			}
			if o.Graph {
				var guard myriad.Guard
				if stored.Revision == 1 {
					guard = myriad.Guard{MustNotExist: o.Guard.MustNotExist, Owner: o.Guard.Owner}
				}
				if err := (graph{s}).follow(ctx, tx, stored.Agent, guard); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// follow writes the agent's node and edges after its packet.
func (g graph) follow(ctx context.Context, tx *sql.Tx, a myriad.Agent, guard myriad.Guard) error {
	before, found, err := g.find(ctx, tx, myriad.LabelAgent, a.Name)
	if err != nil {
		return err
	}
	id, err := g.putNode(ctx, tx, &a, before, found, guard)
	if err != nil {
		return err
	}
	return g.handle(ctx, tx, id, a)
}
