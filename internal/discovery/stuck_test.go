package discovery_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/discovery"
)

// stuck is a graph that answers, but whose writes come to no end while it is so.
type stuck struct {
	*graph
	is    atomic.Bool
	tried atomic.Int64
}

func (g *stuck) write(ctx context.Context) error {
	if !g.is.Load() {
		return nil
	}
	g.tried.Add(1)
	<-ctx.Done()
	return ctx.Err()
}

func (g *stuck) PutAgent(ctx context.Context, a myriad.Agent, guard myriad.Guard) (myriad.Agent, error) {
	if err := g.write(ctx); err != nil {
		return a, err
	}
	return g.graph.PutAgent(ctx, a, guard)
}

func (g *stuck) DeleteAgent(ctx context.Context, name string, guard myriad.Guard) (myriad.Agent, error) {
	if err := g.write(ctx); err != nil {
		return myriad.Agent{}, err
	}
	return g.graph.DeleteAgent(ctx, name, guard)
}

// A bug: each write waited out the timeout of a graph whose writes hang, one after the other, and so did whoever was behind it.
func TestWritesThatHangAreNotWaitedForEach(t *testing.T) {
	const writes = 20
	for name, run := range map[string]func(i int, all *sync.WaitGroup, write func(int)){
		"one by one":   func(i int, _ *sync.WaitGroup, write func(int)) { write(i) },
		"all at once":  func(i int, all *sync.WaitGroup, write func(int)) { all.Go(func() { write(i) }) },
		"now and then": func(i int, _ *sync.WaitGroup, write func(int)) { time.Sleep(40 * time.Millisecond); write(i) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &stuck{graph: newGraph(agent("A"), agent("Gone"))}
				d := discovery.New(discovery.Config{Graph: g, Timeout: 5 * time.Second})
				defer d.Close()
				defer watched(t, d)()
				g.is.Store(true)
				began := time.Now()
				var all sync.WaitGroup
				for i := range writes {
					run(i, &all, func(i int) {
						var err error
						switch i {
						case 7:
							_, err = d.DeleteAgent(t.Context(), "Gone", myriad.Guard{})
						case 8:
							if _, err := d.PutAgent(t.Context(), agent("B8"), myriad.Guard{MustNotExist: true}); myriad.ErrorCode(err) != myriad.CodeUnavailable {
								t.Errorf("what only the graph can judge: %v", err)
							}
						default:
							_, err = d.PutAgent(t.Context(), agent(fmt.Sprint("B", i), concepts("valve")), myriad.Guard{})
						}
						if err != nil {
							t.Errorf("write %d: %v", i, err)
						}
					})
				}
				all.Wait()
				if took := time.Since(began); took > 7*time.Second || g.tried.Load() != 1 {
					t.Errorf("%d writes took %v, %d were tried", writes, took, g.tried.Load())
				}
				if found := lookup(t, d, "valve", "define"); found.Stale || len(found.Candidates) != writes-2 || d.Stale() {
					t.Errorf("reading goes on: %v, stale %v", names(found), found.Stale)
				}
				g.is.Store(false)
				time.Sleep(3 * time.Second)
				g.mu.Lock()
				defer g.mu.Unlock()
				if n := len(g.agents); n != writes-2+1 {
					t.Errorf("the graph has %d agents", n)
				}
			})
		})
	}
}

// TestAnotherWriteIsTried once the last that was not taken is a second old, and then none is held back any more.
func TestAnotherWriteIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &stuck{graph: newGraph()}
		d := discovery.New(discovery.Config{Graph: g})
		defer d.Close()
		write := func(name string) error {
			_, err := d.PutAgent(t.Context(), agent(name), myriad.Guard{MustNotExist: true}) // never kept
			return err
		}
		g.is.Store(true)
		for range 3 {
			if err := write("A"); myriad.ErrorCode(err) != myriad.CodeUnavailable {
				t.Error(err)
			}
			time.Sleep(400 * time.Millisecond)
		}
		if n := g.tried.Load(); n != 1 {
			t.Errorf("%d writes were tried within a second", n)
		}
		if err := write("A"); myriad.ErrorCode(err) != myriad.CodeUnavailable || g.tried.Load() != 2 {
			t.Errorf("%v, %d tried", err, g.tried.Load())
		}
		g.is.Store(false)
		time.Sleep(time.Second)
		for i := range 3 {
			if err := write(fmt.Sprint("C", i)); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestAWritersTurnIsWaitedForNoLongerThanItsContext: whoever waits behind a write that hangs can leave.
func TestAWritersTurnIsWaitedForNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &stuck{graph: newGraph()}
		d := discovery.New(discovery.Config{Graph: g})
		defer d.Close()
		g.is.Store(true)
		var first sync.WaitGroup
		first.Go(func() { put(t, d, agent("A")) })
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.PutAgent(ctx, agent("B"), myriad.Guard{}); myriad.ErrorCode(err) != myriad.CodeDeadline || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		cancel()
		if _, err := d.DeleteAgent(ctx, "B", myriad.Guard{}); err == nil || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		first.Wait()
	})
}

// TestTheLastTryIsMade at the end of Run, however short ago a write was not taken.
func TestTheLastTryIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, events := &stuck{graph: newGraph()}, &told{}
		d := discovery.New(discovery.Config{Graph: g, Sink: events})
		defer d.Close()
		stop := watched(t, d)
		g.is.Store(true)
		put(t, d, agent("A"))
		g.is.Store(false)
		stop()
		if _, err := g.Agent(t.Context(), "A"); err != nil || events.of(myriad.KindLost) != 0 {
			t.Errorf("%v, %d lost", err, events.of(myriad.KindLost))
		}
	})
}
