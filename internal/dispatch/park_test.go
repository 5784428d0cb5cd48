package dispatch

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// bubble runs f in a bubble with a fresh desk and checks that nothing is left.
func bubble(t *testing.T, total, limit int, f func(t *testing.T, k *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(total, limit)
		f(t, k)
		k.finish()
		k.d.Close()
		requireClean(t, k.d)
	})
}

func TestParkedEndpointHoldsItsQueue(t *testing.T) {
	bubble(t, 10, 2, func(t *testing.T, k *desk) {
		k.submit("r", 0, at("a", 0))
		k.d.Park("a", 5*time.Second)
		for _, run := range []string{"r", "s", "s"} {
			k.submit(run, 0, at("a", 0))
		}
		k.release(0)
		time.Sleep(2 * time.Second)
		if got, want := k.d.Parked("a"), 3*time.Second; got != want {
			t.Errorf("Parked = %v, want %v", got, want)
		}
		if _, ok := k.d.Try(at("a", 0)); ok {
			t.Error("a parked endpoint gave a slot")
		}
		if got := k.d.Load(agentOf("a", 0)); got != 1 {
			t.Errorf("Load of a parked endpoint = %v, want 1", got)
		}
		time.Sleep(3*time.Second - 1)
		if k.count() != 1 {
			t.Fatal("served while parked")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		requireRuns(t, k, "r", "r", "s")
		if got, want := k.log[1].waited, 5*time.Second; got != want {
			t.Errorf("waited %v, want %v", got, want)
		}
		if got := k.d.Parked("a"); got != 0 {
			t.Errorf("Parked = %v after its end", got)
		}
	})
}

func TestParkingGetsLongerNeverShorter(t *testing.T) {
	bubble(t, 10, 2, func(t *testing.T, k *desk) {
		k.d.Park("a", 5*time.Second)
		k.d.Park("a", 2*time.Second)
		k.d.Park("a", 0)
		k.d.Park("a", -time.Second)
		k.submit("r", 0, at("a", 0))
		time.Sleep(4 * time.Second)
		k.d.Park("a", 3*time.Second)
		time.Sleep(3*time.Second - 1)
		synctest.Wait()
		if k.count() != 0 {
			t.Error("served before the longer parking ended")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if k.count() != 1 {
			t.Error("not served when the parking ended")
		}
	})
}

func TestParkedTurnGoesToAnotherCandidate(t *testing.T) {
	bubble(t, 10, 1, func(t *testing.T, k *desk) {
		k.d.Park("a", time.Minute)
		k.submit("r", 0, at("a", 0), at("b", 0))
		k.submit("r", 0, at("a", 0), at("b", 0))
		k.release(0)
		if k.count() != 2 || k.log[1].key != "b" {
			t.Errorf("granted %+v, want both at b", k.log)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if k.count() != 2 {
			t.Error("a turn was granted twice")
		}
	})
}

func TestForgettingEndsTheParking(t *testing.T) {
	bubble(t, 10, 1, func(t *testing.T, k *desk) {
		k.d.Park("a", time.Minute)
		k.submit("r", 0, at("a", 0))
		k.d.Forget("a")
		if k.count() != 1 {
			t.Error("who waits for a forgotten agent must be told so by the call")
		}
		k.release(0)
		if n := len(k.d.endpoints); n != 0 {
			t.Errorf("%d endpoints are kept, want 0", n)
		}
	})
}

func TestCloseStopsTheTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(10, 1)
		k.d.Park("a", time.Minute)
		turn := k.submit("r", 0, at("a", 0))
		k.d.Close()
		k.d.Close()
		k.d.Park("b", time.Minute) // parked for ever
		time.Sleep(time.Hour)
		if k.count() != 0 {
			t.Error("a timer fired after Close")
		}
		if !k.d.Cancel(turn) {
			t.Error("could not cancel after Close")
		}
		if _, ok := k.d.Try(at("b", 0)); ok {
			t.Error("a parked endpoint gave a slot")
		}
		k.submit("r", 0, at("c", 0))
		k.finish()
	})
}

// TestCloseWaitsForAFiringTimer: after Close no goroutine of the Dispatcher runs.
func TestCloseWaitsForAFiringTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(1, 1)
		d.Park("a", time.Second)
		entered, leave := make(chan struct{}), make(chan struct{})
		turn := &myriad.Turn{Run: "r", Candidates: []myriad.Candidate{at("a", 0)}}
		turn.Grant = func(_ int, slot myriad.Slot, _ time.Duration) {
			close(entered)
			<-leave
			slot.Release()
		}
		d.Submit(turn)
		<-entered
		closed := make(chan struct{})
		go func() { d.Close(); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close returned while a timer's callback ran")
		default:
		}
		close(leave)
		<-closed
	})
}
