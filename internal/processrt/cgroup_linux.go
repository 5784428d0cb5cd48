package processrt

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// removeGrace is how long a cgroup may take to be empty after everything in it was killed.
const removeGrace = 5 * time.Second

// cgroup is one cgroup of ours in one hierarchy.
type cgroup struct {
	dir   string
	track int // how everything in it is found and killed
}

// kill kills everything in the cgroup and below, also what is being started meanwhile. It does not wait until all of it is gone.
func (g cgroup) kill() {
	if g.track == trackUnified {
		if write(filepath.Join(g.dir, "cgroup.kill"), "1") == nil {
			return
		}
	}
	for deadline := time.Now().Add(removeGrace); ; time.Sleep(time.Millisecond) {
		g.freeze(true)
		pids := g.pids()
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL) // frozen, so it is still the one that was listed
		}
		g.freeze(false)
		if len(pids) == 0 || time.Now().After(deadline) {
			return
		}
	}
}

// freeze stops or lets go everything in the cgroup; best effort: it keeps a fork from slipping through between look and kill.
func (g cgroup) freeze(on bool) {
	if g.track == trackUnified { // kernels before 5.14
		_ = write(filepath.Join(g.dir, "cgroup.freeze"), map[bool]string{true: "1", false: "0"}[on])
		return
	}
	state := filepath.Join(g.dir, "freezer.state")
	if write(state, map[bool]string{true: "FROZEN", false: "THAWED"}[on]) != nil || !on {
		return
	}
	for range 100 {
		if text, err := os.ReadFile(state); err != nil || strings.TrimSpace(string(text)) == "FROZEN" {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// pids are the processes in the cgroup and below.
func (g cgroup) pids() []int {
	var pids []int
	_ = filepath.WalkDir(g.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // gone meanwhile
		}
		text, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil {
			return nil
		}
		for line := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(line); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// remove removes the cgroup and those below once they are empty. What does not die in time is an error.
func (g cgroup) remove() error {
	pause := 50 * time.Microsecond
	for deadline := time.Now().Add(removeGrace); ; time.Sleep(pause) {
		err := removeTree(g.dir)
		if err == nil || !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			return err
		}
		pause = min(2*pause, 10*time.Millisecond)
	}
}

func removeTree(dir string) error {
	err := unix.Rmdir(dir)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var below []string
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != dir {
			below = append(below, path)
		}
		return nil
	})
	for _, path := range slices.Backward(below) {
		_ = unix.Rmdir(path) // what cannot be removed keeps its parent
	}
	if err = unix.Rmdir(dir); err == nil || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return &os.PathError{Op: "rmdir", Path: dir, Err: err}
}

// number reads a file of the cgroup that holds one number.
func (g cgroup) number(file string) (int64, bool) {
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// field reads one number of a file of the cgroup that holds a name and a number per line.
func (g cgroup) field(file, name string) (int64, bool) {
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == name {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
