package resilience

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// modelBreaker is the breaker as one would explain it: one goroutine, no generations of objects, every result of the present
// state kept in a list. The property test makes the same moves on it and on the real one.
type modelBreaker struct {
	cfg      BreakerConfig // without jitter
	state    State
	mode     Mode
	gen      int
	row      int
	results  []modelResult
	until    time.Duration
	trips    int
	lastOpen time.Duration
	closedAt time.Duration
	busy     map[int]time.Duration // probe -> end of its lease
	passed   int
	lost     uint64
}

type modelResult struct {
	at            time.Duration
	failure, slow bool
}

type modelPermit struct {
	id, gen int
	start   time.Duration
}

func (m *modelBreaker) turn(s State, mode Mode) {
	m.state, m.mode, m.row, m.results, m.busy, m.passed = s, mode, 0, nil, map[int]time.Duration{}, 0
	m.gen++
}

func (m *modelBreaker) trip(now time.Duration) {
	if m.state == Closed && now-m.closedAt >= m.lastOpen {
		m.trips = 0
	}
	m.trips++
	m.lastOpen = m.cfg.OpenFor << (m.trips - 1)
	if m.lastOpen > m.cfg.MaxOpenFor {
		m.lastOpen = m.cfg.MaxOpenFor
		m.trips--
	}
	m.turn(Open, Auto)
	m.until = now + m.lastOpen
}

func (m *modelBreaker) busyProbes(now time.Duration) (n int, firstEnd time.Duration) {
	firstEnd = 1 << 62
	for _, ends := range m.busy {
		if ends > now {
			n++
			firstEnd = min(firstEnd, ends)
		}
	}
	return n, firstEnd
}

// wait is 0 when a call may go now.
func (m *modelBreaker) wait(now time.Duration) time.Duration {
	switch {
	case m.state == Closed:
		return 0
	case m.mode == ForcedOpen:
		return m.cfg.OpenFor
	case m.state == Open:
		return max(m.until-now, 0)
	}
	if n, end := m.busyProbes(now); m.passed+n >= m.cfg.Probes {
		return min(time.Second, end-now)
	}
	return 0
}

func (m *modelBreaker) acquire(id int, now time.Duration) (modelPermit, time.Duration) {
	if w := m.wait(now); w > 0 {
		return modelPermit{}, w
	}
	if m.state == Open {
		m.turn(HalfOpen, Auto)
	}
	if m.state == HalfOpen {
		for p, ends := range m.busy {
			if ends <= now {
				delete(m.busy, p)
				m.lost++
			}
		}
		m.busy[id] = now + m.cfg.ProbeLease
	}
	return modelPermit{id, m.gen, now}, 0
}

func (m *modelBreaker) done(p modelPermit, v Verdict, now time.Duration) {
	if p.gen != m.gen {
		return
	}
	slow := m.cfg.SlowCall > 0 && now-p.start >= m.cfg.SlowCall
	if m.state == HalfOpen {
		if _, busy := m.busy[p.id]; !busy {
			return
		}
		delete(m.busy, p.id)
		switch {
		case v == Failure || v == Success && slow:
			m.trip(now)
		case v == Success:
			if m.passed++; m.passed == m.cfg.Probes {
				m.turn(Closed, Auto)
				m.closedAt = now
			}
		}
		return
	}
	if v == Ignored {
		return
	}
	m.results = append(m.results, modelResult{now, v == Failure, slow})
	if v == Failure {
		m.row++
	} else {
		m.row = 0
	}
	if m.mode == Auto && (v == Failure || slow) && m.mustTrip(now) {
		m.trip(now)
	}
}

func (m *modelBreaker) mustTrip(now time.Duration) bool {
	if m.cfg.ConsecutiveFailures > 0 && m.row >= m.cfg.ConsecutiveFailures {
		return true
	}
	calls, failures, slow := 0., 0., 0.
	width := m.cfg.Window / windowSlices
	for _, r := range m.results {
		if now/width-r.at/width >= windowSlices {
			continue
		}
		calls++
		if r.failure {
			failures++
		}
		if r.slow {
			slow++
		}
	}
	return calls >= float64(m.cfg.MinCalls) &&
		(m.cfg.FailureRatio > 0 && failures/calls >= m.cfg.FailureRatio || m.cfg.SlowRatio > 0 && slow/calls >= m.cfg.SlowRatio)
}

func (m *modelBreaker) force(mode Mode, now time.Duration) {
	if m.mode == mode {
		return
	}
	m.trips = 0
	next := map[Mode]State{ForcedOpen: Open, ForcedClosed: Closed, Auto: Closed}[mode]
	if mode == Auto && m.mode == ForcedOpen {
		next = HalfOpen
	}
	m.turn(next, mode)
	if next == Closed {
		m.closedAt = now
	}
}

func randomConfig(r *rand.Rand) BreakerConfig {
	pick := func(ds ...time.Duration) time.Duration { return ds[r.IntN(len(ds))] }
	cfg := BreakerConfig{
		ConsecutiveFailures: []int{-1, 0, 1, 5}[r.IntN(4)], OpenFor: pick(0, time.Second, 7*time.Second),
		MaxOpenFor: pick(0, 20*time.Second), Probes: r.IntN(4), ProbeLease: pick(0, 2*time.Second), MinCalls: r.IntN(12),
		Window: pick(0, 3*time.Second),
	}
	if r.IntN(2) == 0 {
		cfg.FailureRatio = 0.2 + 0.6*r.Float64()
	}
	if r.IntN(2) == 0 {
		cfg.SlowCall, cfg.SlowRatio = 500*time.Millisecond, 0.2+0.6*r.Float64()
	}
	return exact(cfg)
}

// The real breaker and the model agree on every move of random lives: states, rejections, waiting times, what was told.
func TestBreakerIsItsModel(t *testing.T) {
	states := map[State]int{}
	eachSeed(t, 400, func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) { liveBesideModel(t, rand.New(rand.NewPCG(seed, 1)), states) })
	})
	if *seed == 0 && (states[Closed] < 1000 || states[Open] < 1000 || states[HalfOpen] < 1000) {
		t.Fatalf("the lives are too dull to prove anything: %v", states)
	}
}

func liveBesideModel(t *testing.T, r *rand.Rand, seen map[State]int) {
	told := Closed
	changes := 0
	cfg := randomConfig(r)
	b := NewBreaker("x", cfg, func(c Change) {
		if c.From != told || c.To == c.From {
			t.Errorf("told %s to %s when the last was %s", c.From, c.To, told)
		}
		told = c.To
		changes++
	})
	m := &modelBreaker{cfg: cfg.withDefaults(), busy: map[int]time.Duration{}}
	began := time.Now()
	type pair struct {
		real  Permit
		model modelPermit
	}
	var out []pair
	badLuck := r.Float64()
	for step := range 400 {
		now := time.Since(began)
		before := m.state
		switch op := r.IntN(100); {
		case op < 40:
			real, err := b.Acquire()
			model, wait := m.acquire(step, now)
			open, _ := errors.AsType[*OpenError](err)
			if (err != nil) != (wait > 0) || err != nil && open.RetryAfter != wait {
				t.Fatalf("step %d: acquire gave %v, the model waits %s", step, err, wait)
			}
			if err == nil {
				out = append(out, pair{real, model})
			}
		case op < 80 && len(out) > 0:
			i := r.IntN(len(out))
			v := Verdict(1 + min(int(r.Float64()+badLuck), 1))
			if r.IntN(8) == 0 {
				v = Ignored
			}
			out[i].real.Done(v)
			m.done(out[i].model, v, now)
			out[i] = out[len(out)-1]
			out = out[:len(out)-1]
		case op == 80:
			mode := Mode(r.IntN(3))
			b.Force(mode)
			m.force(mode, now)
		case op == 81:
			time.Sleep(time.Duration(r.Int64N(int64(2 * time.Minute))))
		default:
			time.Sleep(time.Duration(r.Int64N(int64(700 * time.Millisecond))))
		}
		now = time.Since(began)
		s := b.Snapshot()
		ready, wait := b.Ready()
		if s.State != m.state || s.Mode != m.mode || ready != (m.wait(now) == 0) || wait != m.wait(now) || s.ProbesLost != m.lost {
			t.Fatalf("step %d: %+v, ready %v after %s; the model is %s, %d lost, ready after %s",
				step, s, ready, wait, m.state, m.lost, m.wait(now))
		}
		if m.state == Closed && s.ConsecutiveFailures != m.row {
			t.Fatalf("step %d: %d failures in a row, the model has %d", step, s.ConsecutiveFailures, m.row)
		}
		if told != m.state {
			t.Fatalf("step %d: told %s, the model went from %s to %s", step, told, before, m.state)
		}
		seen[m.state]++
	}
}
