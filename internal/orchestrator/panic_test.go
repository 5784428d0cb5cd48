package orchestrator

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestPanics(t *testing.T) {
	for name, breakIt := range map[string]func(w *world){
		"call": func(w *world) {
			w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
				if c.Task.ID.Key == "0" {
					panic("in the call")
				}
				return good(c, 1)
			}
		},
		"find": func(w *world) {
			n := 0
			w.finder.find = func(_ context.Context, _, _ string, done func(myriad.Found, error)) {
				if n++; n == 1 {
					panic("in the finder")
				}
				done(foundA, nil)
			}
		},
		"eligible": func(w *world) {
			n := 0
			w.caller.eligible = func(c []myriad.Candidate) ([]myriad.Candidate, []myriad.Rejection, time.Duration) {
				if n++; n == 1 {
					panic("in eligible")
				}
				return c, nil, 0
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			breakIt(w)
			rec := w.do(task{}, task{"task_id": "after", "dependencies": []string{"0"}}, task{"task_id": "other"})
			r := resultOf(t, rec, "0")
			if r.Status != myriad.StatusError || r.ErrorCode != myriad.TaskErrInternal || resultOf(t, rec, "after").Status != myriad.StatusSkipped || !resultOf(t, rec, "other").Succeeded {
				t.Errorf("got %s", rec.AppendJSON(nil))
			}
			told := w.sink.of(myriad.KindPanic)
			if len(told) != 1 || told[0].TaskID != "0" || !strings.Contains(told[0].Stack, "panic_test.go") {
				t.Errorf("told %+v", told)
			}
		})
	}
}

// A panic in a callback that comes later fails the task, and the goroutine that called back lives on.
func TestPanicInALateAnswer(t *testing.T) {
	w := newWorld(t)
	w.finder.find = func(_ context.Context, _, _ string, done func(myriad.Found, error)) {
		go done(foundA, nil)
	}
	w.caller.eligible = func([]myriad.Candidate) ([]myriad.Candidate, []myriad.Rejection, time.Duration) { panic("late") }
	if rec := w.do(task{}); rec.Results[0].ErrorCode != myriad.TaskErrInternal {
		t.Errorf("got %s", rec.AppendJSON(nil))
	}
}

// A sink or a release that panics is told in the log, and nothing stops because of it.
func TestPanicsOfThoseWhoAreTold(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Sink = myriad.SinkFunc(func(myriad.Event) { panic("sink") }) })
	w.finds(asleep("S"))
	w.cfg.Waker = wakerFunc(func(_ context.Context, _ myriad.WakeRequest, done func(myriad.Woken)) {
		done(myriad.Woken{Agent: candidate("S").Agent, Release: func() { panic("release") }})
	})
	if rec := w.do(task{}, task{"task_id": "b", "dependencies": []string{"0"}}); rec.Status != myriad.RunSuccess {
		t.Errorf("got %s", rec.AppendJSON(nil))
	}
}
