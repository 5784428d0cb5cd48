package orchestrator

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// fullFleet wakes nobody, and tells so at the request's deadline.
type fullFleet struct{ place *myriad.QueuePosition }

func (fullFleet) Wake(_ context.Context, req myriad.WakeRequest, done func(myriad.Woken)) {
	time.AfterFunc(time.Until(req.Deadline), func() { done(myriad.Woken{Err: myriad.Errorf(myriad.CodeDeadline, "too late")}) })
}

func (f fullFleet) Place(string) *myriad.QueuePosition { return f.place }

// busy takes every slot of these agents until the test is over.
func (w *world) busy(names ...string) {
	for _, name := range names {
		for {
			slot, ok := w.dispatcher.Try(candidate(name))
			if !ok {
				break
			}
			w.t.Cleanup(slot.Release)
		}
	}
}

// TestTimeoutSaysWhereItWaited: whoever reads the result of a task whose time was over before it was carried out has to know what to have more of.
func TestTimeoutSaysWhereItWaited(t *testing.T) {
	grows := growerFunc(func(context.Context, myriad.GrowRequest, func(myriad.Growth)) {})
	nobody := func(_ context.Context, _, _ string, done func(myriad.Found, error)) { done(myriad.Found{}, nil) }
	hangs := func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Hour) }
	for _, c := range []struct {
		name, want, code string
		task             task
		set              func(w *world)
	}{
		{name: "an agent to be awake", want: `the run's deadline passed while the task waited for agent "S" to be awake`, code: myriad.TaskErrRunDeadline,
			set: func(w *world) { w.finds(asleep("S")); w.cfg.Waker = fullFleet{} }},
		{name: "room for it", want: `the run's deadline passed while the task waited for agent "S" to be awake, which is at place 3 of the fleet's queue`,
			code: myriad.TaskErrRunDeadline, set: func(w *world) { w.finds(asleep("S")); w.cfg.Waker = fullFleet{&myriad.QueuePosition{Position: 3}} }},
		{name: "an agent to be made", want: `the run's deadline passed while the task waited for an agent to be made for concept "Big Lamp"`, code: myriad.TaskErrRunDeadline,
			task: task{"concept": "Big Lamp"}, set: func(w *world) { w.cfg.Grower = grows; w.finder.find = nobody }},
		{name: "a slot", want: `the run's deadline passed while the task waited for a slot of agent "A"`, code: myriad.TaskErrRunDeadline,
			set: func(w *world) { w.busy("A") }},
		{name: "a slot of many", want: `the run's deadline passed while the task waited for a slot of agent "A" or "B" or "C" or 2 more`, code: myriad.TaskErrRunDeadline,
			set: func(w *world) {
				w.finds(candidate("A"), candidate("B"), candidate("C"), candidate("D"), candidate("E"))
				w.busy("A", "B", "C", "D", "E")
			}},
		{name: "its call", want: `the run's deadline passed before the task was done`, code: myriad.TaskErrRunDeadline, set: func(w *world) { w.caller.call = hangs }},
		{name: "another slot, by its own timeout", code: myriad.TaskErrParked, task: task{"timeout_ms": 5000},
			want: `the task's timeout passed while it waited for another slot of agent "A": it went wrong`,
			set: func(w *world) {
				w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply { // it is told to wait, and finds that others were there first
					c.Slot.Release()
					w.busy("A")
					reply := bad(c, myriad.OutcomeToldToWait, myriad.TaskErrParked)
					reply.Requeue = true
					return reply
				}
			}},
		{name: "an agent to be awake again, by its own timeout", code: myriad.TaskErrTimeout, task: task{"timeout_ms": 5000},
			want: `the task's timeout passed while it waited for agent "S" to be awake, which is at place 1 of the fleet's queue`,
			set: func(w *world) {
				w.cfg.Waker = fullFleet{&myriad.QueuePosition{Position: 1}}
				w.finds(candidate("S"))
				w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
					w.finds(asleep("S"))
					reply := bad(c, myriad.OutcomeAsleep, myriad.TaskErrAsleep)
					reply.Requeue = true
					return reply
				}
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				c.set(w)
				if c.task == nil {
					c.task = task{}
				}
				r := w.do(c.task).Results[0]
				if r.ErrorMessage != c.want || r.ErrorCode != c.code {
					t.Errorf("got %s", r.AppendJSON(nil))
				}
				if c.code != myriad.TaskErrParked && r.Status != myriad.StatusTimeout {
					t.Errorf("the status is %s", r.Status)
				}
			})
		})
	}
}
