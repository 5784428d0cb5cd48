package neurogenesis

import (
	"errors"
	"fmt"
	"time"

	"github.com/myriad-mind/myriad"
)

// answer gives an asker what the flight came to. A panic in it is not the other askers'.
func (g *Grower) answer(a *asker, o *outcome) {
	defer func() {
		if p := recover(); p != nil {
			g.panicked(p)
		}
	}()
	growth := o.growth
	growth.Data.Concept = a.req.Display
	switch {
	case o.known:
		g.look(a)
	case o.agent == nil:
		a.done(growth)
	case o.fresh:
		g.wake(a, o.agent, myriad.QueueGrow, growth)
	default:
		g.wake(a, o.agent, myriad.QueueWake, growth)
	}
}

// look finds the agent for an asker whose concept is known by now.
func (g *Grower) look(a *asker) {
	g.cfg.Graph.Find(a.ctx, a.req.Concept, a.req.Intent, func(found myriad.Found, err error) {
		switch {
		case err != nil:
			a.done(failedGrowth(a.req, myriad.TaskErrGraph, err.Error()))
		case len(found.Candidates) == 0:
			a.done(myriad.Growth{Status: myriad.StatusNoAgent})
		default:
			g.take(a, found.Candidates[0].Agent)
		}
	})
}

// take gives an asker an agent that others made: one that has to be awake first, or one that only has an endpoint.
func (g *Grower) take(a *asker, agent *myriad.Agent) {
	if agent.Template == nil {
		a.done(myriad.Growth{Agent: agent, Release: func() {}})
		return
	}
	growth := failedGrowth(a.req, "", "")
	if k := agent.Template.Knowledge; k != nil {
		growth = myriad.Growth{Status: myriad.StatusNeurogenesisSuccess, Definition: k.PrimaryDefinition, Data: dataOf(k)}
		growth.Data.Concept = a.req.Display
	}
	g.wake(a, agent, myriad.QueueWake, growth)
}

// wake has the agent woken and pinned for one asker; base is what the asker gets otherwise.
func (g *Grower) wake(a *asker, agent *myriad.Agent, kind string, base myriad.Growth) {
	deadline := a.req.Deadline
	if d, ok := a.ctx.Deadline(); ok && (deadline.IsZero() || d.Before(deadline)) {
		deadline = d
	}
	patience := g.cfg.MaxPatience
	if !deadline.IsZero() {
		left := time.Until(deadline)
		if left <= 0 {
			a.done(asleep(base, agent, myriad.Errorf(myriad.CodeDeadline, "there is no time left")))
			return
		}
		patience = max(min(patience, left/2), 1) // 0 would be until the deadline
	}
	g.cfg.Fleet.Wake(a.ctx, myriad.WakeRequest{
		Agent: agent, Kind: kind, Concept: a.req.Concept, Intent: a.req.Intent, Priority: a.req.Priority, Deadline: deadline, Patience: patience,
	}, func(w myriad.Woken) {
		if w.Err != nil || w.Agent == nil {
			growth := asleep(base, agent, w.Err)
			growth.Queued = w.Queued
			a.done(growth)
			return
		}
		growth := myriad.Growth{Agent: w.Agent, Release: w.Release, Cold: w.Cold, Definition: base.Definition}
		if kind == myriad.QueueGrow {
			growth.Status, growth.Data = myriad.StatusNeurogenesisAgent, base.Data
			growth.Data.ExpansionMethod, growth.Data.DynamicAgentCreated = methodAgent, true
			growth.Data.NewAgentName, growth.Data.NewAgentEndpoint, growth.Data.NewAgentCapabilities = w.Agent.Name, w.Agent.Endpoint, w.Agent.Capabilities
		}
		a.done(growth)
	})
}

// asleep is for an asker whose agent is there, but not awake in time: it gets the research.
func asleep(base myriad.Growth, agent *myriad.Agent, err error) myriad.Growth {
	if err == nil {
		err = errors.New("the fleet gave none")
	}
	base.Message = fmt.Sprintf("agent %q is there, and not awake yet: %v", agent.Name, err)
	if e, ok := errors.AsType[*myriad.Error](err); ok {
		base.RetryAfter = e.RetryAfter
	}
	switch code := myriad.ErrorCode(err); code {
	case myriad.TaskErrFleetFull, myriad.TaskErrCoolingDown, myriad.TaskErrStart:
		base.ErrorCode = string(code)
	case myriad.CodeDeadline:
		base.ErrorCode = myriad.TaskErrRunDeadline
	case myriad.CodeCancelled, myriad.CodeDraining:
		base.ErrorCode = myriad.TaskErrCancelled
	default:
		base.ErrorCode = myriad.TaskErrStart
	}
	return base
}
