package processrt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/containerd/cgroups/v3"

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
	v2      string            // folder of version 2 that hands on controllers; "" when there is none
	handed  []string          // controllers that v2 hands on
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
				base, h.handed = delegate(base)
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

// delegate makes base hand controllers on to cgroups below it and says which it does. Version 2 wants no processes in such a cgroup but
// the root: where we are the only one in there, we go a level down.
func delegate(base string) (place string, handed []string) {
	if filepath.Base(base) == serverGroup {
		base = filepath.Dir(base)
	}
	handed, err := handOn(base)
	if errors.Is(err, syscall.EBUSY) && onlySelf(base) {
		below := filepath.Join(base, serverGroup)
		if err := os.Mkdir(below, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return base, handed
		}
		if err := write(filepath.Join(below, "cgroup.procs"), "0"); err != nil {
			return base, handed
		}
		handed, _ = handOn(base) // what is missing is named by Unenforced
	}
	return base, handed
}

// handOn enables those of our controllers that dir has; err is the last that it refused.
func handOn(dir string) (handed []string, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil, err
	}
	for _, c := range []string{myriad.LimitCPU, myriad.LimitMemory, myriad.LimitPIDs} {
		if !bytes.Contains([]byte(" "+strings.TrimSpace(string(text))+" "), []byte(" "+c+" ")) {
			continue
		}
		if e := write(filepath.Join(dir, "cgroup.subtree_control"), "+"+c); e != nil {
			err = e
			continue
		}
		handed = append(handed, c)
	}
	return handed, err
}

func onlySelf(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	return err == nil && strings.TrimSpace(string(text)) == strconv.Itoa(os.Getpid())
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
