package sqlitestore

import (
	"context"
	"database/sql"

	"github.com/myriad-mind/myriad"
)

// UnsyncedPackets lists at most limit packets that the graph may not show as they are, those that changed first first; a limit below 1 gives
// none. Its cost does not depend on how many packets there are.
func (s *Store) UnsyncedPackets(ctx context.Context, limit int) ([]myriad.PacketChange, error) {
	if limit < 1 {
		return nil, nil
	}
	changes, err := collect(ctx, s.reader, func(rows *sql.Rows) (c myriad.PacketChange, err error) {
		r, err := scanPacket(rows)
		if err != nil {
			return c, err
		}
		c.Deleted = r.deleted
		c.Packet, err = r.packet()
		return c, err
	}, unsyncedSQL, limit)
	return changes, coded(ctx, "list the packets that are not in the graph", err)
}

const unsyncedSQL = `SELECT ` + packetColumns + ` FROM packets INDEXED BY packets_unsynced WHERE unsynced = 1 ORDER BY updated, name LIMIT ?`

// PacketSynced notes that the graph shows this revision of the packet. It has no effect when the packet has moved on, or is gone.
func (s *Store) PacketSynced(ctx context.Context, name string, revision int64) error {
	return s.write(ctx, "note that the graph shows packet "+name, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE packets SET unsynced = 0 WHERE name = ? AND revision = ? AND deleted = 0 AND unsynced = 1`, name, revision)
		return err
	})
}

// PacketGone notes that nothing of a dropped packet is left in the graph, and removes its row. It has no effect on a packet that was not
// dropped, or was made anew.
func (s *Store) PacketGone(ctx context.Context, name string) error {
	return s.write(ctx, "forget packet "+name, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM packets WHERE name = ? AND deleted = 1`, name)
		return err
	})
}
