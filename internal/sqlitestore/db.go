package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"

	"github.com/myriad-mind/myriad"
)

// statements are the prepared ones: those of the look-up and of writes that come in numbers.
type statements struct {
	handlers, agent, packet             *sql.Stmt // on lookups
	findNode, addNode, setNode          *sql.Stmt // on writer, as all below
	relate, relation, unrelate, handled *sql.Stmt
	addRun, dropRun, dropRunID, addGood *sql.Stmt
	findPacket, putPacket               *sql.Stmt
}

func (s *Store) prepare(ctx context.Context) error {
	for _, p := range []struct {
		db   *sql.DB
		into **sql.Stmt
		text string
	}{
		{s.lookups, &s.stmts.handlers, handlersSQL},
		{s.lookups, &s.stmts.agent, `SELECT props FROM nodes WHERE label = 'Agent' AND name = ?`},
		{s.lookups, &s.stmts.packet, `SELECT ` + packetColumns + ` FROM packets WHERE name = ? AND deleted = 0`},
		{s.writer, &s.stmts.findNode, `SELECT id, props FROM nodes WHERE label = ? AND name = ?`},
		{s.writer, &s.stmts.addNode, `INSERT INTO nodes (label, name, props) VALUES (?, ?, ?)`},
		{s.writer, &s.stmts.setNode, `UPDATE nodes SET name = ?, props = ? WHERE id = ?`},
		{s.writer, &s.stmts.relate, `INSERT INTO relationships (dst, type, src, props) VALUES (?, ?, ?, ?)
			ON CONFLICT (dst, type, src) DO UPDATE SET props = excluded.props`},
		{s.writer, &s.stmts.relation, `SELECT props FROM relationships WHERE dst = ? AND type = ? AND src = ?`},
		{s.writer, &s.stmts.unrelate, `DELETE FROM relationships WHERE dst = ? AND type = ? AND src = ?`},
		{s.writer, &s.stmts.handled, `SELECT dst FROM relationships WHERE src = ? AND type = 'HANDLES_CONCEPT'`},
		{s.writer, &s.stmts.addRun, `INSERT OR REPLACE INTO runs (id, status, key, size, summary, record) VALUES (?, ?, ?, ?, ?, ?)`},
		{s.writer, &s.stmts.dropRun, `DELETE FROM runs WHERE seq = ?`},
		{s.writer, &s.stmts.dropRunID, `DELETE FROM runs WHERE id = ?`},
		{s.writer, &s.stmts.addGood, `INSERT INTO good (key, at, size, answer) VALUES (?, ?, ?, ?)
			ON CONFLICT (key) DO UPDATE SET at = excluded.at, size = excluded.size, answer = excluded.answer WHERE excluded.at >= good.at`},
		{s.writer, &s.stmts.findPacket, `SELECT ` + packetColumns + ` FROM packets WHERE name = ?`},
		{s.writer, &s.stmts.putPacket, `INSERT INTO packets (name, owner, revision, created, updated, unsynced, deleted, agent) VALUES (?, ?, ?, ?, ?, ?, 0, ?)
			ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, revision = excluded.revision, created = excluded.created, updated = excluded.updated,
			unsynced = excluded.unsynced, deleted = 0, agent = excluded.agent`},
	} {
		stmt, err := p.db.PrepareContext(ctx, p.text)
		if err != nil {
			return fmt.Errorf("prepare %q: %w", p.text, err)
		}
		*p.into = stmt // closed with its pool
	}
	return nil
}

// lookUp runs fn, which reads by a key or two, when one of the connections for that is free. fn gets a context without an end: a watch over it is a
// goroutine or two for each statement, which cost as much as the statement, and could not end one that waits for the disk. Where many rows may come, fn
// has to look itself whether the asker has left.
func (s *Store) lookUp(ctx context.Context, fn func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.looking <- struct{}{}:
	default:
		select {
		case s.looking <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-s.looking }()
	makeRoom()
	return fn(context.WithoutCancel(ctx))
}

// makeRoom has the goroutine's stack grow once, to what SQLite will need of it. Look-ups are made by goroutines that have just begun; growing step by
// step, thirty calls deep, where each of them has to be moved, was 6 % of the time of tasks that wake agents.
//
//go:noinline
func makeRoom() {
	var room [12 << 10]byte
	runtime.KeepAlive(&room)
}

// write runs fn in one transaction of the writer; any error undoes all of it. doing says what is being done, for errors.
func (s *Store) write(ctx context.Context, doing string, fn func(tx *sql.Tx) error) error {
	err := coded(ctx, doing, transact(ctx, s.writer, fn))
	s.noteWrite(err)
	return err
}

// read runs fn in one transaction of a reader, so that its statements see one moment.
func (s *Store) read(ctx context.Context, doing string, fn func(tx *sql.Tx) error) error {
	return coded(ctx, doing, transact(ctx, s.reader, fn))
}

func transact(ctx context.Context, db *sql.DB, fn func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// coded gives err a code: its own, the caller's end, or unavailable, because every other failure is the file's.
func coded(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*myriad.Error](err); ok {
		return err
	}
	switch cause := ctx.Err(); {
	case errors.Is(cause, context.DeadlineExceeded):
		return myriad.Errorf(myriad.CodeDeadline, "%s: %w", doing, cause)
	case cause != nil:
		return myriad.Errorf(myriad.CodeCancelled, "%s: %w", doing, cause)
	}
	return myriad.Errorf(myriad.CodeUnavailable, "%s: %w", doing, err)
}
