package resilience

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// LimitConfig bounds an [AdaptiveLimit].
type LimitConfig struct {
	Min, Max  int     // slots; 0 means 1 and 100
	Initial   int     // slots to begin with; 0 means 10; kept within Min and Max
	Tolerance float64 // how many times the unloaded latency is still fine; below 1 means 1.5
}

// AdaptiveLimit finds how many calls an agent can serve at once, from how its latency answers to load: while calls take about as long
// as they do unloaded the limit creeps up, and when they take longer it falls in proportion. With an agent that serves n calls at
// once and queues the rest it settles near Tolerance times n plus the square root of that, a short queue that keeps the agent busy.
//
// The rule is the gradient of Netflix's concurrency-limits ("Performance Under Load", 2018). That one learns what unloaded latency is
// from a long average and so gets used to overload and drifts up; this one cuts the limit to a third for two short windows now and then, lets
// the queue drain and measures, as BBR does for round-trip times (Cardwell et al., 2016).
type AdaptiveLimit struct {
	min, max  float64
	tolerance float64
	slots     atomic.Int64 // the limit, whole, to be read without the lock

	mu       sync.Mutex
	limit    float64      // guarded by mu
	unloaded float64      // guarded by mu: ns a call takes without a queue; 0 when not known
	win      limitWindow  // guarded by mu
	stage    measureStage // guarded by mu
	resume   float64      // guarded by mu: the limit to go on with after measuring
	loaded   int          // guarded by mu: windows under load since the last measurement
}

// limitWindow sums up the calls between two decisions.
type limitWindow struct {
	calls, answered, dropped int
	busiest                  int     // most calls under way
	total                    float64 // ns that the answered ones took
}

type measureStage int

const (
	steering  measureStage = iota // following the gradient
	draining                      // limit cut, calls from before still under way
	measuring                     // limit cut, what is measured counts
)

const (
	leastWindow    = 10  // calls that make a decision
	limitSmoothing = 0.2 // of a new limit in the old one
	steepest       = 0.5 // gradient below which one window does not cut
	dropFactor     = 0.9 // for a window with drops
	measureEvery   = 50  // windows under load
	measureCut     = 3   // by which the limit is divided to measure; well below what the queue term can add to it
)

// NewAdaptiveLimit returns a limit that has seen nothing yet. It begins by measuring.
func NewAdaptiveLimit(cfg LimitConfig) *AdaptiveLimit {
	least := positiveOr(cfg.Min, 1)
	most := max(positiveOr(cfg.Max, 100), least)
	l := &AdaptiveLimit{min: float64(least), max: float64(most), tolerance: cfg.Tolerance}
	if l.tolerance < 1 {
		l.tolerance = 1.5
	}
	l.set(float64(positiveOr(cfg.Initial, 10)))
	l.measure()
	return l
}

// Limit returns how many calls may be under way now, between Min and Max.
func (l *AdaptiveLimit) Limit() int { return int(l.slots.Load()) }

// Update takes one call that has ended: how long it took, how many were under way with it, and whether it was dropped (timed out or
// refused for overload; its time does not count then). Calls that ended for nobody's fault are not reported. Returns the limit.
func (l *AdaptiveLimit) Update(took time.Duration, inflight int, dropped bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &l.win
	w.calls++
	w.busiest = max(w.busiest, inflight)
	if dropped {
		w.dropped++
	} else {
		w.answered++
		w.total += float64(max(took, 1))
	}
	if w.calls >= max(leastWindow, int(l.limit)) {
		l.decide(*w)
		l.win = limitWindow{}
	}
	return l.Limit()
}

// decide sets the limit by one window.
func (l *AdaptiveLimit) decide(w limitWindow) {
	if w.dropped > 0 {
		l.endMeasuring()
		l.set(l.limit * dropFactor)
		return
	}
	took := w.total / float64(w.answered)
	switch {
	case l.stage == draining:
		l.stage = measuring
	case l.stage == measuring:
		l.unloaded = took
		l.endMeasuring()
	case float64(w.busiest)*2 < l.limit: // the callers do not use what they have: nothing to learn but how fast it is
		l.unloaded += limitSmoothing * (took - l.unloaded)
	default:
		l.steer(took)
	}
}

// steer follows the gradient, and measures anew when it has done so for long.
func (l *AdaptiveLimit) steer(took float64) {
	if l.unloaded == 0 || took < l.unloaded {
		l.unloaded = took
	}
	gradient := min(max(l.tolerance*l.unloaded/took, steepest), 1)
	aim := l.limit*gradient + math.Sqrt(l.limit)
	l.set(l.limit + limitSmoothing*(aim-l.limit))
	if l.loaded++; l.loaded >= measureEvery {
		l.measure()
	}
}

func (l *AdaptiveLimit) measure() {
	l.stage, l.resume = draining, l.limit
	l.set(l.limit / measureCut)
}

func (l *AdaptiveLimit) endMeasuring() {
	if l.stage != steering {
		l.set(l.resume)
	}
	l.stage, l.loaded = steering, 0
}

func (l *AdaptiveLimit) set(limit float64) {
	l.limit = min(max(limit, l.min), l.max)
	l.slots.Store(int64(l.limit))
}
