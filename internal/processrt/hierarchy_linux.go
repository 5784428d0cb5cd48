package processrt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/cgroups/v3"
	"golang.org/x/sys/unix"

	"github.com/myriad-mind/myriad"
)

// serverGroup is where the server itself goes when its own cgroup (version 2) must be free of processes to hand limits on. An operator
// who delegates a cgroup to the server can start it there: DelegateSubgroup=myriad-server.
const serverGroup = "myriad-server"

// cpuAccounting is the controller of version 1 that counts CPU time.
const cpuAccounting = "cpuacct"

// The ways to find and kill everything in a cgroup.
const (
	trackNone    = iota
	trackUnified // version 2: cgroup.kill
	trackFreezer // version 1: freeze, kill, thaw
)

// hierarchies say where cgroups of ours can be made on this machine.
type hierarchies struct {
	v1      map[string]string // folder of version 1 by controller: cpu, cpuacct, memory, pids
	v2      string            // folder of version 2 that may hand on controllers; "" when there is none
	tracker string            // folder under which whole trees are killed
	track   int
}

// findHierarchies looks once at how the machine is set up. On a hybrid machine the controllers are those of version 1, and trees are
// killed by version 2.
func findHierarchies() hierarchies {
	h := hierarchies{v1: map[string]string{}}
	own, unified, err := cgroups.ParseCgroupFileUnified("/proc/self/cgroup")
	if err != nil {
		return h
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return h
	}
	mode := cgroups.Mode()
	freezer := ""
	for line := range strings.Lines(string(mounts)) {
		m, ok := parseMount(line)
		switch {
		case !ok:
		case m.kind == "cgroup2" && h.tracker == "":
			base := m.place(unified)
			if mode == cgroups.Unified {
				base = delegate(base)
				h.v2 = base
			}
			h.tracker, h.track = base, trackUnified
		case m.kind == "cgroup" && mode != cgroups.Unified:
			for _, c := range m.controllers {
				if slices.Contains([]string{myriad.LimitCPU, cpuAccounting, myriad.LimitMemory, myriad.LimitPIDs}, c) {
					h.v1[c] = m.place(own[c])
				} else if c == "freezer" {
					freezer = m.place(own[c])
				}
			}
		}
	}
	if h.tracker == "" && freezer != "" {
		h.tracker, h.track = freezer, trackFreezer
	}
	if h.tracker != "" && unix.Access(filepath.Join(h.tracker, "cgroup.procs"), unix.W_OK) != nil {
		h.tracker, h.v2 = "", "" // processes cannot be moved below it
	}
	return h
}

// mount is one mounted hierarchy.
type mount struct {
	root, point, kind string
	controllers       []string
}

// parseMount reads a line of mountinfo (proc_pid_mountinfo(5)).
func parseMount(line string) (m mount, ok bool) {
	left, right, ok := strings.Cut(strings.TrimSpace(line), " - ")
	if !ok {
		return m, false
	}
	place, source := strings.Fields(left), strings.Fields(right)
	if len(place) < 6 || len(source) < 3 || source[0] != "cgroup" && source[0] != "cgroup2" {
		return m, false
	}
	return mount{root: place[3], point: place[4], kind: source[0], controllers: strings.Split(source[2], ",")}, true
}

// place is our own cgroup's folder below the mount, or the mount itself when that is not to be seen from here.
func (m mount) place(own string) string {
	rel, err := filepath.Rel(m.root, own)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return m.point
	}
	dir := filepath.Join(m.point, rel)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return m.point
	}
	return dir
}

// delegate makes base hand controllers on to cgroups below it, and says where below. Version 2 wants no processes in such a cgroup, but the
// root: where we are the only one in there we go a level down, and where others are nothing is handed on. It must not be tried: with cpu and
// pids alone it would go through, and leave the cgroups below fit for threads only.
func delegate(base string) (place string) {
	if filepath.Base(base) == serverGroup {
		base = filepath.Dir(base)
	}
	if exists(filepath.Join(base, "cgroup.type")) && !vacate(base) { // the root has no type
		return base
	}
	handOn(base) // the next level sees what came of it
	return base
}

// vacate makes sure that no process is in dir itself, and says whether that is so.
func vacate(dir string) bool {
	switch procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs")); {
	case err != nil:
		return false
	case len(bytes.TrimSpace(procs)) == 0:
		return true
	case string(bytes.TrimSpace(procs)) != strconv.Itoa(os.Getpid()):
		return false
	}
	below := filepath.Join(dir, serverGroup)
	if err := os.Mkdir(below, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return false
	}
	return write(filepath.Join(below, "cgroup.procs"), "0") == nil
}

// handOn enables those of our controllers that dir has, and says which that is.
func handOn(dir string) (handed []string) {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil
	}
	for _, c := range strings.Fields(string(text)) {
		if slices.Contains([]string{myriad.LimitCPU, myriad.LimitMemory, myriad.LimitPIDs}, c) &&
			write(filepath.Join(dir, "cgroup.subtree_control"), "+"+c) == nil {
			handed = append(handed, c)
		}
	}
	return handed
}

// write writes one value to a file of a cgroup.
func write(file, value string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
