package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/myriad-mind/myriad"
)

// RecordRun takes over the record of a run, which must not change any more, to be written behind. It never blocks. A later record of the same
// run replaces an earlier one; a run that was recorded as running and finishes before the next flush is written once, as finished.
func (s *Store) RecordRun(rec *myriad.RunRecord) {
	if much := s.runs.add(rec); much {
		signal(s.hurry)
	}
	signal(s.wake)
}

// RecordRunNow stores the record before it returns.
func (s *Store) RecordRunNow(ctx context.Context, rec *myriad.RunRecord) error {
	row, err := s.encode(rec)
	if err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.writeRuns(ctx, []encodedRun{row}, nil); err != nil {
		return err
	}
	s.runs.supersede(rec)
	return nil
}

// writeRuns stores records and deletes the rows of dead runs, as one, and makes room. Its caller holds the turn.
func (s *Store) writeRuns(ctx context.Context, rows []encodedRun, dead []string) error {
	change := s.rows.begin()
	err := s.write(ctx, "write run records", func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx) // the transaction is watched; a watch over each statement would cost as much as the statement
		dropID, add, drop := tx.StmtContext(ctx, s.stmts.dropRunID), tx.StmtContext(ctx, s.stmts.addRun), tx.StmtContext(ctx, s.stmts.dropRun)
		for _, id := range dead {
			if _, err := dropID.ExecContext(ctx, id); err != nil {
				return err
			}
			change.remove(id)
		}
		for _, r := range rows {
			if known, ok := change.row(r.id); ok && known.done && !r.status.Done() {
				continue // late news of a finished run
			}
			res, err := add.ExecContext(ctx, r.id, r.status, nullable(r.key), len(r.record), r.summary, r.record)
			if err != nil {
				return err
			}
			seq, err := res.LastInsertId()
			if err != nil {
				return err
			}
			change.add(r.id, runRow{seq: seq, size: int64(len(r.record)), done: r.status.Done()})
		}
		for _, seq := range change.evict(s.opts.MaxRuns, s.opts.MaxRunBytes) {
			if _, err := drop.ExecContext(ctx, seq); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.rows.commit(change)
	}
	return err
}

// encodedRun is a run record as its row has it.
type encodedRun struct {
	id, key, summary string
	status           myriad.RunStatus
	record           []byte
}

// encodeRuns encodes what waits; a record that cannot be stored is lost and counted and spoils no other.
func (s *Store) encodeRuns(entries []*runEntry) []encodedRun {
	rows := make([]encodedRun, 0, len(entries))
	for _, e := range entries {
		row, err := s.encode(e.rec)
		if err != nil {
			s.opts.Logger.Error("a run record cannot be stored", slog.String("run_id", e.rec.RunID), slog.Any("error", err))
			s.runs.lose(1)
			continue
		}
		rows = append(rows, row)
	}
	return rows
}

// encode refuses what no row can hold, and what is larger than all that is kept together.
func (s *Store) encode(rec *myriad.RunRecord) (row encodedRun, err error) {
	row = encodedRun{id: rec.RunID, key: rec.IdempotencyKey, status: rec.Status}
	if row.record, err = encodeRun(rec); err != nil {
		return row, myriad.Errorf(myriad.CodeInternal, "encode the record of run %s: %w", rec.RunID, err)
	}
	if n := int64(len(row.record)); n > s.opts.MaxRunBytes {
		return row, myriad.Errorf(myriad.CodeTooLarge, "the record of run %s has %d bytes, more than are kept of all", rec.RunID, n)
	}
	summary, err := json.Marshal(plainSummary(rec.RunSummary))
	row.summary = string(summary)
	return row, err
}

// plainSummary is a RunSummary without methods, so that none of them changes how it is kept.
type plainSummary myriad.RunSummary

// interruptRuns marks runs that the process before did not live to finish.
func interruptRuns(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, `UPDATE runs SET status = ? WHERE status = 'running'`, myriad.RunInterrupted)
	return err
}

// LoadRun gives a run's newest record; CodeNotFound when there is none. The record is shared and must not be changed.
func (s *Store) LoadRun(ctx context.Context, id string) (*myriad.RunRecord, error) {
	if rec := s.runs.find(id); rec != nil {
		return rec, nil
	}
	return s.loadRun(ctx, "id", id)
}

// RunByKey gives the newest run of an Idempotency-Key; CodeNotFound when there is none.
func (s *Store) RunByKey(ctx context.Context, key string) (*myriad.RunRecord, error) {
	if rec := s.runs.findKey(key); rec != nil {
		return rec, nil
	}
	return s.loadRun(ctx, "key", key)
}

func (s *Store) loadRun(ctx context.Context, column, value string) (*myriad.RunRecord, error) {
	var (
		status myriad.RunStatus
		record []byte
	)
	err := s.reader.QueryRowContext(ctx, `SELECT status, record FROM runs WHERE `+column+` = ? ORDER BY seq DESC LIMIT 1`, value).Scan(&status, &record)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, myriad.Errorf(myriad.CodeNotFound, "there is no run with the %s %.80q", column, value)
	}
	if err != nil {
		return nil, coded(ctx, "read a run", err)
	}
	rec, err := decodeRun(record)
	if err != nil {
		return nil, coded(ctx, "read a run", err)
	}
	rec.Status = status
	return rec, nil
}

// ListRuns lists runs by id, newest first when ids are UUIDv7; what is not in the file yet is among them.
func (s *Store) ListRuns(ctx context.Context, page myriad.Page) ([]myriad.RunSummary, string, error) {
	before := "\U0010FFFF" // after every id
	n, err := start(page, &before)
	if err != nil {
		return nil, "", err
	}
	waiting := s.runs.summaries() // first: what leaves it now is in the file by then
	stored, err := collect(ctx, s.reader, func(rows *sql.Rows) (myriad.RunSummary, error) {
		var (
			status  myriad.RunStatus
			summary []byte
			p       plainSummary
		)
		if err := rows.Scan(&status, &summary); err != nil {
			return myriad.RunSummary{}, err
		}
		err := json.Unmarshal(summary, &p)
		p.Status = status
		return myriad.RunSummary(p), err
	}, `SELECT status, summary FROM runs WHERE id < ? ORDER BY id DESC LIMIT ?`, before, n+1)
	if err != nil {
		return nil, "", coded(ctx, "list runs", err)
	}
	for _, r := range stored {
		if _, ok := waiting[r.RunID]; !ok {
			waiting[r.RunID] = r
		}
	}
	maps.DeleteFunc(waiting, func(id string, _ myriad.RunSummary) bool { return id >= before })
	all := slices.SortedFunc(maps.Values(waiting), func(a, b myriad.RunSummary) int { return strings.Compare(b.RunID, a.RunID) })
	all, next := cut(all, n, func(r myriad.RunSummary) string { return r.RunID })
	return all, next, nil
}
