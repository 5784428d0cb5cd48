package lifecycle

import (
	"context"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// inPassing is the request of an asker that is served as well without the agent.
func inPassing(name string) myriad.WakeRequest {
	req := wakeOf(name)
	req.Passing, req.Patience = true, time.Second
	return req
}

// Who is asked for in passing alone does not wait on when its askers have left, whatever made them leave.
func TestPassingAskersLeaveNothingInTheQueue(t *testing.T) {
	for _, how := range []string{"patience", "deadline", "left"} {
		t.Run(how, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r, free := full(t, quick)
				defer r.close()
				r.packets("a")
				ctx, leave := context.WithCancel(context.Background())
				defer leave()
				req, want := inPassing("a"), myriad.Code(myriad.TaskErrFleetFull)
				switch how {
				case "deadline":
					req.Patience, req.Deadline, want = 0, time.Now().Add(time.Second), myriad.CodeDeadline
				case "left":
					req.Patience, want = 0, myriad.CodeCancelled
					time.AfterFunc(time.Second, leave)
				}
				first, second := r.ask(ctx, req), r.ask(ctx, req)
				time.Sleep(500 * time.Millisecond)
				wantSame(t, "while they wait", r.store.queuedAgents(), []string{"a"})
				for _, answers := range []<-chan myriad.Woken{first, second} {
					w := <-answers
					wantCode(t, how, w.Err, want)
					if w.Queued != nil {
						t.Errorf("it is said to wait on: %+v", w.Queued)
					}
				}
				time.Sleep(time.Second)
				wantSame(t, "left in the store", r.store.queuedAgents(), nil)
				if q := r.Status(context.Background()).Queue; len(q) > 0 {
					t.Errorf("left in the queue: %+v", q)
				}
				free()
				time.Sleep(time.Minute)
				if n := r.rt.started("a"); n != 0 {
					t.Errorf("it was started %d times for nobody", n)
				}
			})
		})
	}
}

// Whoever needs the agent keeps it in the queue, before and after those who ask in passing.
func TestPassingBesideOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, free := full(t, quick)
		defer r.close()
		r.packets("a", "b")
		needs := func(name string) myriad.WakeRequest {
			req := wakeOf(name)
			req.Patience = 2 * time.Second
			return req
		}
		answers := []<-chan myriad.Woken{r.ask(context.Background(), inPassing("a")), r.ask(context.Background(), needs("a")),
			r.ask(context.Background(), needs("b")), r.ask(context.Background(), inPassing("b"))}
		for _, c := range answers {
			w := <-c
			wantCode(t, "without room", w.Err, myriad.TaskErrFleetFull)
			if w.Queued == nil {
				t.Error("its place is not told")
			}
		}
		wantSame(t, "they wait on", r.store.queuedAgents(), []string{"a", "b"})
		free()
		time.Sleep(time.Minute)
		if a, b := r.rt.started("a"), r.rt.started("b"); a != 1 || b != 1 {
			t.Errorf("started: a %d times, b %d times", a, b)
		}
	})
}

// Who was woken in passing gives way at once when it is idle, but not to others of its kind, so that they do not chase one another through a small fleet.
func TestPassingGivesWayAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxAgents, limits.MinLifeMS = 1, 60_000
		r := newRig(t, limits).begin()
		defer r.close()
		r.packets("a", "b", "c", "d")
		w := <-r.ask(context.Background(), inPassing("a"))
		if w.Err != nil {
			t.Fatal(w.Err)
		}
		w.Release()
		other := <-r.ask(context.Background(), inPassing("b"))
		wantCode(t, "another in passing", other.Err, myriad.TaskErrFleetFull)
		if w = <-r.ask(context.Background(), inPassing("a")); w.Err != nil { // pinned again
			t.Fatal(w.Err)
		}
		answers := r.ask(context.Background(), wakeOf("c"))
		time.Sleep(time.Second)
		at := time.Now()
		w.Release()
		if w = <-answers; w.Err != nil || time.Since(at) > time.Second {
			t.Fatalf("who needs the room has it after %v: %v", time.Since(at), w.Err)
		}
		w.Release()
		wantSame(t, "evicted", r.told(myriad.KindEvicted), []string{"a > c"})
		// One that was needed is kept its minimum life, by others too.
		at = time.Now()
		w = r.wake("d")
		if took := time.Since(at); took < 59*time.Second {
			t.Errorf("it gave way after %v", took)
		}
		w.Release()
	})
}
