package lifecycle

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// Stopping takes an agent out of routing at once, lets its jobs end, and only then ends it.
func TestStopDrains(t *testing.T) {
	eitherWay(t, func(t *testing.T, way func(*Config)) {
		r := newRig(t, quick, way)
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{stopTakes: time.Second} }
		r.begin()
		defer r.close()
		r.packets("a")
		r.use("a")
		card := r.Awake("a")
		release, _ := r.Lease(card)
		id := r.Status(context.Background()).Instances[0].ID
		var stops sync.WaitGroup
		at := time.Now()
		for range 3 {
			stops.Go(func() {
				if err := r.StopInstance(context.Background(), id); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if _, ok := r.Lease(card); ok || r.Awake("a") != nil {
			t.Error("still in routing")
		}
		if s := r.Status(context.Background()); len(s.Instances) != 1 || s.Instances[0].State != myriad.InstanceDraining || s.InUse != 1 || s.Instances[0].InFlight != 1 {
			t.Errorf("while it drains: %+v", s)
		}
		if err := r.RestartInstance(context.Background(), id); myriad.ErrorCode(err) != myriad.CodeConflict {
			t.Errorf("restart of one that ends: %v", err)
		}
		time.Sleep(5 * time.Second)
		if r.rt.living() != 1 {
			t.Error("stopped under a job")
		}
		release()
		stops.Wait()
		if took := time.Since(at); took != 6*time.Second {
			t.Errorf("took %v", took)
		}
		wantCode(t, "stop of one that is gone", r.StopInstance(context.Background(), id), myriad.CodeNotFound)
		wantCode(t, "restart of one that is gone", r.RestartInstance(context.Background(), id), myriad.CodeNotFound)
		r.use("a")
	})
}

func TestStopGrace(t *testing.T) {
	eitherWay(t, func(t *testing.T, way func(*Config)) {
		r := newRig(t, quick, way)
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{stopTakes: time.Hour} }
		r.begin()
		defer r.close()
		r.packets("a")
		r.use("a")
		release, _ := r.Lease(r.Awake("a"))
		at := time.Now()
		if err := r.StopInstance(context.Background(), r.Status(context.Background()).Instances[0].ID); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(at); took != 20*time.Second {
			t.Errorf("10 s for the job and 10 s for the instance, but %v", took)
		}
		release()
	})
}

// An operator's stop reaches an instance in every state.
func TestStopAnywhere(t *testing.T) {
	eitherWay(t, func(t *testing.T, way func(*Config)) {
		r := newRig(t, quick, way)
		r.rt.conduct = func(req myriad.StartRequest) conduct {
			return conduct{readyAfter: 10 * time.Second, neverReady: req.Packet.Agent.Name == "never", startTakes: time.Second}
		}
		r.begin()
		defer r.close()
		r.packets("a", "b", "never", "waits")
		stop := func(agent string) {
			t.Helper()
			s := r.Status(context.Background())
			for _, i := range s.Instances {
				if i.Agent == agent {
					if err := r.StopInstance(context.Background(), i.ID); err != nil {
						t.Error(err)
					}
					return
				}
			}
			for _, e := range s.Queue {
				if e.Agent == agent {
					if err := r.StopInstance(context.Background(), e.ID); err != nil {
						t.Error(err)
					}
					return
				}
			}
			t.Errorf("no instance of %s: %+v", agent, s)
		}
		for _, after := range []time.Duration{0, 500 * time.Millisecond, 5 * time.Second} { // in Start, and while it is asked whether it is ready
			answer := r.ask(context.Background(), wakeOf("a"))
			synctest.Wait()
			time.Sleep(after)
			stop("a")
			wantCode(t, "who waited for it", (<-answer).Err, myriad.TaskErrStart)
			if r.rt.living() != 0 {
				t.Error("left alive")
			}
		}
		a, b := r.ask(context.Background(), wakeOf("a")), r.ask(context.Background(), wakeOf("b"))
		synctest.Wait()
		waits := r.ask(context.Background(), wakeOf("waits"))
		synctest.Wait()
		stop("waits")
		wantCode(t, "who waited for room", (<-waits).Err, myriad.TaskErrStart)
		synctest.Wait()
		wantSame(t, "the queue", r.store.queuedAgents(), nil)
		(<-a).Release()
		(<-b).Release()
		stop("b")
		never := <-r.ask(context.Background(), wakeOf("never"))
		wantCode(t, "never ready", never.Err, myriad.TaskErrStart)
		stop("never")
		time.Sleep(time.Second)
		wantSame(t, "the grave is empty, and a was idle for a minute", r.states(), nil)
	})
}

// A stop in the very moment in which an instance becomes ready is a stop.
func TestStopAsItBecomesReady(t *testing.T) {
	eitherWay(t, func(t *testing.T, way func(*Config)) {
		r := newRig(t, quick, way)
		r.rt.conduct = func(req myriad.StartRequest) conduct {
			return conduct{asked: func() {
				ctx, cancel := context.WithCancel(context.Background())
				cancel() // it does not wait: this is the instance's own goroutine
				if err := r.StopInstance(ctx, req.InstanceID); err != nil {
					t.Error(err)
				}
			}}
		}
		r.begin()
		defer r.close()
		r.packets("a")
		wantCode(t, "the asker", (<-r.ask(context.Background(), wakeOf("a"))).Err, myriad.TaskErrStart)
		synctest.Wait()
		if r.Awake("a") != nil || r.rt.living() != 0 {
			t.Errorf("on the board: %v, %d alive", r.Awake("a"), r.rt.living())
		}
	})
}

func TestRestartInstance(t *testing.T) {
	eitherWay(t, func(t *testing.T, way func(*Config)) {
		r := newRig(t, quick, way)
		var broken atomic.Bool
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{readyAfter: time.Second, neverReady: broken.Load()} }
		r.begin()
		defer r.close()
		r.programs("a", "b")
		restart := func() {
			t.Helper()
			for _, i := range r.Status(context.Background()).Instances {
				if i.Agent == "a" {
					if err := r.RestartInstance(context.Background(), i.ID); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		r.use("a")
		first := r.Awake("a").Endpoint
		restart()
		for range 20 {
			if r.Awake("a") == nil {
				t.Fatal("asleep although there was room for both")
			}
			time.Sleep(100 * time.Millisecond)
		}
		second := r.Awake("a").Endpoint
		if second == first || r.rt.living() != 1 {
			t.Errorf("%d alive", r.rt.living())
		}
		b := r.wake("b") // no room for both any more
		restart()
		waiting := <-r.ask(context.Background(), wakeOf("a"))
		if waiting.Err != nil || waiting.Agent.Endpoint == second {
			t.Errorf("after a restart without room: %v", waiting.Err)
		}
		waiting.Release()
		b.Release()
		broken.Store(true)
		time.Sleep(time.Second)
		restart() // no room
		w := <-r.ask(context.Background(), wakeOf("a"))
		wantCode(t, "a broken restart", w.Err, myriad.TaskErrStart)
		broken.Store(false)
		restart() // does not wait for the cool-down
		r.use("a")
		// While it starts, its askers go with the new one.
		time.Sleep(10 * time.Second)
		if err := r.StopInstance(context.Background(), r.Status(context.Background()).Instances[0].ID); err != nil {
			t.Fatal(err)
		}
		answer := r.ask(context.Background(), wakeOf("a"))
		time.Sleep(500 * time.Millisecond)
		restart()
		if w := <-answer; w.Err != nil {
			t.Error(w.Err)
		} else {
			w.Release()
		}
	})
}

// Draining meets instances in every state, and what is asked meanwhile.
func TestDrain(t *testing.T) {
	eitherWay(t, func(t *testing.T, way func(*Config)) {
		limits := quick
		limits.MaxAgents = 4
		r := newRig(t, limits, way)
		r.rt.conduct = func(req myriad.StartRequest) conduct {
			switch req.Packet.Agent.Name {
			case "starting":
				return conduct{readyAfter: time.Minute}
			case "slow":
				return conduct{stopTakes: 3 * time.Second}
			}
			return conduct{}
		}
		r.begin()
		r.packets("ready", "starting", "slow", "resting", "waits")
		r.use("ready")
		r.use("slow")
		r.use("resting")
		r.rt.instanceOf("resting").crash()
		starting := r.ask(context.Background(), wakeOf("starting"))
		for range 5 { // their places are taken
			defer r.wake("slow").Release()
		}
		w := r.wake("ready")
		at := time.Now()
		var drains sync.WaitGroup
		for range 2 {
			drains.Go(func() { r.close() })
		}
		synctest.Wait()
		wantCode(t, "who waits", (<-starting).Err, myriad.CodeDraining)
		wantCode(t, "who comes", (<-r.ask(context.Background(), wakeOf("waits"))).Err, myriad.CodeDraining)
		if r.Awake("ready") != nil {
			t.Error("still in routing")
		}
		drains.Wait()
		if took := time.Since(at); took != 3*time.Second {
			t.Errorf("took %v: all stop at once, and pins do not hold a stop up", took)
		}
		w.Release()
		if r.rt.closed != 1 {
			t.Errorf("the runtime was closed %d times", r.rt.closed)
		}
		if err := r.Start(context.Background()); err == nil {
			t.Error("started after it was drained")
		}
	})
}

func TestDrainBeforeStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick)
		r.close()
		if err := r.Start(context.Background()); err == nil {
			t.Error("started after it was drained")
		}
	})
}

// When Drain's time is over there is no grace left.
func TestDrainInAHurry(t *testing.T) {
	eitherWay(t, func(t *testing.T, way func(*Config)) {
		r := newRig(t, quick, way)
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{stopTakes: time.Hour} }
		r.begin()
		r.packets("a")
		r.use("a")
		release, _ := r.Lease(r.Awake("a"))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		at := time.Now()
		if err := r.Drain(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(at); took != time.Second {
			t.Errorf("took %v", took)
		}
		release()
		r.close()
	})
}

// What cannot be stopped is named, and its record stays for the next start.
func TestDrainGivesUp(t *testing.T) {
	eitherWay(t, func(t *testing.T, way func(*Config)) {
		r := newRig(t, quick, way)
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{stopFails: 1000} }
		r.begin()
		r.packets("a")
		r.use("a")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := r.Drain(ctx)
		wantCode(t, "drain", err, myriad.CodeDeadline)
		r.stop()
		r.over.Wait()
		synctest.Wait()
		if records := r.store.recorded(); records != 1 && !r.hosts[0].brief { // of what is a part of this process there never was one
			t.Error("the record is gone, the instance is not")
		}
	})
}

// Stopping and starting at once, from everywhere, leaves nothing behind.
func TestStopWhileStarting(t *testing.T) {
	eitherWay(t, func(t *testing.T, way func(*Config)) {
		r := newRig(t, quick, way)
		r.rt.conduct = func(myriad.StartRequest) conduct {
			return conduct{startTakes: time.Millisecond, readyAfter: 3 * time.Millisecond}
		}
		r.begin()
		defer r.close()
		r.packets("a", "b", "c")
		var all sync.WaitGroup
		for n, name := range []string{"a", "b", "c"} {
			all.Go(func() {
				for range 200 {
					if w := <-r.ask(context.Background(), wakeOf(name)); w.Err == nil {
						w.Release()
					}
					time.Sleep(time.Duration(n) * time.Millisecond)
				}
			})
			all.Go(func() {
				for range 300 {
					time.Sleep(time.Millisecond)
					for _, i := range r.Status(context.Background()).Instances {
						if i.Agent == name {
							_ = r.RestartInstance(context.Background(), i.ID)
							time.Sleep(500 * time.Microsecond)
							_ = r.StopInstance(context.Background(), i.ID)
						}
					}
				}
			})
		}
		all.Wait()
	})
}
