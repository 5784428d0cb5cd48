package inprocrt

import (
	"fmt"
	"strings"

	"github.com/myriad-mind/myriad"
)

// The knowledge types that every agent answers (wire facts 2.4); what it was told has types of its own.
const (
	typeDefinition    = "definition"
	typeApplications  = "applications"
	typeRelationships = "relationships"
	typeSummary       = "research_summary"
	typeResearch      = "concept_research"
)

// typeOfWord says which knowledge answers an intent, by the words that the intent is made of.
var typeOfWord = map[string]string{
	"define": typeDefinition, "definition": typeDefinition, "explain": typeDefinition, "describe": typeDefinition, "description": typeDefinition,
	"identify": typeDefinition, "lookup": typeDefinition, "meaning": typeDefinition, "what": typeDefinition,

	"analyze": typeApplications, "analyse": typeApplications, "analysis": typeApplications, "application": typeApplications,
	"applications": typeApplications, "apply": typeApplications, "assess": typeApplications, "assessment": typeApplications,
	"benefits": typeApplications, "evaluate": typeApplications, "evaluation": typeApplications, "execute": typeApplications,
	"impact": typeApplications, "impacts": typeApplications, "improve": typeApplications, "optimize": typeApplications,
	"optimise": typeApplications, "recommend": typeApplications, "recommendation": typeApplications, "usage": typeApplications,
	"use": typeApplications, "uses": typeApplications,

	"associate": typeRelationships, "compare": typeRelationships, "connect": typeRelationships, "connections": typeRelationships,
	"relate": typeRelationships, "related": typeRelationships, "relationship": typeRelationships, "relationships": typeRelationships,

	"consult": typeSummary, "overview": typeSummary, "report": typeSummary, "research": typeSummary, "review": typeSummary,
	"summarize": typeSummary, "summarise": typeSummary, "summary": typeSummary, "synthesis": typeSummary, "synthesize": typeSummary,
}

// answered is what the agent says about one type of knowledge.
type answered struct {
	text       string
	confidence float64
}

// tell answers a type of knowledge. What was learned under the type comes first, and a learned definition where its confidence is higher than
// that of the one before it. A type that is unknown is answered with the definition, if the agent is sure enough of what it knows.
func tell(known *myriad.Knowledge, kind string) answered {
	if l, ok := known.Learned[kind]; ok && (kind != typeDefinition || l.Confidence > known.DefinitionConfidence || known.PrimaryDefinition == "") {
		return answered{l.Content, l.Confidence}
	}
	name := display(known)
	switch kind {
	case typeDefinition:
		if known.PrimaryDefinition == "" {
			return answered{name + " is still being learned: there is no definition of it yet", 0}
		}
		return answered{known.PrimaryDefinition, known.ConfidenceScore}
	case typeApplications:
		return list(known, known.Applications, "no applications of "+name+" are known yet")
	case typeRelationships:
		return list(known, known.RelatedConcepts, "no concepts related to "+name+" are known yet")
	case typeSummary:
		return answered{summary(known), known.ConfidenceScore}
	}
	if known.ConfidenceScore > 0.5 {
		return tell(known, typeDefinition)
	}
	return answered{fmt.Sprintf("%s is still being learned: nothing is known about its %.100s yet", name, kind), known.ConfidenceScore}
}

// list is a comma list; an empty one is no knowledge, and says so.
func list(known *myriad.Knowledge, entries []string, none string) answered {
	if len(entries) == 0 {
		return answered{none, 0}
	}
	return answered{strings.Join(entries, ", "), known.ConfidenceScore}
}

// summary is all that the agent knows, a line for each part.
func summary(known *myriad.Knowledge) string {
	lines := []string{tell(known, typeDefinition).text}
	part := func(name string, entries []string) {
		if len(entries) > 0 {
			lines = append(lines, name+": "+strings.Join(entries, ", "))
		}
	}
	part("Applications", known.Applications)
	part("Related concepts", known.RelatedConcepts)
	part("Key attributes", known.KeyAttributes)
	for _, kind := range learnedTypes(known) {
		if kind != typeDefinition {
			part(kind, []string{known.Learned[kind].Content})
		}
	}
	part("Sources", known.ResearchSources)
	return strings.Join(lines, "\n")
}

// typeFor is the type of knowledge that answers an intent (canonical): what was learned under it, or under one of its words, or what its words
// stand for. The later words of an intent say more about it than the first: explain_impact is about impact. What is nothing known of gives way to
// the definition.
func typeFor(known *myriad.Knowledge, intent string) string {
	if _, ok := known.Learned[intent]; ok {
		return intent
	}
	parts := strings.FieldsFunc(intent, func(r rune) bool { return strings.ContainsRune("_- ./", r) })
	for i := len(parts) - 1; i >= 0; i-- {
		if _, ok := known.Learned[parts[i]]; ok {
			return parts[i]
		}
		if kind, ok := typeOfWord[parts[i]]; ok {
			return orDefinition(known, kind)
		}
	}
	return intent
}

func orDefinition(known *myriad.Knowledge, kind string) string {
	if _, learned := known.Learned[kind]; learned {
		return kind
	}
	if kind == typeApplications && len(known.Applications) == 0 || kind == typeRelationships && len(known.RelatedConcepts) == 0 {
		return typeDefinition
	}
	return kind
}
