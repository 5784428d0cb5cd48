package discovery_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/discovery"
)

// slow is a graph that takes its time and knows how many ask at once.
type slow struct {
	*graph
	now, most atomic.Int64
}

func (g *slow) Handlers(ctx context.Context, concept string) (myriad.Handlers, error) {
	n := g.now.Add(1)
	defer g.now.Add(-1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
	select {
	case <-time.After(100 * time.Millisecond):
	case <-ctx.Done():
		return myriad.Handlers{}, ctx.Err()
	}
	return g.graph.Handlers(ctx, concept)
}

// TestFloodOfNewConcepts: many unknown concepts at once are asked a few at a time, and waiting for a turn is no failure of the graph.
func TestFloodOfNewConcepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &slow{graph: newGraph(agent("A"))}
		d := discovery.New(discovery.Config{Graph: g, MaxFlights: 4, Timeout: time.Second})
		defer d.Close()
		var all sync.WaitGroup
		for i := range 400 {
			all.Go(func() {
				if found, err := d.Lookup(t.Context(), fmt.Sprint("c", i), "define"); err != nil || found.Known {
					t.Errorf("%+v, %v", found, err)
				}
			})
		}
		all.Wait()
		if g.most.Load() != 4 || d.Stale() {
			t.Errorf("%d asked at once, stale %v", g.most.Load(), d.Stale())
		}
	})
}

// TestSlowGraphIsDown: an answer that does not come within the timeout is none.
func TestSlowGraphIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &slow{graph: newGraph(agent("A"))}
		d := discovery.New(discovery.Config{Graph: g, Timeout: 50 * time.Millisecond})
		defer d.Close()
		if _, err := d.Lookup(t.Context(), "pump", "define"); myriad.ErrorCode(err) != myriad.CodeUnavailable || !d.Stale() {
			t.Errorf("%v, stale %v", err, d.Stale())
		}
	})
}

// TestAskersThatLeave say nothing of the graph and take nobody along.
func TestAskersThatLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &slow{graph: newGraph(agent("A"))}
		d := discovery.New(discovery.Config{Graph: g})
		defer d.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var stays sync.WaitGroup
		stays.Go(func() {
			if found, err := d.Lookup(t.Context(), "pump", "define"); err != nil || len(found.Candidates) != 1 {
				t.Errorf("%+v, %v", found, err)
			}
		})
		if _, err := d.Lookup(ctx, "pump", "define"); err == nil {
			t.Error("it waited")
		}
		stays.Wait()
		if g.lookups.Load() != 1 || d.Stale() {
			t.Errorf("%d look-ups, stale %v", g.lookups.Load(), d.Stale())
		}
	})
}

func TestAnswersNameTheBestFew(t *testing.T) {
	var agents []myriad.Agent
	for i := range 300 {
		agents = append(agents, agent(fmt.Sprintf("A%03d", i)))
	}
	d := discovery.New(discovery.Config{Graph: newGraph(agents...), MaxCandidates: 5, Signals: func(a *myriad.Agent, _ string) (float64, float64, float64) {
		if strings.HasSuffix(a.Name, "7") {
			return 1, 1, 1
		}
		return .1, 1, 1
	}})
	defer d.Close()
	if got := fmt.Sprint(names(lookup(t, d, "pump", "define"))); got != "[A007 A017 A027 A037 A047]" {
		t.Errorf("candidates %s", got)
	}
}

// TestInvalidateEveryConcept: agents of every concept are in each view.
func TestInvalidateEveryConcept(t *testing.T) {
	g := newGraph(agent("A"))
	d := discovery.New(discovery.Config{Graph: g})
	defer d.Close()
	lookup(t, d, "pump", "define")
	if _, err := g.PutAgent(t.Context(), agent("Z", concepts("*")), myriad.Guard{}); err != nil { // somebody else
		t.Fatal(err)
	}
	d.Invalidate(myriad.AnyConcept)
	if got := fmt.Sprint(names(lookup(t, d, "pump", "define"))); got != "[A Z]" {
		t.Errorf("candidates %s", got)
	}
}

// forgetful is a graph that writes and does not say so.
type forgetful struct{ *graph }

func (g forgetful) PutAgent(ctx context.Context, a myriad.Agent, guard myriad.Guard) (myriad.Agent, error) {
	if _, err := g.graph.PutAgent(ctx, a, guard); err != nil {
		return a, err
	}
	return a, myriad.Errorf(myriad.CodeCancelled, "the asker left")
}

// TestWriteOfAnAskerThatLeft: it may have happened, so what is known is read again.
func TestWriteOfAnAskerThatLeft(t *testing.T) {
	d := discovery.New(discovery.Config{Graph: forgetful{newGraph()}})
	defer d.Close()
	lookup(t, d, "pump", "define")
	if _, err := d.PutAgent(t.Context(), agent("A"), myriad.Guard{}); myriad.ErrorCode(err) != myriad.CodeCancelled {
		t.Fatal(err)
	}
	if got := fmt.Sprint(names(lookup(t, d, "pump", "define"))); got != "[A]" {
		t.Errorf("candidates %s", got)
	}
}

// TestViewsEqualTheGraph drives a directory with random writes, look-ups and failures of the graph; whenever it has caught up, it says what the
// graph says, and while it has not, it says what the graph will say.
func TestViewsEqualTheGraph(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 5))
			g := newGraph()
			d := discovery.New(discovery.Config{Graph: g, MaxViews: 6})
			defer d.Close()
			defer watched(t, d)()
			want := map[string][]string{} // concepts by agent
			all := []string{"c0", "c1", "c2", "c3", "*"}
			for range 150 {
				name := fmt.Sprint("A", random.IntN(5))
				switch random.IntN(6) {
				case 0:
					g.down.Store(random.IntN(2) == 0)
				case 1:
					time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
				case 2:
					if _, err := d.DeleteAgent(t.Context(), name, myriad.Guard{}); err == nil || myriad.ErrorCode(err) == myriad.CodeNotFound {
						delete(want, name)
					}
				case 3:
					handled := all[random.IntN(4) : 4+random.IntN(2)]
					put(t, d, agent(name, concepts(handled...)))
					want[name] = handled
				default:
					check(t, d, seed, all[random.IntN(4)], want)
				}
			}
			g.down.Store(false)
			time.Sleep(time.Minute)
			for _, concept := range all[:4] {
				check(t, d, seed, concept, want)
			}
			for name := range 5 {
				a, err := g.Agent(t.Context(), fmt.Sprint("A", name))
				if handled := want[fmt.Sprint("A", name)]; (err == nil) != (handled != nil) || err == nil && !slices.Equal(a.Concepts, handled) {
					t.Errorf("seed %d: the graph has %+v, %v, want %q", seed, a, err, handled)
				}
			}
		})
	}
}

func check(t *testing.T, d *discovery.Directory, seed uint64, concept string, want map[string][]string) {
	t.Helper()
	found, err := d.Lookup(t.Context(), concept, "define")
	if myriad.ErrorCode(err) == myriad.CodeUnavailable {
		return // nothing is known, which is honest
	}
	if err != nil {
		t.Fatal(err)
	}
	var exact, others []string
	for name, handled := range want {
		switch {
		case slices.Contains(handled, concept):
			exact = append(exact, name)
		case slices.Contains(handled, "*"):
			others = append(others, name)
		}
	}
	slices.Sort(exact)
	slices.Sort(others)
	got := names(found)
	if found.Stale && len(got) < len(exact)+len(others) {
		return // of a concept without a view only the kept writes are known
	}
	if !slices.Equal(got, append(exact, others...)) {
		t.Fatalf("seed %d: %s is answered by %v, want %v then %v (stale %v)", seed, concept, got, exact, others, found.Stale)
	}
}
