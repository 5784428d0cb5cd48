package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/discovery"
)

// guard opens after five failures for a minute.
type guard struct {
	mu       sync.Mutex
	failures int
	until    time.Time
	asked    int
}

func (g *guard) Acquire() (func(bool), error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Now().Before(g.until) {
		return nil, errors.New("circuit open")
	}
	g.asked++
	return func(failed bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !failed {
			g.failures = 0
		} else if g.failures++; g.failures >= 5 {
			g.until = time.Now().Add(time.Minute)
		}
	}, nil
}

func TestGraphDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, breaker := newGraph(agent("A")), &guard{}
		var mu sync.Mutex
		var told []myriad.EventKind
		d := discovery.New(discovery.Config{Graph: g, Guard: breaker, TTL: time.Minute, MaxPending: 2, Sink: myriad.SinkFunc(func(e myriad.Event) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, e.Kind)
		})})
		defer d.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = d.Run(ctx) })
		defer running.Wait()
		defer cancel()

		lookup(t, d, "pump", "define")
		g.down.Store(true)
		time.Sleep(2 * time.Minute)
		_, err := d.Lookup(t.Context(), "unheard_of", "define")
		if myriad.ErrorCode(err) != myriad.CodeUnavailable {
			t.Fatalf("an unknown concept while the graph is down: %v", err)
		}
		found := lookup(t, d, "pump", "define")
		if !found.Stale || found.Age < 2*time.Minute || len(found.Candidates) != 1 {
			t.Errorf("want the last good view, stale: %+v", found)
		}
		// writes are kept, seen at once, and bounded; what only the graph can judge is refused
		if _, err := d.PutAgent(t.Context(), agent("B", concepts("pump", "new")), myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		if _, err := d.PutAgent(t.Context(), agent("C"), myriad.Guard{MustNotExist: true}); myriad.ErrorCode(err) != myriad.CodeUnavailable {
			t.Errorf("a guarded write: %v", err)
		}
		if got := fmt.Sprint(names(lookup(t, d, "pump", "define")), names(lookup(t, d, "new", "define"))); got != "[A B] [B]" {
			t.Errorf("the kept write is not seen: %s", got)
		}
		if _, err := d.DeleteAgent(t.Context(), "A", myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		if _, err := d.PutAgent(t.Context(), agent("D"), myriad.Guard{}); myriad.ErrorCode(err) != myriad.CodeUnavailable {
			t.Errorf("past the bound: %v", err)
		}
		time.Sleep(10 * time.Minute)
		breaker.mu.Lock()
		asked := breaker.asked
		breaker.mu.Unlock()
		if asked > 40 {
			t.Errorf("the dead graph was asked %d times in twelve minutes", asked)
		}
		g.down.Store(false)
		time.Sleep(2 * time.Minute)
		found = lookup(t, d, "pump", "define")
		if got := fmt.Sprint(names(found)); got != "[B]" || found.Stale {
			t.Errorf("after recovery: %s stale %v", got, found.Stale)
		}
		mu.Lock()
		defer mu.Unlock()
		count := map[myriad.EventKind]int{}
		for _, k := range told {
			count[k]++
		}
		if count[myriad.KindGraphStale] != 1 || count[myriad.KindGraphFresh] != 1 || count[myriad.KindLost] != 1 {
			t.Errorf("told: %v", told)
		}
	})
}
