package dispatch

import (
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// Dispatcher hands out slots. It is safe for concurrent use; methods may be called from inside Grant, except for Close.
type Dispatcher struct {
	total        int // slots of the whole server
	defaultLimit int // slots of an endpoint whose agent states none

	background sync.WaitGroup // armed parking timers, callbacks of fired ones, and deliveries taken over from a goroutine that ended

	mu         sync.Mutex // guards everything below, and the endpoints, lanes, runs and waiting tickets reached from it
	inUse      int
	waiting    int
	stamps     uint64 // the last stamp given to a lane or a run
	tickets    uint64 // the last number given to a ticket
	endpoints  map[string]*endpoint
	sweepAt    int // when endpoints has grown to this, idle ones are dropped
	runs       map[string]*run
	lanes      map[laneKey]*lane
	ready      []*endpoint // those with a free slot, not parked, and somebody waiting; empty unless the server's slots are all taken
	served     tickets     // those that have their slots and were not told yet
	deliverers int         // goroutines telling them
	onPanic    func(value any, stack []byte)
	closed     bool
}

// New makes a Dispatcher with total slots for the whole server and defaultLimit for each endpoint whose agent states no limit of its
// own. Both are at least 1; smaller values count as 1.
func New(total, defaultLimit int) *Dispatcher {
	return &Dispatcher{
		total:        max(total, 1),
		defaultLimit: max(defaultLimit, 1),
		endpoints:    map[string]*endpoint{},
		sweepAt:      minSweep,
		runs:         map[string]*run{},
		lanes:        map[laneKey]*lane{},
	}
}

// OnPanic sets who is told when a Grant panics: the value and the stack. The slot has been given back by then. Without it such panics
// are swallowed. fn is called under no lock; a panic in it is swallowed.
func (d *Dispatcher) OnPanic(fn func(value any, stack []byte)) {
	d.mu.Lock()
	d.onPanic = fn
	d.mu.Unlock()
}

// Submit asks for a slot at the first candidate that has one. When ok, chosen and slot are the grant and t.Grant is never called.
// Otherwise t waits until Grant or Cancel, and must not be changed; Grant may come before Submit has returned. Submitting a turn that is
// already waiting changes nothing. A turn without candidates waits until it is cancelled.
func (d *Dispatcher) Submit(t *myriad.Turn) (chosen int, slot myriad.Slot, ok bool) {
	d.lock()
	if t.Ticket != nil {
		d.mu.Unlock()
		return 0, nil, false
	}
	for i := range t.Candidates {
		e := d.see(t.Candidates[i].Agent)
		if d.inUse < d.total && e.open() {
			s := &lease{d: d, at: e}
			d.take(e)
			d.unlock()
			return i, s, true
		}
	}
	d.enqueue(t)
	d.unlock()
	return 0, nil, false
}

// Cancel ends t's wait. It is true when t was still waiting: Grant will never be called. False: t was granted at once, has been
// granted, or is being granted right now.
func (d *Dispatcher) Cancel(t *myriad.Turn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	tk, ok := t.Ticket.(*ticket)
	if !ok {
		return false
	}
	d.leave(tk)
	return true
}

// Try takes a slot at c now or not at all. It never goes before a turn that waits for the same endpoint.
func (d *Dispatcher) Try(c myriad.Candidate) (myriad.Slot, bool) {
	d.lock()
	defer d.unlock()
	e := d.see(c.Agent)
	if d.inUse >= d.total || !e.open() { // with both free nobody waits here: he would have been served
		return nil, false
	}
	d.take(e)
	return &lease{d: d, at: e}, true
}

// SetLimit makes n the limit of the endpoint key in place of what its agent states; n < 1 takes that back. Slots in use over a lowered
// limit are not withdrawn. It holds until Forget, or until the endpoint is idle among very many idle ones.
func (d *Dispatcher) SetLimit(key string, n int) {
	d.lock()
	e := d.endpoint(key)
	e.override = max(n, 0)
	d.changed(e)
	d.unlock()
}

// Forget drops what is known of the endpoint: its limits and its parking. Who waits there is still served, so that the call finds out
// what became of it; slots in use stay counted.
func (d *Dispatcher) Forget(key string) {
	d.mu.Lock()
	if e, ok := d.endpoints[key]; ok {
		e.override, e.stated, e.parkedUntil, e.forgotten = 0, 0, time.Time{}, true
		d.disarm(e)
		d.changed(e)
	}
	d.unlock()
}

// Load is how busy a's endpoint is, from 0 (idle) over 0.5 (every slot in use, nobody waiting) towards 1 (a long queue). Parked is 1.
func (d *Dispatcher) Load(a *myriad.Agent) float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.endpoints[a.SlotKey()]
	if !ok {
		return 0
	}
	if e.parked() {
		return 1
	}
	wanted := float64(e.inUse + e.waiting)
	return wanted / (float64(e.limit(d.defaultLimit)) + wanted)
}

// InUse counts the slots given out and not given back.
func (d *Dispatcher) InUse() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inUse
}

// Waiting counts the turns that wait, each once, however many candidates it has.
func (d *Dispatcher) Waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting
}

// Close stops the parking timers and waits for those that are firing: endpoints parked now stay so. It must not be called from inside
// Grant. Slots may still be given back afterwards, and turns submitted and cancelled.
func (d *Dispatcher) Close() {
	d.mu.Lock()
	d.closed = true
	for _, e := range d.endpoints {
		d.disarm(e)
	}
	d.mu.Unlock()
	d.background.Wait()
}
