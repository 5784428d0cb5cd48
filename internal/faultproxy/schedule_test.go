package faultproxy

import (
	"testing"
	"time"
)

func TestCrashLoop(t *testing.T) {
	b := newBench(t)
	if err := b.proxy.CrashLoop(5*time.Millisecond, 5*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.eventually("the agent is down", func() bool { return wasRefused(b.ask("1", patience).err) })
		b.eventually("the agent is up", func() bool { return b.ask("1", patience).err == nil })
	}
	b.set(Fault{Mode: Refuse}) // ends the loop
	stays(t, b, Refuse)
}

func TestFlap(t *testing.T) {
	b := newBench(t)
	if err := b.proxy.Flap(Fault{Mode: ResetRequest}, 3*time.Millisecond, 3*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.eventually("the fault is on", func() bool { return wasReset(b.ask("1", patience).err) })
		b.eventually("the fault is off", func() bool { return b.ask("1", patience).err == nil })
	}
}

// TestSlowThenFast: a single round ends in its last fault.
func TestSlowThenFast(t *testing.T) {
	b := newBench(t)
	if err := b.proxy.Play(false, Step{Fault{Mode: Blackhole}, time.Millisecond}, Step{Fault{}, time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	b.eventually("the agent is fast", func() bool { return b.ask("1", soon).err == nil })
	stays(t, b, Pass)

	b.set(Fault{Latency: time.Hour, First: 2})
	for i, slow := range []bool{true, true, false} {
		wait := patience
		if slow {
			wait = soon
		}
		if r := b.ask("2", wait); timedOut(r.err) != slow {
			t.Errorf("request %d: %v", i, r.err)
		}
	}
}

// TestPlayReplacesPlay: of two schedules only the later one acts.
func TestPlayReplacesPlay(t *testing.T) {
	b := newBench(t)
	for range 20 {
		if err := b.proxy.CrashLoop(time.Microsecond, time.Microsecond); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.proxy.Play(false, Step{Fault{Mode: Drip}, time.Microsecond}); err != nil {
		t.Fatal(err)
	}
	stays(t, b, Drip)
}

// stays fails when the fault changes although nothing is left that could change it.
func stays(t *testing.T, b *bench, want Mode) {
	t.Helper()
	for range 20 {
		b.proxy.mu.Lock()
		got := b.proxy.fault.Mode
		b.proxy.mu.Unlock()
		if got != want {
			t.Fatalf("the fault is %s, want %s", got, want)
		}
		time.Sleep(time.Millisecond)
	}
}
