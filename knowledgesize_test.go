package myriad_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

// sized is an agent whose knowledge is as large as it may be, before a test changes it.
func sized(change func(k *myriad.Knowledge)) myriad.Agent {
	k := &myriad.Knowledge{Concept: "tax", PrimaryDefinition: strings.Repeat("x", myriad.MaxKnowledgeBytes), Learned: map[string]myriad.Learn{}}
	for i := range 3 {
		k.Learned[fmt.Sprint(i)] = myriad.Learn{Content: strings.Repeat("x", myriad.MaxLearnedBytes)}
	}
	k.Learned["3"] = myriad.Learn{Content: strings.Repeat("x", myriad.MaxLearnedBytes-4)}
	change(k)
	return myriad.Agent{Name: "Tax", Concepts: []string{"tax"}, Template: &myriad.Template{Kind: myriad.TemplateKnowledge, Knowledge: k}}
}

// A bug: a packet with 2 MiB of knowledge was taken, and every answer of its agent was too large, which opened its breaker.
func TestCheckAgentKnowledgeSize(t *testing.T) {
	if _, mistakes := myriad.CheckAgent(sized(func(*myriad.Knowledge) {})); mistakes != nil {
		t.Errorf("as large as it may be: %v", mistakes)
	}
	const half = myriad.MaxKnowledgeBytes / 2
	entries := func(n int) []string { return make([]string, n) }
	for _, c := range []struct {
		path, rule string
		change     func(k *myriad.Knowledge)
	}{
		{"template.knowledge.primary_definition", "has at most 49152 bytes", func(k *myriad.Knowledge) { k.PrimaryDefinition += "x" }},
		{"template.knowledge.primary_definition", "has at most 49152 bytes", func(k *myriad.Knowledge) { k.PrimaryDefinition = strings.Repeat("x", 2<<20) }},
		{"template.knowledge", "these are 49153", func(k *myriad.Knowledge) { k.DisplayName = "x" }},
		{"template.knowledge", "these are 49153", func(k *myriad.Knowledge) { k.OriginalIntent = "x" }},
		{"template.knowledge", "these are 49153", func(k *myriad.Knowledge) { k.Applications = []string{"x"} }},
		{"template.knowledge", "these are 49154", func(k *myriad.Knowledge) { k.RelatedConcepts = []string{"x", "y"} }},
		{"template.knowledge", "these are 49153", func(k *myriad.Knowledge) { k.KeyAttributes = []string{"x"} }},
		{"template.knowledge", "these are 49153", func(k *myriad.Knowledge) { k.ResearchSources = []string{"x"} }},
		{"template.knowledge", "together", func(k *myriad.Knowledge) {
			k.PrimaryDefinition, k.Applications = k.PrimaryDefinition[half:], []string{strings.Repeat("ü", half/2), "x"} // bytes, not letters
		}},
		{"template.knowledge.applications", "256 entries", func(k *myriad.Knowledge) { k.Applications = entries(257) }},
		{"template.knowledge.related_concepts", "256 entries", func(k *myriad.Knowledge) { k.RelatedConcepts = entries(257) }},
		{"template.knowledge.key_attributes", "256 entries", func(k *myriad.Knowledge) { k.KeyAttributes = entries(257) }},
		{"template.knowledge.research_sources", "256 entries", func(k *myriad.Knowledge) { k.ResearchSources = entries(257) }},
		{"template.knowledge.learned_knowledge", `"1" has at most 65536 bytes`, func(k *myriad.Knowledge) {
			k.Learned = map[string]myriad.Learn{"1": {Content: k.Learned["1"].Content + "x"}}
		}},
		{"template.knowledge.learned_knowledge", "262144 bytes in all types and contents together; these are 262145", func(k *myriad.Knowledge) {
			k.Learned["3"] = myriad.Learn{Content: k.Learned["3"].Content + "x"}
		}},
		{"template.knowledge.learned_knowledge", "64 types", func(k *myriad.Knowledge) {
			for i := range 61 {
				k.Learned[fmt.Sprint("more", i)] = myriad.Learn{}
			}
		}},
	} {
		a := sized(c.change)
		_, mistakes := myriad.CheckAgent(a)
		if len(mistakes) != 1 || mistakes[0].Path != c.path || !strings.Contains(mistakes[0].Rule, c.rule) {
			t.Errorf("%s, %s: %v", c.path, c.rule, mistakes)
		}
		if _, mistakes := myriad.CheckKept(a); mistakes != nil {
			t.Errorf("%s, %s: what is kept is judged: %v", c.path, c.rule, mistakes)
		}
	}
	if _, mistakes := myriad.CheckKept(sized(func(k *myriad.Knowledge) { k.ConfidenceScore = 2 })); len(mistakes) != 1 {
		t.Errorf("what is kept breaks another rule: %v", mistakes)
	}
}
