package sqlitestore

import (
	"context"
	"database/sql"
	"time"

	"github.com/myriad-mind/myriad"
)

// Enqueue stores an entry before it returns. There is one wake entry for each agent and one grow entry for each concept: a second one, and a
// second one of the same id, is CodeConflict. An entry without id, or without what its kind is about, is CodeInvalid. How many there may be is
// the caller's to bound. Position and AgeMS are not kept: they follow from the rest.
func (s *Store) Enqueue(ctx context.Context, e myriad.QueueEntry) error {
	var mistakes []myriad.Mistake
	if e.ID == "" {
		mistakes = append(mistakes, myriad.Mistake{Path: "id", Rule: "must not be empty"})
	}
	switch {
	case e.Kind != myriad.QueueWake && e.Kind != myriad.QueueGrow:
		mistakes = append(mistakes, myriad.Mistake{Path: "kind", Rule: "is one of grow, wake"})
	case e.Kind == myriad.QueueWake && e.Agent == "":
		mistakes = append(mistakes, myriad.Mistake{Path: "agent", Rule: "is the agent to wake"})
	case e.Kind == myriad.QueueGrow && e.Concept == "":
		mistakes = append(mistakes, myriad.Mistake{Path: "concept", Rule: "is the concept to grow an agent for"})
	}
	if err := myriad.Invalid(mistakes); err != nil {
		return err
	}
	return s.write(ctx, "queue "+e.Kind+" "+e.Agent+e.Concept, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO fleet_queue (id, kind, concept, agent, intent, priority, queued_at) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`, e.ID, e.Kind, e.Concept, e.Agent, e.Intent, e.Priority, nanos(e.QueuedAt))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			return err
		}
		if e.Kind == myriad.QueueWake {
			return myriad.Errorf(myriad.CodeConflict, "the queue holds an entry %s, or one that wakes agent %s, already", e.ID, e.Agent)
		}
		return myriad.Errorf(myriad.CodeConflict, "the queue holds an entry %s, or one that grows an agent for concept %s, already", e.ID, e.Concept)
	})
}

// Dequeue removes an entry; one that is not there is no error.
func (s *Store) Dequeue(ctx context.Context, id string) error {
	return s.write(ctx, "leave the queue", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM fleet_queue WHERE id = ?`, id)
		return err
	})
}

// Queue lists the whole queue in its order: high priority first, then who waits longest, then by id. Position counts from 1, AgeMS is as of now.
func (s *Store) Queue(ctx context.Context) ([]myriad.QueueEntry, error) {
	now := time.Now()
	entries, err := collect(ctx, s.reader, func(rows *sql.Rows) (e myriad.QueueEntry, err error) {
		var queued int64
		err = rows.Scan(&e.ID, &e.Kind, &e.Concept, &e.Agent, &e.Intent, &e.Priority, &queued)
		e.QueuedAt = timeOf(queued)
		if !e.QueuedAt.IsZero() {
			e.AgeMS = max(0, now.Sub(e.QueuedAt).Milliseconds())
		}
		return e, err
	}, `SELECT id, kind, concept, agent, intent, priority, queued_at FROM fleet_queue ORDER BY priority DESC, queued_at, id`)
	if err != nil {
		return nil, coded(ctx, "read the queue", err)
	}
	for i := range entries {
		entries[i].Position = i + 1
	}
	return entries, nil
}
