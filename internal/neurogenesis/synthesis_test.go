package neurogenesis

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/myriad-mind/myriad"
)

func TestSynthesis(t *testing.T) {
	q := Question{Concept: "led", Display: "LED", Intent: "define"}
	k := synthesise(q, []Finding{
		{Source: "A", Definition: " one ", Confidence: ptr(0.95), Applications: []string{"a", " ", "b"}},
		{Source: "B", Applications: []string{"c", "d"}},
		{Source: "C", Definition: "two", Confidence: ptr(0.9)},
		{Source: "D", Definition: "three"},
	})
	want := myriad.Knowledge{
		Concept: "led", DisplayName: "LED", PrimaryDefinition: "Research found: one | two", ConfidenceScore: 0.925, Applications: []string{"a", "b", "c"},
		RelatedConcepts: []string{"led"}, ResearchSources: []string{"A", "B", "C", "D"}, OriginalIntent: "define",
	}
	if !reflect.DeepEqual(k, want) {
		t.Errorf("got %+v", k)
	}
	if k := synthesise(q, []Finding{{Source: "A", Definition: "one"}}); k.ConfidenceScore != 0.1 || suffices(k) {
		t.Errorf("nobody says how sure it is: %+v", k)
	}
	if k := synthesise(q, nil); k.ConfidenceScore != 0.1 || k.PrimaryDefinition == "" || suffices(k) {
		t.Errorf("nothing found: %+v", k)
	}
}

// TestSynthesisProperties holds what is true of any findings.
func TestSynthesisProperties(t *testing.T) {
	finding := rapid.Custom(func(t *rapid.T) Finding {
		f := Finding{Source: rapid.StringN(1, 5, -1).Draw(t, "source"), Definition: rapid.SampledFrom([]string{"", " ", "x", "a | b", "\x00", "no\x00 \xffsuch\ufffd"}).Draw(t, "definition")}
		if rapid.Bool().Draw(t, "sure") {
			f.Confidence = ptr(rapid.Float64Range(0, 1).Draw(t, "confidence"))
		}
		f.Applications = rapid.SliceOfN(rapid.SampledFrom([]string{"", "light", "heat", "\x00\ufffd", "he\x00at"}), 0, 5).Draw(t, "applications")
		return f
	})
	rapid.Check(t, func(t *rapid.T) {
		findings := rapid.SliceOfN(finding, 0, 40).Draw(t, "findings")
		k := synthesise(Question{Concept: "c", Display: "C", Intent: "i"}, findings)
		low, high, said := math.Inf(1), math.Inf(-1), false
		for _, f := range findings {
			if f.Confidence != nil {
				low, high, said = min(low, *f.Confidence), max(high, *f.Confidence), true
			}
		}
		const dust = 1e-12
		switch {
		case !said && k.ConfidenceScore != ignorance:
			t.Fatalf("nobody says how sure it is: %v", k.ConfidenceScore)
		case said && (k.ConfidenceScore < low-dust || k.ConfidenceScore > high+dust || k.ConfidenceScore > 1):
			t.Fatalf("%v is not between %v and %v", k.ConfidenceScore, low, high)
		case len(k.ResearchSources) != len(findings), len(k.Applications) > 3, slices.Contains(k.Applications, ""), k.PrimaryDefinition == "":
			t.Fatalf("%+v", k)
		case suffices(k) && len(findings) == 0:
			t.Fatal("an agent of nothing")
		}
		a, mistakes := myriad.CheckAgent(myriad.Agent{Name: "x", Concepts: []string{"c"}, Template: &myriad.Template{Kind: myriad.TemplateKnowledge, Knowledge: &k}})
		if len(mistakes) > 0 {
			t.Fatalf("%v: %+v", mistakes, a)
		}
	})
}

// TestSynthesisOfALot: what sources may tell at most makes a packet that may be stored, which keeps the definitions and as much of the rest as there is room for.
func TestSynthesisOfALot(t *testing.T) {
	long, name := strings.Repeat("x", maxText), strings.Repeat("n", myriad.MaxNameLength)
	var findings []Finding
	for range 300 {
		findings = append(findings, Finding{Source: name, Definition: long, Confidence: ptr(0.9), Applications: []string{long, "short"}})
	}
	k := synthesise(Question{Concept: name, Display: name, Intent: name}, findings)
	if k.PrimaryDefinition != "Research found: "+long+" | "+long || len(k.ResearchSources) != 60 || len(k.Applications) != 3 || slices.Contains(k.Applications, long) {
		t.Errorf("a definition of %d bytes, %d sources, %d applications", len(k.PrimaryDefinition), len(k.ResearchSources), len(k.Applications))
	}
	k.Concept = "n"
	if _, mistakes := myriad.CheckAgent(myriad.Agent{Name: "x", Concepts: []string{"n"}, Template: &myriad.Template{Kind: myriad.TemplateKnowledge, Knowledge: &k}}); len(mistakes) > 0 {
		t.Error(mistakes)
	}
	if k = synthesise(aboutLED, findings[1:2]); !slices.Equal(k.Applications, []string{long, "short"}) {
		t.Errorf("one finding: %d applications", len(k.Applications))
	}
	findings = findings[:0]
	for i := range 300 {
		findings = append(findings, Finding{Source: string(rune('a' + i%26))})
	}
	if k := synthesise(aboutLED, findings); len(k.ResearchSources) != myriad.MaxKnowledgeEntries {
		t.Errorf("%d sources", len(k.ResearchSources))
	}
}

// TestAnyConceptMakesAValidPacket draws concepts of any script and length.
func TestAnyConceptMakesAValidPacket(t *testing.T) {
	world := newWorld(t)
	g := world.grower(t)
	seen := map[string]string{}
	rapid.Check(t, func(t *rapid.T) {
		written := rapid.OneOf(
			rapid.StringN(1, 256, 256), rapid.StringOfN(rapid.RuneFrom([]rune("漢字かなعربيИЯßǅﷺ+#.'- 🙂")), 1, 90, 256),
			rapid.Map(rapid.IntRange(1, 256), func(n int) string { return strings.Repeat("x", n) }),
		).Draw(t, "written")
		key, err := myriad.CanonicalConcept(written)
		if err != nil || key == myriad.AnyConcept {
			return
		}
		f := &flight{g: g, question: Question{Concept: key, Display: written, Intent: "define"}}
		k := synthesise(f.question, []Finding{{Source: "s", Definition: "d", Confidence: ptr(0.9)}})
		a, fresh, err := f.create(t.Context(), k)
		if err != nil {
			t.Fatalf("%q: %v", written, err)
		}
		if fresh != (seen[a.Name] == "") || !fresh && seen[a.Name] != key || !slices.Equal(a.ConceptKeys(), []string{key}) || a.Template.Knowledge.Concept != key {
			t.Fatalf("%q: %+v", written, a)
		}
		seen[a.Name] = key
		if there := f.packet(t.Context()); there == nil || there.Name != a.Name {
			t.Fatalf("%q: its packet is not found: %+v", written, there)
		}
	})
}
