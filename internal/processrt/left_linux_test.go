package processrt

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// leftOf names what is there of an owner, and zombies of ours.
func leftOf(t testing.TB, owner string) (left []string) {
	t.Helper()
	for _, p := range processes() {
		switch {
		case p.parent == os.Getpid() && p.dead():
			left = append(left, fmt.Sprintf("zombie %d", p.pid))
		case !p.dead() && (mark{owner: owner}).on(p.pid):
			left = append(left, fmt.Sprintf("process %d", p.pid))
		}
	}
	for _, base := range everyBase() {
		groups, err := filepath.Glob(filepath.Join(base, ownerGroup(owner), "*", "cgroup.procs"))
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, groups...)
	}
	return left
}

func countDescriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func gone(t testing.TB, pid int) {
	t.Helper()
	soon(t, fmt.Sprintf("process %d gone", pid), func() bool {
		p, ok := processOf(pid)
		return !ok || p.dead()
	})
}

// groupsOf are the cgroups of an owner, also when nothing is in them.
func groupsOf(owner string) (groups []string) {
	for _, base := range everyBase() {
		if dir := filepath.Join(base, ownerGroup(owner)); exists(dir) {
			groups = append(groups, dir)
		}
	}
	return groups
}

const seesProcesses = true

// ownerPIDs are the processes of an owner that run.
func ownerPIDs(owner string) (pids []int) {
	for _, p := range processes() {
		if !p.dead() && (mark{owner: owner}).on(p.pid) {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// everyBase are the folders under which cgroups of any of the ways may be.
func everyBase() []string {
	mounts, _ := filepath.Glob("/sys/fs/cgroup/*") // the pattern is right
	return slices.Compact(slices.Sorted(slices.Values(append(mounts, findHierarchies().bases()...))))
}
