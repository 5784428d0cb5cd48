package discovery_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/discovery"
)

func TestWritesAreSeenAtOnce(t *testing.T) {
	g := newGraph(agent("A"))
	var gone []myriad.Agent
	d := discovery.New(discovery.Config{Graph: g, Gone: func(a myriad.Agent) { gone = append(gone, a) }})
	defer d.Close()
	lookup(t, d, "pump", "define")
	lookup(t, d, "valve", "define")
	put := func(a myriad.Agent) {
		t.Helper()
		if _, err := d.PutAgent(t.Context(), a, myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
	}
	put(agent("B", concepts("Pump", "valve")))
	if got := fmt.Sprint(names(lookup(t, d, "pump", "define")), names(lookup(t, d, "valve", "define"))); got != "[A B] [B]" {
		t.Errorf("after adding B: %s", got)
	}
	put(agent("B", concepts("valve"), func(a *myriad.Agent) { a.Endpoint = "http://127.0.0.1:2/moved" }))
	if got := fmt.Sprint(names(lookup(t, d, "pump", "define")), names(lookup(t, d, "valve", "define"))); got != "[A] [B]" {
		t.Errorf("after B left pump: %s", got)
	}
	put(agent("Any", concepts("*")))
	if got := fmt.Sprint(names(lookup(t, d, "pump", "define"))); got != "[A Any]" {
		t.Errorf("after an agent of every concept came: %s", got)
	}
	if _, err := d.DeleteAgent(t.Context(), "A", myriad.Guard{}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(names(lookup(t, d, "pump", "define"))); got != "[Any]" {
		t.Errorf("after A went: %s", got)
	}
	if len(gone) != 2 || gone[0].Endpoint != "http://127.0.0.1:1/B" || gone[1].Name != "A" {
		t.Errorf("told of as gone: %+v", gone)
	}
	if _, err := d.PutAgent(t.Context(), myriad.Agent{Name: "?"}, myriad.Guard{}); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("a bad agent: %v", err)
	}
}

func TestAFlightFromBeforeAWriteLeavesNoView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGraph(agent("A"))
		g.hold = make(chan struct{})
		d := discovery.New(discovery.Config{Graph: g})
		defer d.Close()
		old := make(chan myriad.Found, 1)
		d.Find(t.Context(), "pump", "define", func(f myriad.Found, _ error) { old <- f })
		synctest.Wait() // the flight has read the graph, and is held
		if n := g.lookups.Load(); n != 1 {
			t.Fatalf("the graph was asked %d times", n)
		}
		if _, err := d.PutAgent(t.Context(), agent("B"), myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		close(g.hold)
		if got := fmt.Sprint(names(<-old)); got != "[A]" {
			t.Errorf("the flight read the graph after the write: %s", got)
		}
		if got := fmt.Sprint(names(lookup(t, d, "pump", "define"))); got != "[A B]" {
			t.Errorf("the view from before the write stayed: %s", got)
		}
	})
}
