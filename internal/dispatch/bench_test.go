package dispatch

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

func BenchmarkSubmitReleaseFree(b *testing.B) {
	d := New(100, 10)
	t := &myriad.Turn{Run: "r", Candidates: []myriad.Candidate{at("a", 0), at("b", 0), at("c", 0)}}
	b.ReportAllocs()
	for b.Loop() {
		_, slot, _ := d.Submit(t)
		slot.Release()
	}
}

func BenchmarkSubmitReleaseFreeParallel(b *testing.B) {
	d := New(100, 100)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		t := &myriad.Turn{Run: "r", Candidates: []myriad.Candidate{at("a", 0), at("b", 0), at("c", 0)}}
		for pb.Next() {
			if _, slot, ok := d.Submit(t); ok {
				slot.Release()
			}
		}
	})
}

func BenchmarkCancel(b *testing.B) {
	d := New(1, 1)
	for range 10_000 {
		d.Submit(&myriad.Turn{Run: "r", Candidates: []myriad.Candidate{at("a", 0), at("b", 0), at("c", 0)}})
	}
	t := &myriad.Turn{Run: "r", Candidates: []myriad.Candidate{at("a", 0), at("b", 0), at("c", 0)}}
	b.ReportAllocs()
	for b.Loop() {
		d.Submit(t)
		d.Cancel(t)
	}
}

// wide submits n turns and releases until all are served; it is the whole cost of a run's waiting.
func wide(b *testing.B, d *Dispatcher, n int, run func(i int) string, cands func(i int) []myriad.Candidate) {
	turns := make([]myriad.Turn, n)
	slots := make([]myriad.Slot, 0, n)
	for i := range turns {
		turns[i] = myriad.Turn{Run: run(i), Candidates: cands(i), Grant: func(_ int, s myriad.Slot, _ time.Duration) { slots = append(slots, s) }}
	}
	b.ReportAllocs()
	for b.Loop() {
		slots = slots[:0]
		for i := range turns {
			if _, s, ok := d.Submit(&turns[i]); ok {
				slots = append(slots, s)
			}
		}
		for i := 0; i < len(slots); i++ {
			slots[i].Release()
		}
	}
	if len(slots) != n {
		b.Fatalf("%d of %d were served", len(slots), n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/turn")
}

func BenchmarkWide(b *testing.B) {
	const n = 10_000
	one := func(int) string { return "r" }
	for _, endpoints := range []int{1, 3, 100, 1000} {
		names := make([]myriad.Candidate, endpoints)
		for i := range names {
			names[i] = at("e"+strconv.Itoa(i), 0)
		}
		b.Run(fmt.Sprintf("one_run/endpoints=%d", endpoints), func(b *testing.B) {
			wide(b, New(100, 10), n, one, func(i int) []myriad.Candidate { return names[i%endpoints : i%endpoints+1] })
		})
		b.Run(fmt.Sprintf("1000_runs/endpoints=%d", endpoints), func(b *testing.B) {
			runs := make([]string, 1000)
			for i := range runs {
				runs[i] = strconv.Itoa(i)
			}
			wide(b, New(100, 10), n, func(i int) string { return runs[i%1000] }, func(i int) []myriad.Candidate { return names[i%endpoints : i%endpoints+1] })
		})
	}
	three := []myriad.Candidate{at("a", 0), at("b", 0), at("c", 0)}
	b.Run("one_run/3_candidates", func(b *testing.B) {
		wide(b, New(100, 10), n, one, func(int) []myriad.Candidate { return three })
	})
	b.Run("runs_of_one/3_candidates", func(b *testing.B) {
		wide(b, New(100, 10), n, strconv.Itoa, func(int) []myriad.Candidate { return three })
	})
}

// BenchmarkContended is many goroutines that all want one endpoint: each turn is queued, told by a channel and released.
func BenchmarkContended(b *testing.B) {
	d := New(100, 10)
	cands := []myriad.Candidate{at("a", 0)}
	var runs atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(50)
	b.RunParallel(func(pb *testing.PB) {
		got := make(chan myriad.Slot, 1)
		t := &myriad.Turn{Run: strconv.Itoa(int(runs.Add(1))), Candidates: cands, Grant: func(_ int, s myriad.Slot, _ time.Duration) { got <- s }}
		for pb.Next() {
			_, slot, ok := d.Submit(t)
			if !ok {
				slot = <-got
			}
			slot.Release()
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	d := New(100, 10)
	d.Try(at("a", 0))
	a := agentOf("a", 0)
	b.ReportAllocs()
	for b.Loop() {
		d.Load(a)
	}
}
