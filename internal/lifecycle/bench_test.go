package lifecycle

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// benchRig is a fleet of awake agents in real time.
func benchRig(b *testing.B, awake int) *rig {
	limits := quick
	limits.MaxAgents, limits.IdleTimeoutMS, limits.TotalCPU = awake, 3_600_000, 0
	r := newRig(b, limits).begin()
	b.Cleanup(r.close)
	for n := range awake {
		name := fmt.Sprintf("Agent_%06d", n)
		r.packets(name)
		r.use(name)
	}
	return r
}

func BenchmarkAwake(b *testing.B) {
	for _, awake := range []int{20, 5000} {
		b.Run(fmt.Sprint(awake), func(b *testing.B) {
			r := benchRig(b, awake)
			b.ReportAllocs()
			for b.Loop() {
				if r.Awake("Agent_000007") == nil {
					b.Fatal("asleep")
				}
			}
		})
	}
}

func BenchmarkLease(b *testing.B) {
	r := benchRig(b, 20)
	card := r.Awake("Agent_000007")
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			release, ok := r.Lease(card)
			if !ok {
				b.Fatal("refused")
			}
			release()
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if release, ok := r.Lease(card); ok {
					release()
				}
			}
		})
	})
}

// BenchmarkWakeAwake is a Wake of an agent that is awake.
func BenchmarkWakeAwake(b *testing.B) {
	r := benchRig(b, 20)
	req := wakeOf("Agent_000007")
	b.ReportAllocs()
	for b.Loop() {
		r.Wake(context.Background(), req, func(w myriad.Woken) { w.Release() })
	}
}

// BenchmarkWakeCold is a whole life: woken, answered, put to sleep for the next one, in a full fleet of 20.
func BenchmarkWakeCold(b *testing.B) {
	limits := quick
	limits.MaxAgents, limits.MinLifeMS = 20, -1
	r := newRig(b, limits).begin()
	defer r.close()
	for n := range 100 {
		r.packets(fmt.Sprint("a", n))
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		r.use(fmt.Sprint("a", n%100))
		n++
	}
}

// BenchmarkAwakeHeap is what the manager keeps of one agent that is awake, the fake instance included.
func BenchmarkAwakeHeap(b *testing.B) {
	const awake = 5000
	limits := quick
	limits.MaxAgents, limits.IdleTimeoutMS = awake, 3_600_000
	r := newRig(b, limits, func(c *Config) { c.Sink = myriad.Discard }).begin()
	defer r.close()
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	for n := range awake {
		r.packets(fmt.Sprintf("Agent_%06d", n))
	}
	for b.Loop() {
		before := heap()
		for n := range awake {
			r.use(fmt.Sprintf("Agent_%06d", n))
		}
		b.ReportMetric(float64(int64(heap())-int64(before))/awake, "B/agent")
		if _, err := r.SetLimits(context.Background(), func(l *myriad.FleetLimits) { l.MaxAgents = 0 }); err != nil {
			b.Fatal(err)
		}
		for r.rt.living() > 0 {
			runtime.Gosched()
		}
		if _, err := r.SetLimits(context.Background(), func(l *myriad.FleetLimits) { l.MaxAgents = awake }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFullChurn has 20 places for 40 agents whose jobs last 5 ms, each agent asked for again and again, and reports the part of one core
// that the whole process uses; instances cost nothing here, so that is the manager, its fakes and the askers.
func BenchmarkFullChurn(b *testing.B) {
	limits := quick
	limits.MaxAgents, limits.MinLifeMS = 20, 200
	r := newRig(b, limits)
	r.begin()
	defer r.close()
	const agents = 40
	for n := range agents {
		r.packets(fmt.Sprint("a", n))
	}
	for b.Loop() {
		before, from := cpuTime(b), time.Now()
		ctx, stop := context.WithTimeout(context.Background(), 3*time.Second)
		var all sync.WaitGroup
		var served sync.Map
		for n := range agents {
			all.Go(func() {
				for count := 1; ctx.Err() == nil; count++ {
					if w := <-r.ask(ctx, wakeOf(fmt.Sprint("a", n))); w.Err == nil {
						if release, ok := r.Lease(w.Agent); ok {
							time.Sleep(5 * time.Millisecond)
							release()
						}
						w.Release()
					}
					served.Store(n, count)
					time.Sleep(20 * time.Millisecond)
				}
			})
		}
		all.Wait()
		stop()
		jobs := 0
		served.Range(func(_, v any) bool { jobs += v.(int); return true })
		took := time.Since(from)
		b.ReportMetric(100*float64(cpuTime(b)-before)/float64(took), "%core")
		b.ReportMetric(float64(jobs)/took.Seconds(), "jobs/s")
		r.rt.mu.Lock()
		starts := 0
		for _, n := range r.rt.starts {
			starts += n
		}
		r.rt.mu.Unlock()
		b.ReportMetric(float64(starts)/took.Seconds(), "starts/s")
	}
}
