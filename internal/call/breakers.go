package call

import (
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/resilience"
)

// changed tells of a transition. The breaker calls it in order and under no lock.
func (s *endpoints) changed(e *endpoint, ch resilience.Change) {
	if e.gone.Load() { // its series went with it and must not come back
		return
	}
	s.mu.RLock()
	agent := e.agent
	s.mu.RUnlock()
	s.cfg.Sink.Emit(myriad.Event{
		Kind: myriad.KindBreaker, At: ch.At, Circuit: ch.Name, Agent: agent, Endpoint: e.address,
		From: ch.From.String(), To: ch.To.String(), Reason: ch.Reason, RetryAfter: ch.RetryAfter,
	})
}

// Eligible drops the candidates whose breaker would reject a call now and keeps the order of the others. Parked ones stay: the
// dispatcher holds them. When none is left retryAfter is the time until the first of them may be tried. Each that is dropped is told of as rejected.
func (c *Caller) Eligible(candidates []myriad.Candidate) (ok []myriad.Candidate, rejected []myriad.Rejection, retryAfter time.Duration) {
	for i := range candidates {
		ready, wait := c.ends.ready(candidates[i].Agent)
		switch {
		case ready && rejected != nil:
			ok = append(ok, candidates[i])
		case !ready:
			if rejected == nil {
				ok = slices.Clone(candidates[:i])
			}
			name := candidates[i].Agent.Name
			rejected = append(rejected, rejection(name, myriad.RejectedOpen, wait))
			if retryAfter == 0 || wait < retryAfter {
				retryAfter = wait
			}
			c.cfg.Sink.Emit(myriad.Event{Kind: myriad.KindRejected, At: time.Now(), Agent: name, Reason: myriad.RejectedOpen, RetryAfter: wait})
		}
	}
	switch {
	case rejected == nil:
		return candidates, nil, 0
	case len(ok) > 0:
		retryAfter = 0
	}
	return ok, rejected, retryAfter
}

// Ready says whether the agent's breaker would let a call through now, else how long until it may. It tells of nothing, and takes no probe.
func (c *Caller) Ready(a *myriad.Agent) (ok bool, retryAfter time.Duration) { return c.ends.ready(a) }

// Signals are the parts of an agent's rank that its answers decide, each 0..1: how likely it answers well now, and how fast. Nothing
// is known of a new agent, which is taken for good and fast so that it is tried.
func (c *Caller) Signals(a *myriad.Agent, intent string) (availability, latency float64) {
	s := c.stats.Summary(a.Name, intent)
	availability = s.SuccessRatio
	if ready, _ := c.ends.ready(a); !ready {
		availability = 0
	}
	return availability, float64(latencyScale) / float64(latencyScale+s.Latency)
}

// latencyScale is the latency that halves an agent's rank.
const latencyScale = time.Second

// Breakers lists the breakers of the agent's endpoints, of all agents for "", by name.
func (c *Caller) Breakers(agent string) []myriad.BreakerState {
	ends := c.ends.find(agent)
	states := make([]myriad.BreakerState, len(ends))
	for i, e := range ends {
		states[i] = c.ends.state(e)
	}
	return states
}

// modes are the words of BreakerState.Mode.
var modes = map[resilience.Mode]string{
	resilience.Auto: "auto", resilience.ForcedOpen: "forced_open", resilience.ForcedClosed: "forced_closed",
}

func (s *endpoints) state(e *endpoint) myriad.BreakerState {
	s.mu.RLock()
	agent := e.agent
	s.mu.RUnlock()
	shot := e.breaker.Snapshot()
	return myriad.BreakerState{
		Circuit: e.circuit, Agent: agent, Endpoint: e.address, State: shot.State.String(), Mode: modes[shot.Mode],
		ConsecutiveFailures: shot.ConsecutiveFailures, Reason: shot.Reason, ChangedAt: shot.ChangedAt, NextProbeAt: shot.NextProbeAt,
		RetryAfterMS: ceilMS(shot.RetryAfter),
	}
}

// ForceBreaker holds the breakers of the agent's endpoints open or closed, or with "auto" leaves them to their rules again. An agent
// that was not called yet has no breaker; the order then holds from its first call on. Unknown modes are CodeInvalid.
func (c *Caller) ForceBreaker(agent, mode string) ([]myriad.BreakerState, error) {
	m, ok := resilience.ParseMode(mode)
	if !ok {
		return nil, myriad.Invalid([]myriad.Mistake{{Path: "mode", Rule: "must be open, close or auto"}})
	}
	ends := c.ends.find(agent)
	if agent == "" {
		return nil, myriad.Invalid([]myriad.Mistake{{Path: "agent", Rule: "must not be empty"}})
	}
	if len(ends) == 0 {
		return c.forceAhead(agent, m)
	}
	for _, e := range ends {
		e.breaker.Force(m)
	}
	return c.Breakers(agent), nil
}

func (c *Caller) forceAhead(agent string, m resilience.Mode) ([]myriad.BreakerState, error) {
	if !c.ends.remember(agent, m) {
		return nil, myriad.Errorf(myriad.CodeOverloaded, "too many agents that were never called are forced already")
	}
	state := resilience.Closed
	if m == resilience.ForcedOpen {
		state = resilience.Open
	}
	return []myriad.BreakerState{{Circuit: agent, Agent: agent, State: state.String(), Mode: modes[m]}}, nil
}

// Forget drops what is kept of an agent that is gone, or whose endpoint changed: a is the agent as it was. Its breaker goes when no
// other agent is at the same endpoint; calls under way end as usual and tell of nothing that is gone.
func (c *Caller) Forget(a myriad.Agent) {
	c.ends.forget(&a)
	c.stats.Forget(a.Name)
	if a.Template == nil && !c.ends.reaches(a.Endpoint) {
		// The transport cannot close one host's idle connections alone. A template's instance closes them itself when it ends.
		c.transport.CloseIdleConnections()
	}
}
