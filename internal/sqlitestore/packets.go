package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/myriad-mind/myriad"
)

// packetColumns are what packetRow scans.
const packetColumns = `name, owner, revision, created, updated, deleted, agent`

// packetRow is a row of packets.
type packetRow struct {
	name, owner      string
	revision         int64
	created, updated millis
	deleted          bool
	agent            string
}

// scanner is a row, or one of rows.
type scanner interface{ Scan(into ...any) error }

func scanPacket(from scanner) (r packetRow, err error) {
	err = from.Scan(&r.name, &r.owner, &r.revision, &r.created, &r.updated, &r.deleted, &r.agent)
	return r, err
}

// packet gives the row as a packet. Its agent's revision and times are the packet's.
func (r packetRow) packet() (myriad.Packet, error) {
	a, err := decodeAgent([]byte(r.agent))
	if err != nil {
		return myriad.Packet{}, damaged("packet " + r.name + ": " + err.Error())
	}
	a.Name, a.Owner, a.Revision, a.CreatedAt, a.UpdatedAt = r.name, r.owner, r.revision, r.created.time(), r.updated.time()
	return myriad.Packet{Agent: a, Revision: r.revision, Created: a.CreatedAt, Updated: a.UpdatedAt}, nil
}

// PutPacket writes the packet of p.Agent.Name, whether it is there or not, and marks it as not yet in the graph. It returns the packet as
// stored: the agent checked, Revision counted up, from 1 for a new one, and times set; the agent's own revision and times are the packet's.
// The guard is judged on the stored packet. Errors: CodeInvalid with every mistake, also when the agent has no template or has an endpoint;
// CodeConflict and CodePrecondition by the guard.
func (s *Store) PutPacket(ctx context.Context, p myriad.Packet, g myriad.Guard) (stored myriad.Packet, err error) {
	p, err = checkPacket(p)
	if err != nil {
		return myriad.Packet{}, err
	}
	err = s.write(ctx, "put packet "+p.Agent.Name, func(tx *sql.Tx) error {
		stored, err = s.putPacket(ctx, tx, p, g, true)
		return err
	})
	if err != nil {
		return myriad.Packet{}, err
	}
	return stored, nil
}

// checkPacket gives the packet in the form in which it is kept.
func checkPacket(p myriad.Packet) (myriad.Packet, error) {
	a, mistakes := myriad.CheckKept(p.Agent)
	if a.Template == nil {
		mistakes = append(mistakes, myriad.Mistake{Path: "template", Rule: "says how the packet comes alive; it must be there"})
	}
	if a.Endpoint != "" {
		mistakes = append(mistakes, myriad.Mistake{Path: "endpoint", Rule: "belongs to instances, not to packets"})
	}
	p.Agent = a
	return p, myriad.Invalid(mistakes)
}

// putPacket writes a checked packet.
func (s *Store) putPacket(ctx context.Context, tx *sql.Tx, p myriad.Packet, g myriad.Guard, unsynced bool) (myriad.Packet, error) {
	old, found, err := s.findPacket(ctx, tx, p.Agent.Name)
	if err != nil {
		return p, err
	}
	there := found && !old.deleted
	if err := obey(g, p.Agent.Name, myriad.Agent{Owner: old.owner, Revision: old.revision}, there); err != nil {
		return p, err
	}
	now := time.UnixMilli(time.Now().UnixMilli()).UTC()
	// A row that was dropped is counted on, so that what is under way for the old packet is never taken for the new one's.
	p.Revision, p.Created, p.Updated = old.revision+1, now, now
	if there {
		p.Created = old.created.time()
	}
	p.Agent.Revision, p.Agent.CreatedAt, p.Agent.UpdatedAt = p.Revision, p.Created, p.Updated
	text, err := encodeAgent(p.Agent, "")
	if err != nil {
		return p, err
	}
	_, err = tx.StmtContext(ctx, s.stmts.putPacket).ExecContext(ctx,
		p.Agent.Name, p.Agent.Owner, p.Revision, millisOf(p.Created), millisOf(p.Updated), unsynced, text)
	return p, err
}

// findPacket reads a row, also one that was dropped; found is false when there is none.
func (s *Store) findPacket(ctx context.Context, tx *sql.Tx, name string) (r packetRow, found bool, err error) {
	r, err = scanPacket(tx.StmtContext(ctx, s.stmts.findPacket).QueryRowContext(ctx, name))
	if errors.Is(err, sql.ErrNoRows) {
		return packetRow{}, false, nil
	}
	return r, err == nil, err
}

// DropPacket marks the packet as deleted: it is told by UnsyncedPackets alone, until PacketGone, or a PutPacket makes it anew. It returns the
// packet that was. Errors: CodeNotFound; CodeConflict and CodePrecondition by the guard, whose MustNotExist means nothing here.
func (s *Store) DropPacket(ctx context.Context, name string, g myriad.Guard) (was myriad.Packet, err error) {
	g.MustNotExist = false
	err = s.write(ctx, "drop packet "+name, func(tx *sql.Tx) error {
		r, found, err := s.findPacket(ctx, tx, name)
		if err != nil {
			return err
		}
		if !found || r.deleted {
			return noPacket(name)
		}
		if err := obey(g, name, myriad.Agent{Owner: r.owner, Revision: r.revision}, true); err != nil {
			return err
		}
		if was, err = r.packet(); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE packets SET deleted = 1, unsynced = 1, revision = revision + 1, updated = ? WHERE name = ?`,
			time.Now().UnixMilli(), name)
		return err
	})
	if err != nil {
		return myriad.Packet{}, err
	}
	return was, nil
}

func noPacket(name string) error {
	return myriad.Errorf(myriad.CodeNotFound, "there is no packet of agent %.80q", name)
}

// Packet reads one packet; CodeNotFound when there is none.
func (s *Store) Packet(ctx context.Context, name string) (myriad.Packet, error) {
	var r packetRow
	err := s.lookUp(ctx, func(ctx context.Context) (err error) {
		r, err = scanPacket(s.stmts.packet.QueryRowContext(ctx, name))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return myriad.Packet{}, noPacket(name)
	}
	if err != nil {
		return myriad.Packet{}, coded(ctx, "read packet "+name, err)
	}
	return r.packet()
}

// Packets lists packets by name; next is "" on the last page.
func (s *Store) Packets(ctx context.Context, page myriad.Page) (packets []myriad.Packet, next string, err error) {
	var after string
	n, err := start(page, &after)
	if err != nil {
		return nil, "", err
	}
	packets, err = collect(ctx, s.reader, func(rows *sql.Rows) (myriad.Packet, error) {
		r, err := scanPacket(rows)
		if err != nil {
			return myriad.Packet{}, err
		}
		return r.packet()
	}, `SELECT `+packetColumns+` FROM packets WHERE name > ? AND deleted = 0 ORDER BY name LIMIT ?`, after, n+1)
	if err != nil {
		return nil, "", coded(ctx, "list packets", err)
	}
	packets, next = cut(packets, n, func(p myriad.Packet) string { return p.Agent.Name })
	return packets, next, nil
}

// CountGrown counts the packets whose owner is the fleet, in constant time.
func (s *Store) CountGrown(ctx context.Context) (n int64, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT COALESCE(SUM(n), 0) FROM packet_counts WHERE owner = ?`, myriad.OwnerFleet).Scan(&n)
	return n, coded(ctx, "count the grown packets", err)
}

// SetKnowledge replaces what the knowledge agent of that name answers from, as a PutPacket of the whole packet would. Errors: CodeNotFound,
// and CodeInvalid when the packet is not one of knowledge or k breaks a rule.
func (s *Store) SetKnowledge(ctx context.Context, name string, k myriad.Knowledge) (stored myriad.Packet, err error) {
	err = s.write(ctx, "set the knowledge of "+name, func(tx *sql.Tx) error {
		r, found, err := s.findPacket(ctx, tx, name)
		if err != nil {
			return err
		}
		if !found || r.deleted {
			return noPacket(name)
		}
		p, err := r.packet()
		if err != nil {
			return err
		}
		if p.Agent.Template.Kind != myriad.TemplateKnowledge {
			return myriad.Errorf(myriad.CodeInvalid, "agent %s has a template of the kind %s, which holds no knowledge", name, p.Agent.Template.Kind)
		}
		p.Agent.Template.Knowledge = &k
		if p, err = checkPacket(p); err != nil {
			return err
		}
		stored, err = s.putPacket(ctx, tx, p, myriad.Guard{}, true)
		return err
	})
	if err != nil {
		return myriad.Packet{}, err
	}
	return stored, nil
}
