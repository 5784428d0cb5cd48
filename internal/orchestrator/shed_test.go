package orchestrator

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/myriad-mind/myriad"
)

// A bug: every task that waited for a slot held its own copy of the large answer that its args refer to, so that one agent's 4 MiB and a
// wide fan-out ended the process.
func TestTasksThatWaitHoldNoCopyOfALargeAnswer(t *testing.T) {
	const wide, answer = 400, 1 << 20
	synctest.Test(t, func(t *testing.T) {
		large, measured := strings.Repeat("x", answer), make(chan struct{})
		var held int64
		before := heap()
		w := newWorld(t)
		w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
			if c.Task.ID.Key == "a" {
				return good(c, large)
			}
			if len(c.Job.Args) < answer || len(c.Job.Dependencies) != 1 {
				t.Errorf("task %s: args of %d bytes, %d dependencies", c.Task.ID.Key, len(c.Job.Args), len(c.Job.Dependencies))
			}
			if c.Task.ID.Key == "1" {
				synctest.Wait() // until all the others wait, for slots or for this one
				held = heap()
				close(measured)
			}
			<-measured
			return good(c, "ok")
		}
		tasks := []task{{"task_id": "a"}}
		for i := range wide {
			tasks = append(tasks, task{"task_id": fmt.Sprint(i), "dependencies": []string{"a"}, "args": map[string]any{"x": "${tasks.a.data}"}})
		}
		if rec := w.do(tasks...); rec.Succeeded != wide+1 {
			t.Fatalf("%d of %d succeeded", rec.Succeeded, wide+1)
		}
		if more := held - before; more > wide*answer/4 {
			t.Errorf("%d MiB are held while %d tasks wait that refer to an answer of %d MiB", more>>20, wide, answer>>20)
		}
	})
}

// heap is how much is in use, in bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What a task is asked with is put together again for the key of its last good answer.
func TestTheLastGoodAnswerToAQuestionWithLargeArgs(t *testing.T) {
	large, broken := strings.Repeat("x", 1<<16), false
	w := newWorld(t)
	w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
		if broken && c.Task.ID.Key == "b" {
			return bad(c, myriad.OutcomeRefused, myriad.TaskErrRefused)
		}
		return good(c, large)
	}
	ask := func() *myriad.Result {
		return resultOf(t, w.do(task{"task_id": "a", "intent": "define"},
			task{"task_id": "b", "intent": "define", "dependencies": []string{"a"}, "args": map[string]any{"x": "${tasks.a.data}"}}), "b")
	}
	ask()
	broken = true
	if r := ask(); r.Provenance.Source != myriad.SourceCache {
		t.Errorf("source %s: %s", r.Provenance.Source, r.ErrorMessage)
	}
}
