package lifecycle

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/resilience"
)

// Config is what a Manager is made of. Store and Graph must be set; zero values are the defaults named.
type Config struct {
	Runtimes []myriad.Runtime // the first that serves a template hosts it
	Store    store
	Graph    graph
	Sink     myriad.Sink  // nil: told to nobody
	Logger   *slog.Logger // nil: logs nothing
	OwnerID  string       // labels what is started; "" is the store's
	// GrowthOff has Status say that no agents are made for unknown concepts. Waking does not depend on it.
	GrowthOff bool

	// Limits in force at first. A zero is the default: 20 agents, idle 30 min, age 24 h, minimum life 10 s, 100 in the queue, each at most
	// 10 min, 0.5 cores, 256 MiB and 64 processes for one instance. A negative number is 0, which is none. TotalCPU and TotalMemoryBytes are none
	// when 0.
	Limits myriad.FleetLimits

	StartTimeout      time.Duration  // from start to ready; 0 is 60 s
	StopGrace         time.Duration  // for jobs under way, and then again for the instance to end by itself; 0 is 10 s
	MaxParallelStarts int            // starts at once, by each runtime; 0 is 8
	ParallelStarts    map[string]int // the same by name of the runtime; nil is 4 for docker

	// Ephemeral names the runtimes whose instances are part of this process: they end with it, whatever ends it, and before that only by Stop. No record
	// of them is kept, for nothing of them can be left, no goroutine watches them, and they are not asked what they use. nil is inproc.
	Ephemeral []string

	RestartLimit   int                // restarts after crashes within RestartWindow; 0 is 3, negative is none
	RestartWindow  time.Duration      // 0 is 10 min
	RestartBackoff resilience.Backoff // before a restart; zero is 250 ms doubling up to 10 s
	CoolDown       time.Duration      // after a failed start, or too many crashes; doubles with every one that follows; 0 is 5 s
	MaxCoolDown    time.Duration      // 0 is 5 min
}

// Validate names every mistake in c at once.
func (c Config) Validate() error {
	var errs []error
	if c.Store == nil {
		errs = append(errs, errors.New("the store is missing"))
	}
	if c.Graph == nil {
		errs = append(errs, errors.New("the graph is missing"))
	}
	names := map[string]bool{}
	for _, rt := range c.Runtimes {
		if rt == nil {
			errs = append(errs, errors.New("a runtime is nil"))
			continue
		}
		if names[rt.Name()] {
			errs = append(errs, fmt.Errorf("two runtimes are called %s", rt.Name()))
		}
		names[rt.Name()] = true
	}
	for name, v := range map[string]int64{"start timeout": int64(c.StartTimeout), "stop grace": int64(c.StopGrace), "parallel starts": int64(c.MaxParallelStarts),
		"restart window": int64(c.RestartWindow), "cool-down": int64(c.CoolDown), "longest cool-down": int64(c.MaxCoolDown)} {
		if v < 0 {
			errs = append(errs, fmt.Errorf("%s %d is negative", name, v))
		}
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Sink == nil {
		c.Sink = myriad.Discard
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.OwnerID = cmp.Or(c.OwnerID, c.Store.OwnerID())
	c.Limits = defaultLimits(c.Limits)
	c.StartTimeout = cmp.Or(c.StartTimeout, time.Minute)
	c.StopGrace = cmp.Or(c.StopGrace, 10*time.Second)
	c.MaxParallelStarts = cmp.Or(c.MaxParallelStarts, 8)
	if c.ParallelStarts == nil {
		c.ParallelStarts = map[string]int{"docker": 4}
	}
	c.ParallelStarts = maps.Clone(c.ParallelStarts)
	if c.Ephemeral == nil {
		c.Ephemeral = []string{"inproc"}
	}
	c.Ephemeral = slices.Clone(c.Ephemeral)
	c.RestartLimit = max(0, cmp.Or(c.RestartLimit, 3))
	c.RestartWindow = cmp.Or(c.RestartWindow, 10*time.Minute)
	if c.RestartBackoff == (resilience.Backoff{}) {
		c.RestartBackoff = resilience.Backoff{Base: 250 * time.Millisecond, Max: 10 * time.Second}
	}
	c.CoolDown = cmp.Or(c.CoolDown, 5*time.Second)
	c.MaxCoolDown = max(c.CoolDown, cmp.Or(c.MaxCoolDown, 5*time.Minute))
	return c
}

func defaultLimits(l myriad.FleetLimits) myriad.FleetLimits {
	const minute = int64(time.Minute / time.Millisecond)
	l.MaxAgents = max(0, cmp.Or(l.MaxAgents, 20))
	l.TotalCPU, l.TotalMemoryBytes = max(0, l.TotalCPU), max(0, l.TotalMemoryBytes)
	l.IdleTimeoutMS = max(0, cmp.Or(l.IdleTimeoutMS, 30*minute))
	l.MaxAgeMS = max(0, cmp.Or(l.MaxAgeMS, 24*60*minute))
	l.MinLifeMS = max(0, cmp.Or(l.MinLifeMS, minute/6))
	l.MaxQueue = max(0, cmp.Or(l.MaxQueue, 100))
	l.QueueMaxAgeMS = max(0, cmp.Or(l.QueueMaxAgeMS, 10*minute))
	l.Instance.CPU = max(0, cmp.Or(l.Instance.CPU, 0.5))
	l.Instance.MemoryBytes = max(0, cmp.Or(l.Instance.MemoryBytes, 256<<20))
	l.Instance.PIDs = max(0, cmp.Or(l.Instance.PIDs, 64))
	return l
}

// checkLimits names every rule that limits break.
func checkLimits(l myriad.FleetLimits) error {
	var mistakes []myriad.Mistake
	for _, f := range []struct {
		path  string
		value float64
	}{
		{"max_agents", float64(l.MaxAgents)}, {"total_cpu", l.TotalCPU}, {"total_memory_bytes", float64(l.TotalMemoryBytes)},
		{"idle_timeout_ms", float64(l.IdleTimeoutMS)}, {"max_age_ms", float64(l.MaxAgeMS)}, {"min_life_ms", float64(l.MinLifeMS)},
		{"max_queue", float64(l.MaxQueue)}, {"queue_max_age_ms", float64(l.QueueMaxAgeMS)}, {"instance.cpu", l.Instance.CPU},
		{"instance.memory_bytes", float64(l.Instance.MemoryBytes)}, {"instance.pids", float64(l.Instance.PIDs)},
	} {
		if !(f.value >= 0) || math.IsInf(f.value, 0) {
			mistakes = append(mistakes, myriad.Mistake{Path: f.path, Rule: "must not be negative"})
		}
	}
	return myriad.Invalid(mistakes)
}

// bounded is what holds for one instance of a packet: the packet's own limits, else those of the fleet, and never more than the whole fleet
// may have, so that it can start at least alone.
func bounded(own myriad.Limits, fleet myriad.FleetLimits) myriad.Limits {
	l := myriad.Limits{
		CPU:         cmp.Or(own.CPU, fleet.Instance.CPU),
		MemoryBytes: cmp.Or(own.MemoryBytes, fleet.Instance.MemoryBytes),
		PIDs:        cmp.Or(own.PIDs, fleet.Instance.PIDs),
	}
	if fleet.TotalCPU > 0 {
		l.CPU = min(l.CPU, fleet.TotalCPU)
	}
	if fleet.TotalMemoryBytes > 0 {
		l.MemoryBytes = min(l.MemoryBytes, fleet.TotalMemoryBytes)
	}
	return l
}

// millis is a limit in milliseconds as a duration.
func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
