package dockerrt

import (
	"slices"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/system"

	"github.com/myriad-mind/myriad"
)

// TestLimitsOfLesserMachines: a limit that the machine cannot keep is left out, which would fail the container, and named.
func TestLimitsOfLesserMachines(t *testing.T) {
	all := myriad.Limits{CPU: 0.5, MemoryBytes: 64 << 20, PIDs: 10}
	able := system.Info{NCPU: 2, CPUCfsPeriod: true, CPUCfsQuota: true, MemoryLimit: true, SwapLimit: true, PidsLimit: true}
	for _, c := range []struct {
		name   string
		limits myriad.Limits
		info   func(*system.Info)
		lacks  []string
		check  func(container.Resources) bool
	}{
		{"all", all, func(*system.Info) {}, nil, func(r container.Resources) bool {
			return r.NanoCPUs == 5e8 && r.Memory == 64<<20 && r.MemorySwap == 64<<20 && *r.PidsLimit == 10
		}},
		{"none wanted", myriad.Limits{}, func(*system.Info) {}, nil, func(r container.Resources) bool {
			return r.NanoCPUs == 0 && r.Memory == 0 && r.MemorySwap == 0 && r.PidsLimit == nil
		}},
		{"more than there is", myriad.Limits{CPU: 64}, func(*system.Info) {}, nil, func(r container.Resources) bool { return r.NanoCPUs == 2e9 }},
		{"next to nothing", myriad.Limits{CPU: 0.0001}, func(*system.Info) {}, nil, func(r container.Resources) bool { return r.NanoCPUs == 1e7 }},
		{"no quota", all, func(i *system.Info) { i.CPUCfsQuota = false }, []string{"cpu"}, func(r container.Resources) bool { return r.NanoCPUs == 0 }},
		{"no memory", all, func(i *system.Info) { i.MemoryLimit = false }, []string{"memory"}, func(r container.Resources) bool { return r.Memory == 0 && r.MemorySwap == 0 }},
		{"no swap", all, func(i *system.Info) { i.SwapLimit = false }, []string{"memory"}, func(r container.Resources) bool { return r.Memory == 64<<20 && r.MemorySwap == 0 }},
		{"no pids", all, func(i *system.Info) { i.PidsLimit = false }, []string{"pids"}, func(r container.Resources) bool { return r.PidsLimit == nil }},
		{"nothing", all, func(i *system.Info) { *i = system.Info{} }, []string{"cpu", "memory", "pids"}, func(container.Resources) bool { return true }},
	} {
		info := able
		c.info(&info)
		res := resources(c.limits, &info)
		if got := unenforced(c.limits, res); !slices.Equal(got, c.lacks) || !c.check(res) {
			t.Errorf("%s: %+v lacks %v, want %v", c.name, res, got, c.lacks)
		}
	}
}
