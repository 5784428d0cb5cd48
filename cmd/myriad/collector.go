package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
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
	c := &collector{live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	metrics.Read(c.live)
	c.percent = growth(c.live[0].Value.Uint64())
	before := debug.SetGCPercent(c.percent)
	c.watch()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stopped = true
		debug.SetGCPercent(before)
	}
}

// collector adjusts the share of the live heap by which it may grow, after each collection. Nothing runs in between.
type collector struct {
	mu      sync.Mutex
	stopped bool             // guarded by mu, as what follows
	percent int              // that is set
	live    []metrics.Sample //
}

// watch has adjust called after the next collection, which finds a thing that nobody holds, and so on.
func (c *collector) watch() {
	type thing struct{ of *collector }
	runtime.SetFinalizer(&thing{c}, func(*thing) {
		if c.adjust() {
			c.watch()
		}
	})
}

// adjust is false when that is over.
func (c *collector) adjust() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return false
	}
	metrics.Read(c.live)
	percent := growth(c.live[0].Value.Uint64())
	if d := percent - c.percent; d > c.percent/8 || -d > c.percent/8 { // setting it stops the world for a moment
		c.percent = percent
		debug.SetGCPercent(percent)
	}
	return true
}

// growth is by how many percent a heap may grow in which so many bytes live. Below 4 MiB of them Go counts with 4 MiB.
func growth(live uint64) int {
	return int(max(100, 100*heapHeadroom/max(live, 4<<20)))
}
