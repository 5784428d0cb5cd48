package discovery_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/discovery"
)

// told collects events.
type told struct {
	mu     sync.Mutex
	counts map[myriad.EventKind]int64
}

func (s *told) Emit(e myriad.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[myriad.EventKind]int64{}
	}
	s.counts[e.Kind] += max(e.Count, 1)
}

func (s *told) of(kind myriad.EventKind) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[kind]
}

// watched runs the directory until stop is called, which waits for it.
func watched(t *testing.T, d *discovery.Directory) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = d.Run(ctx) })
	return func() { cancel(); running.Wait() }
}

func put(t *testing.T, d *discovery.Directory, a myriad.Agent) myriad.Agent {
	t.Helper()
	stored, err := d.PutAgent(t.Context(), a, myriad.Guard{})
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func described(text string) func(*myriad.Agent) {
	return func(a *myriad.Agent) { a.Description = text }
}

// TestKeptWritesAreNotOvertaken: a write after recovery comes after those that were kept, whoever applies them.
func TestKeptWritesAreNotOvertaken(t *testing.T) {
	g, events := newGraph(), &told{}
	d := discovery.New(discovery.Config{Graph: g, Sink: events})
	defer d.Close()
	g.down.Store(true)
	put(t, d, agent("A", described("old")))
	if events.of(myriad.KindAgentPut) != 1 {
		t.Error("a kept write is told when it is taken")
	}
	g.down.Store(false) // and nobody has noticed yet
	if stored := put(t, d, agent("A", described("new"))); stored.Revision != 2 {
		t.Errorf("the kept write comes first: revision %d", stored.Revision)
	}
	if events.of(myriad.KindAgentPut) != 2 {
		t.Error("and not again when it is applied")
	}
	if a, err := g.Agent(t.Context(), "A"); err != nil || a.Description != "new" {
		t.Errorf("in the graph: %+v, %v", a, err)
	}
	if _, err := d.PutAgent(t.Context(), agent("A"), myriad.Guard{MustNotExist: true}); myriad.ErrorCode(err) != myriad.CodeConflict {
		t.Errorf("guards are judged by the graph again: %v", err)
	}
}

// TestKeptWritesStayVisible: a look-up that reads the graph before the kept writes are in it shows them all the same.
func TestKeptWritesStayVisible(t *testing.T) {
	g := newGraph(agent("A"), agent("B"))
	d := discovery.New(discovery.Config{Graph: g})
	defer d.Close()
	g.down.Store(true)
	put(t, d, agent("C", concepts("pump", "valve")))
	if _, err := d.DeleteAgent(t.Context(), "B", myriad.Guard{}); err != nil {
		t.Fatal(err)
	}
	g.down.Store(false)
	d.Invalidate()
	for concept, want := range map[string]string{"pump": "[A C]", "valve": "[C]"} {
		if got := fmt.Sprint(names(lookup(t, d, concept, "define"))); got != want {
			t.Errorf("%s: %s, want %s", concept, got, want)
		}
	}
}

func TestKeptAgentsHaveNoRevision(t *testing.T) {
	g := newGraph(agent("A", func(a *myriad.Agent) { a.Owner = myriad.OwnerFile }))
	d := discovery.New(discovery.Config{Graph: g})
	defer d.Close()
	lookup(t, d, "pump", "define")
	g.down.Store(true)
	if a := put(t, d, agent("B", func(a *myriad.Agent) { a.Revision = 7 })); a.Revision != 0 || a.UpdatedAt.IsZero() {
		t.Errorf("kept: %+v", a)
	}
	_, err := d.PutAgent(t.Context(), agent("A"), myriad.Guard{Owner: myriad.OwnerAPI})
	if myriad.ErrorCode(err) != myriad.CodeConflict {
		t.Errorf("an owner that the views know is judged at once: %v", err)
	}
	if _, err := d.DeleteAgent(t.Context(), "A", myriad.Guard{Owner: myriad.OwnerAPI}); myriad.ErrorCode(err) != myriad.CodeConflict {
		t.Errorf("an owner that the views know is judged at once: %v", err)
	}
	if was, err := d.DeleteAgent(t.Context(), "A", myriad.Guard{Owner: myriad.OwnerFile}); err != nil || was.Endpoint == "" {
		t.Errorf("a kept deletion gives what is known: %+v, %v", was, err)
	}
	_, err = d.PutAgent(t.Context(), agent("A"), myriad.Guard{Revision: 1})
	if myriad.ErrorCode(err) != myriad.CodeUnavailable {
		t.Errorf("a revision cannot be judged: %v", err)
	}
}

// TestRefusedKeptWriteIsTold: the graph has the last word on a kept write, and the views follow it.
func TestRefusedKeptWriteIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, events := newGraph(), &told{}
		d := discovery.New(discovery.Config{Graph: refusing{g}, Sink: events})
		defer d.Close()
		defer watched(t, d)()
		g.down.Store(true)
		put(t, d, agent("refused"))
		put(t, d, agent("fine"))
		g.down.Store(false)
		time.Sleep(2 * time.Second)
		if got := fmt.Sprint(names(lookup(t, d, "pump", "define"))); got != "[fine]" || events.of(myriad.KindLost) != 1 {
			t.Errorf("%s, %d lost", got, events.of(myriad.KindLost))
		}
	})
}

// refusing is a graph that has its own reasons.
type refusing struct{ *graph }

func (g refusing) PutAgent(ctx context.Context, a myriad.Agent, guard myriad.Guard) (myriad.Agent, error) {
	if a.Name == "refused" && !g.down.Load() {
		return a, myriad.Errorf(myriad.CodeConflict, "not this one")
	}
	return g.graph.PutAgent(ctx, a, guard)
}

// TestEndOfRun: kept writes get a last try, and what is lost is told.
func TestEndOfRun(t *testing.T) {
	for name, back := range map[string]bool{"the graph is back": true, "the graph stays away": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, events := newGraph(), &told{}
				d := discovery.New(discovery.Config{Graph: g, Sink: events, Probe: time.Hour})
				defer d.Close()
				stop := watched(t, d)
				g.down.Store(true)
				put(t, d, agent("A"))
				put(t, d, agent("B"))
				g.down.Store(!back)
				stop()
				_, err := g.Agent(t.Context(), "A")
				if lost := events.of(myriad.KindLost); back && (err != nil || lost != 0) || !back && lost != 2 {
					t.Errorf("%d lost, %v", lost, err)
				}
			})
		})
	}
}

// TestNobodyAsksAHealthyGraph: no polling.
func TestNobodyAsksAHealthyGraph(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, breaker := newGraph(agent("A")), &guard{}
		d := discovery.New(discovery.Config{Graph: g, Guard: breaker})
		defer d.Close()
		defer watched(t, d)()
		lookup(t, d, "pump", "define")
		time.Sleep(24 * time.Hour)
		breaker.mu.Lock()
		defer breaker.mu.Unlock()
		if breaker.asked != 1 {
			t.Errorf("asked %d times", breaker.asked)
		}
	})
}

// closed is a guard that lets nothing through.
type closed struct{}

func (closed) Acquire() (func(bool), error) {
	return nil, &myriad.Error{Code: myriad.CodeUnavailable, Message: "open", RetryAfter: time.Minute}
}

func TestClosedGuardIsAGraphThatDoesNotAnswer(t *testing.T) {
	events := &told{}
	d := discovery.New(discovery.Config{Graph: newGraph(agent("A")), Guard: closed{}, Sink: events})
	defer d.Close()
	for range 3 {
		_, err := d.Lookup(t.Context(), "pump", "define")
		var e *myriad.Error
		if e, _ = err.(*myriad.Error); e == nil || e.Code != myriad.CodeUnavailable || e.RetryAfter != time.Minute {
			t.Errorf("%v", err)
		}
	}
	if events.of(myriad.KindGraphStale) != 1 || !d.Stale() {
		t.Errorf("told %d times", events.of(myriad.KindGraphStale))
	}
}

// unwritable is a graph that answers but takes no writes while it is full.
type unwritable struct {
	*graph
	full atomic.Bool
}

func (g *unwritable) PutAgent(ctx context.Context, a myriad.Agent, guard myriad.Guard) (myriad.Agent, error) {
	if g.full.Load() {
		return a, myriad.Errorf(myriad.CodeUnavailable, "the disk is full")
	}
	return g.graph.PutAgent(ctx, a, guard)
}

// A bug: writes that a full disk did not take counted against the graph's breaker, and then nothing could be read either.
func TestAGraphThatCannotBeWrittenIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, events, breaker := &unwritable{graph: newGraph(agent("A"))}, &told{}, &guard{}
		d := discovery.New(discovery.Config{Graph: g, Guard: breaker, Sink: events, MaxPending: 3})
		defer d.Close()
		defer watched(t, d)()
		g.full.Store(true)
		for i := range 10 {
			_, err := d.PutAgent(t.Context(), agent(fmt.Sprint("B", i), concepts("valve")), myriad.Guard{})
			if kept := i < 3; kept && err != nil || !kept && (myriad.ErrorCode(err) != myriad.CodeUnavailable || strings.Contains(err.Error(), "not answer")) {
				t.Errorf("write %d: %v", i, err)
			}
		}
		time.Sleep(time.Minute) // and what was kept is tried again and again
		if _, err := d.Agent(t.Context(), "A"); err != nil {
			t.Errorf("reading: %v", err)
		}
		for concept, want := range map[string]string{"pump": "[A]", "valve": "[B0 B1 B2]"} {
			if found := lookup(t, d, concept, "define"); found.Stale || fmt.Sprint(names(found)) != want {
				t.Errorf("%s: %v, stale %v", concept, names(found), found.Stale)
			}
		}
		if n := events.of(myriad.KindGraphStale); n > 0 || d.Stale() {
			t.Errorf("the graph was called stale %d times", n)
		}
		g.full.Store(false)
		time.Sleep(5 * time.Second)
		if a, err := g.Agent(t.Context(), "B2"); err != nil {
			t.Errorf("with room again: %+v, %v", a, err)
		}
		g.full.Store(true)
		g.down.Store(true) // a graph that is away is away for writes too
		for range 10 {
			_, _ = d.PutAgent(t.Context(), agent("B0"), myriad.Guard{})
		}
		if !d.Stale() {
			t.Error("a graph that is away is not called stale")
		}
	})
}
