package processrt

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/myriad-mind/myriad"
)

// inForce fails the test where limits cannot be put in force: the machines that run it have cgroups.
func inForce(t testing.TB, i myriad.Instance, names ...string) {
	t.Helper()
	for _, missing := range i.Unenforced() {
		for _, name := range names {
			if missing == name {
				t.Fatalf("no cgroups: %v are not enforced here", i.Unenforced())
			}
		}
	}
}

// TestDeaf: a child that ignores being asked to end is killed when the grace is over, and not before.
func TestDeaf(t *testing.T) {
	for mode, role := range map[string]string{myriad.ModeStdio: "stdio deaf", myriad.ModeHTTP: "http deaf"} {
		t.Run(mode, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				i := r.awake(command(mode, role))
				works(t, i)
				pids := ownerPIDs(r.owner)
				stop(t, i, 200*time.Millisecond)
				for _, pid := range pids {
					gone(t, pid)
				}
				if i.Err() != nil {
					t.Errorf("after Stop: %v", i.Err())
				}
			})
		})
	}
}

// TestGrandchildKeepsThePipe: a process in a session of its own that holds its grandparent's pipes neither delays anything nor survives.
func TestGrandchildKeepsThePipe(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		i := r.awake(command(myriad.ModeExec, "exec"))
		began := time.Now()
		a := job1(t, i, `{"do":"grandchild and leave"}`)
		pid := int(a.data().(float64))
		if took := time.Since(began); took > drainGrace {
			t.Errorf("the answer waited %s for the grandchild", took)
		}
		if p, ok := processOf(pid); ok && !p.dead() {
			t.Error("the grandchild outlives its job")
		}
		for _, mode := range []string{myriad.ModeStdio, myriad.ModeHTTP} {
			i := r.awake(command(mode, mode))
			pid := int(job1(t, i, `{"do":"grandchild"}`).data().(float64))
			if p, ok := processOf(pid); !ok || p.dead() {
				t.Fatalf("%s: no grandchild", mode)
			}
			works(t, i)
			stop(t, i, patience)
			if p, ok := processOf(pid); ok && !p.dead() {
				t.Errorf("%s: the grandchild outlives its instance", mode)
			}
		}
	})
}

// TestGrandchildOfAKilledWorker: it dies with the worker, and other workers live on.
func TestGrandchildOfAKilledWorker(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		p := command(myriad.ModeStdio, "stdio")
		p.Agent.MaxConcurrency = 1
		i := r.awake(p)
		grandchild := int(job1(t, i, `{"do":"grandchild"}`).data().(float64))
		worker := pidOf(t, i)
		if a := job1(t, i, `{"do":"garbage"}`); a.status != http.StatusBadGateway {
			t.Errorf("HTTP %d", a.status)
		}
		gone(t, worker)
		gone(t, grandchild)
		works(t, i)
	})
}

// TestOrphansAreReaped: where orphans become children of the server, those that it killed leave no zombies.
func TestOrphansAreReaped(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); err != nil {
			t.Error(err)
		}
	}()
	each(t, func(t *testing.T, r *rig) {
		i := r.awake(command(myriad.ModeStdio, "stdio"))
		pid := int(job1(t, i, `{"do":"grandchild"}`).data().(float64))
		stop(t, i, patience)
		if p, there := processOf(pid); there && p.parent == os.Getpid() {
			t.Errorf("the grandchild is there: %+v", p)
		}
	})
}

// TestWrongPort: a child that listens elsewhere is never ready, nor made so by a stranger at its port.
func TestWrongPort(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		i := r.start(command(myriad.ModeHTTP, "wrong port"))
		soon(t, "it listens", func() bool { return strings.Contains(i.LastLog(), "listening at") })
		if err := i.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "does not listen") {
			t.Errorf("ready at the wrong port: %v", err)
		}
		stranger(t, i, "")
		if err := i.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "somebody else") {
			t.Errorf("ready by a stranger: %v", err)
		}
		stop(t, i, patience)
	})
}

// stranger is somebody else who listens at an instance's port, and says on /health that it is healthy.
func stranger(t testing.TB, i myriad.Instance, nonce string) {
	t.Helper()
	u, err := url.Parse(i.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"status":"healthy","nonce":%q}`, nonce)
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close(); <-served })
}

// TestImposter: a child that answers /health for another instance is not ready, whatever its socket.
func TestImposter(t *testing.T) {
	r := newRig(t, Config{})
	i := r.start(command(myriad.ModeHTTP, "imposter"))
	soon(t, "it answers", func() bool {
		err := i.Ready(t.Context())
		if err == nil {
			t.Fatal("ready")
		}
		return strings.Contains(err.Error(), "another instance")
	})
}

// TestOpenListener: a child that listens to other machines too is not ready.
func TestOpenListener(t *testing.T) {
	r := newRig(t, Config{})
	i := r.start(command(myriad.ModeHTTP, "open listener"))
	soon(t, "it listens", func() bool {
		err := i.Ready(t.Context())
		if err == nil {
			t.Fatal("ready")
		}
		return strings.Contains(err.Error(), "must listen at 127.0.0.1")
	})
}

// TestMemoryHog: it is killed at its limit, by the kernel or by the watcher; others of its instance and of others are not hurt.
func TestMemoryHog(t *testing.T) {
	for _, mode := range []string{myriad.ModeStdio, myriad.ModeExec, myriad.ModeHTTP} {
		t.Run(mode, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				other := r.awake(command(myriad.ModeStdio, "stdio"))
				req := r.request(command(mode, mode))
				req.Limits.MemoryBytes = 128 << 20
				i := r.begin(req)
				inForce(t, i, myriad.LimitMemory)
				soon(t, "ready", func() bool { return i.Ready(t.Context()) == nil })
				a, err := try(t.Context(), i, `{"do":"memory"}`)
				if err == nil && a.status < 500 {
					t.Errorf("HTTP %d %s", a.status, a.raw)
				}
				said := a.raw
				if mode == myriad.ModeHTTP {
					exited(t, i)
					said = i.Err().Error()
				} else {
					works(t, i)
				}
				if !strings.Contains(said, "limit of 128 MiB") {
					t.Errorf("it does not say why: %s", said)
				}
				works(t, other)
			})
		})
	}
}

// TestForkBomb runs inside a pids cgroup and nowhere else.
func TestForkBomb(t *testing.T) {
	for _, mode := range []string{myriad.ModeStdio, myriad.ModeExec} {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, Config{})
			p := command(mode, mode)
			p.Agent.Template.Env["MYRIAD_TEST_BOUNDED"] = "yes"
			req := r.request(p)
			req.Limits.PIDs = 40
			i := r.begin(req)
			inForce(t, i, myriad.LimitPIDs)
			if dir := i.(*instance).fence.dirs[myriad.LimitPIDs]; dir == "" {
				t.Fatal("no pids cgroup")
			} else if n, ok := (cgroup{dir: dir}).number("pids.max"); !ok || n != 40 {
				t.Fatalf("pids.max is %d, %v", n, ok)
			}
			// The bomb may itself be what cannot go on: it answers, or it does not.
			a, err := try(t.Context(), i, `{"do":"fork bomb"}`, "X-Myriad-Deadline-Ms", "5000")
			t.Logf("HTTP %d %.300s, %v", a.status, a.raw, err)
			if u, ok := i.Usage(t.Context()); ok && u.PIDs > 40 {
				t.Errorf("%d processes where 40 may be", u.PIDs)
			}
			stop(t, i, 100*time.Millisecond)
			if left := ownerPIDs(r.owner); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// TestLimitsBeforeTheFirstLine: a child reads its own cgroups first thing, and finds itself in all of them.
func TestLimitsBeforeTheFirstLine(t *testing.T) {
	r := newRig(t, Config{})
	p := command(myriad.ModeExec, "")
	p.Agent.Template.Command = []string{"cat", "/proc/self/cgroup"}
	req := r.request(p)
	i := r.begin(req)
	inForce(t, i, myriad.LimitCPU, myriad.LimitMemory, myriad.LimitPIDs)
	a := job1(t, i, `{}`)
	in := strings.Count(a.raw, ownerGroup(r.owner)+"/"+req.InstanceID)
	if want := len(i.(*instance).fence.joins) + 1; in != want {
		t.Errorf("it is in %d of %d cgroups: %s", in, want, a.raw)
	}
}

// TestLimitValues reads what was written, in the files of the version that is in force.
func TestLimitValues(t *testing.T) {
	r := newRig(t, Config{})
	req := r.request(command(myriad.ModeExec, "exec"))
	req.Limits = myriad.Limits{CPU: 0.25, MemoryBytes: 64 << 20, PIDs: 33}
	i := r.begin(req)
	inForce(t, i, myriad.LimitCPU, myriad.LimitMemory, myriad.LimitPIDs)
	f := i.(*instance).fence
	for _, name := range []string{myriad.LimitCPU, myriad.LimitMemory, myriad.LimitPIDs} {
		for _, s := range settings(name, req.Limits, f.v2) {
			got, err := os.ReadFile(f.dirs[name] + "/" + s.file)
			if s.optional && os.IsNotExist(err) {
				continue
			}
			if err != nil || strings.TrimSpace(string(got)) != s.value {
				t.Errorf("%s is %q, want %q (%v)", s.file, got, s.value, err)
			}
		}
	}
}

// TestUnenforcedIsLoud: what cannot be put in force is named by the instance and in the log, once.
func TestUnenforcedIsLoud(t *testing.T) {
	r := newRig(t, Config{NoCgroups: true})
	for range 2 {
		i := r.start(command(myriad.ModeExec, "exec"))
		if got := fmt.Sprint(i.Unenforced()); got != "[cpu pids]" { // the memory is watched
			t.Errorf("unenforced: %s", got)
		}
	}
	if n := strings.Count(r.log.String(), "not enforced"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
}

// TestUsage counts what a busy child uses.
func TestUsage(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		i := r.awake(command(myriad.ModeHTTP, "http"))
		works(t, i)
		soon(t, "usage", func() bool {
			works(t, i)
			u, ok := i.Usage(t.Context())
			return ok && u.MemoryBytes > 1<<20 && u.PIDs >= 1 && u.CPUSeconds > 0 && u.CPUSeconds < 60
		})
	})
}

// TestManyRounds: a hundred jobs, workers killed under way, and not one descriptor, zombie or cgroup more than before (see newRig).
func TestManyRounds(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		i := r.awake(command(myriad.ModeStdio, "stdio"))
		x := r.awake(command(myriad.ModeExec, "exec"))
		for n := range 30 {
			works(t, i)
			works(t, x)
			if n%5 == 0 {
				job1(t, i, `{"do":"garbage"}`)
			}
		}
		children := 0
		for _, p := range processes() {
			if p.parent == os.Getpid() {
				children++
			}
		}
		if children > 2 {
			t.Errorf("%d children for one warm worker", children)
		}
	})
}
