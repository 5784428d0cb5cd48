package demo

import (
	"context"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// What the second act does to the fleet.
const (
	slowness    = 400 * time.Millisecond // extra time of every job of the slow agent
	graphClosed = 300 * time.Millisecond
	soleVictim  = "Demo_Terms" // nobody else can do its work
)

// second runs the plan again. The agent that did most of the links is slow now; of the two that know keywords, the one that did most dies;
// so does the only one that knows terms; and the graph is closed for a moment. The report must come all the same.
func (s *stage) second(ctx context.Context, plan client.Plan, before *Outcome) (*Act, error) {
	slow, dying := busiest(before.First, "links-"), busiest(before.First, "keywords-")
	s.fleet.slowDown(slow, slowness)
	at := min(2, len(s.library.files)) // its first job is still answered where it has several
	s.fleet.dieAt(dying, at)
	s.fleet.dieAt(soleVictim, at)
	s.printf("## The same again, while things fail\n\n")
	s.printf("%s is %s slower; %s and %s die in the middle of job %d", strings.TrimPrefix(slow, "Demo_"), slowness,
		strings.TrimPrefix(dying, "Demo_"), strings.TrimPrefix(soleVictim, "Demo_"), at)
	if s.Chaos.CloseGraph != nil {
		s.printf("; the graph is closed for %s", graphClosed)
	}
	s.printf(".\n\n")
	closed := false
	act, err := s.act(ctx, 2, plan, func(step Step) {
		if step.Kind == myriad.EventTaskFinished && !closed && s.Chaos.CloseGraph != nil {
			closed = true
			s.Chaos.CloseGraph(graphClosed)
		}
	})
	s.fleet.slowDown(slow, 0)
	if err != nil {
		return act, err
	}
	s.table(act)
	text, err := act.report()
	switch {
	case err != nil:
		s.printf("The report did not come: %v\n\n", err)
	case text == before.Report:
		s.printf("The report came in %.0f ms and is the same, line by line.\n\n", act.Summary.DurationMS)
	default:
		s.printf("The report came in %.0f ms, and differs from the first where answers are missing.\n\n", act.Summary.DurationMS)
	}
	return act, nil
}

// busiest is the agent that answered most of the tasks whose ids begin so.
func busiest(a *Act, prefix string) string {
	n, best := map[string]int{}, ""
	for _, id := range a.Order {
		if r := a.Results[id]; strings.HasPrefix(id, prefix) && r.Provenance.Agent != "" {
			agent := r.Provenance.Agent
			n[agent]++
			if n[agent] > n[best] {
				best = agent
			}
		}
	}
	return best
}
