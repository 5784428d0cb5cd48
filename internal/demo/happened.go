package demo

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// how says by which way an answer came.
type how string

// The ways, in the order in which the table shows them.
const (
	live      how = "live"
	hedged    how = "hedged"
	elsewhere how = "retried elsewhere"
	cachedWay how = "cached"
	byDefault how = "default"
	absent    how = "missing"
)

var ways = []how{live, hedged, elsewhere, cachedWay, byDefault, absent}

// wayOf reads a result's provenance.
func wayOf(r myriad.Result) how {
	p := r.Provenance
	switch {
	case !r.Succeeded:
		return absent
	case p.Source == myriad.SourceCache:
		return cachedWay
	case p.Source == myriad.SourceDefault:
		return byDefault
	}
	tried := map[string]bool{}
	for _, a := range p.Attempts {
		if a.Hedge {
			return hedged
		}
		tried[a.Endpoint] = true
	}
	if len(tried) > 1 {
		return elsewhere
	}
	return live
}

// why tells in a few words how a result that is not plainly live came about.
func why(r myriad.Result) string {
	p := r.Provenance
	var parts []string
	for _, a := range p.Attempts {
		verb := string(a.Outcome)
		if a.Hedge {
			verb = "hedge: " + verb
		}
		parts = append(parts, strings.TrimPrefix(a.Agent, "Demo_")+" "+verb)
	}
	for _, x := range p.Rejections {
		parts = append(parts, strings.TrimPrefix(x.Agent, "Demo_")+" not called: "+x.Reason)
	}
	switch wayOf(r) {
	case cachedWay:
		parts = append(parts, "answered from "+(time.Duration(p.AgeMS)*time.Millisecond).String()+" ago")
	case absent:
		parts = append(parts, cmp.Or(r.ErrorCode, r.Status)+": "+short(r.ErrorMessage, 80))
	}
	return strings.Join(parts, ", ")
}

// happened tells of a run in figures.
func (s *stage) happened(a *Act) {
	r := a.Summary
	s.printf("## What happened\n\n")
	s.printf("%d tasks, %d succeeded, by %d agents, each with a listener of its own.\n", r.Tasks, r.Succeeded, len(a.agents()))
	if s.Think > 0 {
		s.printf("Each job takes at least %s, in place of a model or service that a real agent would ask.\n", s.Think)
	}
	s.printf("\n| | ms |\n|---|---:|\n")
	s.printf("| all tasks, their times added up | %.0f |\n", r.SequentialMS)
	s.printf("| in fact | %.0f |\n", r.DurationMS)
	s.printf("| of that: tasks on the critical path | %.0f |\n", r.CriticalPathMS)
	s.printf("| of that: waiting for agents that were busy | %.0f |\n", r.QueuedMS)
	s.printf("| of that: Myriad itself | %.1f |\n", r.OrchestrationMS)
	s.printf("\nSide by side on average: %.1f tasks. Run %s.\n\n", r.Parallelism, r.RunID)
}

// agents are those that answered.
func (a *Act) agents() []string {
	names := map[string]bool{}
	for _, r := range a.Results {
		if r.Provenance.Agent != "" {
			names[r.Provenance.Agent] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// byWay counts the results of each way.
func (a *Act) byWay() map[how]int {
	n := map[how]int{}
	for _, id := range a.Order {
		n[wayOf(a.Results[id])]++
	}
	return n
}

// shownRows is how many tasks of one way the second act's table names.
const shownRows = 6

// table says which answers came which way, and why those that are not plainly live.
func (s *stage) table(a *Act) {
	counts := a.byWay()
	s.printf("| how the answer came | tasks |\n|---|---:|\n")
	stale := 0
	for _, id := range a.Order {
		if a.Results[id].Provenance.Graph == myriad.GraphStale {
			stale++
		}
	}
	for _, w := range ways {
		if counts[w] > 0 || w == live || w == absent {
			s.printf("| %s | %d |\n", w, counts[w])
		}
	}
	if stale > 0 {
		s.printf("\n%s found their agents in the last view of the graph, while it was closed.\n", count(stale, "task"))
	}
	rows := map[how]int{}
	s.printf("\n| task | answer | how it came about |\n|---|---|---|\n")
	for _, w := range ways[1:] {
		for _, id := range a.Order {
			if r := a.Results[id]; wayOf(r) == w {
				if rows[w]++; rows[w] <= shownRows {
					s.printf("| %s | %s | %s |\n", id, w, strings.ReplaceAll(why(r), "|", "/"))
				}
			}
		}
		if n := rows[w] - shownRows; n > 0 {
			s.printf("| and %d more | %s | |\n", n, w)
		}
	}
	s.printf("\n")
}

// goOn tells what to do next.
func (s *stage) goOn() {
	s.printf(`## How to go on

    myriad serve --agents examples/lightbulb/agents.yaml      # a server of your own
    go run ./examples/lightbulb                               # two agents for it
    myriad run examples/lightbulb/plan.yaml                   # a graph of dependent tasks
    curl -s http://127.0.0.1:5000/v1/runs -H 'Content-Type: application/json' \
      -d '{"tasks": [{"task_id": "a", "concept": "lightbulb", "intent": "define"}]}'
`)
}
