package discovery

import (
	"context"
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
// the bound nothing is taken: both give the error of the graph. Callers hold writing.
func (d *Directory) keep(w write, because error) (myriad.Agent, error) {
	if w.guard.MustNotExist || w.guard.Revision > 0 {
		return myriad.Agent{}, because
	}
	d.mu.Lock()
	full := len(d.pending) >= d.cfg.MaxPending
	if !full {
		d.pending = append(d.pending, w)
	}
	d.mu.Unlock()
	if full {
		d.cfg.Sink.Emit(myriad.Event{Kind: myriad.KindLost, At: time.Now(), Agent: w.name, Reason: "agents", Count: 1})
		return myriad.Agent{}, because
	}
	d.patch(w.name, w.agent)
	if w.agent == nil {
		return myriad.Agent{Name: w.name}, nil
	}
	return *w.agent, nil
}

func (d *Directory) hasPending() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.pending) > 0
}

// applyPending writes what was kept, in order. A write that the graph refuses for a reason of its own is lost and told; when the graph goes again the rest stays.
func (d *Directory) applyPending(ctx context.Context) {
	d.writing.Lock()
	defer d.writing.Unlock()
	for {
		d.mu.Lock()
		if len(d.pending) == 0 {
			d.mu.Unlock()
			return
		}
		w := d.pending[0]
		d.mu.Unlock()
		err := d.ask(ctx, func(ctx context.Context) (err error) {
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
			d.cfg.Sink.Emit(myriad.Event{Kind: myriad.KindLost, At: time.Now(), Agent: w.name, Reason: "agents", Count: 1})
		}
		d.mu.Lock()
		d.pending = d.pending[1:]
		d.mu.Unlock()
		d.patch(w.name, w.agent)
	}
}
