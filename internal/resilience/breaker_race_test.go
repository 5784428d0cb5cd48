package resilience

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Under 100 goroutines and an operator who keeps interfering, the changes told form one unbroken chain that ends in the breaker's
// state, and each is told by itself.
func TestChangesAreToldInOrderExactlyOnceUnderConcurrency(t *testing.T) {
	var chain []Change
	var inside atomic.Int32
	var b *Breaker
	b = NewBreaker("x", BreakerConfig{OpenFor: time.Microsecond, Probes: 2}, func(c Change) {
		if inside.Add(1) != 1 {
			t.Error("two changes told at once")
		}
		chain = append(chain, c) // the race detector proves that tellings follow each other
		b.Snapshot()
		inside.Add(-1)
	})
	b.changes.most = 1e6 // a teller may be off the processor for many turns of such a nervous breaker
	var wg sync.WaitGroup
	for g := range uint64(100) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(g, 2))
			for range 200 {
				if r.IntN(200) == 0 {
					b.Force(Mode(r.IntN(3)))
				}
				if p, err := b.Acquire(); err == nil {
					p.Done(Verdict(r.IntN(3)))
				}
			}
		})
	}
	wg.Wait()
	b.Force(ForcedOpen)
	b.Force(ForcedClosed)
	last, gen := Closed, uint64(0)
	for i, c := range chain {
		if c.From != last || c.To == last || c.Generation <= gen {
			t.Fatalf("change %d goes from %s to %s in generation %d after %s in %d", i, c.From, c.To, c.Generation, last, gen)
		}
		last, gen = c.To, c.Generation
	}
	if s := b.Snapshot(); s.State != last || s.ChangesLost != 0 || len(chain) < 100 {
		t.Fatalf("%d changes told, the last to %s, the breaker is %+v", len(chain), last, s)
	}
}

// However many callers rush at a half-open breaker, only as many pass as it has probes.
func TestOnlyTheProbesPassARush(t *testing.T) {
	for _, probes := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			b := NewBreaker("x", exact(BreakerConfig{Probes: probes, MaxOpenFor: 30 * time.Second}), nil)
			fail(t, b, 3)
			for round := range 5 {
				time.Sleep(30 * time.Second)
				var passed atomic.Int32
				var wg sync.WaitGroup
				for range 200 {
					wg.Go(func() {
						p, err := b.Acquire()
						if err != nil {
							return
						}
						passed.Add(1)
						time.Sleep(time.Second) // all of them ask before the first one answers
						p.Done(Failure)
					})
				}
				wg.Wait()
				if n := passed.Load(); n != int32(probes) {
					t.Fatalf("round %d: %d passed, want %d", round, n, probes)
				}
				time.Sleep(time.Second)
			}
		})
	}
}

// Every failure of a row counts, also when they are reported at once and beside successes of an earlier generation.
func TestConcurrentFailuresAllCount(t *testing.T) {
	for range 100 {
		b := NewBreaker("x", BreakerConfig{ConsecutiveFailures: 64}, nil)
		permits := make([]Permit, 64)
		for i := range permits {
			permits[i], _ = b.Acquire()
		}
		var wg sync.WaitGroup
		for i := range permits {
			wg.Go(func() { permits[i].Done(Failure) })
		}
		wg.Wait()
		wantState(t, b, Open)
	}
}

func TestWindowCountsEveryCallUnderConcurrency(t *testing.T) {
	b := NewBreaker("x", BreakerConfig{ConsecutiveFailures: -1, FailureRatio: 0.9, Window: time.Hour, MinCalls: 5001}, nil)
	var wg sync.WaitGroup
	for g := range 50 {
		wg.Go(func() {
			for range 100 {
				p, _ := b.Acquire()
				p.Done(Verdict(1 + g%2))
			}
		})
	}
	wg.Wait()
	if s := b.Snapshot(); s.Calls != 5000 || s.FailureRatio != 0.5 {
		t.Fatalf("%d calls with failure ratio %g, want 5000 and 0.5", s.Calls, s.FailureRatio)
	}
}

// A report that passed the first look at the generation and then lost the race for the lock to a transition counts nothing.
func TestReportOvertakenByATransitionCountsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker("x", exact(BreakerConfig{Probes: 2}), nil)
		late, _ := b.Acquire()
		fail(t, b, 3)
		b.failed(late.ph, late.start)
		b.succeeded(late.ph, late.start)
		if s := b.Snapshot(); s.Trips != 1 || s.Generation != 1 {
			t.Fatalf("a late report moved the breaker: %+v", s)
		}
		time.Sleep(30 * time.Second)
		first, _ := b.Acquire()
		second, _ := b.Acquire()
		first.Done(Failure)
		b.probed(second.ph, second.lease, Failure, second.start)
		if s := b.Snapshot(); s.Trips != 2 || s.Generation != 3 || s.RetryAfter != time.Minute {
			t.Fatalf("two probes failing at once tripped it twice: %+v", s)
		}
	})
}

// What has left the window is out of the ratio as soon as the time is over, also when no call has come since.
func TestIdleWindowEmpties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker("x", BreakerConfig{ConsecutiveFailures: -1, FailureRatio: 1}, nil)
		fail(t, b, 1)
		time.Sleep(10*time.Second - time.Microsecond)
		if n := b.Snapshot().Calls; n != 1 {
			t.Fatalf("%d calls inside the window, want 1", n)
		}
		time.Sleep(time.Microsecond)
		if n := b.Snapshot().Calls; n != 0 {
			t.Fatalf("%d calls after the window, want none", n)
		}
	})
}
