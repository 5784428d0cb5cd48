package call

import (
	"context"
	"time"

	"github.com/myriad-mind/myriad"
)

// step carries a try out by its candidate or, on its way, by others.
type step func(ctx context.Context, f *flight, t try) result

// chain stacks the policies around one exchange, the outermost first.
func (c *Caller) chain() step {
	return c.retry( // on a fresh candidate, within the budget, where repetition is safe
		c.hedge( // after the agent's own p95, on another candidate, within the same budget
			c.guard( // slot in hand ask the breaker; afterwards give both back and tell what came of it
				c.judged( // by the table of outcomes
					c.timed( // one attempt's time, the task's and the run's
						c.exchange))))) // the agent's protocol
}

// try is one attempt to be made.
type try struct {
	cand  int // index of the call's candidates
	agent *myriad.Agent
	end   *endpoint
	slot  myriad.Slot // given back by the guard
	hedge bool
	race  *race // that the attempt may lose to a second one; nil: none

	number  int // of the attempt, over all calls of the task, from 1; set with started by the guard
	started time.Time
	until   time.Time // set by timed: when the attempt is over
}

// result is what a try came to.
type result struct {
	try     try // the attempt it speaks of
	outcome myriad.Outcome
	code    string // a TaskErr word, on failure
	text    string // for people, on failure
	status  int
	answer  myriad.Answer
	wait    time.Duration // told to wait, or until the breaker's next probe
	reached bool          // the agent may have carried the job out
	final   bool          // no other candidate would do better
	requeue bool          // see Reply.Requeue
}

// decided says that nothing better can come: an answer, or the caller's own fault.
func (r *result) decided() bool {
	class := r.outcome.Class()
	return class == myriad.ClassSuccess || class == myriad.ClassCaller
}

// exchanger has one exchange, without judging it.
type exchanger func(ctx context.Context, f *flight, t try) exchanged

// judged sorts an exchange into its outcome.
func (c *Caller) judged(next exchanger) step {
	return func(ctx context.Context, f *flight, t try) result {
		x := next(ctx, f, t)
		row := judge(&x)
		r := result{try: t, outcome: row.outcome, code: row.code, text: row.say(&x), status: x.status, answer: x.answer, reached: row.reached}
		switch row.outcome {
		case myriad.OutcomeToldToWait:
			r.wait = x.wait()
		case myriad.OutcomeLocal:
			if ours, ok := x.err.(*fault); ok {
				r.code, r.final = ours.code, ours.final
			}
		}
		return r
	}
}

// exchange has one exchange by the agent's protocol.
func (c *Caller) exchange(ctx context.Context, f *flight, t try) exchanged {
	p := c.protocols[t.agent.Protocol]
	if p == nil {
		return exchanged{err: &fault{code: myriad.TaskErrEndpoint, text: "the agent's protocol " + clip(t.agent.Protocol) + " is not known here"}}
	}
	to := t.end.leadsTo(t.agent.Endpoint)
	if to.wrong != nil {
		return exchanged{err: to.wrong}
	}
	body, err := f.encoded(p)
	if err != nil {
		return exchanged{err: err}
	}
	return p.exchange(ctx, message{agent: t.agent, target: to, body: body, key: f.call.Key, trace: f.trace(t.number), until: t.until})
}
