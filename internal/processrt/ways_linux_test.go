package processrt

import (
	"path/filepath"
	"testing"
)

// ways are those that this machine offers, and those of other machines that it can stand in for.
func ways() []way {
	return []way{
		{"cgroups", false, func(*testing.T, *Runtime) {}},
		{"a kernel that cannot start processes in a cgroup", false, func(_ *testing.T, r *Runtime) { r.machine.noClone.Store(true) }},
		{"version 1 alone", false, versionOneAlone},
		{"no cgroups", true, func(*testing.T, *Runtime) {}},
	}
}

// versionOneAlone has trees killed by the freezer, as on a machine without version 2.
func versionOneAlone(t *testing.T, r *Runtime) {
	t.Helper()
	h := findHierarchies()
	freezer := filepath.Join(filepath.Dir(h.v1["pids"]), "freezer")
	if !exists(filepath.Join(freezer, "cgroup.procs")) {
		t.Skip("this machine has no hierarchies of version 1")
	}
	h.tracker, h.track = freezer, trackFreezer
	r.machine.look.Do(func() { r.machine.place = h })
}
