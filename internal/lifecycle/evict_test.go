package lifecycle

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestEvictsTheLongestIdle(t *testing.T) {
	eitherWay(t, func(t *testing.T, way func(*Config)) {
		limits := quick
		limits.MaxAgents = 3
		r := newRig(t, limits, way).begin()
		defer r.close()
		r.packets("a", "b", "c", "d")
		for _, name := range []string{"a", "b", "c"} {
			r.use(name)
			time.Sleep(time.Second)
		}
		r.use("a") // now b is the one that nobody has used for longest
		time.Sleep(time.Second)
		r.use("d")
		wantSame(t, "evicted", r.told(myriad.KindEvicted), []string{"b > d"})
		wantSame(t, "the fleet", r.states(), []string{"a ready", "c ready", "d ready"})
	})
}

func TestMinLife(t *testing.T) {
	eitherWay(t, func(t *testing.T, way func(*Config)) {
		r := newRig(t, quick, way).begin()
		defer r.close()
		r.packets("a", "b", "c")
		r.use("a")
		time.Sleep(300 * time.Millisecond)
		r.use("b")
		at := time.Now()
		w := r.wake("c")
		w.Release()
		if took := time.Since(at); took < 700*time.Millisecond || took > 750*time.Millisecond {
			t.Errorf("c had room after %v", took)
		}
	})
}

// One that does not end when it is asked to is killed soon when somebody waits for its room, and has its whole grace when nobody does.
func TestEvictedIsKilledSoon(t *testing.T) {
	for _, c := range []struct {
		name  string
		evict func(r *rig)
		takes time.Duration
	}{
		{"for somebody", func(r *rig) { r.wake("waits").Release() }, evictGrace},
		{"for lowered limits", func(r *rig) {
			if _, err := r.SetLimits(context.Background(), func(l *myriad.FleetLimits) { l.MaxAgents = 1 }); err != nil {
				r.t.Error(err)
			}
			<-r.rt.instanceOf("deaf").exited
		}, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			eitherWay(t, func(t *testing.T, way func(*Config)) {
				limits := quick
				limits.MaxAgents = 2
				r := newRig(t, limits, way)
				r.rt.conduct = func(req myriad.StartRequest) conduct {
					if req.Packet.Agent.Name == "deaf" {
						return conduct{stopTakes: time.Hour}
					}
					return conduct{}
				}
				r.begin()
				defer r.close()
				r.packets("deaf", "other", "waits")
				r.use("deaf")
				time.Sleep(time.Second)
				r.use("other")
				time.Sleep(2 * time.Second)
				at := time.Now()
				c.evict(r)
				if took := time.Since(at); took < c.takes || took > c.takes+100*time.Millisecond {
					t.Errorf("it took %v, want %v", took, c.takes)
				}
			})
		})
	}
}

// An agent that is never idle when it is looked at gives way in the moment in which its last lease comes back.
func TestBusyAgentGivesWay(t *testing.T) {
	for _, busy := range []string{"leases", "pins"} {
		t.Run(busy, func(t *testing.T) {
			eitherWay(t, func(t *testing.T, way func(*Config)) {
				limits := quick
				limits.MaxAgents = 1
				r := newRig(t, limits, way).begin()
				defer r.close()
				r.packets("busy", "waits")
				r.use("busy")
				done := make(chan struct{})
				take := func() func() {
					if card := r.Awake("busy"); busy == "leases" && card != nil {
						release, _ := r.Lease(card)
						return release
					}
					if l := r.board.get("busy"); l != nil && l.take(onePin) {
						return l.woken(0).Release
					}
					return nil
				}
				go func() { // one job after the other, the next taken in the moment in which the last ends
					defer close(done)
					for release := take(); release != nil; release = take() {
						time.Sleep(100 * time.Millisecond)
						release()
					}
				}()
				at := time.Now()
				w := r.wake("waits")
				if took := time.Since(at); took > 5*time.Second {
					t.Errorf("waited for %v", took)
				}
				<-done
				w.Release()
			})
		})
	}
}

// Two units that come back in the same moment, each while the other is still out, leave nobody to give way; whoever waits is still served at once.
func TestLastUnitsComeBackTogether(t *testing.T) {
	for _, unit := range []int64{oneLease, onePin} {
		eitherWay(t, func(t *testing.T, way func(*Config)) {
			limits := quick
			limits.MaxAgents = 1
			r := newRig(t, limits, way).begin()
			defer r.close()
			r.packets("busy", "waits")
			r.use("busy")
			l := r.board.get("busy")
			if !l.take(oneLease) || !l.take(unit) {
				t.Fatal("not awake")
			}
			time.Sleep(5 * time.Second) // past its minimum life
			answer := r.ask(context.Background(), wakeOf("waits"))
			time.Sleep(time.Second)
			at := time.Now()
			l.letGo(oneLease) // release, after it has seen that the other one is out
			l.letGo(unit)
			w := <-answer
			if took := time.Since(at); w.Err != nil || took > time.Second {
				t.Fatalf("served after %v: %v", took, w.Err)
			}
			w.Release()
		})
	}
}

// Two agents that need the same place take turns: each answers those who woke it before it goes, and lives its minimum life.
func TestNoMutualEviction(t *testing.T) {
	eitherWay(t, func(t *testing.T, way func(*Config)) {
		limits := quick
		limits.MaxAgents = 1
		r := newRig(t, limits, way).begin()
		defer r.close()
		r.packets("a", "b")
		served := map[string]int{}
		over := make(chan string)
		for _, name := range []string{"a", "b"} {
			go func() {
				for range 30 {
					w := <-r.ask(context.Background(), wakeOf(name))
					if w.Err != nil {
						t.Error(w.Err)
						return
					}
					release, ok := r.Lease(w.Agent)
					if !ok {
						t.Error("evicted before it could answer")
						return
					}
					time.Sleep(50 * time.Millisecond)
					release()
					w.Release()
					over <- name
				}
			}()
		}
		for range 60 {
			served[<-over]++
		}
		if served["a"] != 30 || served["b"] != 30 {
			t.Errorf("served %v", served)
		}
		synctest.Wait()
		lived := map[string]time.Time{}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, e := range r.events {
			if e.Kind == myriad.KindInstance && e.To == myriad.InstanceReady {
				lived[e.Instance] = e.At
			}
			if e.Kind == myriad.KindEvicted && e.At.Sub(lived[e.Instance]) < time.Second {
				t.Errorf("%s was evicted after %v", e.Agent, e.At.Sub(lived[e.Instance]))
			}
		}
	})
}

func TestBudgets(t *testing.T) {
	eitherWay(t, func(t *testing.T, way func(*Config)) {
		limits := quick
		limits.MaxAgents, limits.TotalCPU, limits.TotalMemoryBytes = 10, 1.2, 1<<30
		r := newRig(t, limits, way).begin()
		defer r.close()
		for n := range 3 {
			r.packets(fmt.Sprint("a", n)) // 0.5 cores each
		}
		big := agent("big")
		big.Template.Limits = myriad.Limits{CPU: 8, MemoryBytes: 1 << 40, PIDs: 7}
		if _, err := r.PutAgent(context.Background(), big, myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		w0, w1 := r.wake("a0"), r.wake("a1")
		third := r.ask(context.Background(), wakeOf("a2"))
		time.Sleep(5 * time.Second)
		if len(third) > 0 {
			t.Fatal("three times 0.5 cores do not fit into 1.2")
		}
		w0.Release()
		w2 := <-third
		if w2.Err != nil || r.Awake("a0") != nil {
			t.Fatalf("a2: %v", w2.Err)
		}
		w1.Release()
		w2.Release()
		// One that asks for more than everything gets everything.
		time.Sleep(2 * time.Second)
		w := r.wake("big")
		defer w.Release()
		s := r.Status(context.Background())
		if len(s.Instances) != 1 || s.Instances[0].Limits != (myriad.Limits{CPU: 1.2, MemoryBytes: 1 << 30, PIDs: 7}) {
			t.Errorf("status %+v", s.Instances)
		}
	})
}

func TestSetLimits(t *testing.T) {
	eitherWay(t, func(t *testing.T, way func(*Config)) {
		limits := quick
		limits.MaxAgents, limits.MinLifeMS = 4, 3_600_000
		r := newRig(t, limits, way).begin()
		defer r.close()
		r.packets("a", "b", "c", "d", "e")
		busy := r.wake("a")
		for _, name := range []string{"b", "c", "d"} {
			r.use(name)
			time.Sleep(time.Second)
		}
		set := func(n int) {
			t.Helper()
			got, err := r.SetLimits(context.Background(), func(l *myriad.FleetLimits) { l.MaxAgents = n })
			if err != nil || got.MaxAgents != n {
				t.Fatalf("set %d: %+v, %v", n, got, err)
			}
			synctest.Wait()
		}
		set(3)
		wantSame(t, "three are left, whatever their age", r.states(), []string{"a ready", "c ready", "d ready"})
		set(0)
		wantSame(t, "who works stays", r.states(), []string{"a ready"})
		waiting := r.ask(context.Background(), wakeOf("e"))
		busy.Release()
		synctest.Wait()
		wantSame(t, "and goes when it falls idle", r.states(), nil)
		if len(waiting) > 0 {
			t.Error("woken without room")
		}
		set(1)
		if w := <-waiting; w.Err != nil {
			t.Error(w.Err)
		} else {
			w.Release()
		}
		_, err := r.SetLimits(context.Background(), func(l *myriad.FleetLimits) { l.MaxAgents, l.TotalCPU = -1, -2 })
		wantCode(t, "negative limits", err, myriad.CodeInvalid)
		if now := r.Status(context.Background()).Limits.MaxAgents; now != 1 {
			t.Errorf("refused limits hold: %d", now)
		}
	})
}
