package sqlitestore

import (
	"context"
	"database/sql"

	"github.com/myriad-mind/myriad"
)

// PutInstance stores the record of an instance before it returns, over an earlier one of the same id.
func (s *Store) PutInstance(ctx context.Context, r myriad.InstanceRecord) error {
	if r.ID == "" {
		return myriad.Invalid([]myriad.Mistake{{Path: "id", Rule: "must not be empty"}})
	}
	return s.write(ctx, "record instance "+r.ID, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO instances (id, agent, runtime, revision, started_at) VALUES (?, ?, ?, ?, ?)`,
			r.ID, r.Agent, r.Runtime, r.Revision, nanos(r.StartedAt))
		return err
	})
}

// DropInstance removes a record; one that is not there is no error.
func (s *Store) DropInstance(ctx context.Context, id string) error {
	return s.write(ctx, "forget instance "+id, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM instances WHERE id = ?`, id)
		return err
	})
}

// Instances lists all records, by id.
func (s *Store) Instances(ctx context.Context) ([]myriad.InstanceRecord, error) {
	records, err := collect(ctx, s.reader, func(rows *sql.Rows) (r myriad.InstanceRecord, err error) {
		var started int64
		err = rows.Scan(&r.ID, &r.Agent, &r.Runtime, &r.Revision, &started)
		r.StartedAt = timeOf(started)
		return r, err
	}, `SELECT id, agent, runtime, revision, started_at FROM instances ORDER BY id`)
	return records, coded(ctx, "list the instances", err)
}
