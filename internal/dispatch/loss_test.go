package dispatch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

func turnAt(run string, grant func(slot myriad.Slot), cands ...myriad.Candidate) *myriad.Turn {
	return &myriad.Turn{Run: run, Candidates: cands, Grant: func(_ int, slot myriad.Slot, _ time.Duration) { grant(slot) }}
}

// TestPanickingGrantLosesNothing: the slot goes back, the hook is told, the others are served, the releaser does not notice.
func TestPanickingGrantLosesNothing(t *testing.T) {
	k := newDesk(100, 1)
	var told []string
	k.d.OnPanic(func(v any, stack []byte) {
		told = append(told, fmt.Sprint(v))
		if !strings.Contains(string(stack), "TestPanickingGrantLosesNothing") {
			t.Errorf("the stack does not show who panicked:\n%s", stack)
		}
		panic("the hook panics too")
	})
	k.submit("holder", 0, at("a", 0))
	for i := range 100 {
		k.d.Submit(turnAt("bad", func(myriad.Slot) { panic(i) }, at("a", 0)))
	}
	k.submit("good", 0, at("a", 0))
	k.release(0)
	requireRuns(t, k, "holder", "good")
	k.finish()
	if len(told) != 100 {
		t.Errorf("the hook was told %d times, want 100", len(told))
	}
	requireClean(t, k.d)
}

func TestPanicWithoutHook(t *testing.T) {
	k := newDesk(1, 1)
	k.submit("holder", 0, at("a", 0))
	k.d.Submit(turnAt("bad", func(s myriad.Slot) { s.Release(); panic("after giving back") }, at("a", 0)))
	k.finish()
	requireClean(t, k.d)
}

// TestGrantThatEndsItsGoroutine: runtime.Goexit, as t.FailNow does, loses neither slot nor the grants behind it.
func TestGrantThatEndsItsGoroutine(t *testing.T) {
	k := newDesk(100, 1)
	k.submit("holder", 0, at("a", 0))
	for range 20 {
		k.d.Submit(turnAt("bad", func(myriad.Slot) { runtime.Goexit() }, at("a", 0)))
	}
	k.submit("good", 0, at("a", 0))
	for range 2 {
		var wg sync.WaitGroup
		wg.Go(k.finish) // the goroutine is ended by the first bad turn that it serves
		wg.Wait()
		k.d.Close() // waits for those who took over
	}
	requireRuns(t, k, "holder", "good")
	requireClean(t, k.d)
}

// TestChainOfGrantsDoesNotGrowTheStack: a Grant that gives its slot back at once serves the next from inside itself, 100,000 times.
func TestChainOfGrantsDoesNotGrowTheStack(t *testing.T) {
	d := New(1, 1)
	hold, _ := d.Try(at("a", 0))
	deepest, served := 0, 0
	for range 100_000 {
		d.Submit(turnAt("r", func(s myriad.Slot) {
			if served++; served%1000 == 0 {
				deepest = max(deepest, runtime.Callers(0, make([]uintptr, 10_000)))
			}
			s.Release()
		}, at("a", 0)))
	}
	hold.Release()
	if served != 100_000 {
		t.Errorf("%d were served, want 100000", served)
	}
	if deepest > 100 {
		t.Errorf("the stack grew to %d frames", deepest)
	}
	requireClean(t, d)
}

// TestGrantMayDoAnything: inside Grant every method may be called.
func TestGrantMayDoAnything(t *testing.T) {
	d := New(2, 1)
	hold, _ := d.Try(at("a", 0))
	served := 0
	var again func(slot myriad.Slot)
	other := turnAt("s", func(slot myriad.Slot) { t.Error("a cancelled turn was granted"); slot.Release() }, at("a", 0))
	again = func(slot myriad.Slot) {
		served++
		d.Cancel(other)
		d.SetLimit("b", 2)
		d.Park("c", time.Hour)
		d.Forget("c")
		d.Load(agentOf("a", 0))
		if s, ok := d.Try(at("b", 0)); ok {
			s.Release()
		}
		if served < 50 {
			d.Submit(turnAt("r", again, at("a", 0)))
		}
		slot.Release()
	}
	d.Submit(turnAt("r", again, at("a", 0)))
	d.Submit(other)
	hold.Release()
	if served != 50 {
		t.Errorf("served %d times, want 50", served)
	}
	d.Close()
	requireClean(t, d)
}

func TestSubmittingAWaitingTurnAgain(t *testing.T) {
	k := newDesk(1, 1)
	k.submit("r", 0, at("a", 0))
	turn := k.submit("r", 0, at("a", 0))
	if _, _, ok := k.d.Submit(turn); ok || k.d.Waiting() != 1 {
		t.Errorf("granted: %v, waiting %d; want false, 1", ok, k.d.Waiting())
	}
	k.release(0)
	k.release(1)
	if _, slot, ok := k.d.Submit(turn); !ok {
		t.Error("a turn that was granted can be submitted anew")
	} else {
		slot.Release()
	}
	requireClean(t, k.d)
}

func TestTurnWithoutCandidates(t *testing.T) {
	k := newDesk(1, 1)
	turn := k.submit("r", 0)
	if k.d.Waiting() != 1 || !k.d.Cancel(turn) || k.d.Cancel(turn) {
		t.Error("it waits until it is cancelled, once")
	}
	requireClean(t, k.d)
}

func TestIdleEndpointsDoNotPileUp(t *testing.T) {
	d := New(10, 1)
	held, _ := d.Try(at("held", 1))
	for i := range 5 * minSweep {
		if s, ok := d.Try(at(fmt.Sprintf("agent-%d", i), 1)); ok {
			s.Release()
		}
		if n := len(d.endpoints); n > minSweep {
			t.Fatalf("%d endpoints are kept", n)
		}
	}
	if _, ok := d.Try(at("held", 1)); ok {
		t.Error("an endpoint in use was dropped, and its limit exceeded")
	}
	held.Release()
	requireClean(t, d)
}

// meter counts what is in use at an endpoint and how much it was at most.
type meter struct{ now, most atomic.Int64 }

func (m *meter) in() {
	n := m.now.Add(1)
	for {
		most := m.most.Load()
		if n <= most || m.most.CompareAndSwap(most, n) {
			return
		}
	}
}

// TestRacesLoseNothing: many goroutines submit, cancel, panic, release twice, park and reset limits at once. No limit is exceeded at any
// moment, each turn is granted or cancelled exactly once, nothing is left.
func TestRacesLoseNothing(t *testing.T) {
	const total, limit, endpoints, workers, each = 12, 3, 8, 16, 400
	d := New(total, limit)
	var all meter
	per := make([]meter, endpoints)
	var granted, cancelled, panicked, wrong atomic.Int64
	d.OnPanic(func(any, []byte) { panicked.Add(1) })
	var wg, holders sync.WaitGroup
	use := func(rnd uint64, key int, slot myriad.Slot) {
		granted.Add(1)
		all.in()
		per[key].in()
		free := func() {
			per[key].now.Add(-1)
			all.now.Add(-1)
			slot.Release()
			slot.Release()
		}
		switch rnd % 4 {
		case 0:
			free()
		case 1:
			per[key].now.Add(-1)
			all.now.Add(-1)
			panic("grant")
		default:
			holders.Go(func() {
				for range rnd % 64 {
					runtime.Gosched()
				}
				per[key].now.Add(-1) // before any release: the slot may be another's at once
				all.now.Add(-1)
				holders.Go(slot.Release)
				slot.Release()
			})
		}
	}
	work := func(seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var mine []*myriad.Turn
		for i := range each {
			keys := rng.Perm(endpoints)[:1+rng.IntN(4)]
			turn := &myriad.Turn{Run: fmt.Sprint(rng.IntN(20)), Priority: rng.IntN(10)}
			for _, key := range keys {
				turn.Candidates = append(turn.Candidates, at(fmt.Sprint(key), limit))
			}
			rnd := rng.Uint64()
			turn.Grant = func(chosen int, slot myriad.Slot, waited time.Duration) {
				if waited < 0 {
					wrong.Add(1)
				}
				use(rnd, keys[chosen], slot)
			}
			if chosen, slot, ok := d.Submit(turn); ok {
				func() {
					defer func() {
						if recover() != nil {
							panicked.Add(1)
							slot.Release()
						}
					}()
					use(rnd, keys[chosen], slot)
				}()
			}
			mine = append(mine, turn)
			switch i % 7 {
			case 0:
				d.Park(fmt.Sprint(rng.IntN(endpoints)), time.Duration(rng.IntN(200))*time.Microsecond)
			case 1:
				d.SetLimit(fmt.Sprint(rng.IntN(endpoints)), 1+rng.IntN(limit))
			case 2, 3:
				if d.Cancel(mine[rng.IntN(len(mine))]) {
					cancelled.Add(1)
				}
			case 4:
				if s, ok := d.Try(turn.Candidates[0]); ok {
					s.Release()
				}
			}
		}
	}
	for w := range workers {
		wg.Go(func() { work(uint64(w)) })
	}
	wg.Wait()
	drained(t, d)
	holders.Wait()
	drained(t, d)
	d.Close()
	if got := granted.Load() + cancelled.Load(); got != workers*each {
		t.Errorf("%d granted and %d cancelled, want %d together", granted.Load(), cancelled.Load(), workers*each)
	}
	if got := all.most.Load(); got > total {
		t.Errorf("%d slots were in use at once, limit %d", got, total)
	}
	for i := range per {
		if got := per[i].most.Load(); got > limit {
			t.Errorf("%d slots of endpoint %d were in use at once, limit %d", got, i, limit)
		}
	}
	if panicked.Load() == 0 || cancelled.Load() == 0 || wrong.Load() > 0 {
		t.Errorf("panics %d, cancelled %d, wrong %d", panicked.Load(), cancelled.Load(), wrong.Load())
	}
	requireClean(t, d)
}

// drained waits until nobody waits and nothing is in use; the test's own time limit is the deadline.
func drained(t *testing.T, d *Dispatcher) {
	t.Helper()
	for d.Waiting() > 0 || d.InUse() > 0 {
		if t.Context().Err() != nil {
			t.Fatal("did not drain")
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// TestDeadlineRacesGrant: of a deadline that cancels and a release that serves, exactly one wins; the slot is never lost.
func TestDeadlineRacesGrant(t *testing.T) {
	d := New(1, 1)
	wins := [2]int{}
	for range 2000 {
		hold, ok := d.Try(at("a", 0))
		if !ok {
			t.Fatal("the slot was lost")
		}
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan myriad.Slot, 1)
		turn := turnAt("r", func(s myriad.Slot) { got <- s }, at("a", 0))
		d.Submit(turn)
		cancelled := make(chan bool, 1)
		stop := context.AfterFunc(ctx, func() { cancelled <- d.Cancel(turn) })
		var wg sync.WaitGroup
		wg.Go(hold.Release)
		wg.Go(cancel)
		wg.Wait()
		if stop() {
			t.Fatal("the deadline did not act")
		}
		if <-cancelled {
			wins[0]++
			select {
			case <-got:
				t.Fatal("cancelled and granted")
			default:
			}
			continue
		}
		wins[1]++
		(<-got).Release()
	}
	t.Logf("cancelled %d, granted %d", wins[0], wins[1])
	requireClean(t, d)
}
