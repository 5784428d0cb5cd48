package demo

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// grownTerms is how many terms that nobody knows the third act asks about: more than fit into the fleet at once when --max-agents is 3.
const grownTerms = 4

// third asks, one after the other, about terms that only the documents know: the server researches them, grows an agent for each, and the
// new agent answers. The first is asked again at the end, when it may have had to make room.
func (s *stage) third(ctx context.Context, first *Act) (*Act, error) {
	terms := s.unknownTerms(first)
	if len(terms) == 0 {
		s.printf("## What nobody knows\n\nThe documents say nothing that an agent could be grown from.\n\n")
		return nil, nil
	}
	plan := client.Plan{Timeout: runTimeout}
	last := ""
	for i, term := range append(terms, terms[0]) {
		t := client.Task{ID: "ask-" + strconv.Itoa(i+1), Concept: term, Intent: "define", OnDependencyFailure: myriad.OnFailureContinue}
		if last != "" {
			t.DependsOn = []string{last}
		}
		plan.Add(t)
		last = t.ID
	}
	act, err := s.act(ctx, 3, plan, nil)
	if err != nil {
		return act, err
	}
	s.printf("## What nobody knows\n\n| asked | status | by | cold start ms | answer |\n|---|---|---|---:|---|\n")
	for i, term := range append(terms, terms[0]) {
		r := act.Results[act.Order[i]]
		s.printf("| %s | %s | %s | %.1f | %s |\n", term, r.Status, r.Provenance.Agent, r.Provenance.ColdStartMS, strings.ReplaceAll(short(textOf(r), 80), "|", "/"))
	}
	s.printf("\n")
	fleet, err := s.Server.Fleet(ctx)
	if err != nil {
		s.printf("The fleet cannot be shown: %v\n\n", err)
		return act, nil
	}
	s.printf("%d of at most %d agents are awake", fleet.InUse, fleet.Limits.MaxAgents)
	for _, i := range fleet.Instances {
		s.printf("; %s %s", i.Agent, i.State)
	}
	s.printf(".\n")
	if again := act.Results[last]; again.Succeeded && again.Provenance.ColdStartMS > 0 {
		s.printf("%s had been put to sleep to make room for the others, and was woken to answer again.\n", again.Provenance.Agent)
	}
	s.printf("\n")
	return act, nil
}

// unknownTerms are terms that the documents define, or else what they are most about.
func (s *stage) unknownTerms(first *Act) []string {
	var out []string
	add := func(term string) {
		key, err := myriad.CanonicalConcept(term)
		if err != nil || len(out) == grownTerms || s.taken(key) {
			return
		}
		for _, have := range out {
			if k, _ := myriad.CanonicalConcept(have); k == key { // out holds only terms that have a canonical form
				return
			}
		}
		out = append(out, term)
	}
	var g glossary
	if json.Unmarshal(first.Results["topic-glossary"].Answer.Data, &g) == nil {
		for _, d := range g.Definitions {
			add(d.Term)
		}
	}
	var o overview
	if json.Unmarshal(first.Results["topic-vocabulary"].Answer.Data, &o) == nil {
		for _, k := range o.Words {
			add(k.Word)
		}
	}
	return out
}

// taken says whether the demo's own agents know the concept.
func (s *stage) taken(key string) bool {
	for _, a := range s.fleet.Agents() {
		for _, k := range a.ConceptKeys() {
			if k == key {
				return true
			}
		}
	}
	return false
}

// textOf is what a result says.
func textOf(r myriad.Result) string {
	data := r.Answer.Data
	if len(data) == 0 {
		data = r.Extra.Data
	}
	var s string
	switch {
	case json.Unmarshal(data, &s) == nil:
		return s
	case len(data) > 0:
		return string(data)
	}
	return r.ErrorMessage
}
