package resilience

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// State is where a breaker stands. The numbers are those of the gauge myriad_circuit_breaker_state.
type State int

// The states.
const (
	Closed   State = 0 // calls pass
	Open     State = 1 // calls are rejected
	HalfOpen State = 2 // a few real calls probe whether it is over
)

// String returns closed, open or half_open.
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case Open:
		return "open"
	case HalfOpen:
		return "half_open"
	}
	return "unknown"
}

// Verdict is what a call came to, as far as the breaker cares. The zero value counts nothing, which makes
// defer permit.Done(Ignored) a safe net.
type Verdict int

// The verdicts.
const (
	Ignored Verdict = iota // nobody's doing or the caller's: gives a probe back, counts nothing
	Success                // the callee answered well
	Failure                // the callee's fault
)

// Breaker is a circuit breaker for one callee. Ask it with Acquire before each call and report with [Permit.Done] after it.
//
// While closed and well, asking and reporting touch no lock, and no clock unless a rule needs one. Every transition puts a new
// phase in place of the old one, and a permit remembers the phase that gave it out, so whatever is reported late falls on an object
// that nobody reads any more.
type Breaker struct {
	name     string
	cfg      BreakerConfig
	clock    clock
	onChange func(Change)

	cur atomic.Pointer[phase] // swapped under mu

	mu         sync.Mutex
	trips      int           // guarded by mu: openings since the last healthy time
	lastOpen   time.Duration // guarded by mu: how long the last opening was to last
	openedAt   int64         // guarded by mu: when it left closed; meaningless while closed
	lease      uint64        // guarded by mu: number of the last probe given out
	probesLost uint64        // guarded by mu
	changes    changeQueue   // guarded by mu
}

// NewBreaker returns a closed breaker. onChange, which may be nil, is told of every change of state: one call at a time, in order,
// exactly once, never under the breaker's lock, so it may call the breaker. It runs on the goroutine of some caller of the breaker
// and must not block. Values of cfg that [BreakerConfig.Validate] refuses are taken as their defaults.
func NewBreaker(name string, cfg BreakerConfig, onChange func(Change)) *Breaker {
	b := &Breaker{name: name, cfg: cfg.withDefaults(), clock: newClock(), onChange: onChange}
	b.changes.most = maxUntold
	b.cur.Store(b.newPhase(Closed, Auto, 0, "started"))
	return b
}

// Name returns the name that NewBreaker was given.
func (b *Breaker) Name() string { return b.name }

// State returns the state. Open lasts until a call really probes, even when the open time is over.
func (b *Breaker) State() State { return b.cur.Load().state }

// Permit is the leave to make one call. Report with Done exactly once on every way out; the usual form is
//
//	permit, err := breaker.Acquire()
//	if err != nil { ... }
//	defer permit.Done(resilience.Ignored) // a panic or an early return gives the permit back
//	...
//	permit.Done(resilience.Success)
//
// The first Done of a Permit counts and later ones do nothing. A Permit is used by one goroutine at a time, and copies of it do not
// know of each other: who passes it on passes a pointer.
type Permit struct {
	b     *Breaker
	ph    *phase
	start int64  // clock reading at Acquire, taken only when slow calls count
	lease uint64 // number of the probe; 0 for calls while closed
}

// Probe says whether the call is one of those that decide about a half-open breaker.
func (p *Permit) Probe() bool { return p.lease != 0 }

// Acquire asks for leave to make one call now. When there is none the error is an [*OpenError]. It does not wait.
func (b *Breaker) Acquire() (Permit, error) {
	ph := b.cur.Load()
	if ph.state == Closed {
		return Permit{b: b, ph: ph, start: b.startTime()}, nil
	}
	return b.acquireProbe(ph)
}

// startTime reads the clock only when slow calls count.
func (b *Breaker) startTime() int64 {
	if b.cfg.SlowCall == 0 {
		return 0
	}
	return b.clock.now()
}

// Done reports what the call came to. A call that began before the last transition counts nothing.
func (p *Permit) Done(v Verdict) {
	b, ph := p.b, p.ph
	if b == nil {
		return
	}
	p.b = nil
	if b.cur.Load() != ph {
		return
	}
	if ph.state == HalfOpen {
		b.probed(ph, p.lease, v, p.start)
		return
	}
	switch v {
	case Success:
		b.succeeded(ph, p.start)
	case Failure:
		b.failed(ph, p.start)
	}
}

// Ready says whether Acquire would now have a chance: closed, open time over, or half-open with a probe to give. Otherwise it
// returns how long to wait before asking again, always more than zero. It changes nothing.
func (b *Breaker) Ready() (bool, time.Duration) {
	ph := b.cur.Load()
	if ph.state == Closed {
		return true, 0
	}
	now := b.clock.now()
	if ph.state == HalfOpen {
		b.mu.Lock()
		defer b.mu.Unlock()
	}
	wait := b.wait(ph, now)
	return wait == 0, wait
}

// wait returns the time to the next probe of ph, 0 for now. When ph is half-open callers hold mu.
func (b *Breaker) wait(ph *phase, now int64) time.Duration {
	switch {
	case ph.state == Closed:
		return 0
	case ph.mode == ForcedOpen:
		return b.cfg.OpenFor
	case ph.state == Open:
		return time.Duration(max(ph.until-now, 0))
	case ph.free(b.cfg.Probes, now):
		return 0
	}
	// A probe is under way; it decides soon or its lease runs out. Nobody can know when, so ask for a little patience.
	return min(probePatience, time.Duration(ph.nextLeaseEnd()-now))
}

// probePatience is what a caller is told to wait while another one's probe is under way.
const probePatience = time.Second

// never is a clock reading that does not come.
const never = math.MaxInt64

// OpenError says that a breaker gave no leave.
type OpenError struct {
	Name       string
	State      State         // Open, or HalfOpen while others probe
	RetryAfter time.Duration // when to ask again, more than zero
	Forced     bool          // an operator opened it
}

// Error describes the rejection to people.
func (e *OpenError) Error() string {
	how := e.State.String()
	if e.Forced {
		how = "held open by an operator"
	}
	return fmt.Sprintf("circuit breaker %q is %s, try again in %s", e.Name, how, e.RetryAfter.Round(time.Millisecond))
}
