package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// heapHeadroom is how many bytes the heap of a server grows at least between two collections. By Go's default it is let grow by what lives, which is
// little here: under load there were ten collections a second, and while one runs it takes a share of few cores that tasks wait for.
const heapHeadroom = 48 << 20

// easeCollector keeps the garbage collector from running before that much was allocated since it ran last, unless the environment says how it is to
// run (GOGC, GOMEMLIMIT). A heap in which more lives than that is collected as ever. stop puts back what was.
func easeCollector() (stop func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	c := &collector{live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}, percent: 100}
	c.adjust()
	c.watch()
	return func() {
		c.stopped.Store(true)
		debug.SetGCPercent(100)
	}
}

// collector adjusts the share of the live heap by which it may grow, after each collection. Nothing runs in between.
type collector struct {
	stopped atomic.Bool
	live    []metrics.Sample // belongs to whoever adjusts, as percent
	percent int
}

// watch has adjust called after the next collection, which finds a thing that nobody holds, and so on.
func (c *collector) watch() {
	type thing struct{ of *collector }
	runtime.SetFinalizer(&thing{c}, func(*thing) {
		if !c.stopped.Load() {
			c.adjust()
			c.watch()
		}
	})
}

func (c *collector) adjust() {
	metrics.Read(c.live)
	percent := growth(c.live[0].Value.Uint64())
	if d := percent - c.percent; d > c.percent/8 || -d > c.percent/8 { // setting it stops the world for a moment
		c.percent = percent
		debug.SetGCPercent(percent)
	}
}

// growth is by how many percent a heap may grow in which so many bytes live. Below 4 MiB of them Go counts with 4 MiB.
func growth(live uint64) int {
	return int(max(100, 100*heapHeadroom/max(live, 4<<20)))
}
