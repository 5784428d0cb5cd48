package resilience

import (
	"math/rand/v2"
	"time"
)

// Backoff is the wait before a retry: exponential with full jitter, that is, evenly anything from nothing to a ceiling that doubles
// with each retry. Full jitter spreads the retries of many callers best (M. Brooker, "Exponential Backoff And Jitter", 2015).
type Backoff struct {
	Base time.Duration // ceiling before the first retry; 0 means 50 ms
	Max  time.Duration // ceiling of the ceilings; 0 means 2 s
}

// Next returns how long to wait before the given retry, counted from 0. It is false when the wait would not end before the deadline:
// there is nothing to wait for then. The zero deadline is none.
func (b Backoff) Next(retry int, deadline time.Time) (time.Duration, bool) {
	d := rand.N(b.ceiling(retry) + 1)
	if !deadline.IsZero() && d >= time.Until(deadline) {
		return 0, false
	}
	return d, true
}

// ceiling returns the longest wait before the given retry.
func (b Backoff) ceiling(retry int) time.Duration {
	longest := positiveOr(b.Max, 2*time.Second)
	d := min(positiveOr(b.Base, 50*time.Millisecond), longest)
	for range retry {
		if d > longest/2 {
			return longest
		}
		d *= 2
	}
	return d
}
