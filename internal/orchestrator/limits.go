package orchestrator

import "time"

// Limits bound what requests may ask and what runs may hold. A zero value stands for the default beside it.
type Limits struct {
	MaxTasks       int           // tasks of one plan; 10,000
	MaxArgsBytes   int           // of one task's args as written; 1 MiB
	MaxArgsDepth   int           // objects and arrays inside each other; 64
	RunTimeout     time.Duration // of a run that asks for none; 30 s
	MaxRunTimeout  time.Duration // ceiling of every timeout; 10 min
	MaxJobBytes    int           // args and dependencies of one job; 8 MiB
	MaxResultBytes int64         // the answers of one run together; 256 MiB
	MaxRuns        int           // runs under way; 1,000
	MaxWaiting     int           // unfinished tasks of all runs; 200,000
	MaxHeldBytes   int64         // requests and answers of all runs under way; 1 GiB
	GoodMaxAge     time.Duration // oldest last good answer that is served; 24 h
	RetryAfter     time.Duration // told to whom admission turns away; 1 s
}

func (l Limits) withDefaults() Limits {
	fill(&l.MaxTasks, 10_000)
	fill(&l.MaxArgsBytes, 1<<20)
	fill(&l.MaxArgsDepth, 64)
	fill(&l.RunTimeout, 30*time.Second)
	fill(&l.MaxRunTimeout, 10*time.Minute)
	fill(&l.MaxJobBytes, 8<<20)
	fill(&l.MaxResultBytes, 256<<20)
	fill(&l.MaxRuns, 1000)
	fill(&l.MaxWaiting, 200_000)
	fill(&l.MaxHeldBytes, 1<<30)
	fill(&l.GoodMaxAge, 24*time.Hour)
	fill(&l.RetryAfter, time.Second)
	return l
}

func fill[T int | int64 | time.Duration](v *T, standard T) {
	if *v <= 0 {
		*v = standard
	}
}
