package myriad_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

func knowing(k myriad.Knowledge) myriad.Agent {
	return myriad.Agent{Name: "k", Concepts: []string{"x"}, Template: &myriad.Template{Kind: myriad.TemplateKnowledge, Knowledge: &k}}
}

// TestCheckAgentKnowledge: the texts of what an agent knows have the rule of its other texts, and what it was told can be asked for.
func TestCheckAgentKnowledge(t *testing.T) {
	const path = "template.knowledge."
	for _, bad := range []string{"a\x00b", "a\ufffdb", "a\xffb"} {
		learned := map[string]myriad.Learn{"uses": {Content: bad}}
		for field, k := range map[string]myriad.Knowledge{
			"display_name": {DisplayName: bad}, "primary_definition": {PrimaryDefinition: bad}, "original_intent": {OriginalIntent: bad},
			"applications[1]": {Applications: []string{"ok", bad}}, "related_concepts[0]": {RelatedConcepts: []string{bad}},
			"key_attributes[0]": {KeyAttributes: []string{bad}}, "research_sources[0]": {ResearchSources: []string{bad}},
			"learned_knowledge.uses.content": {Learned: learned},
		} {
			k.Concept = "x"
			expectMistake(t, knowing(k), path+field)
		}
		expectMistake(t, knowing(myriad.Knowledge{Concept: "x", Learned: map[string]myriad.Learn{bad: {}}}), path+"learned_knowledge")
	}
	for _, name := range []string{"", " ", strings.Repeat("x", 300)} {
		expectMistake(t, knowing(myriad.Knowledge{Concept: "x", Learned: map[string]myriad.Learn{name: {Content: "c"}}}), path+"learned_knowledge")
	}
	expectMistake(t, knowing(myriad.Knowledge{Concept: "x", Learned: map[string]myriad.Learn{"Uses": {}, "uses": {}}}), path+"learned_knowledge")
}

// TestCheckAgentNamesWhatItLearned: under the name by which it is asked for, in an order that does not change.
func TestCheckAgentNamesWhatItLearned(t *testing.T) {
	written := map[string]myriad.Learn{" Uses ": {Content: "light"}, "price": {Content: "a lot", Confidence: 1}}
	a, mistakes := myriad.CheckAgent(knowing(myriad.Knowledge{Concept: "x", Learned: written}))
	if got := a.Template.Knowledge.Learned; len(mistakes) > 0 || !slices.Equal(slices.Sorted(maps.Keys(got)), []string{"price", "uses"}) || got["uses"].Content != "light" {
		t.Errorf("kept %+v, %v", got, mistakes)
	}
	if len(written) != 2 || written[" Uses "].Content != "light" {
		t.Errorf("the argument was changed: %+v", written)
	}
	bad := myriad.Knowledge{Concept: "x", Learned: map[string]myriad.Learn{"a": {Confidence: 2}, "b": {Content: "\x00"}, "c": {Confidence: -1}, "": {}}}
	_, first := myriad.CheckAgent(knowing(bad))
	for range 20 {
		if _, again := myriad.CheckAgent(knowing(bad)); len(again) != 4 || !reflect.DeepEqual(first, again) {
			t.Fatalf("%v, then %v", first, again)
		}
	}
}

// TestCheckAgentKnowsTheTemplates: an id that is none would be passed over.
func TestCheckAgentKnowsTheTemplates(t *testing.T) {
	a := knowing(myriad.Knowledge{Concept: "x"})
	for _, id := range append(myriad.KnowledgeTemplateIDs(), "") {
		a.Template.ID = id
		if kept, mistakes := myriad.CheckAgent(a); len(mistakes) > 0 || kept.Template.ID != id {
			t.Errorf("%q: %+v, %v", id, kept.Template, mistakes)
		}
	}
	for _, id := range []string{"factbase_advanced", "Factbase_Basic", " ", "\x00"} {
		a.Template.ID = id
		_, mistakes := myriad.CheckAgent(a)
		if len(mistakes) == 0 || mistakes[0].Path != "template.id" ||
			!strings.Contains(mistakes[0].Rule, "factbase_basic, factbase_enhanced, function_basic, specialist_basic") {
			t.Errorf("%q: %v", id, mistakes)
		}
	}
}
