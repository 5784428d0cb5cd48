package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// What an instance was told until its very end is in the packet from which the next one starts, whyever it ended and however soon it is needed again.
func TestTheNextKnowsWhatTheLastWasTold(t *testing.T) {
	ask := func(r *rig) { r.use("a") }
	for name, end := range map[string]func(r *rig, id string){
		"restarted": func(r *rig, id string) {
			if err := r.RestartInstance(context.Background(), id); err != nil {
				r.t.Error(err)
			}
		},
		"stopped": func(r *rig, id string) {
			r.over.Go(func() {
				if err := r.StopInstance(context.Background(), id); err != nil {
					r.t.Error(err)
				}
			})
			time.Sleep(time.Millisecond)
		},
		"old": func(r *rig, _ string) { time.Sleep(time.Minute + 10*time.Second) },
		"evicted": func(r *rig, _ string) {
			time.Sleep(2 * time.Second)
			r.use("b")
			w := r.wake("c")
			w.Release()
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, slow := range []time.Duration{0, 3 * time.Second} { // to stop: the next one is asked for while the last one ends
				for _, broken := range []bool{false, true} {
					bubble(t, func(t *testing.T) {
						limits := quick
						limits.MaxAgeMS, limits.IdleTimeoutMS = 60_000, -1
						r := newRig(t, limits)
						var knew []string
						var revision int64
						r.rt.conduct = func(req myriad.StartRequest) conduct {
							if req.Packet.Agent.Name != "a" {
								return conduct{}
							}
							known := req.Packet.Agent.Template.Knowledge.PrimaryDefinition
							knew, revision = append(knew, known), req.Packet.Revision
							return conduct{stopTakes: slow, stopping: func() {
								if err := r.Learned(req.InstanceID, "a", know(known+", and more")); err != nil {
									t.Errorf("a lesson at the end: %v", err)
								}
							}}
						}
						r.begin()
						r.packets("a", "b", "c")
						ask(r)
						if broken {
							r.store.failing(func(op, _ string) error {
								if op == "SetKnowledge" {
									return myriad.Errorf(myriad.CodeUnavailable, "disk")
								}
								return nil
							})
						}
						end(r, r.board.get("a").instance.id)
						ask(r)
						time.Sleep(2 * time.Second)
						if _, stored := r.knows("a"); !broken && revision != stored {
							t.Errorf("started as revision %d, and the packet is at %d: it would not be adopted", revision, stored)
						}
						r.store.failing(nil)
						r.close()
						if len(knew) < 2 || knew[1] != "what it is, and more" {
							t.Errorf("started with %q (slow %v, store broken %v)", knew, slow, broken)
						}
					})
				}
			}
		})
	}
}

// What an earlier life of the server left alive, in containers, says when it is ended what it was told. That is kept, unless the packet was written since.
func TestLeftOversAreHeard(t *testing.T) {
	for name, c := range map[string]struct {
		revision int64
		limits   myriad.Limits
		want     string
	}{
		"ended for its limits":  {2, myriad.Limits{CPU: 4, MemoryBytes: 1, PIDs: 1}, "a lesson"},
		"of an earlier packet":  {1, limitsOf, "what it is now"},
		"adopted, then stopped": {2, limitsOf, "a lesson"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := later(t, quick, "a")
				a := agent("a")
				a.Template.Knowledge.PrimaryDefinition = "what it is now"
				if _, err := r.PutAgent(t.Context(), a, myriad.Guard{}); err != nil {
					t.Fatal(err)
				}
				var knew string
				r.rt.conduct = func(req myriad.StartRequest) conduct {
					knew = req.Packet.Agent.Template.Knowledge.PrimaryDefinition
					return conduct{}
				}
				var heard error
				r.rt.leave("1", "a", c.revision, c.limits, conduct{stopTakes: time.Second, stopping: func() { heard = r.Learned("1", "a", know("a lesson")) }})
				r.begin()
				defer r.close()
				r.use("a")
				if c.limits == limitsOf && c.revision == 2 {
					if err := r.StopInstance(t.Context(), "1"); err != nil {
						t.Fatal(err)
					}
					r.use("a")
				}
				time.Sleep(2 * time.Second)
				if k, _ := r.knows("a"); k != c.want || knew != c.want || (heard == nil) != (c.want == "a lesson") {
					t.Errorf("the packet knows %q, the next instance %q; what was left was told %v", k, knew, heard)
				}
			})
		})
	}
}

// TestLeftOversOfALateRuntimeAreHeard: a runtime that could not tell what is left tells it to whoever is to start there first, who waits for the end of
// its own left-over.
func TestLeftOversOfALateRuntimeAreHeard(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := later(t, quick, "a")
		var knew string
		r.rt.conduct = func(req myriad.StartRequest) conduct {
			knew = req.Packet.Agent.Template.Knowledge.PrimaryDefinition
			return conduct{}
		}
		heard := errors.New("never asked")
		r.rt.leave("1", "a", 1, limitsOf, conduct{stopTakes: time.Second, stopping: func() { heard = r.Learned("1", "a", know("a lesson")) }})
		absent := func(err error) {
			r.rt.mu.Lock()
			defer r.rt.mu.Unlock()
			r.rt.recoverErr = err
		}
		absent(errors.New("the daemon is down"))
		r.begin()
		defer r.close()
		absent(nil)
		r.use("a")
		if heard != nil || knew != "a lesson" {
			t.Errorf("what was left was told %v, the next starts with %q", heard, knew)
		}
	})
}

// A bug: an instance that had read its packet before the last lesson of its former instance was written, and was not yet known by it, started without.
func TestAPacketThatWasReadTooEarlyIsReadAgain(t *testing.T) {
	for _, written := range []bool{false, true} { // as a whole, since
		bubble(t, func(t *testing.T) {
			r := newRig(t, quick)
			var knew []string
			r.rt.conduct = func(req myriad.StartRequest) conduct {
				knew = append(knew, req.Packet.Agent.Template.Knowledge.PrimaryDefinition)
				return conduct{stopTakes: 5 * time.Second}
			}
			r.begin()
			defer r.close()
			r.packets("a")
			r.use("a")
			early, err := r.store.Packet(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			id := r.board.get("a").instance.id
			if err := r.RestartInstance(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if err := r.Learned(id, "a", know("a lesson")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			want := "a lesson"
			if written {
				want = "what it is now"
				a := agent("a")
				a.Description, a.Template.Knowledge.PrimaryDefinition = "another", want
				if _, err := r.PutAgent(t.Context(), a, myriad.Guard{}); err != nil {
					t.Fatal(err)
				}
			} else {
				r.Manager.mu.Lock()
				r.residents["a"].now.packet = &early
				r.Manager.mu.Unlock()
			}
			r.use("a")
			if len(knew) != 2 || knew[1] != want {
				t.Errorf("started with %q, want %q", knew, want)
			}
		})
	}
}

// TestAFormerInstanceMayTakeItsGraces, both of them, however short a start has to be.
func TestAFormerInstanceMayTakeItsGraces(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick, func(c *Config) { c.StartTimeout, c.StopGrace = 5*time.Second, 10*time.Second })
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{stopTakes: 8 * time.Second} }
		r.begin()
		defer r.close()
		r.packets("a")
		r.use("a")
		job, ok := r.Lease(r.Awake("a"))
		if !ok {
			t.Fatal("no lease")
		}
		defer job()
		if err := r.RestartInstance(t.Context(), r.board.get("a").instance.id); err != nil {
			t.Fatal(err)
		}
		at := time.Now()
		w := <-r.ask(t.Context(), wakeOf("a"))
		if w.Err != nil || time.Since(at) != 18*time.Second || w.Cold > time.Second {
			t.Errorf("awake after %v with a cold start of %v, %v", time.Since(at), w.Cold, w.Err)
		}
		if w.Err == nil {
			w.Release()
		}
	})
}

// teacher tells an agent numbers, one after the other; its instances add nothing by themselves.
type teacher struct {
	r     *rig
	mu    sync.Mutex     // guards what follows
	rng   *rand.Rand     //
	ids   []string       // of all instances that there were
	acked int            // the last number that was taken
	knows map[string]int // what each instance knows
	bad   []string
}

// started judges what an instance starts from.
func (t *teacher) started(req myriad.StartRequest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, _ := strconv.Atoi(req.Packet.Agent.Template.Knowledge.PrimaryDefinition)
	t.ids = append(t.ids, req.InstanceID)
	t.knows[req.InstanceID] = n
	if n != t.acked {
		t.bad = append(t.bad, fmt.Sprintf("an instance starts with %d, and %d was taken", n, t.acked))
	}
}

// teach tells an instance the next number, as an agent in this process is told: it is known once it is taken.
func (t *teacher) teach(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := t.knows[id] + 1
	if t.r.Learned(id, "a", know(strconv.Itoa(next))) != nil {
		return false
	}
	if next != t.acked+1 {
		t.bad = append(t.bad, fmt.Sprintf("%d was taken from an instance, after %d", next, t.acked))
	}
	t.knows[id], t.acked = next, next
	return true
}

// dice is a number below n.
func (t *teacher) dice(n int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rng.IntN(n)
}

func (t *teacher) upTo(ms int) time.Duration { return time.Duration(t.dice(ms)) * time.Millisecond }

// last are the ids of the newest instances, the newest last.
func (t *teacher) last(n int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.ids[max(0, len(t.ids)-n):])
}

// disturb has something happen to the agent.
func (t *teacher) disturb() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond) // what takes longer goes on
	defer cancel()
	switch t.dice(4) {
	case 0:
		if w := <-t.r.ask(context.Background(), wakeOf("a")); w.Err == nil {
			w.Release()
		}
	case 1:
		t.r.Wake(context.Background(), wakeOf(string(rune('a'+t.dice(3)))), func(w myriad.Woken) {
			if w.Err == nil {
				w.Release()
			}
		})
	case 2:
		for _, id := range t.last(1) {
			_ = t.r.RestartInstance(ctx, id) // it may be gone
		}
	case 3:
		for _, id := range t.last(1) {
			_ = t.r.StopInstance(ctx, id)
		}
	}
}

// TestNoLessonIsLostUnderChurn teaches an agent all the time, through every instance that there ever was, while it is restarted, stopped, grows old and
// falls asleep, and its store fails now and then.
func TestNoLessonIsLostUnderChurn(t *testing.T) {
	for seed := range uint64(20) {
		bubble(t, func(t *testing.T) {
			limits := quick
			limits.MaxAgeMS, limits.IdleTimeoutMS, limits.MinLifeMS = 700, 300, 0
			r := newRig(t, limits, inProcess)
			school := &teacher{r: r, rng: rand.New(rand.NewPCG(seed, 1)), knows: map[string]int{}}
			r.rt.conduct = func(req myriad.StartRequest) conduct {
				if req.Packet.Agent.Name != "a" {
					return conduct{}
				}
				school.started(req)
				return conduct{startTakes: school.upTo(20), stopTakes: school.upTo(40), stopping: func() { school.teach(req.InstanceID) }}
			}
			r.begin()
			a := agent("a")
			a.Template.Knowledge.PrimaryDefinition = "0"
			if _, err := r.PutAgent(t.Context(), a, myriad.Guard{}); err != nil {
				t.Fatal(err)
			}
			r.packets("b", "c")
			r.store.failing(func(op, _ string) error {
				if op == "SetKnowledge" && school.dice(3) == 0 {
					return myriad.Errorf(myriad.CodeUnavailable, "disk")
				}
				return nil
			})
			refused := 0
			for range 400 {
				if school.dice(2) == 0 {
					school.disturb()
				}
				for _, id := range school.last(3) {
					if !school.teach(id) {
						refused++
					}
				}
				time.Sleep(school.upTo(30))
			}
			r.store.failing(nil)
			r.close()
			p, err := r.store.Packet(context.Background(), "a")
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Agent.Template.Knowledge.PrimaryDefinition; got != strconv.Itoa(school.acked) {
				t.Errorf("seed %d: the packet knows %s of %d", seed, got, school.acked)
			}
			for _, bad := range school.bad {
				t.Errorf("seed %d: %s", seed, bad)
			}
			if len(school.ids) < 10 || school.acked < 50 || refused == 0 {
				t.Errorf("seed %d: %d starts, %d lessons taken, %d refused", seed, len(school.ids), school.acked, refused)
			}
		})
	}
}
