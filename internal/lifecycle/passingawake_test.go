package lifecycle

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// Who was woken in passing and is needed since has its minimum life like all others: whoever wakes it needs it, and whose lease is not beside a pin. The
// lease of those who woke it in passing is beside theirs.
func TestPassingUntilItIsNeeded(t *testing.T) {
	lease := func(r *rig) {
		release, ok := r.Lease(r.Awake("a"))
		if !ok {
			r.t.Fatal("no lease")
		}
		release()
	}
	for name, c := range map[string]struct {
		use    func(r *rig)
		needed bool
	}{
		"woken":           {func(r *rig) { r.wake("a").Release() }, true},
		"leased":          {lease, true},
		"not at all":      {func(*rig) {}, false},
		"asked research":  {func(r *rig) { w := <-r.ask(r.t.Context(), inPassing("a")); lease(r); w.Release() }, false},
		"leased and more": {func(r *rig) { lease(r); w := <-r.ask(r.t.Context(), inPassing("a")); w.Release() }, true},
		"replaced": {func(r *rig) {
			r.limit(2)
			if err := r.RestartInstance(r.t.Context(), r.board.get("a").instance.id); err != nil {
				r.t.Fatal(err)
			}
			synctest.Wait()
			r.limit(1)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			eitherWay(t, func(t *testing.T, way func(*Config)) {
				limits := quick
				limits.MaxAgents, limits.MinLifeMS = 1, 60_000
				r := newRig(t, limits, way).begin()
				defer r.close()
				r.packets("a", "b")
				w := <-r.ask(t.Context(), inPassing("a"))
				if w.Err != nil {
					t.Fatal(w.Err)
				}
				lease(r) // beside the pin
				w.Release()
				c.use(r)
				at := time.Now()
				r.wake("b").Release()
				if took := time.Since(at); c.needed != (took > 59*time.Second) {
					t.Errorf("it gave way after %v", took)
				}
			})
		})
	}
}

// A crash takes nothing from an instance that was needed before, and gives nothing to one that was not.
func TestPassingOutlivesACrash(t *testing.T) {
	for _, needed := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			limits := quick
			limits.MaxAgents, limits.MinLifeMS = 1, 60_000
			r := newRig(t, limits).begin()
			defer r.close()
			r.packets("a", "b")
			w := <-r.ask(t.Context(), inPassing("a"))
			w.Release()
			if needed {
				r.use("a")
			}
			r.rt.instanceOf("a").crash()
			time.Sleep(5 * time.Second) // and is there again
			at := time.Now()
			r.wake("b").Release()
			if took := time.Since(at); needed != (took > 50*time.Second) {
				t.Errorf("needed %t: it gave way after %v", needed, took)
			}
		})
	}
}

// A packet that is written anew while its agent starts in passing has it start anew for those who ask, and for nobody when they have left.
func TestPassingFollowsItsPacket(t *testing.T) {
	for _, stays := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, quick)
			r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{readyAfter: 2 * time.Second} }
			r.begin()
			defer r.close()
			r.packets("a")
			req := inPassing("a")
			if req.Patience = 0; !stays {
				req.Deadline = time.Now().Add(time.Second / 2)
			}
			passing := r.ask(t.Context(), req)
			time.Sleep(time.Second)
			changed := agent("a")
			changed.Description = "another"
			if _, err := r.PutAgent(t.Context(), changed, myriad.Guard{}); err != nil {
				t.Fatal(err)
			}
			w := <-passing
			time.Sleep(time.Minute / 2)
			if starts := r.rt.started("a"); stays != (w.Err == nil) || stays != (starts == 2) {
				t.Fatalf("started %d times, answered %v", starts, w.Err)
			}
			if l := r.board.get("a"); stays && !l.passing.Load() {
				t.Error("somebody is said to need it")
			}
			if w.Err == nil {
				w.Release()
			}
		})
	}
}

// Whoever needs an agent while another instance of it starts to take the place of the one that is awake, needs that one too.
func TestPassingIsReplacedAsItIs(t *testing.T) {
	for _, needed := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			limits := quick
			limits.IdleTimeoutMS, limits.MaxAgeMS = -1, 60_000
			r := newRig(t, limits)
			r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{readyAfter: 2 * time.Second} }
			r.begin()
			defer r.close()
			r.programs("a")
			w := <-r.ask(t.Context(), inPassing("a"))
			w.Release()
			for r.rt.started("a") < 2 {
				time.Sleep(time.Second)
			}
			if needed {
				r.use("a")
			}
			time.Sleep(3 * time.Second)
			l := r.board.get("a")
			if l == nil || l.card == w.Agent || l.passing.Load() == needed {
				t.Errorf("needed %t: awake is %+v", needed, l)
			}
		})
	}
}
