package lifecycle

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-mind/myriad"
)

// The parts of live.held: leases in the low half, pins above them, and the mark of those that give out no more.
const (
	oneLease int64 = 1
	onePin   int64 = 1 << 31
	closed   int64 = 1 << 62
)

func leases(held int64) int64 { return held & (onePin - 1) }
func pins(held int64) int64   { return held &^ closed >> 31 }

// live is one stretch of an instance's life in which it is ready: the agent's card, and who holds it. A crash ends the stretch; leases of
// it end with their own attempts. Its methods take no lock, but for release while somebody waits for room.
type live struct {
	manager  *Manager
	instance *instance
	card     *myriad.Agent
	held     atomic.Int64
	passing  atomic.Bool  // nobody has needed it since it was woken in passing: no other Wake, and no Lease but beside the pins of those
	idle     atomic.Int64 // since when nobody holds it, after Manager.epoch; kept by whoever lets go
	drop     func()       // gives one lease back; made once, so that a lease costs no allocation
	once     sync.Once
	drained  chan struct{} // made before it is closed; closed when the last lease is back
}

func newLive(m *Manager, i *instance, card *myriad.Agent) *live {
	l := &live{manager: m, instance: i, card: card}
	l.drop = func() { l.release(oneLease) }
	l.idle.Store(m.now())
	return l
}

// take adds a lease or a pin; false when the instance is out of routing.
func (l *live) take(unit int64) bool {
	for {
		held := l.held.Load()
		if held&closed != 0 {
			return false
		}
		if l.held.CompareAndSwap(held, held+unit) {
			return true
		}
	}
}

// need notes that somebody needs it. It only ever writes once: this is on the way of every task.
func (l *live) need() {
	if l.passing.Load() {
		l.passing.Store(false)
	}
}

// release gives a lease or pin back.
func (l *live) release(unit int64) {
	l.idle.Store(l.manager.now())
	if l.manager.hungry.Load() && l.held.Load() == unit && l.manager.yield(l, unit) {
		return
	}
	l.letGo(unit)
}

// letGo gives back a unit that did not look like the last one. It may be all the same, because another came back beside it, or somebody began to
// wait meanwhile: then the schedule has to see that nobody holds the instance.
func (l *live) letGo(unit int64) {
	if l.settle(unit) == 0 && l.manager.hungry.Load() {
		l.manager.reconsider()
	}
}

// settle gives a lease or pin back whoever waits, and gives what is still held.
func (l *live) settle(unit int64) int64 {
	held := l.held.Add(-unit)
	if held&closed != 0 && leases(held) == 0 {
		l.once.Do(func() { close(l.drained) })
	}
	return held
}

// close ends the giving out of leases and pins. Manager.mu is held.
func (l *live) close() {
	l.willDrain()
	if held := l.held.Or(closed); leases(held) == 0 {
		l.once.Do(func() { close(l.drained) })
	}
}

func (l *live) willDrain() {
	if l.drained == nil {
		l.drained = make(chan struct{})
	}
}

// closeIdle closes it if nobody holds it but the last unit, which is given back by this; 0 is nobody at all. Manager.mu is held.
func (l *live) closeIdle(last int64) bool {
	if l.held.Load() != last {
		return false
	}
	l.willDrain()
	if !l.held.CompareAndSwap(last, closed) {
		return false
	}
	l.once.Do(func() { close(l.drained) })
	return true
}

// busy says whether anybody holds it.
func (l *live) busy() bool { return l.held.Load()&^closed != 0 }

// idleFor is how long nobody has held it; 0 while somebody does.
func (l *live) idleFor() time.Duration {
	if l.busy() {
		return 0
	}
	return time.Duration(max(0, l.manager.now()-l.idle.Load()))
}

// woken is the answer to an asker for whom the instance was pinned.
func (l *live) woken(cold time.Duration) myriad.Woken {
	return myriad.Woken{Agent: l.card, Cold: cold, Release: sync.OnceFunc(func() { l.release(onePin) })}
}
