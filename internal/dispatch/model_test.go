package dispatch

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/myriad-mind/myriad"
)

// model drives a Dispatcher and the oracle by the same random doings.
type model struct {
	d      *Dispatcher
	o      *oracle
	turns  []*myriad.Turn
	grants []oracleGrant
	slots  []heldSlot
	until  map[string]time.Time // of parked endpoints
	parks  int
}

type heldSlot struct {
	key  string
	slot myriad.Slot
}

var (
	someKeys = rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
	someRuns = rapid.SampledFrom([]string{"r1", "r2", "r3", "r4", "r5", "r6"})
)

func (m *model) submit(t *rapid.T) {
	keys := rapid.SliceOfN(someKeys, 1, 5).Draw(t, "keys") // may repeat: candidates that share an endpoint
	limits := make([]int, len(keys))
	id := len(m.turns)
	turn := &myriad.Turn{Run: someRuns.Draw(t, "run"), Priority: rapid.IntRange(-1, 10).Draw(t, "priority")}
	for i, key := range keys {
		limits[i] = rapid.SampledFrom([]int{0, 1, 1, 2}).Draw(t, "limit")
		turn.Candidates = append(turn.Candidates, at(key, limits[i]))
	}
	note := func(chosen int, slot myriad.Slot) {
		m.grants = append(m.grants, oracleGrant{id, chosen, keys[chosen]})
		m.slots = append(m.slots, heldSlot{keys[chosen], slot})
	}
	turn.Grant = func(chosen int, slot myriad.Slot, _ time.Duration) { note(chosen, slot) }
	m.turns = append(m.turns, turn)
	m.o.submit(&oracleTicket{id: id, priority: min(max(turn.Priority, 0), 9), run: turn.Run, keys: keys}, limits)
	// Who is served because a limit was raised by Submit is told after Submit has decided; the order of telling is not the policy's.
	before := len(m.grants)
	if chosen, slot, ok := m.d.Submit(turn); ok {
		note(chosen, slot)
	}
	slices.SortFunc(m.grants[before:], byID)
	slices.SortFunc(m.o.grants[before:], byID)
}

func byID(a, b oracleGrant) int { return a.id - b.id }

func (m *model) release(t *rapid.T) {
	if len(m.slots) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.slots)-1).Draw(t, "slot")
	held := m.slots[i]
	m.slots = slices.Delete(m.slots, i, i+1)
	m.o.release(held.key)
	held.slot.Release()
	if rapid.Bool().Draw(t, "twice") {
		held.slot.Release()
	}
}

func (m *model) cancel(t *rapid.T) {
	if len(m.turns) == 0 {
		return
	}
	id := rapid.IntRange(0, len(m.turns)-1).Draw(t, "turn")
	if got, want := m.d.Cancel(m.turns[id]), m.o.cancel(id); got != want {
		t.Fatalf("Cancel of turn %d = %v, want %v", id, got, want)
	}
}

func (m *model) try(t *rapid.T) {
	key, limit := someKeys.Draw(t, "key"), rapid.IntRange(0, 2).Draw(t, "limit")
	m.o.see(key, limit)
	want := m.o.inUse < m.o.total && m.o.free(key)
	slot, ok := m.d.Try(at(key, limit))
	if ok != want {
		t.Fatalf("Try(%s) = %v, want %v", key, ok, want)
	}
	if ok {
		m.o.inUse++
		m.o.place(key).inUse++
		m.slots = append(m.slots, heldSlot{key, slot})
	}
}

func (m *model) setLimit(t *rapid.T) {
	key, n := someKeys.Draw(t, "key"), rapid.IntRange(-1, 4).Draw(t, "n")
	m.o.place(key).override = max(n, 0)
	m.o.match()
	m.d.SetLimit(key, n)
}

func (m *model) park(t *rapid.T) {
	key, wait := someKeys.Draw(t, "key"), time.Duration(rapid.IntRange(0, 20).Draw(t, "wait"))*time.Second
	if m.parks++; wait > 0 {
		wait += time.Duration(m.parks) // no two end at the same moment: their order would be anybody's
	}
	if until := time.Now().Add(wait); wait > 0 && until.After(m.until[key]) {
		m.until[key] = until
		m.o.place(key).parked = true
	}
	m.d.Park(key, wait)
	if got, want := m.d.Parked(key), max(time.Until(m.until[key]), 0); got != want {
		t.Fatalf("Parked(%s) = %v, want %v", key, got, want)
	}
}

func (m *model) forget(t *rapid.T) {
	key := someKeys.Draw(t, "key")
	delete(m.until, key)
	p := m.o.place(key)
	p.stated, p.override, p.parked, p.forgotten = 0, 0, false, true
	m.o.match()
	m.d.Forget(key)
}

// pass lets time go by, to the end of one parking after the other.
func (m *model) pass(t *rapid.T) {
	end := time.Now().Add(time.Duration(rapid.IntRange(1, 15).Draw(t, "time")) * time.Second)
	for {
		next, at := "", end
		for key, until := range m.until {
			if !until.After(at) {
				next, at = key, until
			}
		}
		time.Sleep(time.Until(at))
		if next == "" {
			return
		}
		m.reopen(next)
	}
}

func (m *model) reopen(key string) {
	delete(m.until, key)
	m.o.place(key).parked = false
	m.o.match()
	synctest.Wait()
}

func (m *model) check(t *rapid.T) {
	m.o.tidy()
	if !slices.Equal(m.grants, m.o.grants) {
		t.Fatalf("granted\n%v, want\n%v", m.grants, m.o.grants)
	}
	if got := m.d.InUse(); got != m.o.inUse || got > m.o.total {
		t.Fatalf("InUse = %d, want %d, at most %d", got, m.o.inUse, m.o.total)
	}
	if got := m.d.Waiting(); got != len(m.o.waiting) {
		t.Fatalf("Waiting = %d, want %d", got, len(m.o.waiting))
	}
	for key := range m.o.places {
		if got, want := m.d.Load(agentOf(key, 0)), m.o.load(key); got != want {
			t.Fatalf("Load of %s = %v, want %v", key, got, want)
		}
	}
	checkBooks(t, m.d)
}

// checkBooks asserts what must hold between any two doings.
func checkBooks(t interface{ Fatalf(string, ...any) }, d *Dispatcher) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.ready) > 0 && d.inUse < d.total {
		t.Fatalf("%d endpoints could serve and %d slots are free", len(d.ready), d.total-d.inUse)
	}
	for _, e := range d.endpoints {
		lanes, last := 0, uint64(0)
		for l := e.front; l != nil; l = l.next {
			if l.stamp <= last || l.filled == 0 || e.claims[l.heap] != l {
				t.Fatalf("the line of %s is out of order", e.key)
			}
			lanes, last = lanes+1, l.stamp
		}
		if lanes != len(e.claims) {
			t.Fatalf("%s has %d lanes and %d claims", e.key, lanes, len(e.claims))
		}
		for i, l := range e.claims {
			if i > 0 && e.claims[(i-1)/2].claim > l.claim {
				t.Fatalf("the claims of %s are out of order", e.key)
			}
		}
		if ready := e.waiting > 0 && e.open(); ready != (e.readyAt > 0) {
			t.Fatalf("%s is ready: %v, listed: %d", e.key, ready, e.readyAt)
		}
	}
}

// bubbled hides the test's Deadline, which must not be asked for inside a bubble.
type bubbled struct{ rapid.TB }

// TestPolicyAgainstOracle: whatever happens in whatever order, each grant is the one that the plain reading of the policy gives; limits
// hold; no slot is idle while somebody could use it; in the end nothing is left.
func TestPolicyAgainstOracle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(bubbled{t}, func(t *rapid.T) {
			total, limit := rapid.IntRange(1, 6).Draw(t, "total"), rapid.IntRange(1, 3).Draw(t, "default")
			m := &model{d: New(total, limit), o: newOracle(total, limit), until: map[string]time.Time{}}
			defer m.d.Close()
			t.Repeat(map[string]func(*rapid.T){
				"submit": m.submit, "submit more": m.submit, "submit yet more": m.submit, "release": m.release, "release more": m.release,
				"cancel": m.cancel, "try": m.try, "limit": m.setLimit, "park": m.park, "forget": m.forget, "pass": m.pass, "": m.check,
			})
			m.windUp(t)
		})
	})
}

// windUp lets everything end.
func (m *model) windUp(t *rapid.T) {
	for key := range m.until {
		m.d.Forget(key)
	}
	for len(m.slots) > 0 {
		held := m.slots[0]
		m.slots = m.slots[1:]
		held.slot.Release()
	}
	if m.d.InUse() != 0 || m.d.Waiting() != 0 || len(m.d.runs) != 0 || len(m.d.lanes) != 0 {
		t.Fatalf("left: %s", fmt.Sprint(m.d.InUse(), m.d.Waiting(), len(m.d.runs), len(m.d.lanes)))
	}
}
