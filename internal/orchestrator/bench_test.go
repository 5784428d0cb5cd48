package orchestrator

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// instant is a caller whose agents take no time, so that what is measured is ours.
type instant struct{ reply myriad.Reply }

func (instant) Eligible(c []myriad.Candidate) ([]myriad.Candidate, []myriad.Rejection, time.Duration) {
	return c, nil, 0
}

func (i instant) Call(_ context.Context, c *myriad.Call) myriad.Reply {
	c.Slot.Release()
	return i.reply
}

func benchmarkRun(b *testing.B, intent string, shape func(i int) []int, n int) {
	tasks := make([]task, n)
	for i := range tasks {
		tasks[i] = task{"task_id": i, "intent": intent, "args": map[string]any{"room": "kitchen"}}
		if deps := shape(i); len(deps) > 0 {
			tasks[i]["dependencies"] = deps
		}
	}
	reply := good(&myriad.Call{Candidates: foundA.Candidates}, "some data")
	w := newWorld(b, func(c *Config) { c.Caller = instant{reply}; c.Sink = nil; c.Recorder = forgetful{} })
	req := myriad.RunRequest{Body: body(tasks...)}
	buf := make([]byte, 0, 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		rec, err := w.Do(b.Context(), req)
		if err != nil || rec.Status != myriad.RunSuccess {
			b.Fatal(err)
		}
		buf = rec.AppendJSON(buf[:0])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/task")
}

// forgetful keeps nothing.
type forgetful struct{ *fakeStore }

func (forgetful) RecordRun(*myriad.RunRecord) {}

func BenchmarkRun(b *testing.B) {
	for _, n := range []int{1, 1000} {
		for _, intent := range []string{"act", "define"} {
			b.Run(fmt.Sprintf("independent-%d-%s", n, intent), func(b *testing.B) {
				benchmarkRun(b, intent, func(int) []int { return nil }, n)
			})
		}
	}
	b.Run("chain-1000", func(b *testing.B) {
		benchmarkRun(b, "act", func(i int) []int {
			if i == 0 {
				return nil
			}
			return []int{i - 1}
		}, 1000)
	})
}
