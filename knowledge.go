package myriad

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The ids of the knowledge templates (wire facts 5.7).
const (
	TemplateFactbaseBasic    = "factbase_basic"
	TemplateFactbaseEnhanced = "factbase_enhanced"
	TemplateFunctionBasic    = "function_basic"
	TemplateSpecialistBasic  = "specialist_basic"
)

// KnowledgeTemplateSpec is one of the forms that a knowledge agent comes in: what it is called, what it says it can do, and where it answers. The
// lists are shared and not to be changed.
type KnowledgeTemplateSpec struct {
	ID             string
	Suffix         string   // of the agents' names, after the concept
	AgentType      string   // the word of older clients for what it is
	Level          string   // basic or enhanced
	Capabilities   []string // of Agent.Capabilities
	Collaborations []string // the types that it answers on /collaborate
	Routes         []string // the paths that it answers at; every one has /query and /update_knowledge, so that all take jobs and learn
}

var (
	asked = []string{"knowledge_request", "context_sharing", "concept_research"} // of every template

	routes = []string{"/health", "/collaborate", "/query", "/update_knowledge"} // of every template
)

var knowledgeTemplates = []KnowledgeTemplateSpec{
	{
		ID: TemplateFactbaseBasic, Suffix: "_Definition_AI", AgentType: "FactBase", Level: "basic",
		Capabilities:   []string{"concept_definition", "knowledge_storage", "fact_retrieval", "basic_relationships"},
		Collaborations: asked,
		Routes:         routes,
	},
	{
		ID: TemplateFactbaseEnhanced, Suffix: "_Knowledge_AI", AgentType: "FactBase", Level: "enhanced",
		Capabilities: []string{"concept_definition", "knowledge_storage", "fact_retrieval", "relationship_analysis", "context_inference",
			"knowledge_synthesis"},
		Collaborations: slices.Concat(asked, []string{"knowledge_synthesis", "relationship_mapping"}),
		Routes:         slices.Concat(routes, []string{"/analyze_relationships", "/synthesize"}),
	},
	{
		ID: TemplateFunctionBasic, Suffix: "_Function_AI", AgentType: "FunctionExecutor", Level: "basic",
		Capabilities:   []string{"function_execution", "impact_analysis", "application_assessment", "performance_evaluation"},
		Collaborations: slices.Concat(asked, []string{"function_execution", "impact_analysis"}),
		Routes:         slices.Concat(routes, []string{"/execute", "/analyze_impact", "/evaluate"}),
	},
	{
		ID: TemplateSpecialistBasic, Suffix: "_Specialist_AI", AgentType: "Specialist", Level: "enhanced",
		Capabilities: []string{"domain_expertise", "specialized_analysis", "expert_recommendations", "domain_relationships",
			"trend_analysis"},
		Collaborations: slices.Concat(asked, []string{"expert_consultation", "specialized_analysis", "recommendation_generation"}),
		Routes:         slices.Concat(routes, []string{"/consult", "/analyze", "/recommend", "/explain"}),
	},
}

// KnowledgeTemplateIDs are the ids of all knowledge templates, TemplateFactbaseBasic first.
func KnowledgeTemplateIDs() []string {
	ids := make([]string, len(knowledgeTemplates))
	for i, t := range knowledgeTemplates {
		ids[i] = t.ID
	}
	return ids
}

// KnowledgeTemplate finds a template by its id. An empty id is TemplateFactbaseBasic.
func KnowledgeTemplate(id string) (KnowledgeTemplateSpec, bool) {
	if id == "" {
		id = TemplateFactbaseBasic
	}
	i := slices.IndexFunc(knowledgeTemplates, func(t KnowledgeTemplateSpec) bool { return t.ID == id })
	if i < 0 {
		return KnowledgeTemplateSpec{}, false
	}
	return knowledgeTemplates[i], true
}

// ChooseKnowledgeTemplate is the id of the template for an agent that is made because of intent (canonical) and knows k (wire facts 5.7).
func ChooseKnowledgeTemplate(intent string, k Knowledge) string {
	switch intent {
	case "define", "explain", "describe":
		if k.ConfidenceScore > 0.7 || len(k.RelatedConcepts) > 3 {
			return TemplateFactbaseEnhanced
		}
	case "analyze", "impact", "evaluate":
		return TemplateFunctionBasic
	case "recommend", "optimize", "improve":
		return TemplateSpecialistBasic
	}
	return TemplateFactbaseBasic
}

// AgentName is the name of the template's agent for a concept (canonical): the concept in title case and the suffix, like
// Smart_Grid_Knowledge_AI. It is a valid name, and no two concepts have the same: what a name must not hold is spelt out, and a concept
// that is too long is cut and ends in a hash of the whole.
func (t KnowledgeTemplateSpec) AgentName(concept string) string {
	name := norm.NFC.String(titled(concept))
	if room := MaxNameLength - len(t.Suffix); len(name) > room {
		hash := fnv.New64a()
		_, _ = hash.Write([]byte(concept)) // a hash takes everything
		name = fmt.Sprintf("%s_%016x", norm.NFC.String(strings.ToValidUTF8(name[:room-17], "")), hash.Sum64())
	}
	return name + t.Suffix
}

// titled writes a concept as part of a name. Capitals stand only where words begin, so what is spelt out in several capitals is told apart.
func titled(concept string) string {
	var b strings.Builder
	inWord := false
	for _, r := range concept {
		switch {
		case r == '+':
			b.WriteString("PLUS")
		case r == '#':
			b.WriteString("SHARP")
		case notInName(r) || b.Len() == 0 && (r == '.' || r == '-'):
			fmt.Fprintf(&b, "UX%04XX", r)
		case !inWord && unicode.ToLower(unicode.ToTitle(r)) == r: // else the way back is lost, and two concepts could have one name
			b.WriteRune(unicode.ToTitle(r))
		default:
			b.WriteRune(r)
		}
		inWord = unicode.IsLetter(r) || inWord && unicode.IsMark(r)
	}
	return b.String()
}
