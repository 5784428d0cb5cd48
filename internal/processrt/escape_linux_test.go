package processrt

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/myriad-mind/myriad"
)

// there fails the test when a process is not there, or is one that its starter can be told by.
func there(t testing.TB, pid int) {
	t.Helper()
	p, ok := processOf(pid)
	if !ok || p.dead() {
		t.Fatalf("process %d is not there", pid)
	}
	if env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err != nil || len(env) > 0 || p.session != pid {
		t.Fatalf("process %d did not escape: %+v, %q, %v", pid, p, env, err)
	}
}

// isGone fails the test when a process is still there; it does not wait.
func isGone(t testing.TB, pid int, when string) {
	t.Helper()
	if p, ok := processOf(pid); ok && !p.dead() {
		t.Errorf("process %d outlives %s", pid, when)
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// TestEscapeeDiesWithItsJob: what a job leaves behind does not outlive it, whatever it has shed.
func TestEscapeeDiesWithItsJob(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		i := r.awake(command(myriad.ModeExec, "exec"))
		pid := int(job1(t, i, `{"do":"escape and leave"}`).data().(float64))
		isGone(t, pid, "its job")
	})
}

// TestEscapeeDiesWithItsInstance: when the instance is asked to end, and when it ends by itself; that of another lives on.
func TestEscapeeDiesWithItsInstance(t *testing.T) {
	for _, mode := range []string{myriad.ModeStdio, myriad.ModeHTTP} {
		t.Run(mode, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				escape := func() (myriad.Instance, int) {
					i := r.awake(command(mode, mode))
					pid := int(job1(t, i, `{"do":"escape"}`).data().(float64))
					there(t, pid)
					return i, pid
				}
				i, pid := escape()
				dying, orphan := escape()
				other, theirs := escape()
				if u, ok := i.Usage(t.Context()); !ok || u.PIDs < 2 {
					t.Errorf("the escapee is not counted: %+v, %v", u, ok)
				}
				stop(t, i, patience)
				isGone(t, pid, "its instance")
				for _, p := range processes() {
					if p.parent == os.Getpid() && inCell(dying, p.pid) {
						kill(t, p.pid)
					}
				}
				if mode == myriad.ModeHTTP {
					exited(t, dying)
				}
				gone(t, orphan)
				there(t, theirs)
				works(t, other)
			})
		})
	}
}

// inCell says whether a process belongs to an instance.
func inCell(i myriad.Instance, pid int) bool {
	for _, l := range i.(*instance).fence.list() {
		for _, p := range l.pids() {
			if p == pid {
				return true
			}
		}
	}
	return false
}

// TestRecoverEscapees: after a crash, those whose roots are gone too are found without notes and cgroups; another owner's are left alone.
func TestRecoverEscapees(t *testing.T) {
	r := newRig(t, Config{NoCgroups: true})
	ours, server := serve(t, hosting{Dir: t.TempDir(), Owner: r.owner, NoCgroups: true})
	theirs, neighbour := serve(t, hosting{Dir: t.TempDir(), Owner: r.owner + "1", NoCgroups: true})
	for _, cmd := range []*exec.Cmd{server, neighbour} {
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
	}
	for _, pid := range ours.PIDs {
		if slices.Contains(ours.Escaped, pid) {
			continue
		}
		_ = unix.Kill(pid, unix.SIGKILL) // or it is gone already
		gone(t, pid)
	}
	for _, pid := range ours.Escaped {
		there(t, pid)
	}
	if _, err := r.Recover(t.Context(), r.owner); err != nil {
		t.Fatal(err)
	}
	for _, pid := range ours.Escaped {
		isGone(t, pid, "the recovery")
	}
	for _, pid := range theirs.Escaped {
		there(t, pid)
	}
	if _, err := r.Recover(t.Context(), r.owner+"1"); err != nil {
		t.Fatal(err)
	}
}

// TestShedBrand: one that even changes its limits is known when it was seen among the others, here by being asked to end.
func TestShedBrand(t *testing.T) {
	r := newRig(t, Config{NoCgroups: true})
	i := r.awake(command(myriad.ModeStdio, "stdio"))
	child := int(job1(t, i, `{"do":"grandchild"}`).data().(float64))
	inside := tree(processes(), kin{root: child})
	if len(inside) != 1 {
		t.Fatalf("the grandchild: %+v", inside)
	}
	escaped := int(job1(t, i, `{"do":"escape"}`).data().(float64))
	i.Usage(t.Context()) // looks at who is there
	if err := unix.Prlimit(escaped, unix.RLIMIT_RTTIME, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}, nil); err != nil {
		t.Fatal(err)
	}
	there(t, escaped)
	stop(t, i, patience)
	isGone(t, escaped, "its instance")
	isGone(t, child, "its instance")
}

// TestBrand: it names the owner and the child, and starting one leaves the limits of this process as they were.
func TestBrand(t *testing.T) {
	var was, is syscall.Rlimit
	limit := func(l *syscall.Rlimit) {
		if err := syscall.Getrlimit(unix.RLIMIT_RTTIME, l); err != nil {
			t.Fatal(err)
		}
	}
	limit(&was)
	cmd := exec.Command("sleep", "1000")
	b := brand("owner", "i", "w1")
	if bare, err := startBranded(b, cmd.Start); err != nil || bare {
		t.Fatalf("start: %v, bare %v", err, bare)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	pid := cmd.Process.Pid
	if got := brandOf(pid); got != b || readBrand(pid) != b {
		t.Errorf("brand %x, read %x, want %x", got, readBrand(pid), b)
	}
	if limit(&is); is != was || brandOf(os.Getpid()) == b {
		t.Errorf("the limits are %+v, and were %+v", is, was)
	}
	for _, c := range []struct {
		m    mark
		want bool
	}{
		{mark{owner: "owner"}, true}, {mark{owner: "owner", instance: "i", worker: "w1"}, true},
		{mark{owner: "other"}, false}, {mark{owner: "owner", instance: "i", worker: "w2"}, false}, {mark{owner: "owner", instance: "j", worker: "w1"}, false},
		{mark{owner: "other", instance: "i", worker: "w1"}, false}, {mark{owner: "owner", instance: "i"}, false},
	} {
		if got := c.m.on(pid); got != c.want {
			t.Errorf("%+v: %v", c.m, got)
		}
	}
}

// TestPlainStartsCarryNoBrand: a child in a cgroup beside children that are branded, as instances with cgroups and without are on one machine, is not
// taken for one of theirs.
func TestPlainStartsCarryNoBrand(t *testing.T) {
	const each, starters = 25, 4
	f, inside := &fence{}, &cell{tree: cgroup{dir: t.TempDir()}} // a folder does for a cgroup: nothing joins it here
	start := func(want uint64, start func(*exec.Cmd) error) {
		for range each {
			cmd := exec.Command("sleep", "1000")
			if err := start(cmd); err != nil {
				t.Error(err)
				return
			}
			if got := brandOf(cmd.Process.Pid); got != want {
				t.Errorf("brand %x, want %x", got, want)
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // killed
		}
	}
	var all sync.WaitGroup
	for n := range starters {
		b := brand("owner", "i", fmt.Sprint("w", n))
		all.Go(func() {
			start(b, func(cmd *exec.Cmd) error { _, err := startBranded(b, cmd.Start); return err })
		})
		all.Go(func() { start(0, func(cmd *exec.Cmd) error { return f.run(cmd, inside, nil) }) })
	}
	all.Wait()
}

// TestKillTreeIsNotOutrun: of a process that starts others all the while, none is left, although each can only be known by its parent. It starts no
// more than so many.
func TestKillTreeIsNotOutrun(t *testing.T) {
	for range 5 {
		tag := "TREE=" + fresh("tree")
		cmd := exec.Command("sh", "-c", `i=0; while [ $i -lt 60 ]; do setsid sleep 1000 & i=$((i+1)); done; wait`)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), tag}
		ownSession(cmd)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		soon(t, "it starts others", func() bool { return len(childrenOf(cmd.Process.Pid)) > 2 })
		if err := killTree(kin{root: cmd.Process.Pid}); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // killed
		for _, p := range processes() {
			env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid))
			if err == nil && slices.Contains(strings.Split(string(env), "\x00"), tag) {
				isGone(t, p.pid, "its parent")
			}
		}
	}
}
