package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestStatus(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxAgents = 4
		r := newRig(t, limits, func(c *Config) { c.GrowthOff = true })
		r.rt.conduct = func(req myriad.StartRequest) conduct {
			switch req.Packet.Agent.Name {
			case "slow":
				return conduct{noUsage: time.Hour}
			case "starts":
				return conduct{readyAfter: 30 * time.Second}
			}
			return conduct{readyAfter: 250 * time.Millisecond}
		}
		r.begin()
		defer r.close()
		r.packets("a", "slow", "starts")
		w := r.wake("a")
		release, _ := r.Lease(w.Agent)
		r.use("slow")
		starts := r.ask(context.Background(), wakeOf("starts"))
		time.Sleep(10 * time.Second)
		at := time.Now()
		s := r.Status(context.Background())
		if took := time.Since(at); took > usageTime {
			t.Errorf("took %v", took)
		}
		if s.Enabled || s.InUse != 3 || s.Limits.MaxAgents != 4 || len(s.Instances) != 3 || s.Queue == nil {
			t.Errorf("%+v", s)
		}
		a, slow, start := s.Instances[0], s.Instances[1], s.Instances[2]
		if a.Agent != "a" || a.State != myriad.InstanceReady || a.Concept != "about_a" || a.Runtime != "inproc" || a.InFlight != 1 || a.IdleMS != 0 || a.AgeMS < 10_000 ||
			a.ColdMS < 250 || a.ColdMS > 600 || a.Endpoint != w.Agent.Endpoint || a.Usage == nil || a.Usage.MemoryBytes != 1<<20 {
			t.Errorf("a: %+v", a)
		}
		if slow.Usage != nil || slow.IdleMS < 9000 || slow.InFlight != 0 {
			t.Errorf("slow: %+v", slow)
		}
		if start.State != myriad.InstanceStarting || start.InFlight != 1 || start.Endpoint != "" {
			t.Errorf("starts: %+v", start)
		}
		release()
		w.Release()
		(<-starts).Release()
		time.Sleep(2 * time.Hour) // the usage that came too late, too
	})
}

// Instances of this process cannot tell what they use, so they are not asked: nothing is under way for them when their number is read.
func TestPartsOfThisProcessAreNotAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick, inProcess)
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{noUsage: time.Hour} }
		r.begin()
		defer r.close()
		r.packets("a", "b")
		r.use("a")
		r.use("b")
		at := time.Now()
		s, asks := r.snapshot()
		if len(s.Instances) != 2 || slices.ContainsFunc(asks, func(a *usageAsk) bool { return a != nil }) {
			t.Errorf("%d instances, questions %v", len(s.Instances), asks)
		}
		if s = r.Status(t.Context()); s.Instances[0].Usage != nil || time.Since(at) > 0 {
			t.Errorf("%+v after %v", s.Instances[0], time.Since(at))
		}
	})
}

// A bug: instances that did not say what they use were asked once more by every Status, in goroutines that nobody waited for.
func TestAnInstanceIsAskedOnceAtATime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		deaf := make(chan struct{})
		r := newRig(t, quick)
		r.rt.conduct = func(req myriad.StartRequest) conduct {
			if req.Packet.Agent.Name == "deaf" {
				return conduct{deaf: deaf}
			}
			return conduct{noUsage: 100 * time.Millisecond}
		}
		r.begin()
		r.packets("deaf", "slow")
		r.use("deaf")
		r.use("slow")
		asked := r.rt.instanceOf("deaf")
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { // whoever comes second has the answer to the question of the first
				if s := r.Status(context.Background()); s.Instances[0].Usage != nil || s.Instances[1].Usage == nil {
					t.Errorf("%+v", s.Instances)
				}
			})
		}
		both.Wait()
		for range 5 {
			at := time.Now()
			if s := r.Status(context.Background()); s.Instances[1].Usage == nil {
				t.Errorf("%+v", s.Instances)
			}
			if took := time.Since(at); took > 100*time.Millisecond+time.Microsecond {
				t.Errorf("an instance that is known not to answer is waited for again: %v", took)
			}
		}
		if n := asked.usages.Load(); n != 1 {
			t.Errorf("%d questions are under way", n)
		}
		drained := make(chan struct{})
		go func() { r.close(); close(drained) }()
		time.Sleep(lastStop / 2)
		select {
		case <-drained:
			t.Error("Drain does not wait for a question under way")
		default:
		}
		close(deaf)
		<-drained
		if n := asked.usages.Load(); n != 0 {
			t.Errorf("%d questions are under way after Drain", n)
		}
	})
}

// Panics of listeners, of askers and of a runtime cost nobody else anything.
func TestPanics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var told atomic.Int64
		r := newRig(t, quick, func(c *Config) {
			note := c.Sink
			c.Sink = myriad.SinkFunc(func(e myriad.Event) {
				note.Emit(e)
				if told.Add(1)%3 == 0 {
					panic("a broken listener")
				}
			})
		})
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{readyAfter: time.Second} }
		r.begin()
		defer r.close()
		r.packets("a")
		for range 3 {
			r.Wake(context.Background(), wakeOf("a"), func(myriad.Woken) { panic("a broken asker") })
		}
		w := r.wake("a")
		w.Release()
		synctest.Wait()
		panics := r.told(myriad.KindPanic)
		if len(panics) != 3 || !slices.ContainsFunc(panics, func(s string) bool { return strings.Contains(s, "a broken asker") }) {
			t.Errorf("told: %v", panics)
		}
	})
}

func TestConfig(t *testing.T) {
	rt := newFakeRuntime("x")
	_, err := New(Config{Runtimes: []myriad.Runtime{rt, rt, nil}, StopGrace: -1})
	wantCode(t, "mistakes", err, myriad.CodeInvalid)
	for _, word := range []string{"store", "graph", "two runtimes", "is nil", "stop grace"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not named in %v", word, err)
		}
	}
	m, err := New(Config{Store: newFakeStore(), Graph: newFakeGraph()})
	if err != nil {
		t.Fatal(err)
	}
	want := myriad.FleetLimits{MaxAgents: 20, IdleTimeoutMS: 1_800_000, MaxAgeMS: 86_400_000, MinLifeMS: 10_000, MaxQueue: 100, QueueMaxAgeMS: 600_000,
		Instance: myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 64}}
	if m.limits != want {
		t.Errorf("defaults: %+v", m.limits)
	}
	if err := m.Drain(context.Background()); err != nil {
		t.Error(err)
	}
}

// Run sleeps when there is nothing to watch: the clock of the bubble jumps to the one thing that is due.
func TestNothingPolls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick).begin()
		defer r.close()
		r.packets("a")
		time.Sleep(time.Hour)
		if at := r.next(); !at.IsZero() {
			t.Errorf("with nobody awake Run waits for %v", at)
		}
		r.use("a")
		if left := time.Until(r.next()); left != time.Minute {
			t.Errorf("the next thing is due in %v, the idle timeout is a minute", left)
		}
		time.Sleep(time.Hour)
		if at := r.next(); !at.IsZero() {
			t.Errorf("with nobody awake any more Run waits for %v", at)
		}
	})
}

// Why an instance failed is shown as long as it is.
func TestStatusSaysWhy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick)
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{startErr: errors.New("no program \"x\" in PATH")} }
		r.begin()
		defer r.close()
		r.packets("a")
		wantCode(t, "a", (<-r.ask(context.Background(), wakeOf("a"))).Err, myriad.TaskErrStart)
		if s := r.Status(context.Background()).Instances; len(s) != 1 || s[0].State != myriad.InstanceFailed || s[0].Error != "no program \"x\" in PATH" {
			t.Errorf("failed: %+v", s)
		}
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{} }
		time.Sleep(time.Minute)
		r.use("a")
		if s := r.Status(context.Background()).Instances; len(s) != 1 || s[0].State != myriad.InstanceReady || s[0].Error != "" {
			t.Errorf("ready: %+v", s)
		}
	})
}
