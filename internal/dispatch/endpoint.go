package dispatch

import (
	"time"

	"github.com/myriad-mind/myriad"
)

// minSweep is the least number of endpoints at which idle ones are dropped: far more than a server usually talks to.
const minSweep = 4096

// endpoint is one slot key: its limit, its slots in use, and its line of lanes.
type endpoint struct {
	key         string
	stated      int // MaxConcurrency of the agent last seen here; 0 is none
	override    int // by SetLimit; 0 is none
	inUse       int
	waiting     int    // tickets
	front, back *lane  // the line, oldest stamp first
	claims      claims // the same lanes, by the stamp of their run
	readyAt     int    // place in Dispatcher.ready plus 1; 0 is none
	marked      uint64 // number of the ticket that joined last, to join once where two candidates share the endpoint
	capacity    int    // the limit in force
	forgotten   bool   // to be dropped once idle

	parkedUntil time.Time // zero: not parked
	timer       *time.Timer
}

// open says that the endpoint has a slot to give.
func (e *endpoint) open() bool { return e.inUse < e.capacity && e.parkedUntil.IsZero() }

func (e *endpoint) parked() bool { return !e.parkedUntil.IsZero() }

func (e *endpoint) idle() bool { return e.inUse == 0 && e.waiting == 0 && !e.parked() }

// limit is the limit that holds: SetLimit's, else the agent's, else the configured one.
func (e *endpoint) limit(fallback int) int {
	switch {
	case e.override > 0:
		return e.override
	case e.stated > 0:
		return e.stated
	}
	return fallback
}

// endpoint finds or makes the endpoint of key.
func (d *Dispatcher) endpoint(key string) *endpoint {
	if e, ok := d.endpoints[key]; ok {
		return e
	}
	e := &endpoint{key: key, capacity: d.defaultLimit}
	d.endpoints[key] = e
	return e
}

// see finds or makes the agent's endpoint and takes note of the agent's limit; a raised one serves who waits there first.
func (d *Dispatcher) see(a *myriad.Agent) *endpoint {
	e := d.endpoint(a.SlotKey())
	if stated := max(a.MaxConcurrency, 0); stated != e.stated || e.forgotten {
		e.stated, e.forgotten = stated, false
		d.changed(e)
	}
	return e
}

// lock locks for a method that may come to know a new endpoint. Where there are too many it first drops the idle ones, so
// that agents which nobody forgot do not pile up; of those only a SetLimit is lost.
func (d *Dispatcher) lock() {
	d.mu.Lock()
	if len(d.endpoints) < d.sweepAt {
		return
	}
	for key, e := range d.endpoints {
		if e.idle() {
			delete(d.endpoints, key)
		}
	}
	d.sweepAt = max(minSweep, 2*len(d.endpoints))
}

// changed is called after anything about e that decides whether it can serve has changed; it serves who can be served now.
func (d *Dispatcher) changed(e *endpoint) {
	e.capacity = e.limit(d.defaultLimit)
	d.list(e)
	if len(d.ready) > 0 {
		d.match()
	}
}

// list puts e on the list of those ready to serve, or takes it off; a forgotten one that has become idle is dropped.
func (d *Dispatcher) list(e *endpoint) {
	if e.forgotten && e.idle() {
		delete(d.endpoints, e.key)
	}
	switch ready := e.waiting > 0 && e.open(); {
	case ready && e.readyAt == 0:
		d.ready = append(d.ready, e)
		e.readyAt = len(d.ready)
	case !ready && e.readyAt > 0:
		last := d.ready[len(d.ready)-1]
		d.ready[e.readyAt-1], last.readyAt = last, e.readyAt
		d.ready[len(d.ready)-1] = nil
		d.ready = d.ready[:len(d.ready)-1]
		e.readyAt = 0
	}
}
