package dockerrt

import (
	"context"
	"encoding/json"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

// Usage asks the daemon for one sample. Memory is what the container holds, without the file cache that the kernel would give back.
func (i *instance) Usage(ctx context.Context) (u myriad.Usage, ok bool) {
	if i.gone() {
		return u, false
	}
	ctx, cancel := context.WithTimeout(ctx, i.r.cfg.CallTimeout)
	defer cancel()
	res, err := i.r.docker.ContainerStats(ctx, i.id, client.ContainerStatsOptions{})
	if err != nil {
		return u, false
	}
	defer res.Body.Close()
	var s container.StatsResponse
	if err := json.NewDecoder(res.Body).Decode(&s); err != nil || s.PidsStats.Current == 0 || i.gone() {
		return u, false // what has no process has ended
	}
	memory := s.MemoryStats.Usage
	for _, name := range []string{"total_inactive_file", "inactive_file"} { // cgroup v1, v2
		if cache, there := s.MemoryStats.Stats[name]; there {
			memory -= min(cache, memory)
			break
		}
	}
	return myriad.Usage{CPUSeconds: float64(s.CPUStats.CPUUsage.TotalUsage) / 1e9, MemoryBytes: int64(memory), PIDs: int64(s.PidsStats.Current)}, true
}
