package dispatch

import (
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// agentOf is an agent whose slot key is its name.
func agentOf(name string, limit int) *myriad.Agent {
	return &myriad.Agent{Name: name, MaxConcurrency: limit}
}

func at(name string, limit int) myriad.Candidate {
	return myriad.Candidate{Agent: agentOf(name, limit)}
}

// granted is one grant that a desk saw.
type granted struct {
	run    string
	key    string
	chosen int
	slot   myriad.Slot
	waited time.Duration
}

// desk submits turns and writes down in order who was granted a slot. It is for tests of one goroutine, besides timers.
type desk struct {
	d   *Dispatcher
	mu  sync.Mutex
	log []granted // guarded by mu where a timer may write
}

func newDesk(total, limit int) *desk { return &desk{d: New(total, limit)} }

// submit submits one turn; grants at once are logged too.
func (k *desk) submit(run string, priority int, cands ...myriad.Candidate) *myriad.Turn {
	t := &myriad.Turn{Run: run, Priority: priority, Candidates: cands}
	t.Grant = func(chosen int, slot myriad.Slot, waited time.Duration) { k.note(t, chosen, slot, waited) }
	if chosen, slot, ok := k.d.Submit(t); ok {
		k.note(t, chosen, slot, 0)
	}
	return t
}

func (k *desk) note(t *myriad.Turn, chosen int, slot myriad.Slot, waited time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.log = append(k.log, granted{t.Run, t.Candidates[chosen].SlotKey(), chosen, slot, waited})
}

// count is the number of grants so far.
func (k *desk) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.log)
}

// runs is the order of grants by run.
func (k *desk) runs() []string {
	var runs []string
	for _, g := range k.log {
		runs = append(runs, g.run)
	}
	return runs
}

// release gives back the slot of grant i.
func (k *desk) release(i int) { k.log[i].slot.Release() }

// finish releases every slot in order of grant until none is in use.
func (k *desk) finish() {
	for i := 0; i < len(k.log); i++ {
		k.release(i)
	}
}

// requireClean asserts that nothing is left behind in the books.
func requireClean(t *testing.T, d *Dispatcher) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inUse != 0 || d.waiting != 0 || len(d.runs) != 0 || len(d.lanes) != 0 || len(d.ready) != 0 || d.served.front != nil || d.deliverers != 0 {
		t.Errorf("left behind: in use %d, waiting %d, runs %d, lanes %d, ready %d, deliverers %d", d.inUse, d.waiting, len(d.runs), len(d.lanes), len(d.ready), d.deliverers)
	}
	for _, e := range d.endpoints {
		if e.inUse != 0 || e.waiting != 0 || e.front != nil || e.back != nil || len(e.claims) != 0 {
			t.Errorf("left behind at %s: in use %d, waiting %d, claims %d", e.key, e.inUse, e.waiting, len(e.claims))
		}
	}
}

func requireRuns(t *testing.T, k *desk, want ...string) {
	t.Helper()
	if got := k.runs(); !slices.Equal(got, want) {
		t.Errorf("granted in the order %v, want %v", got, want)
	}
}
