package processrt

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

func TestParseMount(t *testing.T) {
	for line, want := range map[string]mount{
		"34 31 0:31 / /sys/fs/cgroup/cpu rw,relatime shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct": {"/", "/sys/fs/cgroup/cpu", "cgroup", []string{"rw", "cpu", "cpuacct"}},
		"41 31 0:38 /a/b /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate":                            {"/a/b", "/sys/fs/cgroup", "cgroup2", []string{"rw", "nsdelegate"}},
		"22 1 8:1 / / rw - ext4 /dev/sda1 rw":                                                          {},
		"garbage":                                                                                      {},
		"1 2 - cgroup cgroup":                                                                          {},
		"":                                                                                             {},
	} {
		got, ok := parseMount(line)
		if ok != (want.kind != "") || ok && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", line, got, ok)
		}
	}
}

// TestPlace: our own cgroup below the mount where it can be seen, the mount itself elsewhere, as in a container.
func TestPlace(t *testing.T) {
	point := t.TempDir()
	if err := os.MkdirAll(filepath.Join(point, "b", "c"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ root, own, want string }{
		{"/a", "/a/b/c", "b/c"}, {"/a", "/a/b", "b"}, {"/a", "/a", ""}, {"/", "/b", "b"}, {"/a", "/elsewhere", ""}, {"/a", "/ab", ""}, {"/a", "/a/gone", ""}, {"/", "/", ""},
		{"/", "", ""},
	} {
		if got := (mount{root: c.root, point: point}).place(c.own); got != filepath.Join(point, c.want) {
			t.Errorf("mounted from %s, in %s: %s", c.root, c.own, got)
		}
	}
}

// TestDelegate works on folders that look like cgroups of version 2; that the kernel goes along is seen where that version alone is mounted.
func TestDelegate(t *testing.T) {
	self := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		name, procs, enabled string
		leaf, root           bool
		below                bool // we are told to go a level down
	}{
		{name: "the root, full of others", procs: "1\n2\n", root: true, enabled: "+pids"},
		{name: "alone", procs: self + "\n", enabled: "+pids", below: true},
		{name: "gone down before", procs: "", leaf: true, enabled: "+pids"},
		{name: "beside others", procs: self + "\n1\n", enabled: ""},
		{name: "a cgroup of others", procs: "1\n", enabled: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := t.TempDir()
			put := func(name, text string) {
				if err := os.WriteFile(filepath.Join(base, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			put("cgroup.procs", c.procs)
			put("cgroup.controllers", "cpuset cpu io memory hugetlb pids\n")
			put("cgroup.subtree_control", "")
			if !c.root {
				put("cgroup.type", "domain\n")
			}
			below := filepath.Join(base, serverGroup)
			if err := os.Mkdir(below, 0o755); err != nil {
				t.Fatal(err)
			}
			put(filepath.Join(serverGroup, "cgroup.procs"), "")
			from := base
			if c.leaf {
				from = below
			}
			if got := delegate(from); got != base {
				t.Errorf("below %s", got)
			}
			enabled, err := os.ReadFile(filepath.Join(base, "cgroup.subtree_control"))
			if err != nil || !strings.HasPrefix(string(enabled), c.enabled) || c.enabled == "" && len(enabled) > 0 {
				t.Errorf("enabled %q, want %q, %v", enabled, c.enabled, err)
			}
			moved, err := os.ReadFile(filepath.Join(below, "cgroup.procs"))
			if err != nil || (string(moved) == "0") != c.below {
				t.Errorf("moved %q, %v", moved, err)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	l := myriad.Limits{CPU: 0.5, MemoryBytes: 1 << 20, PIDs: 7}
	for _, c := range []struct {
		name string
		l    myriad.Limits
		v2   bool
		want []setting
	}{
		{myriad.LimitCPU, l, true, []setting{{"cpu.max", "50000 100000", false}}},
		{myriad.LimitCPU, l, false, []setting{{"cpu.cfs_period_us", "100000", false}, {"cpu.cfs_quota_us", "50000", false}}},
		{myriad.LimitCPU, myriad.Limits{CPU: 0.001}, false, []setting{{"cpu.cfs_period_us", "100000", false}, {"cpu.cfs_quota_us", "1000", false}}},
		{myriad.LimitMemory, l, true, []setting{{"memory.max", "1048576", false}, {"memory.swap.max", "0", true}}},
		{myriad.LimitPIDs, l, true, []setting{{"pids.max", "7", false}}},
		{myriad.LimitPIDs, myriad.Limits{}, true, nil},
		{myriad.LimitMemory, myriad.Limits{}, false, nil},
		{cpuAccounting, l, false, nil},
	} {
		if got := settings(c.name, c.l, c.v2); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s, version 2 %v: %v", c.name, c.v2, got)
		}
	}
}

// TestOwnerGroup: one owner's group is never another's.
func TestOwnerGroup(t *testing.T) {
	seen := map[string]string{}
	for _, owner := range []string{"a", "a-b", "x.0", "ä", "../a", "a/b", strings.Repeat("a", 101), strings.Repeat("a", 102), strings.Repeat("a", 100)} {
		g := ownerGroup(owner)
		if other, taken := seen[g]; taken || len(g) > 120 || strings.ContainsAny(g, "/ ") {
			t.Errorf("%q has the group %q, as %q has", owner, g, other)
		}
		seen[g] = owner
	}
}

// FuzzParseStat: whatever a process calls itself, its numbers are found behind the name.
func FuzzParseStat(f *testing.F) {
	f.Add("cat")
	f.Add(") R 1 2 3 (")
	f.Add("a b\n")
	f.Fuzz(func(t *testing.T, name string) {
		line := "42 (" + name + ") S 7 8 9 0 -1 4194560 1 2 3 4 50 60 5 6 20 0 3 0 12345 1000 11 18446744073709551615\n"
		p, ok := parseStat(line)
		want := process{pid: 42, parent: 7, session: 9, state: 'S', start: 12345, ticks: 110, threads: 3, rss: 11 * int64(os.Getpagesize())}
		if !ok || p != want {
			t.Fatalf("%q: %+v, %v", line, p, ok)
		}
		_, _ = parseStat(name) // anything at all must not break it
	})
}
