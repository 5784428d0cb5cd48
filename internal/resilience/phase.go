package resilience

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// phase is a breaker between two transitions. Its identity is the generation: a result belongs to the phase that let its call
// through, or counts nothing.
type phase struct {
	state  State
	mode   Mode
	gen    uint64
	began  int64
	until  int64 // while open: when a probe may go
	reason string

	failures atomic.Int32 // while closed: in a row; written under the breaker's mu, read without
	win      *window      // while closed, nil when no rule needs it

	probes []probe // while half-open, guarded by the breaker's mu: under way
	passed int     // while half-open, guarded by the breaker's mu: probes that succeeded
}

// probe is one call that decides about a half-open breaker.
type probe struct {
	lease uint64
	ends  int64
}

// newPhase makes the phase that follows the current one. Callers hold mu, or own the breaker alone.
func (b *Breaker) newPhase(s State, m Mode, now int64, reason string) *phase {
	ph := &phase{state: s, mode: m, began: now, until: never, reason: reason}
	if old := b.cur.Load(); old != nil {
		ph.gen = old.gen + 1
	}
	switch {
	case s == Closed && b.cfg.windowed():
		ph.win = newWindow(b.cfg.Window)
	case s == HalfOpen:
		ph.probes = make([]probe, 0, b.cfg.Probes)
	}
	return ph
}

// free says whether one more probe may go: while fewer are under way than are still needed. A probe whose lease has run out is
// not under way.
func (ph *phase) free(need int, now int64) bool {
	busy := 0
	for _, p := range ph.probes {
		if p.ends > now {
			busy++
		}
	}
	return ph.passed+busy < need
}

// nextLeaseEnd returns when the first lease runs out.
func (ph *phase) nextLeaseEnd() int64 {
	end := int64(never)
	for _, p := range ph.probes {
		end = min(end, p.ends)
	}
	return end
}

// reclaim drops the probes whose lease has run out and returns how many they were.
func (ph *phase) reclaim(now int64) int {
	before := len(ph.probes)
	ph.probes = slices.DeleteFunc(ph.probes, func(p probe) bool { return p.ends <= now })
	return before - len(ph.probes)
}

// giveBack takes the probe with the given lease out; false when it is not (any more) one.
func (ph *phase) giveBack(lease uint64) bool {
	i := slices.IndexFunc(ph.probes, func(p probe) bool { return p.lease == lease })
	if i < 0 {
		return false
	}
	ph.probes = slices.Delete(ph.probes, i, i+1)
	return true
}

// acquireProbe is Acquire when ph, the phase seen, was not closed.
func (b *Breaker) acquireProbe(ph *phase) (Permit, error) {
	now := b.clock.now()
	if ph.state == Open && ph.until > now { // the common rejection needs no lock
		return Permit{}, b.rejection(ph, b.wait(ph, now))
	}
	b.mu.Lock()
	permit, turned, err := b.admitLocked(now)
	b.mu.Unlock()
	if turned {
		b.tell()
	}
	return permit, err
}

// admitLocked decides about one call under mu, going from open to half-open when it is time.
func (b *Breaker) admitLocked(now int64) (_ Permit, turned bool, err error) {
	ph := b.cur.Load()
	if ph.state == Closed {
		return Permit{b: b, ph: ph, start: b.startTime()}, false, nil
	}
	if ph.state == Open && ph.until <= now {
		ph = b.turn(b.newPhase(HalfOpen, Auto, now, "open time over"), now)
		turned = true
	}
	if wait := b.wait(ph, now); wait > 0 {
		return Permit{}, turned, b.rejection(ph, wait)
	}
	b.probesLost += uint64(ph.reclaim(now))
	b.lease++
	ph.probes = append(ph.probes, probe{lease: b.lease, ends: now + int64(b.cfg.ProbeLease)})
	return Permit{b: b, ph: ph, start: now, lease: b.lease}, turned, nil
}

func (b *Breaker) rejection(ph *phase, wait time.Duration) error {
	return &OpenError{Name: b.name, State: ph.state, RetryAfter: wait, Forced: ph.mode == ForcedOpen}
}

// probed takes the report of a probe: all needed successes close the breaker, one failure or slow success opens it again.
func (b *Breaker) probed(ph *phase, lease uint64, v Verdict, start int64) {
	now := b.clock.now()
	b.mu.Lock()
	turned := b.probedLocked(ph, lease, v, now, time.Duration(now-start))
	b.mu.Unlock()
	if turned {
		b.tell()
	}
}

func (b *Breaker) probedLocked(ph *phase, lease uint64, v Verdict, now int64, took time.Duration) bool {
	if b.cur.Load() != ph || !ph.giveBack(lease) {
		return false
	}
	switch {
	case v == Failure:
		b.trip("probe failed", now)
	case v == Success && b.cfg.SlowCall > 0 && took >= b.cfg.SlowCall:
		b.trip(fmt.Sprintf("probe took %s", took.Round(time.Millisecond)), now)
	case v == Success:
		if ph.passed++; ph.passed < b.cfg.Probes {
			return false
		}
		b.close(now)
	default:
		return false
	}
	return true
}

// succeeded counts a success while closed. It takes the lock only to end a row of failures or to weigh a slow call.
func (b *Breaker) succeeded(ph *phase, start int64) {
	slow := false
	now := int64(0)
	if ph.win != nil {
		now = b.clock.now()
		slow = b.cfg.SlowCall > 0 && now-start >= int64(b.cfg.SlowCall)
		ph.win.add(now, false, slow)
	}
	if !slow && ph.failures.Load() == 0 {
		return
	}
	b.mu.Lock()
	turned := false
	if b.cur.Load() == ph {
		ph.failures.Store(0)
		turned = slow && b.weigh(ph, now)
	}
	b.mu.Unlock()
	if turned {
		b.tell()
	}
}

// failed counts a failure while closed.
func (b *Breaker) failed(ph *phase, start int64) {
	now := b.clock.now()
	if ph.win != nil {
		ph.win.add(now, true, b.cfg.SlowCall > 0 && now-start >= int64(b.cfg.SlowCall))
	}
	b.mu.Lock()
	turned := false
	if b.cur.Load() == ph {
		ph.failures.Add(1)
		turned = b.weigh(ph, now)
	}
	b.mu.Unlock()
	if turned {
		b.tell()
	}
}

// weigh applies the rules under mu and says whether the breaker opened. Only a failure or a slow call asks for it: a good call
// never opens the breaker, even if it is the one that makes the ratio worth believing.
func (b *Breaker) weigh(ph *phase, now int64) bool {
	if ph.mode == ForcedClosed {
		return false
	}
	reason := b.tripReason(ph, now)
	if reason == "" {
		return false
	}
	b.trip(reason, now)
	return true
}

// tripReason says which rule opens the breaker, or nothing.
func (b *Breaker) tripReason(ph *phase, now int64) string {
	if n := int(ph.failures.Load()); b.cfg.ConsecutiveFailures > 0 && n >= b.cfg.ConsecutiveFailures {
		return fmt.Sprintf("%d consecutive failures", n)
	}
	if ph.win == nil {
		return ""
	}
	t := ph.win.totals(now)
	if t.calls < uint64(b.cfg.MinCalls) {
		return ""
	}
	if r := t.failureRatio(); b.cfg.FailureRatio > 0 && r >= b.cfg.FailureRatio {
		return fmt.Sprintf("failure ratio %.2f of %d calls in %s", r, t.calls, b.cfg.Window)
	}
	if r := t.slowRatio(); b.cfg.SlowRatio > 0 && r >= b.cfg.SlowRatio {
		return fmt.Sprintf("slow ratio %.2f of %d calls in %s", r, t.calls, b.cfg.Window)
	}
	return ""
}
