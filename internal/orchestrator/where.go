package orchestrator

import (
	"fmt"
	"strings"

	"github.com/myriad-mind/myriad"
)

// alive is what a task that has no slot yet waits for, besides a slot.
type alive struct {
	agent   string // to be awake
	concept string // to get an agent
}

// waitsFor notes what the task waits for from now on, so that the end of its time can tell. queue forgets it.
func (r *run) waitsFor(i int32, what alive) {
	r.mu.Lock()
	r.tasks[i].waits = what
	r.mu.Unlock()
}

// placesOf are the places in the fleet's queue of those agents that tasks wait for. It is asked when the run's time is over.
func (r *run) placesOf() (places map[string]*myriad.QueuePosition) {
	if r.o.cfg.Waker == nil || r.over.Load() {
		return nil
	}
	r.mu.Lock()
	for i := range r.tasks {
		if w := &r.tasks[i]; w.phase < phaseQueued && w.waits.agent != "" {
			if places == nil {
				places = map[string]*myriad.QueuePosition{}
			}
			places[w.waits.agent] = nil
		}
	}
	r.mu.Unlock()
	for agent := range places {
		places[agent] = r.o.cfg.Waker.Place(agent)
	}
	return places
}

// where says what the task, which is not with an agent, waits for; "" when for nothing that can be named. r.mu is held.
func (w *work) where(places map[string]*myriad.QueuePosition) string {
	switch {
	case w.phase == phaseQueued:
		return "a slot of " + agentsOf(w.candidates)
	case w.waits.agent != "":
		return awakeAt(w.waits.agent, places[w.waits.agent])
	case w.waits.concept != "":
		return fmt.Sprintf("an agent to be made for concept %q", shorten(w.waits.concept, 80))
	}
	return ""
}

// awakeAt says that an agent is to be awake, and where it waits for room itself.
func awakeAt(agent string, place *myriad.QueuePosition) string {
	if place == nil {
		return fmt.Sprintf("agent %q to be awake", agent)
	}
	return fmt.Sprintf("agent %q to be awake, which is at place %d of the fleet's queue", agent, place.Position)
}

// namedAgents is how many agents a message names.
const namedAgents = 3

// agentsOf names the agents of candidates, the first of many.
func agentsOf(candidates []myriad.Candidate) string {
	var b strings.Builder
	b.WriteString("agent ")
	for n := range candidates[:min(len(candidates), namedAgents)] {
		if n > 0 {
			b.WriteString(" or ")
		}
		fmt.Fprintf(&b, "%q", candidates[n].Agent.Name)
	}
	if more := len(candidates) - namedAgents; more > 0 {
		fmt.Fprintf(&b, " or %d more", more)
	}
	return b.String()
}
