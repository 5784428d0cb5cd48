package resilience

import (
	"sync"
	"time"
)

// Summary is what is known of one agent and one intent from recent attempts. The zero value knows nothing.
type Summary struct {
	Attempts  uint64        // since the series began; only attempts that were the agent's doing
	Successes uint64        // of them
	Samples   int           // recent durations behind Latency and P95, at most a few hundred
	Latency   time.Duration // exponentially smoothed
	P95       time.Duration // at most 25 % (or 1 us) above the true one, never below
	// SuccessRatio of the recent attempts, 0 to 1, as if two successes had gone before: so one failure does not condemn a newcomer.
	SuccessRatio float64
	LastAt       time.Time // of the last attempt; zero when there was none
}

const (
	latencyShare = 1.0 / 8 // of a new duration in the smoothed one
	recentBound  = 64      // attempts at which what SuccessRatio counts is halved
	priorGood    = 2       // successes that SuccessRatio starts with
)

// Series holds the statistics of one agent and one intent.
type Series struct {
	agent, intent string
	newer, older  *Series // in the registry's list, guarded by its mu

	mu                  sync.Mutex
	attempts, successes uint64
	recent, recentGood  uint32
	smoothed            float64 // ns
	durations           histogram
	last                time.Time
}

// Observe counts one attempt that took d. A failure says little about how fast the agent answers (a refused connection is very
// fast), but one that took longer than its usual answer, a time-out above all, says that it is slow; only then its duration counts.
func (s *Series) Observe(d time.Duration, success bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = now
	s.attempts++
	s.recent++
	if success {
		s.successes++
		s.recentGood++
	}
	if s.recent >= recentBound {
		s.recent /= 2
		s.recentGood /= 2
	}
	if success || s.slowerThanUsual(d) {
		s.addDuration(d)
	}
}

// GaveUp notes that an attempt was abandoned after d without an answer and without anybody's fault: the loser of a hedge. It is
// neither an attempt nor a success nor a failure. But when d is longer than the usual answer it says that the agent is slow; else an
// agent that became slow and loses every hedge would look as fast as ever, and go on being asked first.
func (s *Series) GaveUp(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slowerThanUsual(d) {
		s.addDuration(d)
	}
}

// slowerThanUsual says whether d, a time without an answer, is longer than the smoothed answer. Callers hold mu.
func (s *Series) slowerThanUsual(d time.Duration) bool {
	return s.durations.total > 0 && float64(d) > s.smoothed
}

func (s *Series) addDuration(d time.Duration) {
	if s.durations.total == 0 {
		s.smoothed = float64(d)
	} else {
		s.smoothed += latencyShare * (float64(d) - s.smoothed)
	}
	s.durations.add(d)
}

// Summary returns what is known now.
func (s *Series) Summary() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Summary{
		Attempts: s.attempts, Successes: s.successes, Samples: int(s.durations.total),
		Latency: time.Duration(s.smoothed), P95: s.durations.quantile(0.95),
		SuccessRatio: float64(s.recentGood+priorGood) / float64(s.recent+priorGood),
		LastAt:       s.last,
	}
}
