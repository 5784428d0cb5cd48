package discovery

import (
	"context"
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
)

// PutAgent checks the agent, writes it to the graph and has every view show it. While the graph does not answer the write is kept and applied
// later (pending.go), unless a guard has to be judged by the graph. Errors are those of myriad.Registry, CodeInvalid with every mistake, and
// CodeDeadline or CodeCancelled when ctx ended before the write's turn came.
func (d *Directory) PutAgent(ctx context.Context, a myriad.Agent, g myriad.Guard) (myriad.Agent, error) {
	a, mistakes := myriad.CheckKept(a)
	if err := myriad.Invalid(mistakes); err != nil {
		return myriad.Agent{}, err
	}
	if err := d.turn(ctx); err != nil {
		return myriad.Agent{}, err
	}
	defer d.yield()
	if err := d.catchUp(ctx); err != nil {
		return d.keep(write{agent: &a, name: a.Name, guard: g}, err)
	}
	var stored, before myriad.Agent
	existed := false
	err := d.change(ctx, func(ctx context.Context) (err error) {
		switch before, err = d.cfg.Graph.Agent(ctx, a.Name); myriad.ErrorCode(err) {
		case "":
			existed = true
		case myriad.CodeNotFound:
		default:
			return err
		}
		stored, err = d.cfg.Graph.PutAgent(ctx, a, g)
		return err
	})
	if myriad.ErrorCode(err) == myriad.CodeUnavailable {
		return d.keep(write{agent: &a, name: a.Name, guard: g}, err)
	}
	if err != nil {
		d.doubt(err, a.ConceptKeys())
		return myriad.Agent{}, err
	}
	d.patch(stored.Name, &stored)
	if existed && before.Endpoint != stored.Endpoint {
		d.gone(before)
	}
	d.cfg.Sink.Emit(myriad.Event{Kind: myriad.KindAgentPut, At: time.Now(), Agent: stored.Name, Endpoint: stored.Endpoint})
	return stored, nil
}

// DeleteAgent removes the agent from the graph and from every view. Otherwise as PutAgent.
func (d *Directory) DeleteAgent(ctx context.Context, name string, g myriad.Guard) (myriad.Agent, error) {
	if err := d.turn(ctx); err != nil {
		return myriad.Agent{}, err
	}
	defer d.yield()
	if err := d.catchUp(ctx); err != nil {
		return d.keep(write{name: name, guard: g}, err)
	}
	var was myriad.Agent
	err := d.change(ctx, func(ctx context.Context) (err error) {
		was, err = d.cfg.Graph.DeleteAgent(ctx, name, g)
		return err
	})
	if myriad.ErrorCode(err) == myriad.CodeUnavailable {
		return d.keep(write{name: name, guard: g}, err)
	}
	if err != nil {
		d.doubt(err, nil)
		return myriad.Agent{}, err
	}
	d.patch(name, nil)
	d.gone(was)
	return was, nil
}

// gone tells of an agent, or of one endpoint of it, that will not be asked any more.
func (d *Directory) gone(was myriad.Agent) {
	if d.cfg.Gone != nil {
		d.cfg.Gone(was)
	}
	d.cfg.Sink.Emit(myriad.Event{Kind: myriad.KindAgentGone, At: time.Now(), Agent: was.Name, Endpoint: was.Endpoint})
}

// patch shows a write in the views at once; a is nil for an agent that is gone. The views are read again before their next use, and serve as they
// are when the graph does not answer then.
func (d *Directory) patch(name string, a *myriad.Agent) {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.flying) // those under way began before the write: they tell their askers and leave no view
	var concepts []string
	if a != nil {
		concepts = a.ConceptKeys()
	}
	for _, c := range concepts {
		if c != myriad.AnyConcept && d.views.get(c) == nil && d.down.Load() {
			d.views.put(c, &view{handlers: myriad.Handlers{Concept: c}, at: time.Now()})
		}
	}
	d.views.each(func(v *view) {
		if h, changed := written(v.handlers, name, a, concepts); changed {
			v.handlers, v.dirty = h, !d.down.Load()
		}
	})
}

// written is what the graph knows of a concept once the agent is written, or gone when a is nil; concepts are the agent's.
func written(h myriad.Handlers, name string, a *myriad.Agent, concepts []string) (_ myriad.Handlers, changed bool) {
	exact, changedExact := replaced(h.Exact, name, a, slices.Contains(concepts, h.Concept))
	others, changedAny := replaced(h.Any, name, a, slices.Contains(concepts, myriad.AnyConcept))
	return myriad.Handlers{Concept: h.Concept, Exact: exact, Any: others}, changedExact || changedAny
}

// doubt has views read again after a write that the graph may have done although its asker left.
func (d *Directory) doubt(err error, concepts []string) {
	switch myriad.ErrorCode(err) {
	case myriad.CodeCancelled, myriad.CodeDeadline, myriad.CodeInternal:
		if len(concepts) > 0 {
			d.Invalidate(concepts...)
		} else {
			d.Invalidate()
		}
	}
}

// replaced is the list without the agent of that name, and with a when it belongs there; a learned weight stays.
func replaced(handlers []myriad.Handler, name string, a *myriad.Agent, belongs bool) ([]myriad.Handler, bool) {
	at := slices.IndexFunc(handlers, func(h myriad.Handler) bool { return h.Agent.Name == name })
	if at < 0 && !belongs {
		return handlers, false
	}
	weight := 0.5
	out := make([]myriad.Handler, 0, len(handlers)+1)
	for i, h := range handlers {
		if i == at {
			weight = h.Weight
			continue
		}
		out = append(out, h)
	}
	if belongs {
		out = append(out, myriad.Handler{Agent: *a, Weight: weight})
	}
	return out, true
}

// Agent reads one agent from the graph.
func (d *Directory) Agent(ctx context.Context, name string) (a myriad.Agent, err error) {
	err = d.ask(ctx, func(ctx context.Context) (err error) { a, err = d.cfg.Graph.Agent(ctx, name); return err })
	return a, err
}

// Agents lists agents by name.
func (d *Directory) Agents(ctx context.Context, page myriad.Page) (agents []myriad.Agent, next string, err error) {
	err = d.ask(ctx, func(ctx context.Context) (err error) { agents, next, err = d.cfg.Graph.Agents(ctx, page); return err })
	return agents, next, err
}

// CountAgents counts the agents in the graph.
func (d *Directory) CountAgents(ctx context.Context) (n int64, err error) {
	err = d.ask(ctx, func(ctx context.Context) (err error) { n, err = d.cfg.Graph.CountAgents(ctx); return err })
	return n, err
}

// Researchers gives agents that declare the intent concept_research, by name, at most limit of them; packets that are awake by their live cards.
func (d *Directory) Researchers(ctx context.Context, limit int) (agents []myriad.Agent, err error) {
	err = d.ask(ctx, func(ctx context.Context) (err error) { agents, err = d.cfg.Graph.Researchers(ctx, limit); return err })
	for i := range agents {
		agents[i] = *d.present(&agents[i])
	}
	return agents, err
}

// Concepts lists concepts by canonical name.
func (d *Directory) Concepts(ctx context.Context, page myriad.Page) (concepts []myriad.Concept, next string, err error) {
	err = d.ask(ctx, func(ctx context.Context) (err error) {
		concepts, next, err = d.cfg.Graph.Concepts(ctx, page)
		return err
	})
	return concepts, next, err
}

// Concept reads one concept.
func (d *Directory) Concept(ctx context.Context, name string) (c myriad.Concept, err error) {
	err = d.ask(ctx, func(ctx context.Context) (err error) { c, err = d.cfg.Graph.Concept(ctx, name); return err })
	return c, err
}

// Ping asks the graph for a sign of life.
func (d *Directory) Ping(ctx context.Context) error { return d.ask(ctx, d.cfg.Graph.Ping) }
