package sqlitestore

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"github.com/myriad-mind/myriad"
)

// KeepGood keeps the answer, which must not change any more, as the last good one for key, and writes it behind. It never blocks.
func (s *Store) KeepGood(key string, a myriad.GoodAnswer) {
	if much := s.good.keep(key, a); much {
		signal(s.hurry)
	}
	signal(s.wake)
}

// Good gives the last good answer for key, from memory or from the file; ok is false when there is none that is young enough, and when the file
// cannot be read now.
func (s *Store) Good(ctx context.Context, key string) (a myriad.GoodAnswer, ok bool) {
	oldest := time.Now().Add(-s.opts.MaxGoodAge)
	if a, ok = s.good.find(key); !ok {
		var err error
		if a, ok, err = s.loadGood(ctx, key); err != nil {
			s.opts.Logger.Warn("a last good answer could not be read", slog.Any("error", err))
			return myriad.GoodAnswer{}, false
		}
		if ok {
			s.good.remember(key, a)
		}
	}
	if !ok || a.At.Before(oldest) {
		return myriad.GoodAnswer{}, false
	}
	return a, true
}

func (s *Store) loadGood(ctx context.Context, key string) (myriad.GoodAnswer, bool, error) {
	found, err := collect(ctx, s.reader, func(rows *sql.Rows) (sealed []byte, err error) {
		err = rows.Scan(&sealed)
		return sealed, err
	}, `SELECT answer FROM good WHERE key = ?`, key)
	if err != nil || len(found) == 0 {
		return myriad.GoodAnswer{}, false, err
	}
	a, err := decodeGood(found[0])
	return a, err == nil, err
}

// writeGood stores answers as one. Its caller holds the turn.
func (s *Store) writeGood(ctx context.Context, entries []*goodEntry) error {
	sealed := make([][]byte, len(entries))
	for i, e := range entries {
		var err error
		if sealed[i], err = encodeGood(e.answer); err != nil {
			s.opts.Logger.Error("a last good answer cannot be stored", slog.Any("error", err))
			s.good.lose(1)
		}
	}
	return s.write(ctx, "write last good answers", func(tx *sql.Tx) error {
		for i, e := range entries {
			if sealed[i] == nil {
				continue
			}
			_, err := tx.StmtContext(ctx, s.stmts.addGood).ExecContext(ctx, e.key, e.answer.At.UnixMilli(), len(sealed[i]), sealed[i])
			if err != nil {
				return err
			}
			s.disk.most += int64(len(sealed[i]))
		}
		return nil
	})
}

// goodDisk bounds what the answers in the file take. It belongs to whoever holds the store's turn.
type goodDisk struct {
	max  int64
	most int64 // the answers' sizes together, at most: an answer written over is still counted
}

func (d *goodDisk) measure(ctx context.Context, q querier) error {
	sums, err := collect(ctx, q, func(rows *sql.Rows) (n int64, err error) {
		err = rows.Scan(&n)
		return n, err
	}, `SELECT COALESCE(SUM(size), 0) FROM good`)
	if err == nil {
		d.most = sums[0]
	}
	return err
}

// trim drops answers that are too old to be handed out, and, when there may be too much, the oldest until nine tenths are left, so that the next
// answer does not ask for room again.
func (d *goodDisk) trim(ctx context.Context, tx *sql.Tx, oldest time.Time) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM good WHERE at < ?`, oldest.UnixMilli()); err != nil {
		return err
	}
	if d.most <= d.max {
		return nil
	}
	if err := d.measure(ctx, tx); err != nil || d.most <= d.max {
		return err
	}
	// The newest that must go: running over the index from the oldest, the sum passes what is too much there.
	_, err := tx.ExecContext(ctx, `DELETE FROM good WHERE rowid IN (
		SELECT rowid FROM (SELECT rowid, SUM(size) OVER (ORDER BY at, rowid) - size AS before FROM good) WHERE before < ?)`, d.most-d.max/10*9)
	if err != nil {
		return err
	}
	return d.measure(ctx, tx)
}

// storedGood is the head of a last good answer.
type storedGood struct {
	Agent    string        `json:"agent,omitempty"`
	Endpoint string        `json:"endpoint,omitempty"`
	At       int64         `json:"at"` // Unix nanoseconds
	Answer   *storedAnswer `json:"answer,omitempty"`
}

func encodeGood(a myriad.GoodAnswer) ([]byte, error) {
	d := newDraft()
	defer d.free()
	if err := d.encode.Encode(storedGood{Agent: a.Agent, Endpoint: a.Endpoint, At: nanos(a.At), Answer: storeAnswer(&a.Answer, &d.spans)}); err != nil {
		return nil, err
	}
	return d.seal()
}

func decodeGood(sealed []byte) (a myriad.GoodAnswer, err error) {
	var head storedGood
	raw, err := open(sealed, &head)
	if err != nil {
		return a, err
	}
	a = myriad.GoodAnswer{Agent: head.Agent, Endpoint: head.Endpoint, At: timeOf(head.At)}
	a.Answer, err = head.Answer.restore(raw)
	return a, err
}
