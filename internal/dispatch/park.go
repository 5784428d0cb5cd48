package dispatch

import (
	"time"

	"github.com/myriad-mind/myriad"
)

// Park lets the endpoint give no slot until wait has passed; who waits for it keeps his place. Parking a parked endpoint can make it
// longer, never shorter. A wait that is not positive does nothing.
func (d *Dispatcher) Park(key string, wait time.Duration) {
	if wait <= 0 {
		return
	}
	d.lock()
	defer d.unlock()
	e := d.endpoint(key)
	until := time.Now().Add(wait)
	if !until.After(e.parkedUntil) {
		return
	}
	e.parkedUntil = until
	d.changed(e)
	if d.closed {
		return
	}
	d.disarm(e)
	d.background.Add(1)
	e.timer = time.AfterFunc(wait, func() {
		defer d.background.Done()
		d.reopen(e)
	})
}

// Parked is the time until the endpoint gives slots again, 0 when it is not parked.
func (d *Dispatcher) Parked(key string) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e, ok := d.endpoints[key]; ok && e.parked() {
		return max(time.Until(e.parkedUntil), 1) // the timer decides when it is over
	}
	return 0
}

// ParkedAll is the time until the first of the candidates' endpoints gives slots again, 0 when one is not parked or there are none.
func (d *Dispatcher) ParkedAll(candidates []myriad.Candidate) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	var first time.Duration
	for i := range candidates {
		e, ok := d.endpoints[candidates[i].SlotKey()]
		if !ok || !e.parked() {
			return 0
		}
		if wait := max(time.Until(e.parkedUntil), 1); first == 0 || wait < first { // the timer decides when it is over
			first = wait
		}
	}
	return first
}

// reopen is the timer's: it ends the parking unless that was made longer while the timer fired.
func (d *Dispatcher) reopen(e *endpoint) {
	d.mu.Lock()
	if e.parked() && time.Until(e.parkedUntil) <= 0 {
		e.parkedUntil, e.timer = time.Time{}, nil
		d.changed(e)
	}
	d.unlock()
}

// disarm stops e's timer, if there is one that has not fired.
func (d *Dispatcher) disarm(e *endpoint) {
	if e.timer != nil && e.timer.Stop() {
		d.background.Done()
	}
	e.timer = nil
}
