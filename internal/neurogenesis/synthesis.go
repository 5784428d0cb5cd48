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

// synthesise puts together what findings say of a concept (wire facts 5.3). The definition is never empty.
func synthesise(q Question, findings []Finding) myriad.Knowledge {
	k := myriad.Knowledge{
		Concept: q.Concept, DisplayName: q.Display, ConfidenceScore: ignorance, OriginalIntent: q.Intent, RelatedConcepts: []string{q.Concept},
		ResearchSources: make([]string, 0, len(findings)),
	}
	var definitions []string
	sum, said := 0.0, 0
	for _, f := range findings {
		k.ResearchSources = append(k.ResearchSources, myriad.LegibleText(f.Source))
		if d := strings.TrimSpace(myriad.LegibleText(f.Definition)); d != "" && len(definitions) < keptDefinitions {
			definitions = append(definitions, d)
		}
		if f.Confidence != nil {
			sum, said = sum+*f.Confidence, said+1
		}
		uses := usable(f.Applications)
		k.Applications = append(k.Applications, uses[:min(len(uses), keptUses-len(k.Applications))]...)
	}
	if said > 0 {
		k.ConfidenceScore = min(sum/float64(said), 1)
	}
	if len(definitions) > 0 {
		k.PrimaryDefinition = lead + strings.Join(definitions, " | ")
	} else {
		k.PrimaryDefinition = "The concept \"" + q.Display + "\" needs further research: nobody who was asked could define it."
	}
	return k
}

// suffices says whether an agent is to be made from k (wire facts 5.6).
func suffices(k myriad.Knowledge) bool {
	return k.ConfidenceScore > enough && len(k.ResearchSources) > 0
}
