package resilience

import "time"

// Hedge says when a call that has not been answered is worth a second attempt on another candidate: once it takes longer than nearly
// all calls to the same agent for the same intent (J. Dean, L. A. Barroso, "The Tail at Scale", 2013).
//
// An agent that is slow throughout has a slow p95 too, and waiting for that would never help its callers. So when the other candidate
// is known, the wait is also at most a multiple of that one's p95.
type Hedge struct {
	Min        time.Duration // never sooner, so that noise between fast answers costs no second call; 0 means 10 ms
	Max        time.Duration // never later; 0 means 2 s
	MinSamples int           // an agent with fewer recent answers is not hedged; 0 means 20
	PeerFactor float64       // never later than so many times the other candidate's p95; 0 means 2, negative means no such bound
}

// Delay returns after how long to make the second attempt, given what is known of the agent that was called and of the one that would
// be called next; false when too little is known of the first. What is known of the other counts from MinSamples on.
func (h Hedge) Delay(called, other Summary) (time.Duration, bool) {
	least := positiveOr(h.MinSamples, 20)
	if called.Samples < least {
		return 0, false
	}
	d := called.P95
	if h.PeerFactor >= 0 && other.Samples >= least {
		d = min(d, time.Duration(float64(other.P95)*positiveOr(h.PeerFactor, 2)))
	}
	shortest := positiveOr(h.Min, 10*time.Millisecond)
	longest := max(positiveOr(h.Max, 2*time.Second), shortest)
	return min(max(d, shortest), longest), true
}
