package dockerrt

import (
	"context"
	"encoding/json"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

// sample is one question to the daemon for what a container uses, and its answer.
type sample struct {
	answered chan struct{} // closed when the rest is known
	usage    myriad.Usage
	ok       bool
	at       time.Time
}

// Daemons of some versions take a second to answer, longer than who looks at the whole fleet will wait. So whoever asks is told the last answer when
// there is no new one at once, and the answer that comes later is the next one's.
const (
	sampleWait = 25 * time.Millisecond // for a new answer, when there is a last one
	sampleAge  = 2 * time.Minute       // of a last answer that is worth telling
)

// Usage is what the container used when the daemon was last asked. Memory is what it holds, without the file cache that the kernel would give back.
func (i *instance) Usage(ctx context.Context) (u myriad.Usage, ok bool) {
	s, last := i.sampling()
	if s == nil {
		return u, false
	}
	var hurry <-chan time.Time
	if last != nil {
		timer := time.NewTimer(sampleWait)
		defer timer.Stop()
		hurry = timer.C
	}
	select {
	case <-s.answered:
		return s.usage, s.ok
	case <-hurry:
	case <-ctx.Done():
	}
	if last == nil || i.gone() {
		return u, false
	}
	return last.usage, true
}

// sampling is the question that is under way, begun now when there was none, and the last good answer; both nil for what is gone.
func (i *instance) sampling() (s, last *sample) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.gone() {
		return nil, nil
	}
	if i.sampled != nil && time.Since(i.sampled.at) < sampleAge {
		last = i.sampled
	}
	if i.asking == nil {
		if !i.r.join() {
			return nil, nil
		}
		i.asking = &sample{answered: make(chan struct{})}
		go i.sample(i.asking)
	}
	return i.asking, last
}

// sample asks the daemon. It holds a place among the work of the runtime.
func (i *instance) sample(s *sample) {
	defer i.r.work.Done()
	ctx, cancel := context.WithTimeout(i.r.life, i.r.cfg.CallTimeout)
	defer cancel()
	s.usage, s.ok = i.stats(ctx)
	s.at = time.Now()
	i.mu.Lock()
	if i.asking = nil; s.ok {
		i.sampled = s
	}
	i.mu.Unlock()
	close(s.answered)
}

func (i *instance) stats(ctx context.Context) (u myriad.Usage, ok bool) {
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
