package resilience

import (
	"math/rand/v2"
	"time"
)

// Change is one transition of a breaker.
type Change struct {
	Name       string
	From, To   State
	Reason     string        // for people: which rule, probe or operator
	At         time.Time     // wall clock
	RetryAfter time.Duration // to the next probe when To is Open, else 0
	Generation uint64        // grows with every transition of this breaker
}

// Mode is who decides about the state.
type Mode int

// The modes.
const (
	Auto         Mode = iota // the rules
	ForcedOpen               // an operator: nothing passes
	ForcedClosed             // an operator: everything passes, failures are counted but open nothing
)

// String returns auto, open or close, the operator's words.
func (m Mode) String() string {
	switch m {
	case Auto:
		return "auto"
	case ForcedOpen:
		return "open"
	case ForcedClosed:
		return "close"
	}
	return "unknown"
}

// ParseMode understands what [Mode.String] writes.
func ParseMode(s string) (Mode, bool) {
	for m := Auto; m <= ForcedClosed; m++ {
		if m.String() == s {
			return m, true
		}
	}
	return Auto, false
}

// Force puts an operator's will in place of the rules, or with Auto the rules back: after ForcedOpen the next call probes, after
// ForcedClosed counting starts afresh. Forcing the mode that holds already changes nothing. Forgets the growth of the open time.
func (b *Breaker) Force(m Mode) {
	now := b.clock.now()
	b.mu.Lock()
	turned := b.forceLocked(m, now)
	b.mu.Unlock()
	if turned {
		b.tell()
	}
}

func (b *Breaker) forceLocked(m Mode, now int64) bool {
	ph := b.cur.Load()
	if ph.mode == m {
		return false
	}
	b.trips = 0
	switch {
	case m == ForcedOpen:
		if ph.state == Closed {
			b.openedAt = now
		}
		b.turn(b.newPhase(Open, m, now, "forced open"), now)
	case m == ForcedClosed:
		b.turn(b.newPhase(Closed, m, now, "forced closed"), now)
	case ph.mode == ForcedOpen:
		b.turn(b.newPhase(HalfOpen, Auto, now, "back to automatic"), now)
	default:
		b.turn(b.newPhase(Closed, Auto, now, "back to automatic"), now)
	}
	return true
}

// trip opens the breaker. Callers hold mu.
func (b *Breaker) trip(reason string, now int64) {
	old := b.cur.Load()
	if old.state == Closed {
		if time.Duration(now-old.began) >= b.lastOpen {
			b.trips = 0 // closed for as long as it was open: that was a recovery, not a flap
		}
		b.openedAt = now
	}
	b.trips++
	b.lastOpen = b.openTime()
	ph := b.newPhase(Open, Auto, now, reason)
	ph.until = now + int64(b.lastOpen)
	b.turn(ph, now)
}

// close closes the breaker. Callers hold mu.
func (b *Breaker) close(now int64) {
	reason := "probe succeeded"
	if b.cfg.Probes > 1 {
		reason = "probes succeeded"
	}
	b.turn(b.newPhase(Closed, Auto, now, reason), now)
}

// openTime returns how long this trip lasts: doubled for each trip after the first, to the ceiling, then spread.
func (b *Breaker) openTime() time.Duration {
	d := b.cfg.OpenFor
	for range b.trips - 1 {
		if d >= b.cfg.MaxOpenFor {
			break
		}
		d *= 2
	}
	d = min(d, b.cfg.MaxOpenFor)
	spread := 1 + b.cfg.Jitter*(2*rand.Float64()-1)
	return max(time.Duration(float64(d)*spread), 1)
}

// turn puts next in place of the current phase and remembers to tell it when the state differs. Callers hold mu, and call tell
// after they have released it.
func (b *Breaker) turn(next *phase, now int64) *phase {
	old := b.cur.Swap(next)
	if old.state != next.state && b.onChange != nil {
		c := Change{Name: b.name, From: old.state, To: next.state, Reason: next.reason, At: time.Now(), Generation: next.gen}
		if next.state == Open {
			c.RetryAfter = b.wait(next, now)
		}
		b.changes.push(c)
	}
	return next
}

// changeQueue holds the changes that were made but not told yet. Only a listener that blocks lets it grow; past its bound the
// oldest are lost, and counted.
type changeQueue struct {
	waiting []Change
	most    int
	telling bool // some goroutine is telling, and will tell what is added meanwhile
	lost    uint64
}

// maxUntold is how many changes wait for a listener that blocks. With open times of seconds that is hours.
const maxUntold = 1024

func (q *changeQueue) push(c Change) {
	if len(q.waiting) >= q.most {
		q.waiting = q.waiting[1:]
		q.lost++
	}
	q.waiting = append(q.waiting, c)
}

// tell passes the waiting changes to the listener, outside the lock and in order. One goroutine at a time does so; one that finds
// another at it leaves its change to that one. A listener's panic reaches the caller, after the rest has been told.
func (b *Breaker) tell() {
	b.mu.Lock()
	if b.changes.telling {
		b.mu.Unlock()
		return
	}
	b.changes.telling = true
	defer func() {
		b.changes.telling = false
		panicked := len(b.changes.waiting) > 0
		b.mu.Unlock()
		if panicked {
			b.tell()
		}
	}()
	for len(b.changes.waiting) > 0 {
		c := b.changes.waiting[0]
		b.changes.waiting = b.changes.waiting[1:]
		b.tellOne(c)
	}
	b.changes.waiting = nil
}

// tellOne calls the listener with mu released, and holds mu again when it returns or panics.
func (b *Breaker) tellOne(c Change) {
	b.mu.Unlock()
	defer b.mu.Lock()
	b.onChange(c)
}
