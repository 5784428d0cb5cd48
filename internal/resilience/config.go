package resilience

import (
	"errors"
	"fmt"
	"time"
)

// BreakerConfig says when a [Breaker] opens and how it comes back. The zero value is the default configuration: three failures in
// a row open it for 30 s.
type BreakerConfig struct {
	// ConsecutiveFailures in a row open the breaker. 0 means 3; negative switches the rule off.
	ConsecutiveFailures int

	// OpenFor is how long the first trip keeps it open. 0 means 30 s. Each further trip without a healthy time between (closed
	// for at least as long as it was last open) doubles it, up to MaxOpenFor (0 means ten times OpenFor; equal to OpenFor means
	// no growth).
	OpenFor    time.Duration
	MaxOpenFor time.Duration

	// Jitter spreads the open time by this share to both sides, so that many breakers do not probe together. 0 means 0.10;
	// negative means none. At most 1.
	Jitter float64

	// Probes is how many calls may be under way while half-open, and how many have to succeed to close. 0 means 1.
	Probes int

	// ProbeLease is after how long a probe that was never reported is given up for lost, so that a lost permit cannot keep the
	// breaker half-open for ever. It has to be longer than the longest attempt. 0 means 1 min or OpenFor, the longer one.
	ProbeLease time.Duration

	// FailureRatio, 0 to 1, of the calls in the window opens the breaker. 0 switches the rule off.
	FailureRatio float64

	// SlowCall is from which duration a call is slow; SlowRatio, 0 to 1, of slow calls in the window opens the breaker. Either
	// of them 0 switches the rule off.
	SlowCall  time.Duration
	SlowRatio float64

	// Window is the rolling time over which the two ratios are taken (0 means 10 s), MinCalls the fewest calls in it that make a
	// ratio worth believing (0 means 20).
	Window   time.Duration
	MinCalls int
}

// Validate names every mistake in c at once, or returns nil. A zero or negative value that has a meaning is no mistake.
func (c BreakerConfig) Validate() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(c.OpenFor < 0, "open time %s is negative", c.OpenFor)
	bad(c.MaxOpenFor < 0, "longest open time %s is negative", c.MaxOpenFor)
	bad(c.MaxOpenFor > 0 && c.MaxOpenFor < c.OpenFor, "longest open time %s is shorter than the open time %s", c.MaxOpenFor, c.OpenFor)
	bad(c.Jitter > 1, "jitter %g is above 1", c.Jitter)
	bad(c.Probes < 0, "probes %d is negative", c.Probes)
	bad(c.ProbeLease < 0, "probe lease %s is negative", c.ProbeLease)
	bad(c.FailureRatio < 0 || c.FailureRatio > 1, "failure ratio %g is outside 0 to 1", c.FailureRatio)
	bad(c.SlowRatio < 0 || c.SlowRatio > 1, "slow ratio %g is outside 0 to 1", c.SlowRatio)
	bad(c.SlowCall < 0, "slow call %s is negative", c.SlowCall)
	bad((c.SlowCall > 0) != (c.SlowRatio > 0), "slow call %s and slow ratio %g go together", c.SlowCall, c.SlowRatio)
	bad(c.Window < 0, "window %s is negative", c.Window)
	bad(c.MinCalls < 0, "least calls %d is negative", c.MinCalls)
	return errors.Join(errs...)
}

// withDefaults fills in what is zero, and treats what [BreakerConfig.Validate] would refuse as zero.
func (c BreakerConfig) withDefaults() BreakerConfig {
	if c.ConsecutiveFailures == 0 {
		c.ConsecutiveFailures = 3
	}
	c.OpenFor = positiveOr(c.OpenFor, 30*time.Second)
	c.MaxOpenFor = max(positiveOr(c.MaxOpenFor, 10*c.OpenFor), c.OpenFor)
	if c.Jitter == 0 {
		c.Jitter = 0.10
	}
	c.Jitter = min(max(c.Jitter, 0), 1)
	c.Probes = positiveOr(c.Probes, 1)
	c.ProbeLease = positiveOr(c.ProbeLease, max(time.Minute, c.OpenFor))
	c.FailureRatio = max(c.FailureRatio, 0)
	if c.SlowCall <= 0 || c.SlowRatio <= 0 {
		c.SlowCall, c.SlowRatio = 0, 0
	}
	c.Window = positiveOr(c.Window, 10*time.Second)
	c.MinCalls = positiveOr(c.MinCalls, 20)
	return c
}

// windowed says whether a rule needs the rolling window.
func (c BreakerConfig) windowed() bool { return c.FailureRatio > 0 || c.SlowRatio > 0 }

// positiveOr returns v when it is positive, else fallback.
func positiveOr[T ~int | ~int64 | ~float64](v, fallback T) T {
	if v > 0 {
		return v
	}
	return fallback
}
