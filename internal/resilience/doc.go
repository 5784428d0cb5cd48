// Package resilience holds the policies that keep a caller answering while what it calls fails: the circuit [Breaker], the
// [RetryBudget] that retries and hedges share, [Backoff], the [Hedge] delay, the [Stats] that feed them and the [AdaptiveLimit] of
// slots. They decide and count; they do no I/O, know no HTTP, write no logs and start no goroutines. Whoever calls an agent asks
// them before an attempt and reports to them after it.
//
// All of them read the clock as the monotonic time since they were made, so they are exact under virtual time and blind to steps of
// the wall clock. All are safe for concurrent use, and none allocates while things go well.
//
// Start reading at breaker.go (asking and reporting), then phase.go (the three states) and transition.go (going from one to another).
package resilience

import "time"

// clock measures nanoseconds since it was made. It exists because time.Since is one monotonic reading where time.Now is a monotonic
// and a wall reading: about half the cost, and the cost that dominates these policies.
type clock struct{ epoch time.Time }

func newClock() clock { return clock{epoch: time.Now()} }

func (c clock) now() int64 { return int64(time.Since(c.epoch)) }
