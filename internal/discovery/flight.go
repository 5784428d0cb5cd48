package discovery

import (
	"context"
	"fmt"
	"time"

	"github.com/myriad-mind/myriad"
)

// flight is one question to the graph about one concept, whoever waits for it.
type flight struct{ waiters []waiter }

type waiter struct {
	intent string
	done   func(myriad.Found, error)
}

// fly joins the concept's flight, or begins one; w is nil for a renewal that nobody waits for. mu is held. A flight belongs to the directory, not to
// whoever asked first, so nobody's leaving fails the others.
func (d *Directory) fly(concept string, w *waiter) {
	f, under := d.flying[concept]
	if !under {
		if d.closed {
			return
		}
		f = &flight{}
		d.flying[concept] = f
		d.flights.Go(func() { d.land(concept, f) })
	}
	if w != nil {
		f.waiters = append(f.waiters, *w)
	}
}

// land asks the graph and tells everyone who waits.
func (d *Directory) land(concept string, f *flight) {
	d.permits <- struct{}{} // a flood of new concepts must not look like a slow graph: the timeout begins after this
	var handlers myriad.Handlers
	err := d.ask(context.Background(), func(ctx context.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("the graph's look-up panicked: %v", p)
			}
		}()
		handlers, err = d.cfg.Graph.Handlers(ctx, concept)
		return err
	})
	<-d.permits
	now := time.Now()
	d.mu.Lock()
	for _, w := range d.pending { // the graph does not know them yet
		var concepts []string
		if w.agent != nil {
			concepts = w.agent.ConceptKeys()
		}
		handlers, _ = written(handlers, w.name, w.agent, concepts)
	}
	v := &view{handlers: handlers, at: now}
	current := d.flying[concept] == f
	if current {
		delete(d.flying, concept)
	}
	switch known := d.views.get(concept); {
	case err != nil:
		v = known // the last good one, if there is any
	case current:
		d.views.put(concept, v)
	}
	waiters := f.waiters
	f.waiters = nil
	var at time.Time
	if v != nil {
		handlers, at = v.handlers, v.at
	}
	d.mu.Unlock()
	for _, w := range waiters {
		if v == nil {
			w.done(myriad.Found{}, err)
		} else {
			w.done(d.rank(&handlers, at, w.intent, now), nil)
		}
	}
}
