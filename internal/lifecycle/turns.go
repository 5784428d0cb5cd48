package lifecycle

import (
	"context"
	"sync"

	"github.com/myriad-mind/myriad"
)

// turns lets one at a time write an agent: its row and its card are two writes in two places, and two writers must not interleave. Writers of
// different agents do not meet.
type turns struct {
	mu   sync.Mutex
	held map[string]*turn // guarded by mu
}

type turn struct {
	free  chan struct{} // of one place: whoever puts something in has the turn
	users int           // guarded by turns.mu
}

// take waits for the turn of a name. over is not nil when there is no error, and must be called.
func (t *turns) take(ctx context.Context, name string) (over func(), err error) {
	t.mu.Lock()
	own := t.held[name]
	if own == nil {
		own = &turn{free: make(chan struct{}, 1)}
		t.held[name] = own
	}
	own.users++
	t.mu.Unlock()
	select {
	case own.free <- struct{}{}:
		return func() { <-own.free; t.leave(name, own) }, nil
	default:
	}
	select {
	case own.free <- struct{}{}:
		return func() { <-own.free; t.leave(name, own) }, nil
	case <-ctx.Done():
		t.leave(name, own)
		return nil, myriad.Errorf(myriad.CodeDeadline, "wait for another write of agent %s: %w", name, ctx.Err())
	}
}

func (t *turns) leave(name string, own *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(t.held, name)
	}
}
