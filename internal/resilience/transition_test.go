package resilience

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker("x", exact(BreakerConfig{}), nil)
		b.Force(ForcedOpen)
		time.Sleep(24 * time.Hour)
		wantRejected(t, b, Open, 30*time.Second)
		if s := b.Snapshot(); s.Mode != ForcedOpen || !s.NextProbeAt.IsZero() || s.Reason != "forced open" {
			t.Fatalf("snapshot %+v", s)
		}
		b.Force(ForcedClosed)
		fail(t, b, 50)
		wantState(t, b, Closed)
		if n := b.Snapshot().ConsecutiveFailures; n != 50 {
			t.Fatalf("%d failures in a row, want 50", n)
		}
		b.Force(Auto)
		wantState(t, b, Closed)
		fail(t, b, 2)
		wantState(t, b, Closed)
		fail(t, b, 1)
		wantState(t, b, Open)
		b.Force(ForcedOpen)
		b.Force(Auto) // the next call probes
		wantState(t, b, HalfOpen)
		report(t, b, Success)
		wantState(t, b, Closed)
	})
}

func TestForcedPermitsFromBeforeCountNothing(t *testing.T) {
	b := NewBreaker("x", BreakerConfig{}, nil)
	p, _ := b.Acquire()
	b.Force(ForcedClosed)
	p.Done(Failure)
	if n := b.Snapshot().ConsecutiveFailures; n != 0 {
		t.Fatalf("%d failures, want 0", n)
	}
}

func TestSnapshotAndChangesTellTheSameStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []Change
		b := NewBreaker("agent", exact(BreakerConfig{}), func(c Change) { told = append(told, c) })
		began := time.Now()
		fail(t, b, 3)
		s := b.Snapshot()
		if !s.OpenedAt.Equal(began) || !s.NextProbeAt.Equal(began.Add(30*time.Second)) || s.RetryAfter != 30*time.Second || s.Trips != 1 {
			t.Fatalf("snapshot %+v", s)
		}
		time.Sleep(30 * time.Second)
		probe, _ := b.Acquire()
		if s = b.Snapshot(); s.ProbesBusy != 1 || !s.OpenedAt.Equal(began) || !s.NextProbeAt.IsZero() {
			t.Fatalf("snapshot %+v", s)
		}
		probe.Done(Success)
		if s = b.Snapshot(); s.Generation != 3 || s.Reason != "probe succeeded" || !s.OpenedAt.IsZero() {
			t.Fatalf("snapshot %+v", s)
		}
		half := began.Add(30 * time.Second)
		want := []Change{
			{"agent", Closed, Open, "3 consecutive failures", began, 30 * time.Second, 1},
			{"agent", Open, HalfOpen, "open time over", half, 0, 2},
			{"agent", HalfOpen, Closed, "probe succeeded", half, 0, 3},
		}
		for i, c := range told {
			if !c.At.Equal(want[i].At) {
				t.Fatalf("change %d at %s, want %s", i, c.At, want[i].At)
			}
			c.At, want[i].At = time.Time{}, time.Time{}
			if c != want[i] {
				t.Fatalf("change %d is %+v, want %+v", i, c, want[i])
			}
		}
		if len(told) != len(want) {
			t.Fatalf("%d changes told, want %d", len(told), len(want))
		}
	})
}

// A state-change listener that asks or turns the breaker must not deadlock, and what it causes is told after what it was told.
func TestListenerMayCallTheBreaker(t *testing.T) {
	var b *Breaker
	var told []State
	b = NewBreaker("x", BreakerConfig{}, func(c Change) {
		told = append(told, c.To)
		b.Snapshot()
		b.Ready()
		if c.To == Open {
			b.Force(ForcedClosed)
			if len(told) != 1 {
				t.Error("told inside the listener")
			}
		}
	})
	fail(t, b, 3)
	if len(told) != 2 || told[0] != Open || told[1] != Closed {
		t.Fatalf("told %v", told)
	}
}

func TestListenersPanicLosesNoChange(t *testing.T) {
	var b *Breaker
	var told []State
	b = NewBreaker("x", BreakerConfig{}, func(c Change) {
		told = append(told, c.To)
		if c.To == Open && len(told) == 1 {
			b.Force(ForcedClosed)
			panic("listener")
		}
	})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		fail(t, b, 3)
	}()
	b.Force(ForcedOpen)
	if len(told) != 3 || told[1] != Closed || told[2] != Open {
		t.Fatalf("told %v", told)
	}
}

func TestUntoldChangesAreBoundedAndCounted(t *testing.T) {
	release, inside := make(chan struct{}), make(chan struct{})
	var first sync.Once
	var told atomic.Int64
	b := NewBreaker("x", BreakerConfig{}, func(Change) {
		told.Add(1)
		first.Do(func() { close(inside); <-release })
	})
	var wg sync.WaitGroup
	wg.Go(func() { b.Force(ForcedOpen) })
	<-inside
	for range maxUntold {
		b.Force(ForcedClosed)
		b.Force(ForcedOpen)
	}
	close(release)
	wg.Wait()
	if lost := b.Snapshot().ChangesLost; lost != maxUntold || told.Load() != maxUntold+1 {
		t.Fatalf("told %d and lost %d of %d", told.Load(), lost, 2*maxUntold+1)
	}
}

func TestWords(t *testing.T) {
	for _, m := range []Mode{Auto, ForcedOpen, ForcedClosed} {
		if got, ok := ParseMode(m.String()); !ok || got != m {
			t.Errorf("mode %s is read as %s, %v", m, got, ok)
		}
	}
	if _, ok := ParseMode("half"); ok {
		t.Error("an unknown mode was understood")
	}
	if Closed != 0 || Open != 1 || HalfOpen != 2 {
		t.Error("the states' numbers are those of the gauge and may not change")
	}
	e := &OpenError{Name: "a", State: Open, RetryAfter: 1500 * time.Millisecond}
	if e.Error() != `circuit breaker "a" is open, try again in 1.5s` {
		t.Error(e)
	}
	e.Forced = true
	if !strings.Contains(e.Error(), "operator") {
		t.Error(e)
	}
}
