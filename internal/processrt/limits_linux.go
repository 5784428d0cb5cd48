package processrt

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"github.com/myriad-mind/myriad"
)

// cpuPeriod is the span in which a CPU limit holds, in microseconds: the kernel's default.
const cpuPeriod = 100_000

// setting is one value of one limit.
type setting struct {
	file     string
	value    string
	optional bool // kernels that lack the file lack what it limits
}

// limited says whether there is a limit of that name at all.
func limited(name string, l myriad.Limits) bool {
	return name == myriad.LimitCPU && l.CPU > 0 || name == myriad.LimitMemory && l.MemoryBytes > 0 || name == myriad.LimitPIDs && l.PIDs > 0
}

// settings are what puts a limit in force; nothing where there is none. Other names than those of limits only count.
func settings(name string, l myriad.Limits, v2 bool) []setting {
	if !limited(name, l) {
		return nil
	}
	memory, pids := strconv.FormatInt(l.MemoryBytes, 10), strconv.FormatInt(l.PIDs, 10)
	quota := strconv.FormatInt(max(int64(l.CPU*cpuPeriod), 1000), 10) // the kernel takes no less than a millisecond
	period := strconv.Itoa(cpuPeriod)
	switch {
	case name == myriad.LimitCPU && v2:
		return []setting{{"cpu.max", quota + " " + period, false}}
	case name == myriad.LimitCPU:
		return []setting{{"cpu.cfs_period_us", period, false}, {"cpu.cfs_quota_us", quota, false}}
	case name == myriad.LimitMemory && v2:
		return []setting{{"memory.max", memory, false}, {"memory.swap.max", "0", true}}
	case name == myriad.LimitMemory:
		return []setting{{"memory.limit_in_bytes", memory, false}, {"memory.memsw.limit_in_bytes", memory, true}, {"memory.swappiness", "0", true}}
	case name == myriad.LimitPIDs:
		return []setting{{"pids.max", pids, false}}
	}
	return nil
}

// apply makes the cgroup dir and puts the limits of names in force there.
func apply(dir string, names []string, l myriad.Limits, v2 bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		for _, s := range settings(name, l, v2) {
			err := write(filepath.Join(dir, s.file), s.value)
			if err != nil && !(s.optional && errors.Is(err, os.ErrNotExist)) {
				return err
			}
		}
	}
	return nil
}
