package resilience

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// exact switches jitter off so that times can be compared.
func exact(cfg BreakerConfig) BreakerConfig {
	cfg.Jitter = -1
	return cfg
}

func report(t *testing.T, b *Breaker, v Verdict) {
	t.Helper()
	p, err := b.Acquire()
	if err != nil {
		t.Fatalf("acquire: %v", err)
	}
	p.Done(v)
}

func fail(t *testing.T, b *Breaker, times int) {
	t.Helper()
	for range times {
		report(t, b, Failure)
	}
}

func wantState(t *testing.T, b *Breaker, want State) {
	t.Helper()
	if got := b.State(); got != want {
		t.Fatalf("state %s, want %s", got, want)
	}
}

func wantRejected(t *testing.T, b *Breaker, s State, retryAfter time.Duration) {
	t.Helper()
	_, err := b.Acquire()
	open, ok := errors.AsType[*OpenError](err)
	if !ok {
		t.Fatalf("acquire gave %v, want an OpenError", err)
	}
	if open.State != s || open.RetryAfter != retryAfter || open.Name != b.Name() {
		t.Fatalf("rejected with %+v, want state %s and retry after %s", open, s, retryAfter)
	}
	if ready, wait := b.Ready(); ready || wait != retryAfter {
		t.Fatalf("ready %v after %s, want false after %s", ready, wait, retryAfter)
	}
}

func TestBreakerOpensAtTheThresholdAndClosesByProbe(t *testing.T) {
	for _, tc := range []struct {
		name     string
		cfg      BreakerConfig
		failures int
		open     time.Duration
	}{
		{"agent endpoint by default", BreakerConfig{}, 3, 30 * time.Second},
		{"graph", BreakerConfig{ConsecutiveFailures: 5, OpenFor: time.Minute}, 5, time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := NewBreaker("x", exact(tc.cfg), nil)
				fail(t, b, tc.failures-1)
				wantState(t, b, Closed)
				fail(t, b, 1)
				wantRejected(t, b, Open, tc.open)
				time.Sleep(tc.open - time.Microsecond)
				wantRejected(t, b, Open, time.Microsecond)
				time.Sleep(time.Microsecond)
				wantState(t, b, Open)
				if ready, wait := b.Ready(); !ready || wait != 0 {
					t.Fatalf("ready %v after %s when the open time is over", ready, wait)
				}
				wantState(t, b, Open) // Ready changed nothing
				p, err := b.Acquire()
				if err != nil || !p.Probe() {
					t.Fatalf("probe %v, %v", p.Probe(), err)
				}
				wantRejected(t, b, HalfOpen, probePatience)
				p.Done(Success)
				wantState(t, b, Closed)
			})
		})
	}
}

func TestSuccessEndsARowOfFailures(t *testing.T) {
	b := NewBreaker("x", BreakerConfig{}, nil)
	for range 5 {
		fail(t, b, 2)
		report(t, b, Success)
	}
	wantState(t, b, Closed)
}

func TestIgnoredNeitherFailsNorEndsARow(t *testing.T) {
	b := NewBreaker("x", BreakerConfig{}, nil)
	fail(t, b, 2)
	for range 100 {
		report(t, b, Ignored)
	}
	wantState(t, b, Closed)
	fail(t, b, 1)
	wantState(t, b, Open)
}

func TestProbeIsGivenBack(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(*Breaker)
	}{
		{"ignored", func(b *Breaker) { p, _ := b.Acquire(); p.Done(Ignored) }},
		{"panic", func(b *Breaker) {
			defer func() { _ = recover() }()
			p, _ := b.Acquire()
			defer p.Done(Ignored)
			panic("attempt")
		}},
		{"lost for ever", func(b *Breaker) { _, _ = b.Acquire(); time.Sleep(time.Minute) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := NewBreaker("x", exact(BreakerConfig{}), nil)
				fail(t, b, 3)
				time.Sleep(30 * time.Second)
				tc.end(b)
				wantState(t, b, HalfOpen)
				report(t, b, Success)
				wantState(t, b, Closed)
			})
		})
	}
}

func TestLeaseIsTheLastResort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker("x", exact(BreakerConfig{ProbeLease: 5 * time.Second}), nil)
		fail(t, b, 3)
		time.Sleep(30 * time.Second)
		lost, _ := b.Acquire()
		time.Sleep(4500 * time.Millisecond)
		wantRejected(t, b, HalfOpen, 500*time.Millisecond)
		time.Sleep(500 * time.Millisecond)
		probe, err := b.Acquire()
		if err != nil {
			t.Fatal(err)
		}
		if n := b.Snapshot().ProbesLost; n != 1 {
			t.Fatalf("%d probes lost, want 1", n)
		}
		lost.Done(Failure) // came to life after all, too late to decide
		wantState(t, b, HalfOpen)
		probe.Done(Success)
		wantState(t, b, Closed)
	})
}

func TestProbePastItsLeaseStillDecidesWhenNobodyTookItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker("x", exact(BreakerConfig{ProbeLease: time.Second}), nil)
		fail(t, b, 3)
		time.Sleep(30 * time.Second)
		p, _ := b.Acquire()
		time.Sleep(time.Minute)
		p.Done(Success)
		wantState(t, b, Closed)
	})
}

func TestSeveralProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker("x", exact(BreakerConfig{Probes: 3}), nil)
		fail(t, b, 3)
		time.Sleep(30 * time.Second)
		var probes [3]Permit
		for i := range probes {
			probes[i], _ = b.Acquire()
		}
		wantRejected(t, b, HalfOpen, probePatience)
		probes[0].Done(Success)
		wantRejected(t, b, HalfOpen, probePatience) // one passed and two under way are all that is needed
		probes[1].Done(Ignored)
		report(t, b, Success)
		wantState(t, b, HalfOpen)
		probes[2].Done(Success)
		wantState(t, b, Closed)
	})
}

func TestOneFailedProbeOpensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker("x", exact(BreakerConfig{Probes: 2}), nil)
		fail(t, b, 3)
		time.Sleep(30 * time.Second)
		late, _ := b.Acquire()
		report(t, b, Failure)
		wantRejected(t, b, Open, time.Minute)
		late.Done(Success)
		wantState(t, b, Open)
	})
}

// A success that began before the breaker opened must not close it while half-open.
func TestResultsBegunBeforeATransitionCountNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker("x", exact(BreakerConfig{}), nil)
		var old [4]Permit
		for i := range old {
			old[i], _ = b.Acquire()
		}
		fail(t, b, 3)
		old[0].Done(Success)
		wantState(t, b, Open)
		time.Sleep(30 * time.Second)
		probe, _ := b.Acquire()
		old[1].Done(Success)
		old[2].Done(Failure)
		wantState(t, b, HalfOpen)
		probe.Done(Success)
		fail(t, b, 2)
		old[3].Done(Failure)
		wantState(t, b, Closed)
		fail(t, b, 1)
		wantState(t, b, Open)
	})
}

func TestDoneTwiceCountsOnce(t *testing.T) {
	b := NewBreaker("x", BreakerConfig{}, nil)
	for range 2 {
		p, _ := b.Acquire()
		p.Done(Failure)
		p.Done(Failure)
	}
	wantState(t, b, Closed)
	new(Permit).Done(Failure) // a permit that was never given
	fail(t, b, 1)
	wantState(t, b, Open)
}

func TestOpenTimeGrowsToTheCeilingAndForgetsAfterAHealthyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker("x", exact(BreakerConfig{OpenFor: 10 * time.Second, MaxOpenFor: 35 * time.Second}), nil)
		fail(t, b, 3)
		for _, want := range []time.Duration{10, 20, 35, 35} {
			wantRejected(t, b, Open, want*time.Second)
			time.Sleep(want * time.Second)
			report(t, b, Failure)
		}
		time.Sleep(35 * time.Second)
		report(t, b, Success)
		time.Sleep(34 * time.Second) // a flap: closed for less than it was open
		fail(t, b, 3)
		wantRejected(t, b, Open, 35*time.Second)
		time.Sleep(35 * time.Second)
		report(t, b, Success)
		time.Sleep(35 * time.Second)
		fail(t, b, 3)
		wantRejected(t, b, Open, 10*time.Second)
	})
}

func TestOpenTimeIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		low, high := time.Hour, time.Duration(0)
		for range 1000 {
			b := NewBreaker("x", BreakerConfig{}, nil)
			fail(t, b, 3)
			_, wait := b.Ready()
			low, high = min(low, wait), max(high, wait)
		}
		if low < 27*time.Second || high > 33*time.Second || low > 28*time.Second || high < 32*time.Second {
			t.Fatalf("open times from %s to %s, want them spread over 27 s to 33 s", low, high)
		}
	})
}

func TestFailureRatio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker("x", exact(BreakerConfig{ConsecutiveFailures: -1, FailureRatio: 0.5, MinCalls: 10}), nil)
		fail(t, b, 9)
		wantState(t, b, Closed) // too few calls
		time.Sleep(20 * time.Second)
		fail(t, b, 1) // the nine have left the window
		wantState(t, b, Closed)
		for range 11 {
			report(t, b, Success)
		}
		fail(t, b, 9) // 10 of 21
		wantState(t, b, Closed)
		fail(t, b, 1)
		wantState(t, b, Open)
		if r := b.Snapshot().Reason; r != "failure ratio 0.50 of 22 calls in 10s" {
			t.Fatalf("reason %q", r)
		}
	})
}

func TestSlowRatio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := BreakerConfig{SlowCall: time.Second, SlowRatio: 0.5, MinCalls: 4}
		b := NewBreaker("x", exact(cfg), nil)
		call := func(d time.Duration, v Verdict) {
			p, err := b.Acquire()
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(d)
			p.Done(v)
		}
		call(time.Minute, Ignored) // slow, but nobody's doing
		call(time.Second-1, Success)
		call(time.Second-1, Success)
		call(time.Second, Success)
		wantState(t, b, Closed)
		call(time.Second, Success)
		wantState(t, b, Open)
		if r := b.Snapshot().Reason; !strings.HasPrefix(r, "slow ratio 0.50 of 4 calls") {
			t.Fatalf("reason %q", r)
		}
		time.Sleep(30 * time.Second)
		call(time.Second, Success) // a slow probe proves nothing good
		wantState(t, b, Open)
		time.Sleep(time.Minute)
		call(time.Second-1, Success)
		wantState(t, b, Closed)
	})
}
