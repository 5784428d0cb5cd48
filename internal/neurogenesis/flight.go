package neurogenesis

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/myriad-mind/myriad"
)

// flight is the making of one agent for one concept. It belongs to the grower, not to whoever asked first.
type flight struct {
	g        *Grower
	question Question
	began    time.Time
	askers   []*asker // guarded by g.mu, until the flight has landed
}

// outcome is what a flight came to, for all of its askers.
type outcome struct {
	agent *myriad.Agent // to be woken for each asker; nil when there is none
	known bool          // the concept got agents meanwhile: each asker is to look for its own
	fresh bool          // the agent was made by this flight
	// growth is for those who cannot have an agent.
	growth myriad.Growth
	cool   time.Duration // how long the concept is not tried again
	// quiet has nobody told: nothing was grown and nothing failed.
	quiet bool
}

// fly finds out, remembers and tells.
func (f *flight) fly() {
	g := f.g
	o := f.safely()
	if o.agent == nil && !o.known && g.life.Err() != nil {
		o = outcome{growth: closedGrowth(myriad.GrowRequest{Display: f.question.Display}), quiet: true}
	}
	now := time.Now()
	g.mu.Lock()
	delete(g.flights, f.question.Concept)
	if o.cool > 0 {
		o.growth.RetryAfter = o.cool
		g.cooling.put(f.question.Concept, o.growth, now.Add(o.cool))
	}
	askers := f.askers
	g.mu.Unlock()
	if !o.quiet {
		f.tell(o, now)
	}
	for _, a := range askers {
		if a.stay() {
			g.answer(a, &o)
		}
	}
}

// tell emits what the flight came to.
func (f *flight) tell(o outcome, now time.Time) {
	status := o.growth.Status
	if o.fresh {
		status = myriad.StatusNeurogenesisAgent
		f.g.cfg.Logger.Info("an agent was made for an unknown concept", slog.String("concept", f.question.Concept), slog.String("agent", o.agent.Name))
	}
	e := myriad.Event{Kind: myriad.KindNeurogenesis, At: now, Concept: f.question.Concept, Reason: status, Duration: now.Sub(f.began)}
	if o.agent != nil {
		e.Agent = o.agent.Name
	}
	f.g.cfg.Sink.Emit(e)
}

// safely makes a panic the flight's failure.
func (f *flight) safely() (o outcome) {
	ctx, cancel := context.WithTimeout(f.g.life, f.g.cfg.FlightTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			f.g.panicked(p)
			o = outcome{growth: f.failed(myriad.TaskErrInternal, fmt.Sprintf("growing an agent panicked: %v", p)), cool: f.g.cfg.Cooldown}
		}
	}()
	return f.course(ctx)
}

// course is the order of steps. Each leaves something whole: what the concept's node says is true without the agent, and the agent is there from
// the moment that its packet is, which is written as one. A process that dies in between has the next asker begin anew, and find what is there.
func (f *flight) course(ctx context.Context) outcome {
	if o, over := f.known(ctx); over {
		return o
	}
	if a := f.packet(ctx); a != nil {
		return outcome{agent: a, growth: f.growthOf(a), quiet: true}
	}
	leave, growth := f.reserve(ctx)
	if leave == nil {
		return outcome{growth: growth}
	}
	defer leave()
	findings, answered, away := f.g.research(ctx, f.question)
	k := synthesise(f.question, findings)
	nodeErr := f.node(ctx, &k, len(findings) > 0)
	if nodeErr != nil {
		f.g.cfg.Logger.Warn("the node of a researched concept cannot be written", slog.String("concept", k.Concept), slog.Any("error", nodeErr))
	}
	base := f.base(k, nodeErr, answered)
	switch {
	case suffices(k):
	case away != nil:
		base.ErrorCode, base.Message = string(myriad.ErrorCode(away)), f.unasked(away)
		return outcome{growth: base, cool: f.soon()}
	default:
		base.ErrorCode, base.Message = myriad.TaskErrNoAgent, f.insufficient(k)
		return outcome{growth: base, cool: f.g.cfg.Cooldown}
	}
	a, fresh, err := f.create(ctx, k)
	if err != nil {
		base.ErrorCode, base.Message = createCode(err), fmt.Sprintf("the agent for concept %q could not be stored: %v", f.question.Display, err)
		if myriad.ErrorCode(err) == myriad.CodeUnavailable {
			return outcome{growth: base, cool: f.soon()}
		}
		return outcome{growth: base, cool: f.g.cfg.Cooldown}
	}
	return outcome{agent: a, fresh: fresh, growth: base, quiet: !fresh}
}

// soon is how long a concept is not tried again that came to nothing for our own sake, and not for what is known of it: nobody could be asked, or the
// store does not answer. That may be over in a moment.
func (f *flight) soon() time.Duration { return min(5*time.Second, f.g.cfg.Cooldown) }

// known asks the graph once more: whoever asked for this flight may have looked before the last one landed.
func (f *flight) known(ctx context.Context) (o outcome, over bool) {
	found, err := f.g.find(ctx, f.question.Concept, f.question.Intent)
	switch {
	case err != nil:
		return outcome{growth: f.failed(myriad.TaskErrGraph, fmt.Sprintf("who knows of concept %q cannot be told: %v", f.question.Display, err))}, true
	case found.Known:
		return outcome{known: true, quiet: true}, true
	case found.Stale:
		return outcome{growth: f.failed(myriad.TaskErrGraph, "the graph does not answer, so nobody can tell what is unknown")}, true
	}
	return o, false
}

// find is the graph's Find for those who can wait.
func (g *Grower) find(ctx context.Context, concept, intent string) (myriad.Found, error) {
	type answer struct {
		found myriad.Found
		err   error
	}
	answers := make(chan answer, 1)
	g.cfg.Graph.Find(ctx, concept, intent, func(found myriad.Found, err error) { answers <- answer{found, err} })
	select {
	case a := <-answers:
		return a.found, a.err
	case <-ctx.Done():
		return myriad.Found{}, ctx.Err()
	}
}

// reserve takes a place among the grown packets; leave gives it back once the packet counts by itself, or there is none. leave is nil when
// there is no place.
func (f *flight) reserve(ctx context.Context) (leave func(), growth myriad.Growth) {
	g := f.g
	refuse := func(why string, after time.Duration) (func(), myriad.Growth) {
		return nil, refusedGrowth(myriad.GrowRequest{Display: f.question.Display}, why, after)
	}
	select { // one counts at a time, so that two do not take the same last place
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return refuse("the grown agents could not be counted in time", time.Second)
	}
	g.mu.Lock()
	making := g.making // before the count: a packet that is written in between counts twice, not never
	g.mu.Unlock()
	n, err := g.cfg.Count.CountGrown(ctx)
	switch {
	case err != nil:
		return refuse(fmt.Sprintf("the grown agents cannot be counted: %v", err), time.Second)
	case n+making >= g.cfg.MaxGrown:
		return refuse(fmt.Sprintf("there are %d grown agents, as many as may be", g.cfg.MaxGrown), time.Minute)
	}
	g.mu.Lock()
	g.making++
	g.mu.Unlock()
	return func() {
		g.mu.Lock()
		g.making--
		g.mu.Unlock()
	}, growth
}
