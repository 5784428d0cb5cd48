package dispatch

import (
	"sync/atomic"
)

// lease is a slot of an endpoint and one of the server, in use.
type lease struct {
	d        *Dispatcher
	at       *endpoint
	released atomic.Bool
}

// Release gives both slots back and serves who is next. More than once, also at once, is harmless.
func (l *lease) Release() {
	if l.released.Swap(true) {
		return
	}
	d, e := l.d, l.at
	d.mu.Lock()
	d.inUse--
	e.inUse--
	d.changed(e)
	d.unlock()
}
