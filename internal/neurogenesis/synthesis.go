package neurogenesis

import (
	"strings"

	"github.com/myriad-mind/myriad"
)

// The numbers of wire facts 5.3 and 5.6.
const (
	ignorance       = 0.1 // the confidence when nobody gives one
	enough          = 0.3 // an agent is made above it
	keptDefinitions = 2   // that make up the primary definition
	keptUses        = 3   // applications
)

// lead opens every primary definition that was put together from findings.
const lead = "Research found: "

// synthesise puts together what findings say of a concept (wire facts 5.3). The definition is never empty. What does not fit into what an agent may know is left
// out: applications before sources, and those that come last first.
func synthesise(q Question, findings []Finding) myriad.Knowledge {
	k := myriad.Knowledge{
		Concept: q.Concept, DisplayName: q.Display, ConfidenceScore: ignorance, OriginalIntent: q.Intent, RelatedConcepts: []string{q.Concept},
		ResearchSources: make([]string, 0, len(findings)),
	}
	var definitions, uses []string
	sum, said := 0.0, 0
	for _, f := range findings {
		if d := strings.TrimSpace(myriad.LegibleText(f.Definition)); d != "" && len(definitions) < keptDefinitions {
			definitions = append(definitions, d)
		}
		if f.Confidence != nil {
			sum, said = sum+*f.Confidence, said+1
		}
		uses = append(uses, usable(f.Applications)...)
	}
	if said > 0 {
		k.ConfidenceScore = min(sum/float64(said), 1)
	}
	if len(definitions) > 0 {
		k.PrimaryDefinition = lead + strings.Join(definitions, " | ")
	} else {
		k.PrimaryDefinition = "The concept \"" + q.Display + "\" needs further research: nobody has defined it yet."
	}
	room := myriad.MaxKnowledgeBytes - len(k.DisplayName) - len(k.OriginalIntent) - len(k.PrimaryDefinition) - len(q.Concept)
	for _, f := range findings {
		k.ResearchSources = fitting(k.ResearchSources, myriad.LegibleText(f.Source), myriad.MaxKnowledgeEntries, &room)
	}
	for _, use := range uses {
		k.Applications = fitting(k.Applications, use, keptUses, &room)
	}
	return k
}

// fitting adds an entry to a list of at most most entries, when there is room for it.
func fitting(list []string, entry string, most int, room *int) []string {
	if len(list) == most || len(entry) > *room {
		return list
	}
	*room -= len(entry)
	return append(list, entry)
}

// suffices says whether an agent is to be made from k (wire facts 5.6).
func suffices(k myriad.Knowledge) bool {
	return k.ConfidenceScore > enough && len(k.ResearchSources) > 0
}
