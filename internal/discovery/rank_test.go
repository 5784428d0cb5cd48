package discovery_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/discovery"
)

// handlers is a graph of one concept.
type handlers struct {
	myriad.Graph
	all myriad.Handlers
}

func (g handlers) Handlers(context.Context, string) (myriad.Handlers, error) { return g.all, nil }

// signals of an agent: few values, so that scores are often equal.
func signals(a *myriad.Agent, _ string) (availability, load, latency float64) {
	return float64(a.MaxConcurrency%3) / 2, 1, 1 - float64(a.MaxConcurrency%2)/4
}

// TestBestOfMany: an answer names the best candidates in the order of a full sort, however many there are and whatever is left unscored.
func TestBestOfMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(kind string, n int) (list []myriad.Handler) {
			for i := range n {
				list = append(list, myriad.Handler{Weight: rapid.SampledFrom([]float64{0, 0.3, 0.5, 0.5, 1}).Draw(t, "weight"), Agent: myriad.Agent{
					Name: fmt.Sprintf("%s%03d", kind, i), Dormant: rapid.Bool().Draw(t, "dormant"), MaxConcurrency: rapid.IntRange(1, 6).Draw(t, "signal"),
					Status: rapid.SampledFrom([]string{"", "", myriad.AgentUnhealthy, myriad.AgentInactive}).Draw(t, "status")}})
			}
			return list
		}
		g := handlers{all: myriad.Handlers{Concept: "pump", Exact: draw("e", rapid.IntRange(0, 40).Draw(t, "exact")), Any: draw("a", rapid.IntRange(0, 40).Draw(t, "any"))}}
		for i := range min(3, len(g.all.Exact)) { // some handle the concept and every one
			g.all.Any = append(g.all.Any, g.all.Exact[i])
		}
		most := rapid.IntRange(1, 20).Draw(t, "most")
		find := func(most int) []myriad.Candidate {
			d := discovery.New(discovery.Config{Graph: g, Signals: signals, MaxCandidates: most})
			defer d.Close()
			found, err := d.Lookup(t.Context(), "pump", "define")
			if err != nil {
				t.Fatal(err)
			}
			return found.Candidates
		}
		all, got := find(1000), find(most)
		if !slices.IsSortedFunc(all, func(a, b myriad.Candidate) int {
			return cmp.Or(cmp.Compare(tier(a), tier(b)), cmp.Compare(b.Score, a.Score), cmp.Compare(a.Agent.Name, b.Agent.Name))
		}) {
			t.Fatalf("out of order: %v", all)
		}
		active := 0
		for _, h := range slices.Concat(g.all.Exact, g.all.Any[:len(g.all.Any)-min(3, len(g.all.Exact))]) {
			if h.Agent.Status != myriad.AgentInactive {
				active++
			}
		}
		if len(all) != active {
			t.Fatalf("%d of %d agents may answer", len(all), active)
		}
		if !slices.EqualFunc(got, all[:min(most, len(all))], func(a, b myriad.Candidate) bool {
			return a.Agent.Name == b.Agent.Name && a.Tier == b.Tier && a.Score == b.Score
		}) {
			t.Fatalf("the best %d are %v, of %v", most, got, all)
		}
	})
}

func tier(c myriad.Candidate) int {
	dormant := 0
	if c.Agent.Dormant {
		dormant = 1
	}
	if c.Tier == myriad.TierAny {
		return 2 + dormant
	}
	return dormant
}

// BenchmarkFindCrowd is a warm look-up of a concept that very many handle.
func BenchmarkFindCrowd(b *testing.B) {
	for _, n := range []int{1000, 50_000} {
		for _, dormant := range []bool{false, true} {
			b.Run(fmt.Sprintf("handlers=%d/dormant=%t", n, dormant), func(b *testing.B) {
				g := handlers{all: myriad.Handlers{Concept: "pump"}}
				for i := range n {
					g.all.Exact = append(g.all.Exact, myriad.Handler{Agent: myriad.Agent{Name: fmt.Sprintf("A%06d", i), Dormant: dormant}, Weight: 0.5})
				}
				d := discovery.New(discovery.Config{Graph: g, Signals: signals})
				defer d.Close()
				if _, err := d.Lookup(b.Context(), "pump", "define"); err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					d.Find(b.Context(), "pump", "define", func(myriad.Found, error) {})
				}
			})
		}
	}
}
