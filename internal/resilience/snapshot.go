package resilience

import "time"

// Snapshot is what a breaker shows of itself to people, the API and dashboards.
type Snapshot struct {
	Name       string
	State      State
	Mode       Mode
	Generation uint64
	Reason     string    // of the last transition
	ChangedAt  time.Time // of the last transition

	ConsecutiveFailures int     // while closed
	Calls               int     // in the window; the ratios are of these, and 0 without a windowed rule
	FailureRatio        float64 // 0 to 1
	SlowRatio           float64 // 0 to 1

	Trips       int           // openings since the last healthy time
	OpenedAt    time.Time     // when it left closed; zero while closed
	NextProbeAt time.Time     // when open; zero when closed, half-open or held open by an operator
	RetryAfter  time.Duration // as Ready returns it
	ProbesBusy  int           // probes under way
	ProbesLost  uint64        // permits of probes that were never given back, ever
	ChangesLost uint64        // changes never told because the listener blocked, ever
}

// Snapshot returns the breaker's state at one moment.
func (b *Breaker) Snapshot() Snapshot {
	wall := time.Now()
	now := b.clock.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	ph := b.cur.Load()
	at := func(reading int64) time.Time { return wall.Add(time.Duration(reading - now)) }
	s := Snapshot{
		Name: b.name, State: ph.state, Mode: ph.mode, Generation: ph.gen, Reason: ph.reason, ChangedAt: at(ph.began),
		ConsecutiveFailures: int(ph.failures.Load()),
		Trips:               b.trips,
		RetryAfter:          b.wait(ph, now),
		ProbesBusy:          len(ph.probes),
		ProbesLost:          b.probesLost,
		ChangesLost:         b.changes.lost,
	}
	if ph.win != nil {
		t := ph.win.totals(now)
		s.Calls, s.FailureRatio, s.SlowRatio = int(t.calls), t.failureRatio(), t.slowRatio()
	}
	if ph.state != Closed {
		s.OpenedAt = at(b.openedAt)
	}
	if ph.state == Open && ph.until != never {
		s.NextProbeAt = at(ph.until)
	}
	return s
}
