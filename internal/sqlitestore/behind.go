package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"runtime"
	"time"

	"github.com/myriad-mind/myriad"
)

// How long writing may take: a batch of the loop, and the last one of all.
const (
	flushTimeout     = 30 * time.Second
	lastFlushTimeout = 10 * time.Second
)

// The reasons of KindLost events that the store emits.
const (
	LostRuns = "runs"
	LostGood = "last_good"
)

// Run writes behind: what has been handed over is stored at most Options.FlushEvery later, sooner when much waits. It returns when ctx ends or
// the store is closed, after all that was handed over until then is stored; what comes later is stored by Close. It is called once. Nothing
// wakes it while nothing waits.
func (s *Store) Run(ctx context.Context) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer close(done)
	for {
		select {
		case <-ctx.Done():
			return s.lastFlush(ctx)
		case <-s.closing:
			return nil // Close flushes
		case <-s.wake:
		}
		s.gather(ctx)
		if err := s.flush(ctx, flushTimeout); err != nil {
			s.opts.Logger.Warn("run records and last good answers could not be stored; they wait", slog.Any("error", err))
			signal(s.wake)
		}
	}
}

func (s *Store) begin() (chan struct{}, error) {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed || s.looping != nil {
		return nil, myriad.Errorf(myriad.CodeInternal, "the store's loop runs already, or the store is closed")
	}
	s.looping = make(chan struct{})
	return s.looping, nil
}

// gather waits while a batch grows.
func (s *Store) gather(ctx context.Context) {
	timer := time.NewTimer(s.opts.FlushEvery)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.hurry:
	case <-ctx.Done():
	case <-s.closing:
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// lastFlush writes what waits although ctx has ended, and says how much could not be.
func (s *Store) lastFlush(ctx context.Context) error {
	if s.runs == nil { // never opened
		return nil
	}
	err := s.flush(ctx, lastFlushTimeout)
	if err != nil {
		s.tellLost(LostRuns, s.runs.abandon())
		s.tellLost(LostGood, s.good.abandon())
	}
	return err
}

// flush writes all that waits. What a failed transaction held waits again.
func (s *Store) flush(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	err := errors.Join(s.flushRuns(ctx), s.flushGood(ctx))
	s.tellLost(LostRuns, s.runs.takeLost())
	s.tellLost(LostGood, s.good.takeLost())
	return err
}

// enter takes the turn of writing runs and good answers.
func (s *Store) enter(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return coded(ctx, "wait to write", ctx.Err())
	}
}

func (s *Store) leave() { <-s.turn }

func (s *Store) tellLost(reason string, n int64) {
	if n > 0 {
		s.opts.Sink.Emit(myriad.Event{Kind: myriad.KindLost, At: time.Now(), Reason: reason, Count: n})
	}
}

// batchBytes and batchRows bound one transaction, so that writes for which somebody waits, of the graph or the fleet, get their turn between two.
const (
	batchBytes = 8 << 20
	batchRows  = 64
)

// giveWay lets others have the core between two transactions: nobody waits for what is written behind, and a second's worth of it in one go takes a core
// for as long as many requests take together. Inside of a transaction it must not be called: all who write would wait for all who run.
func giveWay() { runtime.Gosched() }

// batches cuts entries into runs of bounded size.
func batches[E any](entries []E, size func(E) int64) [][]E {
	var cut [][]E
	for from := 0; from < len(entries); {
		to, bytes := from, int64(0)
		for to < len(entries) && to-from < batchRows && (to == from || bytes+size(entries[to]) <= batchBytes) {
			bytes += size(entries[to])
			to++
		}
		cut = append(cut, entries[from:to])
		from = to
	}
	return cut
}

// flushRuns stores the waiting run records.
func (s *Store) flushRuns(ctx context.Context) error {
	taken, dead := s.runs.take()
	var failed error
	for _, batch := range batches(taken, func(e *runEntry) int64 { return e.size }) {
		if failed == nil {
			failed = s.writeRuns(ctx, s.encodeRuns(batch), dead)
			dead = nil
		}
		s.runs.settle(batch, failed == nil)
		giveWay()
	}
	if failed == nil && len(dead) > 0 {
		failed = s.writeRuns(ctx, nil, dead)
	}
	return failed
}

// flushGood stores the waiting last good answers.
func (s *Store) flushGood(ctx context.Context) error {
	taken := s.good.take()
	var failed error
	for _, batch := range batches(taken, func(e *goodEntry) int64 { return e.size }) {
		if failed == nil {
			failed = s.writeGood(ctx, batch)
		}
		s.good.settle(batch, failed == nil)
		giveWay()
	}
	if failed == nil && len(taken) > 0 {
		failed = s.write(ctx, "make room for last good answers", func(tx *sql.Tx) error {
			return s.disk.trim(ctx, tx, time.Now().Add(-s.opts.MaxGoodAge))
		})
	}
	return failed
}
