package dispatch

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// delay counts the grants that the run of name got between the grants numbered from and to of the log.
func (k *desk) delay(name string, from, to int) int {
	n := 0
	for _, g := range k.log[from:to] {
		if g.run == name {
			n++
		}
	}
	return n
}

// indexOf finds the grant of a run that has one.
func (k *desk) indexOf(run string) int {
	return slices.IndexFunc(k.log, func(g granted) bool { return g.run == run })
}

func TestRunsAreServedInTurn(t *testing.T) {
	k := newDesk(100, 1)
	for range 3 {
		k.submit("big", 0, at("a", 0))
	}
	for _, run := range []string{"one", "two"} {
		k.submit(run, 0, at("a", 0))
	}
	k.finish()
	requireRuns(t, k, "big", "big", "one", "two", "big")
	requireClean(t, k.d)
}

// TestRunOfOneBesideTenThousand: a run of 10,000 tasks never delays a run of one by more than a turn, however many come.
func TestRunOfOneBesideTenThousand(t *testing.T) {
	k := newDesk(100, 10)
	for range 10_000 {
		k.submit("big", 0, at("a", 0))
	}
	for i, ones := 0, 0; i < len(k.log); i++ {
		before := len(k.log)
		fresh := ""
		if i%3 == 0 && ones < 3000 {
			fresh = fmt.Sprintf("one %d", ones)
			ones++
			k.submit(fresh, 9, at("a", 0))
		}
		k.release(i)
		k.release(i) // harmless
		if fresh == "" {
			continue
		}
		if i++; i < len(k.log) {
			k.release(i)
		}
		got := k.indexOf(fresh)
		if got < 0 {
			t.Fatalf("%s had no turn in two grants", fresh)
		}
		if d := k.delay("big", before, got); d > 1 {
			t.Fatalf("%s was delayed by %d turns of the big run", fresh, d)
		}
	}
	if len(k.log) != 13_000 {
		t.Errorf("%d grants, want 13000", len(k.log))
	}
	requireClean(t, k.d)
}

// TestManyLanesAreOneTurn: where the server's slots are the bottleneck, a run that waits at a hundred endpoints delays a run of one by at
// most one turn of the server and one of the endpoint, and by one more for each other run that came before.
func TestManyLanesAreOneTurn(t *testing.T) {
	for _, burst := range []int{1, 2, 10} {
		t.Run(fmt.Sprintf("%d at once", burst), func(t *testing.T) {
			k := newDesk(5, 5)
			for i := range 5000 {
				k.submit("wide", 0, at(fmt.Sprintf("e%d", i%100), 0))
			}
			for i, ones := 0, 0; i < len(k.log); i++ {
				if i%(4*burst) != 0 || ones >= 300 {
					k.release(i)
					continue
				}
				before := len(k.log)
				fresh := make([]string, burst)
				for j := range fresh {
					fresh[j] = fmt.Sprintf("one %d", ones)
					k.submit(fresh[j], 0, at(fmt.Sprintf("e%d", (ones*7)%100), 0))
					ones++
				}
				for ; k.d.Waiting() > 0 && len(k.log) < before+2*burst+2; i++ {
					k.release(i)
				}
				for j, run := range fresh {
					got := k.indexOf(run)
					if got < 0 {
						t.Fatalf("%s had no turn in %d grants", run, 2*burst+2)
					}
					if d := k.delay("wide", before, got); d > 2+j {
						t.Fatalf("%s, with %d before it, was delayed by %d turns of the wide run", run, j, d)
					}
				}
				i--
			}
			requireClean(t, k.d)
		})
	}
}

// TestNobodyStarves: a ticket of a run that is busy elsewhere gets its slot although fresh runs keep coming to the same endpoint.
func TestNobodyStarves(t *testing.T) {
	for _, total := range []int{3, 100} { // the server's slots are the bottleneck, and not
		t.Run(fmt.Sprintf("total %d", total), func(t *testing.T) {
			k := newDesk(total, 1)
			k.submit("holder", 0, at("scarce", 0))
			for range 500 {
				k.submit("busy", 0, at("other", 2))
			}
			k.submit("fresh -1", 0, at("scarce", 0))
			k.submit("busy", 0, at("scarce", 0))
			served := func() bool {
				return slices.ContainsFunc(k.log, func(g granted) bool { return g.run == "busy" && g.key == "scarce" })
			}
			i := 0
			for ; i < 50 && !served(); i++ {
				k.submit(fmt.Sprintf("fresh %d", i), 0, at("scarce", 0))
				k.release(i)
			}
			if !served() {
				t.Errorf("not served after %d grants", i)
			}
			k.finish()
			requireClean(t, k.d)
		})
	}
}

func TestPriorityOrdersInsideARunOnly(t *testing.T) {
	k := newDesk(100, 1)
	k.submit("holder", 0, at("a", 0))
	var order []int
	for _, p := range []int{0, 3, 9, 3, 12, -4} {
		turn := &myriad.Turn{Run: "low", Priority: p, Candidates: []myriad.Candidate{at("a", 0)}}
		turn.Grant = func(chosen int, slot myriad.Slot, _ time.Duration) {
			order = append(order, p)
			k.note(turn, chosen, slot, 0)
		}
		k.d.Submit(turn)
	}
	k.submit("high", 9, at("a", 0))
	k.finish()
	requireRuns(t, k, "holder", "low", "high", "low", "low", "low", "low", "low")
	if want := []int{9, 12, 3, 3, 0, -4}; !slices.Equal(order, want) {
		t.Errorf("inside the run in the order %v, want %v", order, want)
	}
}

// TestNoConvoy: who waits for a slow endpoint holds nothing that others need.
func TestNoConvoy(t *testing.T) {
	k := newDesk(10, 2)
	for range 1000 {
		k.submit("stuck", 0, at("slow", 0))
	}
	if got := k.d.InUse(); got != 2 {
		t.Fatalf("in use %d, want 2", got)
	}
	for i := range 500 {
		before := len(k.log)
		k.submit("stuck", 0, at("quick", 8))
		if len(k.log) != before+1 {
			t.Fatalf("task %d for the free endpoint waited", i)
		}
		k.release(before)
	}
	k.finish()
	requireClean(t, k.d)
}

func TestGoesWhereASlotFreesFirst(t *testing.T) {
	k := newDesk(100, 1)
	for _, name := range []string{"a", "b", "c"} {
		k.submit("holder", 0, at(name, 0))
	}
	k.submit("r", 0, at("a", 0), at("b", 0), at("c", 0))
	k.submit("r", 0, at("a", 0), at("b", 0))
	k.release(2)
	k.release(1)
	if got, want := k.log[3].key, "c"; got != want {
		t.Errorf("the first went to %s, want %s", got, want)
	}
	if got, want := k.log[4].key, "b"; got != want {
		t.Errorf("the second went to %s, want %s", got, want)
	}
	k.release(0) // nobody is left in the queue of a
	if k.d.Waiting() != 0 || len(k.log) != 5 {
		t.Errorf("%d wait and %d were granted, want 0 and 5", k.d.Waiting(), len(k.log))
	}
	k.finish()
	requireClean(t, k.d)
}

func TestEarlierCandidateIsPreferred(t *testing.T) {
	k := newDesk(100, 1)
	for want, name := range []string{"a", "b", "c"} {
		k.submit("r", 0, at("a", 0), at("b", 0), at("c", 0))
		if g := k.log[want]; g.key != name || g.chosen != want {
			t.Errorf("grant %d is at %s (%d), want %s", want, g.key, g.chosen, name)
		}
	}
	k.finish()
}

func TestTryNeverOvertakes(t *testing.T) {
	k := newDesk(2, 1)
	first, ok := k.d.Try(at("a", 0))
	if !ok {
		t.Fatal("no slot although everything is free")
	}
	k.submit("r", 0, at("a", 0))
	if _, ok := k.d.Try(at("a", 0)); ok {
		t.Error("a slot over the endpoint's limit")
	}
	first.Release()
	if len(k.log) != 1 {
		t.Fatal("the waiting turn was not served")
	}
	if _, ok := k.d.Try(at("a", 0)); ok {
		t.Error("overtook the turn that waited")
	}
	b, ok := k.d.Try(at("b", 0))
	if !ok {
		t.Fatal("no slot at the free endpoint")
	}
	if _, ok := k.d.Try(at("c", 0)); ok {
		t.Error("a slot over the server's limit")
	}
	b.Release()
	k.finish()
	requireClean(t, k.d)
}

func TestRaisedLimitServesTheWaiting(t *testing.T) {
	for name, raise := range map[string]func(k *desk){
		"SetLimit":                    func(k *desk) { k.d.SetLimit("a", 3) },
		"SetLimit taken back":         func(k *desk) { k.d.SetLimit("a", 1); k.d.SetLimit("a", 0) },
		"an agent that states more":   func(k *desk) { k.d.Try(at("a", 3)) },
		"the agent's limit forgotten": func(k *desk) { k.d.Forget("a") },
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(100, 3)
			for range 5 {
				k.submit("r", 0, at("a", 1))
			}
			if name == "SetLimit taken back" {
				k.d.Try(at("a", 3)) // the agent's word changes as well
			}
			raise(k)
			if got := k.d.InUse(); got != 3 {
				t.Errorf("in use %d, want 3", got)
			}
			k.finish()
			if k.d.Waiting() != 0 {
				t.Errorf("%d still wait", k.d.Waiting())
			}
		})
	}
}
