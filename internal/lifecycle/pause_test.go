package lifecycle

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// inProcess has the rig's runtime be one whose instances are part of the process.
func inProcess(cfg *Config) { cfg.Ephemeral = []string{"inproc"} }

// eitherWay runs a test in virtual time twice: with instances that are watched while they are ready, and with ones of this process, whose life pauses.
func eitherWay(t *testing.T, f func(t *testing.T, way func(*Config))) {
	t.Helper()
	for name, way := range map[string]func(*Config){"watched": func(*Config) {}, "paused": inProcess} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) { f(t, way) })
		})
	}
}

func TestAwakeInThisProcessIsNoGoroutine(t *testing.T) {
	const many = 200
	synctest.Test(t, func(t *testing.T) {
		limits := quick
		limits.MaxAgents, limits.IdleTimeoutMS = many, -1
		r := newRig(t, limits, inProcess).begin()
		defer r.close()
		var names []string
		for n := range many {
			names = append(names, fmt.Sprint("a", n))
		}
		r.packets(names...)
		synctest.Wait()
		before := runtime.NumGoroutine()
		for _, name := range names {
			r.wake(name).Release()
		}
		synctest.Wait()
		if with := runtime.NumGoroutine(); with >= before+many/2 { // those of other tests and of the runtime come and go
			t.Errorf("%d goroutines became %d with %d agents awake", before, with, many)
		}
		if n := r.rt.living(); n != many {
			t.Errorf("%d of %d are alive", n, many)
		}
	})
}

// limited has other limits be in force for a moment.
func limited(change func(*myriad.FleetLimits)) func(*rig, string) {
	return func(r *rig, _ string) {
		if _, err := r.SetLimits(r.t.Context(), change); err != nil {
			r.t.Error(err)
		}
		time.Sleep(2 * time.Second)
	}
}

// endings are the ways in which a ready instance of agent a can end.
var endings = map[string]struct {
	end    func(r *rig, id string)
	reason string
	again  bool // another one has taken its place
}{
	"stopped by somebody": {func(r *rig, id string) {
		if err := r.StopInstance(r.t.Context(), id); err != nil {
			r.t.Error(err)
		}
	}, myriad.ReasonOperator, false},
	"restarted": {func(r *rig, id string) {
		if err := r.RestartInstance(r.t.Context(), id); err != nil {
			r.t.Error(err)
		}
	}, myriad.ReasonOperator, true},
	"restarted without room": {func(r *rig, id string) {
		limited(func(l *myriad.FleetLimits) { l.MaxAgents = 1 })(r, id)
		if err := r.RestartInstance(r.t.Context(), id); err != nil {
			r.t.Error(err)
		}
	}, myriad.ReasonOperator, true},
	"written anew": {func(r *rig, _ string) {
		a, err := r.Agent(r.t.Context(), "a")
		if err != nil {
			r.t.Error(err)
		}
		a.Description = "another"
		if _, err := r.PutAgent(r.t.Context(), a, myriad.Guard{}); err != nil {
			r.t.Error(err)
		}
	}, myriad.ReasonOperator, false},
	"deleted": {func(r *rig, _ string) {
		if _, err := r.DeleteAgent(r.t.Context(), "a", myriad.Guard{}); err != nil {
			r.t.Error(err)
		}
	}, myriad.ReasonDeleted, false},
	"idle": {func(*rig, string) { time.Sleep(2 * time.Minute) }, myriad.ReasonIdle, false},
	"evicted": {func(r *rig, _ string) {
		for _, name := range []string{"b", "c"} {
			r.wake(name).Release()
		}
	}, myriad.ReasonEvicted, false},
	"old":              {limited(func(l *myriad.FleetLimits) { l.MaxAgeMS = 1000 }), myriad.ReasonAge, true},
	"old without room": {limited(func(l *myriad.FleetLimits) { l.MaxAgeMS, l.MaxAgents = 1000, 1 }), myriad.ReasonAge, false},
	"lowered limits":   {limited(func(l *myriad.FleetLimits) { l.MaxAgents = 0 }), myriad.ReasonEvicted, false},
	"drained":          {func(r *rig, _ string) { r.close() }, myriad.ReasonShutdown, false},
}

// TestWhatPausesEnds has instances of this process end in every way in which a ready one can: permits are back and nothing of them is left.
func TestWhatPausesEnds(t *testing.T) {
	for name, c := range endings {
		for kind, register := range map[string]func(*rig, ...string){"learns": (*rig).packets, "learns nothing": (*rig).programs} {
			again := c.again && !(name == "old" && kind == "learns") // who learns has one instance at a time, and sleeps until the next task
			t.Run(name+", "+kind, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					r := newRig(t, quick, inProcess).begin()
					defer r.close()
					register(r, "a", "b", "c")
					w := r.wake("a")
					i := r.board.get("a").instance
					w.Release()
					time.Sleep(2 * time.Second) // past its minimum life
					c.end(r, i.id)
					synctest.Wait()
					if l := r.board.get("a"); again != (l != nil) || l != nil && l.instance == i {
						t.Errorf("awake is %v", l)
					}
					r.checkEnded(i, c.reason)
				})
			})
		}
	}
}

// checkEnded checks that nothing of an instance is left.
func (r *rig) checkEnded(i *instance, reason string) {
	r.t.Helper()
	r.Manager.mu.Lock()
	defer r.Manager.mu.Unlock()
	if _, there := r.instances[i.id]; there || !i.permit.returned || !i.over || i.running != nil {
		r.t.Errorf("in the books: %t, permit %+v, over %t, running %v", there, i.permit, i.over, i.running)
	}
	if i.reason != reason || i.machine.state() != stopped {
		r.t.Errorf("it is %s: %s", i.machine.state(), i.reason)
	}
	if r.learners[i.agent] == i {
		r.t.Error("it may still learn")
	}
	if lives := len(r.instances); r.lives != lives {
		r.t.Errorf("%d lives of %d instances", r.lives, lives)
	}
}

// TestAJobOutlastsTheHaltOfWhatPauses has the instance be stopped only when the job is done.
func TestAJobOutlastsTheHaltOfWhatPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, quick, inProcess).begin()
		defer r.close()
		r.packets("a")
		w := r.wake("a")
		done, ok := r.Lease(w.Agent)
		if !ok {
			t.Fatal("no lease")
		}
		w.Release()
		id := r.board.get("a").instance.id
		stopped := make(chan error, 1)
		go func() { stopped <- r.StopInstance(t.Context(), id) }()
		synctest.Wait()
		if n := r.rt.living(); n != 1 {
			t.Errorf("%d are alive while a job is under way", n)
		}
		done()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if n := r.rt.living(); n != 0 {
			t.Errorf("%d are alive", n)
		}
	})
}
