package myriad_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/myriad-mind/myriad"
)

func TestChooseKnowledgeTemplate(t *testing.T) {
	for _, c := range []struct {
		intent  string
		score   float64
		related int
		want    string
	}{
		{"define", 0.71, 0, "factbase_enhanced"}, {"define", 0.7, 3, "factbase_basic"}, {"explain", 0.1, 4, "factbase_enhanced"},
		{"describe", 0.9, 0, "factbase_enhanced"}, {"analyze", 0.9, 9, "function_basic"}, {"impact", 0, 0, "function_basic"},
		{"evaluate", 0.5, 0, "function_basic"}, {"recommend", 0.9, 0, "specialist_basic"}, {"optimize", 0, 0, "specialist_basic"},
		{"improve", 0, 0, "specialist_basic"}, {"analyze_impact", 0.9, 9, "factbase_basic"}, {"explain_impact", 0.9, 9, "factbase_basic"},
		{"", 0.9, 9, "factbase_basic"},
	} {
		k := myriad.Knowledge{ConfidenceScore: c.score, RelatedConcepts: make([]string, c.related)}
		got := myriad.ChooseKnowledgeTemplate(c.intent, k)
		if got != c.want {
			t.Errorf("%s with %g and %d related: %s, want %s", c.intent, c.score, c.related, got, c.want)
		}
		if _, ok := myriad.KnowledgeTemplate(got); !ok {
			t.Errorf("no template %s", got)
		}
	}
}

func TestKnowledgeTemplates(t *testing.T) {
	for id, name := range map[string]string{
		"factbase_basic": "Smart_Grid_Definition_AI", "factbase_enhanced": "Smart_Grid_Knowledge_AI", "function_basic": "Smart_Grid_Function_AI",
		"specialist_basic": "Smart_Grid_Specialist_AI", "": "Smart_Grid_Definition_AI",
	} {
		spec, ok := myriad.KnowledgeTemplate(id)
		if !ok || spec.AgentName("smart_grid") != name || id != "" && spec.ID != id {
			t.Errorf("%q: %v %+v", id, ok, spec)
		}
		for _, path := range []string{"/health", "/query", "/collaborate", "/update_knowledge"} {
			if !slices.Contains(spec.Routes, path) {
				t.Errorf("%q has no %s", id, path)
			}
		}
	}
	if spec, ok := myriad.KnowledgeTemplate("factbase"); ok {
		t.Errorf("found %+v", spec)
	}
}

func TestNamesOfGrownAgents(t *testing.T) {
	spec, _ := myriad.KnowledgeTemplate(myriad.TemplateFactbaseBasic)
	for concept, want := range map[string]string{
		"led": "Led", "3d_printing": "3D_Printing", "c++": "CPLUSPLUS", "c#": "CSHARP", "it_s": "It_S", "größe": "Größe", "ǆ": "ǅ",
		"東京": "東京", "a$b": "AUX0024XB", "_": "_",
	} {
		if got := spec.AgentName(concept); got != want+"_Definition_AI" {
			t.Errorf("%s: %s", concept, got)
		}
	}
}

// TestGrownNamesAreValidAndDistinct draws concepts that are hard to tell apart.
func TestGrownNamesAreValidAndDistinct(t *testing.T) {
	concept := rapid.Custom(func(t *rapid.T) string {
		s := rapid.OneOf(
			rapid.StringOfN(rapid.SampledFrom([]rune("aıiſsßςσµμKk+#.-'_ \u0301\u0307é$ǆ")), 1, 8, -1),
			rapid.StringN(1, 200, myriad.MaxNameLength),
			rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"plus", "+", "sharp", "#", "u", "x", "$", "0024", "_", "a"}), 1, 5),
				func(parts []string) string { return strings.Join(parts, "") }),
			rapid.Map(rapid.IntRange(0, 9), func(n int) string { return strings.Repeat("長", 84) + string(rune('0'+n)) }),
		).Draw(t, "written")
		key, err := myriad.CanonicalConcept(s)
		if err != nil {
			return "x"
		}
		return key
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := concept.Draw(t, "a"), concept.Draw(t, "b")
		spec, _ := myriad.KnowledgeTemplate(rapid.SampledFrom([]string{"factbase_basic", "specialist_basic"}).Draw(t, "template"))
		name := spec.AgentName(a)
		checked, mistakes := myriad.CheckAgent(myriad.Agent{Name: name, Endpoint: "http://h/", Concepts: []string{"x"}})
		if len(mistakes) > 0 || checked.Name != name {
			t.Fatalf("%q makes %q: %q %v", a, name, checked.Name, mistakes)
		}
		if same := spec.AgentName(b) == name; same != (a == b) {
			t.Fatalf("%q and %q: same name %v: %q", a, b, same, name)
		}
	})
}
