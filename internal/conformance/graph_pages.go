package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

func agentsPages(t *testing.T, g Lookup) {
	var want []string
	for i := range 23 {
		name := fmt.Sprintf("agent-%03d", (i*7)%23)
		want = append(want, name)
		put(t, g, agent(name, "x"))
	}
	slices.Sort(want)
	for _, n := range []int{1, 5, 22, 23, 24, 1000} {
		all := every(t, n, func(p myriad.Page) ([]myriad.Agent, string, error) { return g.Agents(t.Context(), p) })
		var got []string
		for _, a := range all {
			got = append(got, a.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q", n, got)
		}
	}
}

func conceptsPages(t *testing.T, g Lookup) {
	var written []string
	for i := range 120 {
		written = append(written, fmt.Sprintf("concept %03d", (i*11)%120))
	}
	put(t, g, agent("a", written...))
	slices.Sort(written)
	for _, n := range []int{7, 120} {
		all := every(t, n, func(p myriad.Page) ([]myriad.Concept, string, error) { return g.Concepts(t.Context(), p) })
		if len(all) != 120 || !slices.IsSortedFunc(all, func(a, b myriad.Concept) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("pages of %d: %d concepts", n, len(all))
		}
	}
	if first, next, err := g.Concepts(t.Context(), myriad.Page{}); err != nil || len(first) != 100 || next == "" {
		t.Errorf("a page has 100 entries when it does not say: %d, %q, %v", len(first), next, err)
	}
}

// pagesBesideWriter: what is there during the whole listing is listed once, whatever comes and goes meanwhile.
func pagesBesideWriter(t *testing.T, g Lookup) {
	for i := range 30 {
		put(t, g, agent(fmt.Sprintf("stay-%02d", i), "x"))
	}
	seen := map[string]int{}
	round := 0
	all := every(t, 4, func(p myriad.Page) ([]myriad.Agent, string, error) {
		put(t, g, agent(fmt.Sprintf("a-%02d", round), "x"))
		put(t, g, agent(fmt.Sprintf("z-%02d", round), "x"))
		if round > 0 {
			_, err := g.DeleteAgent(t.Context(), fmt.Sprintf("a-%02d", round-1), myriad.Guard{})
			mustNot(t, err)
		}
		if round++; round > 100 {
			t.Fatal("the listing does not end")
		}
		if round > 20 {
			return g.Agents(t.Context(), myriad.Page{Limit: 4, Cursor: p.Cursor})
		}
		return g.Agents(t.Context(), p)
	})
	for _, a := range all {
		seen[a.Name]++
	}
	for i := range 30 {
		if name := fmt.Sprintf("stay-%02d", i); seen[name] != 1 {
			t.Errorf("%s was listed %d times", name, seen[name])
		}
	}
}

func badPages(t *testing.T, g Lookup) {
	for _, p := range []myriad.Page{{Limit: -1}, {Limit: 1001}, {Cursor: "no cursor!"}} {
		_, _, err := g.Agents(t.Context(), p)
		wantCode(t, fmt.Sprintf("agents %+v", p), err, myriad.CodeInvalid)
		_, _, err = g.Concepts(t.Context(), p)
		wantCode(t, fmt.Sprintf("concepts %+v", p), err, myriad.CodeInvalid)
	}
}
