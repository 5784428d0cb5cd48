package discovery

import (
	"context"
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
)

// write is a change of one agent that waits for the graph; agent is nil for a deletion.
type write struct {
	name  string
	agent *myriad.Agent
	guard myriad.Guard
}

// keep takes a write that the graph could not take now, and shows it in the views at once. A guard that only the graph can judge is not guessed at, and past
// the bound nothing is taken: both give the error of the graph. An owner is judged by the views, and by the graph later. The agent comes back with
// Revision 0, because it has none yet. Callers hold their turn.
func (d *Directory) keep(w write, because error) (myriad.Agent, error) {
	if w.guard.MustNotExist || w.guard.Revision > 0 {
		return myriad.Agent{}, because
	}
	d.mu.Lock()
	known, found := d.known(w.name)
	if found && w.guard.Owner != "" && known.Owner != w.guard.Owner {
		d.mu.Unlock()
		return myriad.Agent{}, myriad.Errorf(myriad.CodeConflict, "agent %s belongs to %q, not to %q", w.name, known.Owner, w.guard.Owner)
	}
	full := len(d.pending) >= d.cfg.MaxPending
	if !full {
		if w.agent != nil {
			w.agent.Revision, w.agent.CreatedAt, w.agent.UpdatedAt = 0, known.CreatedAt, time.Now().UTC().Truncate(time.Millisecond)
		}
		d.pending = append(d.pending, w)
	}
	d.mu.Unlock()
	if full {
		d.lose(w.name, 1)
		return myriad.Agent{}, because
	}
	d.patch(w.name, w.agent)
	d.wakeRun()
	if w.agent == nil {
		known.Name = w.name // all that is known when no view has the agent
		d.gone(known)
		return known, nil
	}
	if found && known.Endpoint != w.agent.Endpoint {
		d.gone(known)
	}
	d.cfg.Sink.Emit(myriad.Event{Kind: myriad.KindAgentPut, At: time.Now(), Agent: w.name, Endpoint: w.agent.Endpoint})
	return *w.agent, nil
}

// known gives an agent as kept writes or the views have it. mu is held.
func (d *Directory) known(name string) (a myriad.Agent, found bool) {
	for _, w := range slices.Backward(d.pending) {
		if w.name == name {
			if w.agent != nil {
				a = *w.agent
			}
			return a, w.agent != nil
		}
	}
	d.views.each(func(v *view) {
		for _, handlers := range [][]myriad.Handler{v.handlers.Exact, v.handlers.Any} {
			for i := range handlers {
				if !found && handlers[i].Agent.Name == name {
					a, found = handlers[i].Agent, true
				}
			}
		}
	})
	return a, found
}

// catchUp applies what was kept before a new write, which must not overtake it; the error says that something is still kept. Callers hold their turn.
func (d *Directory) catchUp(ctx context.Context) error {
	if !d.hasPending() {
		return nil
	}
	if d.applyPending(ctx); d.hasPending() {
		return myriad.Errorf(myriad.CodeUnavailable, "earlier writes wait for the graph, which does not take them now")
	}
	return nil
}

// giveUp tries once more, for a moment, to apply what was kept, and tells what is lost.
func (d *Directory) giveUp(ctx context.Context) {
	if !d.hasPending() {
		return
	}
	const lastTry = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTry)
	defer cancel()
	d.untaken.Store(nil) // however short ago that was
	d.recover(ctx)
	d.mu.Lock()
	lost := len(d.pending)
	d.pending = nil
	d.mu.Unlock()
	if lost > 0 {
		d.lose("", int64(lost))
	}
}

// lose tells that kept writes were dropped.
func (d *Directory) lose(name string, n int64) {
	d.cfg.Sink.Emit(myriad.Event{Kind: myriad.KindLost, At: time.Now(), Agent: name, Reason: "agents", Count: n})
}

func (d *Directory) hasPending() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.pending) > 0
}

// applyPending writes what was kept, in order. A write that the graph refuses for a reason of its own is lost and told; when the graph goes again the rest
// stays. Callers hold their turn.
func (d *Directory) applyPending(ctx context.Context) {
	for {
		d.mu.Lock()
		if len(d.pending) == 0 {
			d.mu.Unlock()
			return
		}
		w := d.pending[0]
		d.mu.Unlock()
		err := d.change(ctx, func(ctx context.Context) (err error) {
			if w.agent != nil {
				_, err = d.cfg.Graph.PutAgent(ctx, *w.agent, w.guard)
			} else if _, err = d.cfg.Graph.DeleteAgent(ctx, w.name, w.guard); myriad.ErrorCode(err) == myriad.CodeNotFound {
				err = nil // gone is gone
			}
			return err
		})
		if myriad.ErrorCode(err) == myriad.CodeUnavailable || ctx.Err() != nil {
			return
		}
		if err != nil {
			d.lose(w.name, 1)
		}
		d.mu.Lock()
		d.pending = d.pending[1:]
		d.mu.Unlock()
		if err != nil {
			d.Invalidate() // what the views show did not happen
		} else {
			d.patch(w.name, w.agent)
		}
	}
}
