package processrt

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// serve starts a server of its own that has instances, and returns when these are up.
func serve(t *testing.T, h hosting) (hosting, *exec.Cmd) {
	t.Helper()
	told, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(ownPath())
	cmd.Env = append(os.Environ(), roleVariable+"=host", "MYRIAD_TEST_HOSTING="+string(told))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the server does not come up: %v", err)
	}
	if err := json.Unmarshal(line, &h); err != nil {
		t.Fatal(err)
	}
	return h, cmd
}

// TestRecoverAfterSIGKILL: of a server that was killed with instances of every mode alive, the next one leaves nothing; of another's, all.
func TestRecoverAfterSIGKILL(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		off := r.cfg.NoCgroups
		ours, server := serve(t, hosting{Dir: r.cfg.Dir, Owner: r.owner, NoCgroups: off})
		neighbour := newRig(t, Config{NoCgroups: off, Dir: t.TempDir()})
		theirs := neighbour.awake(command(myriad.ModeHTTP, "http"))
		other := neighbour.awake(command(myriad.ModeStdio, "stdio"))

		if err := server.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = server.Wait() // killed
		if len(ownerPIDs(r.owner)) < 4 {
			t.Fatalf("%v are left of %v: there is nothing to recover", ownerPIDs(r.owner), ours.PIDs)
		}
		left, err := r.Recover(t.Context(), r.owner)
		if err != nil || len(left) > 0 {
			t.Fatalf("recover: %v, %v", left, err)
		}
		for _, pid := range slices.Concat(ours.PIDs, ours.Escaped) {
			gone(t, pid)
		}
		if left := slices.Concat(leftOf(t, r.owner), groupsOf(r.owner), notesIn(t, r.cfg.Dir)); len(left) > 0 {
			t.Errorf("left after recovery: %v", left)
		}
		works(t, theirs)
		works(t, other)
		next := r.awake(command(myriad.ModeStdio, "stdio"))
		works(t, next)
		stop(t, next, patience) // before the neighbour looks for what it left
	})
}

// TestRecoverByNotes: a process that was noted is ended, if it is still that process and the owner's; the rest of the notes is removed.
func TestRecoverByNotes(t *testing.T) {
	r := newRig(t, Config{})
	begin := func() *exec.Cmd {
		cmd := exec.Command("sleep", "1000")
		ownSession(cmd)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd
	}
	noted, reused, foreign, young := begin(), begin(), begin(), begin()
	put := func(name string, s state) {
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.cfg.Dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pid := func(c *exec.Cmd) int { return c.Process.Pid }
	put("a.w1.json", state{Owner: r.owner, PID: pid(noted), Start: startMark(pid(noted)), Groups: []string{"/etc", "relative", "/tmp/" + ownerGroup("x")}})
	put("b.w1.json", state{Owner: r.owner, PID: pid(reused), Start: startMark(pid(noted)) + "1"})
	put("c.w1.json", state{Owner: r.owner + "x", PID: pid(foreign), Start: startMark(pid(foreign))})
	put("d.w1.json", state{Owner: r.owner, PID: pid(young)})
	put("e.w1.json", state{Owner: r.owner, PID: os.Getpid(), Start: startMark(os.Getpid())})
	put("f.w1.json", state{Owner: r.owner, PID: -1, Start: "x"})
	if err := os.WriteFile(filepath.Join(r.cfg.Dir, "g.w1.json"), []byte(`{"owner":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Recover(t.Context(), r.owner); err != nil {
		t.Fatal(err)
	}
	gone(t, pid(noted))
	for name, cmd := range map[string]*exec.Cmd{"one with a pid that was reused": reused, "another owner's": foreign, "one that is not proven": young} {
		if p, ok := processOf(pid(cmd)); !ok || p.dead() {
			t.Errorf("%s was ended", name)
		}
	}
	if notes := notesIn(t, r.cfg.Dir); len(notes) != 1 || filepath.Base(notes[0]) != "c.w1.json" {
		t.Errorf("notes: %v", notes)
	}
	if err := os.Remove(filepath.Join(r.cfg.Dir, "c.w1.json")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Recover(ctx, r.owner); myriad.ErrorCode(err) != myriad.CodeCancelled {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// TestRecoverByEnvironment: without notes and cgroups, a process and its children are found by its owner's mark, which has to be exact.
func TestRecoverByEnvironment(t *testing.T) {
	r := newRig(t, Config{NoCgroups: true})
	begin := func(owner string) int {
		cmd := exec.Command("sh", "-c", "env -i sleep 1000 & wait")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), envOwner + "=" + owner}
		ownSession(cmd)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { killGroup(cmd.Process); _ = cmd.Wait() })
		soon(t, "its child runs", func() bool { return len(childrenOf(cmd.Process.Pid)) > 0 })
		return cmd.Process.Pid
	}
	ours, near := begin(r.owner), begin(r.owner+"1")
	child := childrenOf(ours)[0]
	if _, err := r.Recover(t.Context(), r.owner); err != nil {
		t.Fatal(err)
	}
	gone(t, ours)
	gone(t, child)
	if p, ok := processOf(near); !ok || p.dead() {
		t.Error("a process of an owner with a longer name was ended")
	}
}

func childrenOf(pid int) (pids []int) {
	for _, p := range processes() {
		if p.parent == pid && !p.dead() {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// TestRecoverGroups: what is in a cgroup of the owner dies, whatever its environment.
func TestRecoverGroups(t *testing.T) {
	r := newRig(t, Config{})
	h := r.machine.hierarchies()
	if h.tracker == "" {
		t.Skip("no cgroups can be used here")
	}
	dir := filepath.Join(h.tracker, ownerGroup(r.owner), "i", "w1", "of its own")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Skipf("no cgroups can be made here: %v", err)
	}
	cmd := exec.Command("sleep", "1000")
	cmd.Env = []string{}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := write(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(cmd.Process.Pid)); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	if _, err := r.Recover(t.Context(), r.owner); err != nil {
		t.Fatal(err)
	}
	select {
	case <-waited:
	case <-time.After(patience):
		t.Fatal("it lives")
	}
}
