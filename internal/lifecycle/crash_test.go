package lifecycle

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestRestartLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick)
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{dies: 2 * time.Second, log: "the last words"} }
		r.begin()
		defer r.close()
		r.packets("a")
		r.use("a")
		card := r.Awake("a")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, ok := r.Lease(card); ok && r.rt.started("a") == 1 {
			t.Error("a crashed instance is still in routing")
		}
		time.Sleep(time.Minute)
		if n := r.rt.started("a"); n != 4 {
			t.Errorf("%d starts, want the first and three more", n)
		}
		s := r.Status(context.Background())
		if len(s.Instances) != 1 || s.Instances[0].State != myriad.InstanceFailed || s.Instances[0].Restarts != 3 ||
			s.Instances[0].LastLog != "the last words" || s.InUse != 0 {
			t.Errorf("status %+v", s)
		}
		time.Sleep(5 * time.Second)
		r.use("a") // a task can ask again after the cool-down
		time.Sleep(time.Minute)
		if n := r.rt.started("a"); n != 5 {
			t.Errorf("%d starts: the crashes of the last 10 minutes count on", n)
		}
		time.Sleep(11 * time.Minute)
		r.use("a")
		time.Sleep(30 * time.Second)
		if n := r.rt.started("a"); n != 9 {
			t.Errorf("%d starts: the crashes of long ago are forgotten", n)
		}
	})
}

// Whoever asks while a crashed agent rests waits for its restart.
func TestAskDuringRest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick)
		r.begin()
		defer r.close()
		r.packets("a")
		w := r.wake("a")
		r.rt.instanceOf("a").crash()
		synctest.Wait()
		if r.Awake("a") != nil {
			t.Error("still on the board")
		}
		again := <-r.ask(context.Background(), wakeOf("a"))
		if again.Err != nil {
			t.Fatal(again.Err)
		}
		if s := r.Status(context.Background()).Instances; len(s) != 1 || s[0].Restarts != 1 {
			t.Errorf("status %+v", s)
		}
		w.Release() // of the instance that is gone: nothing to anybody
		time.Sleep(10 * time.Minute)
		if r.Awake("a") == nil {
			t.Error("the second asker's pin does not hold")
		}
		again.Release()
	})
}

// An agent that rests after a crash is the first to make room.
func TestRestingGivesWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxAgents, limits.MinLifeMS = 1, 3_600_000
		r := newRig(t, limits, func(c *Config) { c.RestartBackoff.Base, c.RestartBackoff.Max = time.Hour, time.Hour })
		r.begin()
		defer r.close()
		r.packets("a", "b")
		r.use("a")
		r.rt.instanceOf("a").crash()
		synctest.Wait()
		r.use("b")
		wantSame(t, "the fleet", r.states(), []string{"b ready"})
	})
}

func TestAge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxAgeMS, limits.IdleTimeoutMS = 3_600_000, -1
		r := newRig(t, limits)
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{readyAfter: time.Second} }
		r.begin()
		defer r.close()
		r.programs("a")
		w := r.wake("a")
		old := w.Agent.Endpoint
		time.Sleep(53 * time.Minute)
		if r.Awake("a").Endpoint != old {
			t.Fatal("replaced before 90 % of its age")
		}
		never := true
		for range 15 * 60 * 10 { // another 15 minutes
			time.Sleep(100 * time.Millisecond)
			if r.Awake("a") == nil {
				never = false
			}
		}
		if r.Awake("a") == nil || r.Awake("a").Endpoint == old || !never {
			t.Errorf("new before old: %+v, always awake: %v", r.Awake("a"), never)
		}
		if _, ok := r.Lease(w.Agent); ok {
			t.Error("a lease of the one that was replaced")
		}
		w.Release()
		if n := r.rt.living(); n != 1 {
			t.Errorf("%d alive", n)
		}
		wantSame(t, "moves", r.told(myriad.KindInstance), []string{"a queued>starting ", "a starting>ready ", "a queued>starting ", "a starting>ready ",
			"a ready>draining age", "a draining>stopped age"})
	})
}

// Without room for a second one an old instance is drained and hibernated. A replacement that fails costs nothing.
func TestAgeWithoutRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxAgents, limits.MaxAgeMS, limits.IdleTimeoutMS = 1, 3_600_000, -1
		r := newRig(t, limits)
		var broken atomic.Bool
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{neverReady: broken.Load()} }
		r.begin()
		defer r.close()
		r.programs("a")
		r.use("a")
		time.Sleep(67 * time.Minute)
		wantSame(t, "hibernated", r.states(), nil)
		if _, err := r.SetLimits(context.Background(), func(l *myriad.FleetLimits) { l.MaxAgents = 2 }); err != nil {
			t.Fatal(err)
		}
		r.use("a")
		broken.Store(true)
		time.Sleep(68 * time.Minute)
		if r.Awake("a") == nil {
			t.Error("it must serve on while its replacement does not start")
		}
		broken.Store(false)
		time.Sleep(10 * time.Minute)
		if n := r.rt.started("a"); n < 4 {
			t.Errorf("%d starts: it is not replaced later", n)
		}
		if r.Awake("a") == nil {
			t.Error("asleep")
		}
	})
}

// Instances that came at once do not all reach their age at once.
func TestAgeIsJittered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxAgents, limits.MaxAgeMS, limits.IdleTimeoutMS = 20, 3_600_000, -1
		r := newRig(t, limits).begin()
		defer r.close()
		for n := range 20 {
			name := string(rune('a' + n))
			r.packets(name)
			r.use(name)
		}
		at := map[time.Time]int{}
		time.Sleep(67 * time.Minute)
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, e := range r.events {
			if e.Kind == myriad.KindInstance && e.Reason == myriad.ReasonAge && e.To == myriad.InstanceDraining {
				at[e.At.Truncate(time.Minute)]++
			}
		}
		if len(at) < 4 {
			t.Errorf("20 instances ended in %d minutes", len(at))
		}
	})
}

// A stop in the very moment in which an instance has failed and its askers are told is a stop: nothing of it is shown any more.
func TestStopAsItFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick)
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{neverReady: true} }
		r.begin()
		defer r.close()
		r.packets("a")
		told := make(chan error, 1)
		r.Wake(context.Background(), wakeOf("a"), func(w myriad.Woken) {
			for _, i := range r.Status(context.Background()).Instances {
				ctx, cancel := context.WithCancel(context.Background())
				cancel() // this is called by the one who is to end it
				if err := r.StopInstance(ctx, i.ID); err != nil {
					t.Error(err)
				}
			}
			told <- w.Err
		})
		wantCode(t, "never ready", <-told, myriad.TaskErrStart)
		synctest.Wait()
		wantSame(t, "the fleet", r.states(), nil)
	})
}
