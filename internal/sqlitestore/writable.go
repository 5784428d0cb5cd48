package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"

	"modernc.org/sqlite"

	"github.com/myriad-mind/myriad"
)

// failedWrite is a write that the file did not take.
type failedWrite struct {
	err error
	at  time.Time
}

// writeAgain is how long a failed write stands for those that come after it, before another is tried only to know.
const writeAgain = time.Second

// Writable is nil unless the last write failed for the file's sake (a full disk, a read-only or failing one); then another is tried, once a second at
// most, and its error is returned. Reading may well go on meanwhile. With nothing wrong it costs nothing.
func (s *Store) Writable(ctx context.Context) error {
	last := s.unable.Load()
	if last == nil {
		return nil
	}
	if time.Since(last.at) < writeAgain {
		return last.err
	}
	return s.write(ctx, "write to the store", func(tx *sql.Tx) error { return writeMeta(ctx, tx, "written_again", time.Now().UnixMilli()) })
}

// noteWrite remembers how a write went, and logs when the file stops taking writes and when it takes them again. A refusal and an asker that left say
// nothing of the file.
func (s *Store) noteWrite(err error) {
	if err == nil {
		if s.unable.Load() != nil && s.unable.Swap(nil) != nil {
			s.opts.Logger.Info("the store can be written again")
		}
		return
	}
	if _, file := errors.AsType[*sqlite.Error](err); !file || myriad.ErrorCode(err) != myriad.CodeUnavailable {
		return
	}
	if s.unable.Swap(&failedWrite{err, time.Now()}) == nil {
		s.opts.Logger.Error("the store cannot be written: changes are refused or wait in memory, reading goes on", slog.Any("error", err))
	}
}
