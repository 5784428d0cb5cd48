package sqlitestore

import (
	"maps"
	"slices"

	"github.com/myriad-mind/myriad"
)

// mend takes from a template that was read what myriad.CheckAgent refuses of knowledge today and earlier programs stored. So such a packet goes on: it
// is shown, wakes and learns, and is written in the new form when something is written. An id that nobody knows never meant more than none.
func mend(t *myriad.Template) {
	if t == nil || t.Kind != myriad.TemplateKnowledge {
		return
	}
	if _, ok := myriad.KnowledgeTemplate(t.ID); !ok {
		t.ID = ""
	}
	k := t.Knowledge
	if k == nil {
		return
	}
	for _, text := range []*string{&k.DisplayName, &k.PrimaryDefinition, &k.OriginalIntent} {
		*text = myriad.LegibleText(*text)
	}
	for _, list := range [][]string{k.Applications, k.RelatedConcepts, k.KeyAttributes, k.ResearchSources} {
		for i := range list {
			list[i] = myriad.LegibleText(list[i])
		}
	}
	if len(k.Learned) > 0 {
		k.Learned = mendLearned(k.Learned)
	}
}

// mendLearned gives types of knowledge the names by which they are asked for. What has no such name could never be asked for, and goes.
func mendLearned(stored map[string]myriad.Learn) map[string]myriad.Learn {
	kept := make(map[string]myriad.Learn, len(stored))
	for _, name := range slices.Sorted(maps.Keys(stored)) {
		told := stored[name]
		told.Content = myriad.LegibleText(told.Content)
		kind, err := myriad.CanonicalIntent(name)
		if _, exact := stored[kind]; err == nil && (kind == name || !exact) {
			kept[kind] = told
		}
	}
	return kept
}
