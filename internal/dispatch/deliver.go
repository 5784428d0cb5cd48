package dispatch

import (
	"runtime/debug"
	"time"
)

// maxDeliverers bounds the goroutines that tell the served at once, and with it how deep a chain of Grant, Release, Grant can nest:
// beyond it the served are left to those already telling.
const maxDeliverers = 8

// unlock unlocks and then tells whoever was served that it was. Every method that may serve somebody ends with it.
func (d *Dispatcher) unlock() {
	if d.served.front == nil || d.deliverers >= maxDeliverers {
		d.mu.Unlock()
		return
	}
	d.deliverers++
	for t := d.served.pop(); t != nil; t = d.served.pop() {
		d.mu.Unlock()
		d.deliver(t)
		d.mu.Lock()
	}
	d.deliverers--
	d.mu.Unlock()
}

// deliver calls the ticket's Grant. If that panics or ends its goroutine, the slot goes back and the telling goes on.
func (d *Dispatcher) deliver(t *ticket) {
	grant := t.turn.Grant
	t.turn = nil // the slot may live long, the turn need not
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			stack := debug.Stack()
			t.Release()
			d.report(v, stack)
			return
		}
		// runtime.Goexit: this goroutine is ending and its loop in unlock with it, so another one goes on.
		d.background.Go(func() {
			d.mu.Lock()
			d.deliverers--
			d.mu.Unlock()
			t.Release()
			d.mu.Lock()
			d.unlock() // also when Release had nobody to serve
		})
	}()
	grant(t.chosen, &t.lease, time.Since(t.since))
	returned = true
}

// report tells the hook of a panic.
func (d *Dispatcher) report(value any, stack []byte) {
	d.mu.Lock()
	hook := d.onPanic
	d.mu.Unlock()
	if hook == nil {
		return
	}
	defer func() { _ = recover() }() // the hook is the last resort; there is nobody left to tell
	hook(value, stack)
}
