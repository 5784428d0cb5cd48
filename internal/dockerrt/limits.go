package dockerrt

import (
	"context"
	"log/slog"
	"slices"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

// minNanoCPUs is the smallest share of CPU that Docker takes.
const minNanoCPUs = 10_000_000

// platform is what the daemon's machine can do, asked for once; every time the daemon is found to answer.
func (r *Runtime) platform(ctx context.Context) (*system.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	if info := r.info.Load(); info != nil {
		_, err := r.docker.Ping(ctx, client.PingOptions{})
		return info, err
	}
	res, err := r.docker.Info(ctx, client.InfoOptions{})
	if err != nil {
		return nil, err
	}
	r.info.Store(&res.Info)
	return &res.Info, nil
}

// resources puts the limits that the platform keeps into a container's resources. Those it does not are left out, for the daemon would refuse
// some of them.
func resources(l myriad.Limits, info *system.Info) (res container.Resources) {
	if l.CPU > 0 && info.CPUCfsQuota && info.CPUCfsPeriod {
		res.NanoCPUs = max(int64(min(l.CPU, float64(max(info.NCPU, 1)))*1e9), minNanoCPUs) // more than there are is no limit, and refused
	}
	if l.MemoryBytes > 0 && info.MemoryLimit {
		res.Memory = l.MemoryBytes
		if info.SwapLimit {
			res.MemorySwap = l.MemoryBytes // memory and swap together: no swap
		}
	}
	if l.PIDs > 0 && info.PidsLimit {
		res.PidsLimit = &l.PIDs
	}
	return res
}

// unenforced names the limits that a container was not given. A daemon takes back limits with no more than a warning, so its word on the
// container that it made counts. A limit on memory that lets the rest go to swap is none.
func unenforced(l myriad.Limits, given container.Resources) (names []string) {
	if l.CPU > 0 && given.NanoCPUs == 0 {
		names = append(names, myriad.LimitCPU)
	}
	if l.MemoryBytes > 0 && (given.Memory == 0 || given.MemorySwap != given.Memory) {
		names = append(names, myriad.LimitMemory)
	}
	if l.PIDs > 0 && (given.PidsLimit == nil || *given.PidsLimit <= 0) {
		names = append(names, myriad.LimitPIDs)
	}
	return names
}

// warn tells of limits that are not in force.
func (i *instance) warn(warnings []string) {
	for _, w := range warnings {
		i.log.Warn("the docker daemon warns of a container", slog.String("warning", w))
	}
	if len(i.unenforced) > 0 {
		i.log.Warn("the docker daemon's machine cannot keep these limits (see docker info)", slog.Any("limits", slices.Clone(i.unenforced)))
	}
}
