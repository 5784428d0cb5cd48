package processrt

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/myriad-mind/myriad"
)

// limitsHelp tells an operator what to do about limits that are not in force.
const limitsHelp = "run the server where it may write cgroups (with systemd: Delegate=yes); memory is watched meanwhile"

// machine is what this machine offers to hold processes.
type machine struct {
	off     bool // use no cgroups
	look    sync.Once
	place   hierarchies // set by look
	noClone atomic.Bool // the kernel cannot start a process in a cgroup of version 2
	watcher watcher
	bare    sync.Once // the log was told that children cannot be branded

	mu     sync.Mutex
	owners map[string]bool // whose groups were made; guarded by mu
}

// hierarchies looks at the machine when it is first asked for, because looking may move the server into a cgroup of its own.
func (m *machine) hierarchies() hierarchies {
	m.look.Do(func() {
		if !m.off {
			m.place = findHierarchies()
		}
	})
	return m.place
}

// ownerGroup is the name of the cgroup that holds an owner's instances, no other owner's for sure.
func ownerGroup(owner string) string {
	if validID(owner) && len(owner) <= 100 {
		return "myriad-" + owner
	}
	sum := sha256.Sum256([]byte(owner))
	return "myriad-x." + hex.EncodeToString(sum[:16]) // no valid id has a dot
}

// fence makes what holds an instance's processes. After an error nothing of it is left.
func (m *machine) fence(i *instance) (*fence, error) {
	h := m.hierarchies()
	f := &fence{m: m, i: i, since: ticksNow(), dirs: map[string]string{}, cells: map[*cell]bool{}}
	m.mu.Lock()
	if m.owners == nil {
		m.owners = map[string]bool{}
	}
	m.owners[i.req.OwnerID] = true
	m.mu.Unlock()
	group := filepath.Join(ownerGroup(i.req.OwnerID), i.id)
	if h.tracker != "" {
		f.tree = cgroup{dir: filepath.Join(h.tracker, group), track: h.track}
		if err := os.MkdirAll(f.tree.dir, 0o755); err != nil {
			f.tree = cgroup{}
		}
	}
	if f.tree.dir != "" && h.v2 != "" {
		f.limitUnified(h)
	} else {
		f.limitLegacy(h, group)
	}
	for _, name := range []string{myriad.LimitCPU, myriad.LimitMemory, myriad.LimitPIDs} {
		switch {
		case f.dirs[name] != "" || !limited(name, i.req.Limits):
		case name == myriad.LimitMemory:
			f.watched = true
		default:
			f.missing = append(f.missing, name)
		}
	}
	f.ooms = f.oomKills()
	m.watcher.add(f)
	return f, nil
}

// limitUnified puts limits in force by version 2.
func (f *fence) limitUnified(h hierarchies) {
	f.v2 = true
	for _, name := range handOn(filepath.Dir(f.tree.dir)) { // what is missing is named by Unenforced
		if apply(f.tree.dir, []string{name}, f.i.req.Limits, true) == nil {
			f.dirs[name] = f.tree.dir
		}
	}
}

// limitLegacy puts limits in force by version 1: a cgroup per controller, which a child joins by itself.
func (f *fence) limitLegacy(h hierarchies, group string) {
	for _, name := range []string{myriad.LimitPIDs, myriad.LimitMemory, cpuAccounting, myriad.LimitCPU} { // the CPU last, so that joining is quick
		base := h.v1[name]
		if base == "" {
			continue
		}
		dir := filepath.Join(base, group)
		if err := apply(dir, []string{name}, f.i.req.Limits, false); err != nil {
			if !slices.Contains(f.joined(), dir) {
				_ = removeTree(dir) // nothing is in it
			}
			continue
		}
		f.dirs[name] = dir
		if procs := filepath.Join(dir, "cgroup.procs"); !slices.Contains(f.joins, procs) {
			f.joins = append(f.joins, procs)
		}
	}
}

// tidy removes the owners' cgroups that are empty, and ends what watches.
func (m *machine) tidy() {
	m.watcher.close()
	m.mu.Lock()
	owners := m.owners
	m.owners = nil
	m.mu.Unlock()
	for owner := range owners {
		for _, base := range m.place.bases() {
			_ = os.Remove(filepath.Join(base, ownerGroup(owner))) // not empty: another runtime of the owner is at work there
		}
	}
}

// bases are the folders under which cgroups of ours may be.
func (h hierarchies) bases() []string {
	var out []string
	for _, base := range h.v1 {
		out = append(out, base)
	}
	if h.tracker != "" {
		out = append(out, h.tracker)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// recover kills everything of an owner that can be found without notes and removes its cgroups. more are folders that an earlier life noted.
func (m *machine) recover(owner string, more []string) error {
	h := m.hierarchies()
	group := ownerGroup(owner)
	var dirs []string
	for _, base := range h.bases() {
		dirs = append(dirs, filepath.Join(base, group))
	}
	for _, dir := range more {
		if filepath.IsAbs(dir) && filepath.Base(dir) == group {
			dirs = append(dirs, filepath.Clean(dir))
		}
	}
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	var errs []error
	for _, kill := range []bool{true, false} { // a process is in several of them
		if !kill { // what only cgroups of single controllers hold has no better way to be found
			errs = append(errs, killTree(kin{mark: mark{owner: owner}}))
		}
		for _, dir := range dirs {
			if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err != nil {
				continue
			}
			g := cgroup{dir: dir, track: trackOf(dir)}
			if kill {
				g.kill()
			} else if err := g.remove(); err != nil {
				errs = append(errs, fmt.Errorf("remove a cgroup of an earlier life: %w", err))
			}
		}
	}
	return errors.Join(errs...)
}

// trackOf is how everything in a cgroup of an unknown hierarchy is killed.
func trackOf(dir string) int {
	switch {
	case exists(filepath.Join(dir, "cgroup.controllers")):
		return trackUnified
	case exists(filepath.Join(dir, "freezer.state")):
		return trackFreezer
	}
	return trackNone
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
