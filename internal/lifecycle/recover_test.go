package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// later is a rig on packets of an earlier life.
func later(t *testing.T, limits myriad.FleetLimits, names ...string) *rig {
	r := newRig(t, limits)
	r.packets(names...)
	return r
}

// limitsOf are the limits of an instance of agent without any of its own.
var limitsOf = bounded(myriad.Limits{}, defaultLimits(quick))

func TestAdoption(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := later(t, quick, "same", "older", "grown", "third", "twice")
		ctx := context.Background()
		changed := agent("older")
		changed.Description = "changed"
		if _, err := r.PutAgent(ctx, changed, myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		put := func(id, name string) {
			if err := r.store.PutInstance(ctx, myriad.InstanceRecord{ID: id, Agent: name, Runtime: "inproc"}); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range []string{"1", "2", "3", "4", "5", "vanished"} {
			put(id, "x")
		}
		same := r.rt.leave("1", "same", 1, limitsOf, conduct{readyAfter: time.Second, stopTakes: time.Minute})
		r.rt.leave("2", "older", 1, limitsOf, conduct{stopTakes: time.Second})                                       // of another revision
		r.rt.leave("3", "grown", 1, myriad.Limits{CPU: 4, MemoryBytes: 1, PIDs: 1}, conduct{stopTakes: time.Second}) // with other limits
		r.rt.leave("4", "nobody", 1, limitsOf, conduct{stopTakes: time.Second})                                      // whose packet is gone
		r.rt.leave("5", "same", 1, limitsOf, conduct{stopTakes: 20 * time.Second})                                   // one too many
		r.rt.leave("6", "twice", 1, limitsOf, conduct{readyAfter: time.Second})                                      // without a record, because the crash came first
		at := time.Now()
		r.begin()
		if took := time.Since(at); took > 0 {
			t.Errorf("starting took %v", took)
		}
		if n := r.Status(ctx).InUse; n != 6 {
			t.Errorf("%d in use: what is being ended counts too", n)
		}
		w := r.wake("same")
		if w.Agent.Endpoint != same.Endpoint() || w.Cold == 0 {
			t.Errorf("not adopted: %+v", w)
		}
		if r.rt.started("same") != 0 {
			t.Error("started anew")
		}
		adopted := r.told(myriad.KindInstance)
		for _, want := range []string{"same queued>starting adopted", "same starting>ready adopted"} {
			if !slices.Contains(adopted, want) {
				t.Errorf("%q is not told: %q", want, adopted)
			}
		}
		s := r.Status(ctx).Instances
		for _, i := range s {
			if i.ID == "1" && (i.AgeMS < 3_600_000 || i.State != myriad.InstanceReady) {
				t.Errorf("the adopted one: %+v", i)
			}
		}
		time.Sleep(12 * time.Second)
		wantSame(t, "the fleet", r.states(), []string{"same ready", "twice ready"})
		if n := r.store.recorded(); n != 1 {
			t.Errorf("%d records, want the one of what is alive", n)
		}
		w.Release()
		r.close()
	})
}

// Over the cap nothing starts until what is left over has ended.
func TestLeftOversCount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxAgents = 1
		r := later(t, limits, "a")
		r.rt.leave("1", "nobody", 1, limitsOf, conduct{stopTakes: 5 * time.Second})
		r.begin()
		defer r.close()
		at := time.Now()
		r.use("a")
		if took := time.Since(at); took < 5*time.Second {
			t.Errorf("started after %v, beside what was left", took)
		}
	})
}

// Of what cannot outlive the process there is no record.
func TestRecords(t *testing.T) {
	for _, ephemeral := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, quick, func(c *Config) {
				if ephemeral {
					c.Ephemeral = nil
				}
			})
			recorded := 0
			r.rt.conduct = func(myriad.StartRequest) conduct { recorded = r.store.recorded(); return conduct{} }
			r.begin()
			defer r.close()
			r.packets("a")
			r.use("a")
			if ephemeral == (recorded == 1) {
				t.Errorf("ephemeral: %v, %d records when the runtime was asked to start", ephemeral, recorded)
			}
		})
	}
}

// A runtime that cannot tell what is left starts nothing before it has, and keeps nobody else from starting.
func TestAbsentRuntime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		docker := newFakeRuntime("docker")
		docker.kind, docker.recoverErr = myriad.TemplateImage, errors.New("no daemon")
		limits := quick
		limits.MaxAgents = 5
		r := newRig(t, limits, func(c *Config) { c.Runtimes = append(c.Runtimes, docker) })
		r.rt.kind = myriad.TemplateKnowledge
		r.packets("a")
		image := myriad.Agent{Name: "image", Concepts: []string{"x"}, Template: &myriad.Template{Kind: myriad.TemplateImage, Image: "i"}}
		if _, err := r.PutAgent(context.Background(), image, myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		if err := r.store.PutInstance(context.Background(), myriad.InstanceRecord{ID: "old", Agent: "image", Runtime: "docker"}); err != nil {
			t.Fatal(err)
		}
		r.begin()
		r.use("a")
		w := <-r.ask(context.Background(), wakeOf("image"))
		wantCode(t, "image", w.Err, myriad.TaskErrStart)
		docker.mu.Lock()
		docker.recoverErr = nil
		docker.mu.Unlock()
		docker.leave("old", "image", 1, limitsOf, conduct{})
		time.Sleep(10 * time.Minute) // it is asked again without anybody's asking for an agent
		if docker.living() != 0 {    // adopted, and idle since
			t.Error("what was left is still there")
		}
		r.use("image")
		r.close()
		if len(docker.mistakes) > 0 {
			t.Error(docker.mistakes)
		}
	})
}

func TestStartFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, op := range []string{"Instances", "Queue"} {
			r := newRig(t, quick)
			r.store.failing(func(o, _ string) error {
				if o == op {
					return myriad.Errorf(myriad.CodeUnavailable, "disk")
				}
				return nil
			})
			if err := r.Start(context.Background()); err == nil {
				t.Errorf("started although %s fails", op)
			}
			r.store.failing(nil)
			r.begin()
			r.close()
		}
	})
}

// A start that is given up, and one that meets a drain, leave nothing alive.
func TestStartMeetsTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := later(t, quick, "a")
		r.rt.leave("1", "a", 1, limitsOf, conduct{stopTakes: time.Second})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		r.rt.recovering = cancel
		if err := r.Start(ctx); err == nil {
			t.Error("started although nobody waits for it")
		}
		r.close()
	})
	for n := range 20 {
		bubble(t, func(t *testing.T) {
			r := later(t, quick, "a")
			r.store.mu.Lock()
			r.store.slow = time.Duration(n) * time.Millisecond
			r.store.mu.Unlock()
			r.rt.leave("1", "a", 1, limitsOf, conduct{stopTakes: time.Second})
			started := make(chan error, 1)
			go func() { started <- r.Start(context.Background()) }()
			time.Sleep(15 * time.Millisecond)
			if err := r.Drain(context.Background()); err != nil {
				t.Error(err)
			}
			err := <-started
			synctest.Wait()
			if r.rt.living() != 0 {
				t.Errorf("alive after a drain; the start said %v", err)
			}
			r.close()
		})
	}
}

// errDied is what a store or graph says when the process dies at that step.
var errDied = myriad.Errorf(myriad.CodeUnavailable, "the process died")

// Whatever step a write of a packet dies at, the next life of the server makes store and graph agree, on the state before it or on the one after.
func TestPacketCrashPoints(t *testing.T) {
	ctx := context.Background()
	plain := myriad.Agent{Name: "x", Concepts: []string{"c"}, Endpoint: "http://127.0.0.1:7/query", Description: "plain", Owner: myriad.OwnerAPI}
	packet := agent("x")
	packet.Description = "packet"
	other := agent("x")
	other.Description = "other"
	put := func(a myriad.Agent) func(m *Manager) error {
		return func(m *Manager) error { _, err := m.PutAgent(ctx, a, myriad.Guard{Owner: myriad.OwnerAPI}); return err }
	}
	remove := func(m *Manager) error { _, err := m.DeleteAgent(ctx, "x", myriad.Guard{}); return err }
	const (
		none     = ""
		isPlain  = `x "plain" packet=false dormant=false at=http://127.0.0.1:7/query; `
		isPacket = `x "packet" packet=true dormant=true at=; `
		isOther  = `x "other" packet=true dormant=true at=; `
	)
	cases := []struct {
		name     string
		before   []func(m *Manager) error
		do       func(m *Manager) error
		old, new string
	}{
		{"a new packet", nil, put(packet), none, isPacket},
		{"another revision", []func(m *Manager) error{put(packet)}, put(other), isPacket, isOther},
		{"a packet in place of an agent", []func(m *Manager) error{put(plain)}, put(packet), isPlain, isPacket},
		{"an agent in place of a packet", []func(m *Manager) error{put(packet)}, put(plain), isPacket, isPlain},
		{"a deleted packet", []func(m *Manager) error{put(packet)}, remove, isPacket, none},
		{"a deleted agent", []func(m *Manager) error{put(plain)}, remove, isPlain, none},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				for step, died := 0, true; died; step++ {
					r := newRig(t, quick).begin()
					for _, f := range c.before {
						if err := f(r.Manager); err != nil {
							t.Fatal(err)
						}
					}
					synctest.Wait()
					n := 0
					died = false
					die := func(string, string) error { // from this step on nothing is carried out
						if n++; n > step {
							died = true
							return errDied
						}
						return nil
					}
					r.store.failing(die)
					r.graph.set(false, die)
					err := c.do(r.Manager)
					s, g := r.killed()
					next := reopen(t, quick, s, g, newFakeRuntime("inproc")).begin()
					time.Sleep(time.Minute)
					shows, rows := g.shows(), s.rows()
					if shows != c.old && shows != c.new || err == nil && shows != c.new {
						t.Errorf("died at step %d (%v): the graph shows %q", step, err, shows)
					}
					var want string
					for _, d := range []string{"packet", "other"} {
						if shows == fmt.Sprintf(`x %q packet=true dormant=true at=; `, d) {
							want = fmt.Sprintf(`x %q deleted=false unsynced=false; `, d)
						}
					}
					if rows != want {
						t.Errorf("died at step %d: the graph shows %q, the store holds %q", step, shows, rows)
					}
					next.close()
				}
			})
		})
	}
}

// While the graph is away packets are written, and brought into it when it is back; also when its keeper only took note of the writes.
func TestGraphAway(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		t.Run(fmt.Sprint("keeps=", keeps), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, quick).begin()
				defer r.close()
				ctx := context.Background()
				r.packets("old", "gone")
				down := func(string, string) error { return myriad.Errorf(myriad.CodeUnavailable, "the graph is away") }
				if keeps {
					down = func(op, _ string) error {
						if op == "graph.Agent" {
							return myriad.Errorf(myriad.CodeUnavailable, "the graph is away")
						}
						return nil
					}
				}
				r.graph.set(keeps, down)
				changed := agent("old")
				changed.Description = "changed"
				if a, err := r.PutAgent(ctx, changed, myriad.Guard{}); err != nil || a.Revision != 2 {
					t.Errorf("a change: %+v, %v", a, err)
				}
				if _, err := r.PutAgent(ctx, agent("new"), myriad.Guard{}); err != nil {
					t.Error(err)
				}
				_, err := r.PutAgent(ctx, agent("guarded"), myriad.Guard{MustNotExist: true})
				wantCode(t, "what the graph must judge", err, myriad.CodeUnavailable)
				if _, err := r.DeleteAgent(ctx, "gone", myriad.Guard{}); err != nil {
					t.Error(err)
				}
				if _, err := r.Agent(ctx, "old"); err != nil {
					t.Errorf("read while the graph is away: %v", err)
				}
				r.use("old") // waking needs no graph
				time.Sleep(2 * time.Minute)
				r.graph.set(false, nil)
				time.Sleep(2 * time.Minute)
				if s := r.graph.shows(); s != `new "" packet=true dormant=true at=; old "changed" packet=true dormant=true at=; ` {
					t.Errorf("the graph shows %s", s)
				}
				if s := r.store.rows(); s != `new "" deleted=false unsynced=false; old "changed" deleted=false unsynced=false; ` {
					t.Errorf("the store holds %s", s)
				}
			})
		})
	}
}

// A packet that the graph refuses does not keep the others from being brought into it.
func TestReconcilePassesOverRefusals(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick)
		for n := range 250 {
			name := fmt.Sprintf("a%03d", n)
			if _, err := r.store.PutPacket(context.Background(), myriad.Packet{Agent: agent(name)}, myriad.Guard{}); err != nil {
				t.Fatal(err)
			}
		}
		r.graph.set(false, func(op, name string) error {
			if op == "graph.PutAgent" && name < "a150" {
				return myriad.Errorf(myriad.CodeConflict, "not that one")
			}
			return nil
		})
		r.begin()
		defer r.close()
		time.Sleep(time.Minute)
		r.graph.mu.Lock()
		defer r.graph.mu.Unlock()
		if n := len(r.graph.agents); n != 100 {
			t.Errorf("%d packets are in the graph, want 100", n)
		}
	})
}
