package discovery

import (
	"context"
	"errors"
	"time"

	"github.com/myriad-mind/myriad"
)

const (
	// signTime is how long a graph that did not take a write may take for a sign of life.
	signTime = time.Second
	// writeAgain is how long a write that the graph did not take stands for those that come after it, before another is tried.
	writeAgain = time.Second
)

// failedWrite is a write that the graph did not take although it answers.
type failedWrite struct {
	err error
	at  time.Time
}

// turn waits until nobody else writes agents; without an error yield must follow.
func (d *Directory) turn(ctx context.Context) error {
	select {
	case d.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		code := myriad.CodeDeadline
		if errors.Is(ctx.Err(), context.Canceled) {
			code = myriad.CodeCancelled
		}
		return myriad.Errorf(code, "wait for other writes of agents: %w", ctx.Err())
	}
}

func (d *Directory) yield() { <-d.writing }

// change is ask for a write. A graph that does not take it but gives a sign of life (its disk is full, say) is not away: the write fails with
// CodeUnavailable, and reading goes on. So do those after it, at once, until another is due: a graph may well need the whole timeout to take none.
func (d *Directory) change(ctx context.Context, write func(context.Context) error) error {
	if last := d.untaken.Load(); last != nil && time.Since(last.at) < writeAgain {
		return last.err
	}
	var unwritable error
	err := d.ask(ctx, func(asking context.Context) error {
		err := write(asking)
		if !broken(err) || ctx.Err() != nil {
			return err
		}
		sign, cancel := context.WithTimeout(context.WithoutCancel(ctx), signTime) // the question's own time may be over
		defer cancel()
		if d.cfg.Graph.Ping(sign) != nil {
			return err
		}
		unwritable = myriad.Errorf(myriad.CodeUnavailable, "the graph answers but cannot be written: %w", err)
		return nil
	})
	switch {
	case unwritable != nil:
		d.untaken.Store(&failedWrite{err: unwritable, at: time.Now()})
		return unwritable
	case err == nil: // a refusal, or an asker that left, says nothing of whether the graph can be written
		d.untaken.Store(nil)
	}
	return err
}
