package processrt

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// watchEvery is how often the memory of instances is looked at where no cgroup limits it.
const watchEvery = 250 * time.Millisecond

// watcher keeps the memory limit of fences by looking at their processes, all in one go. It runs only while there is something to watch.
type watcher struct {
	mu     sync.Mutex
	fences map[*fence]bool // guarded by mu
	stop   chan struct{}   // ends the goroutine that looks; nil when there is none; guarded by mu
	work   sync.WaitGroup
}

// add begins to watch a fence, if that is how its limit is kept.
func (w *watcher) add(f *fence) {
	if !f.watched {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fences == nil {
		w.fences = map[*fence]bool{}
	}
	w.fences[f] = true
	if w.stop == nil {
		stop := make(chan struct{})
		w.stop = stop
		w.work.Go(func() { w.run(stop) })
	}
}

func (w *watcher) drop(f *fence) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.fences, f)
	if len(w.fences) == 0 && w.stop != nil {
		close(w.stop)
		w.stop = nil
	}
}

// close waits until nobody looks any more. Nothing may be watched then.
func (w *watcher) close() { w.work.Wait() }

func (w *watcher) run(stop chan struct{}) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			w.look()
		}
	}
}

func (w *watcher) look() {
	w.mu.Lock()
	fences := make([]*fence, 0, len(w.fences))
	for f := range w.fences {
		fences = append(fences, f)
	}
	w.mu.Unlock()
	all := processes()
	for _, f := range fences {
		f.judge(all)
	}
}

// judge kills the largest child of the fence when all of them together are over the memory limit.
func (f *fence) judge(all []process) {
	limit := f.i.req.Limits.MemoryBytes
	var sum, most int64
	var largest *cell
	var members []process
	for _, l := range f.list() {
		var own int64
		in := l.members(all)
		for _, p := range in {
			own += p.rss
		}
		members = append(members, in...)
		if sum += own; largest == nil || own > most {
			largest, most = l, own
		}
	}
	if sum <= limit || proportional(members) <= limit {
		return
	}
	largest.blame(fmt.Sprintf("killed: the processes use more memory than the limit of %d MiB", limit>>20))
	largest.kill()
}

// proportional is the memory of processes with what they share counted once.
func proportional(all []process) (sum int64) {
	for _, p := range all {
		sum += p.proportional()
	}
	return sum
}

// proportional is the process's memory with what it shares divided among those that share it, or all of it where that is not to be seen.
func (p process) proportional() int64 {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "smaps_rollup"))
	if err != nil {
		return p.rss
	}
	for line := range bytes.Lines(text) {
		if rest, ok := strings.CutPrefix(string(line), "Pss:"); ok {
			if kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64); err == nil {
				return kb << 10
			}
		}
	}
	return p.rss
}
