package lifecycle

import (
	"context"
	"testing"
	"testing/synctest"
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
				wantSame(t, "in the store while they wait", r.store.queuedAgents(), nil)
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

// Who needs an agent goes before all who ask in passing, and has the room at once that they do not make for one another.
func TestPassingStandsInNobodysWay(t *testing.T) {
	for name, real := range map[string]string{"another agent": "d", "the same agent": "c"} {
		t.Run(name, func(t *testing.T) {
			eitherWay(t, func(t *testing.T, way func(*Config)) {
				limits := quick
				limits.MinLifeMS, limits.QueueMaxAgeMS = 10_000, 4000
				r := newRig(t, limits, way).begin()
				defer r.close()
				r.packets("a", "b", "c", "d")
				for _, name := range []string{"a", "b"} {
					if w := <-r.ask(t.Context(), inPassing(name)); w.Err != nil {
						t.Fatal(w.Err)
					} else {
						w.Release()
					}
				}
				req := inPassing("c")
				req.Priority, req.Patience = maxPriority, 0
				waiting := r.ask(t.Context(), req)
				time.Sleep(3 * time.Second) // so long that another entry would be overdue
				at := time.Now()
				w := <-r.ask(t.Context(), wakeOf(real))
				if w.Err != nil || time.Since(at) > 0 {
					t.Fatalf("served after %v: %v", time.Since(at), w.Err)
				}
				w.Release()
				if w = <-waiting; w.Err == nil {
					w.Release()
				} else if real == "c" {
					t.Error(w.Err)
				} else {
					wantCode(t, "who waited in passing for too long", w.Err, myriad.TaskErrFleetFull)
				}
			})
		})
	}
}

// A busy instance that falls idle gives way for the one that is short of room, young as it is only for who needs it.
func TestPassingIsNotYieldedToInPassing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxAgents, limits.MinLifeMS = 1, 60_000
		r := newRig(t, limits).begin()
		defer r.close()
		r.packets("a", "b", "c")
		w := <-r.ask(t.Context(), inPassing("a"))
		req := inPassing("b")
		req.Patience = 0
		passing := r.ask(t.Context(), req)
		synctest.Wait()
		w.Release()
		time.Sleep(10 * time.Second)
		if r.Awake("a") == nil || len(passing) > 0 {
			t.Fatal("it gave way to another in passing")
		}
		r.wake("c").Release()
		wantSame(t, "evicted", r.told(myriad.KindEvicted), []string{"a > c"})
		if w = <-passing; w.Err != nil { // when c has lived its minimum life
			t.Fatal(w.Err)
		}
		w.Release()
	})
}

// Those who ask in passing take no place in the queue from those who need one, and are themselves bounded.
func TestPassingFillsNoQueue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxQueue = 3
		r, free := full(t, limits)
		defer r.close()
		r.packets("a", "b", "c", "d", "e", "f", "g")
		var passing []<-chan myriad.Woken
		for _, name := range []string{"a", "b", "c", "d"} { // at once, before any is in line
			req := inPassing(name)
			req.Patience = time.Minute
			passing = append(passing, r.ask(t.Context(), req))
		}
		synctest.Wait()
		refused := 0
		for _, c := range passing {
			refused += len(c)
		}
		late := r.ask(t.Context(), inPassing("e"))
		if refused != 1 || len(late) != 1 {
			t.Fatalf("%d of 4 were refused, and %d of those that came later", refused, len(late))
		}
		wantCode(t, "one too many", (<-late).Err, myriad.TaskErrFleetFull)
		for n, name := range []string{"e", "f", "g"} {
			req := wakeOf(name)
			req.Patience = time.Second
			w := <-r.ask(t.Context(), req)
			if w.Queued == nil || w.Queued.Position != n+1 {
				t.Fatalf("%s: %+v, %v", name, w.Queued, w.Err)
			}
		}
		if q := r.Status(t.Context()).Queue; len(q) != 3 {
			t.Errorf("the queue is %+v", q)
		}
		free()
		for _, c := range passing {
			if w := <-c; w.Err == nil {
				w.Release()
			} else {
				wantCode(t, "in passing", w.Err, myriad.TaskErrFleetFull)
			}
		}
	})
}

// A real asker that joins finds the queue as full as one who begins to wait.
func TestJoiningInPassingWithoutAPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxQueue = 1
		r, free := full(t, limits)
		defer r.close()
		r.packets("a", "b")
		held := r.ask(t.Context(), wakeOf("b"))
		req := inPassing("a")
		req.Patience = time.Minute
		passing := r.ask(t.Context(), req)
		synctest.Wait()
		wantCode(t, "no place", (<-r.ask(t.Context(), wakeOf("a"))).Err, myriad.TaskErrFleetFull)
		time.Sleep(5 * time.Second)
		free()
		for _, c := range []<-chan myriad.Woken{held, passing} {
			w := <-c
			if w.Err != nil {
				t.Fatal(w.Err)
			}
			w.Release()
		}
	})
}

// Neither a clean stop nor a crash leaves anything of those who asked in passing to the next life.
func TestPassingOutlivesNothing(t *testing.T) {
	for _, how := range []string{"drain", "crash"} {
		t.Run(how, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r, free := full(t, quick)
				r.packets("a", "b")
				req := inPassing("a")
				req.Patience = 0
				passing, real := r.ask(t.Context(), req), r.ask(t.Context(), wakeOf("b"))
				synctest.Wait()
				free()
				s := r.store
				if how == "drain" {
					r.close()
				} else {
					s, _ = r.killed()
				}
				wantSame(t, "kept", s.queuedAgents(), []string{"b"})
				wantCode(t, "in passing", (<-passing).Err, myriad.CodeDraining)
				<-real
			})
		})
	}
}

// A real asker that joins at any moment makes the entry one like all others: shown, kept, with the place of who begins to wait, and answered.
func TestJoiningWhoPasses(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, time.Second, time.Minute} {
		t.Run(after.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r, free := full(t, quick)
				r.packets("a", "b")
				req := inPassing("a")
				req.Patience = 0
				passing := r.ask(t.Context(), req)
				time.Sleep(after)
				other := r.ask(t.Context(), wakeOf("b"))
				synctest.Wait()
				time.Sleep(time.Millisecond)
				join := wakeOf("a")
				join.Kind, join.Patience = myriad.QueueGrow, time.Second
				w := <-r.ask(t.Context(), join)
				if w.Queued == nil || w.Queued.Position != 2 {
					t.Fatalf("%+v, %v", w.Queued, w.Err)
				}
				q := r.Status(t.Context()).Queue
				if len(q) != 2 || q[1].Agent != "a" || q[1].Kind != myriad.QueueGrow || q[1].AgeMS > 1100 || r.Place("a") == nil {
					t.Errorf("the queue is %+v", q)
				}
				wantSame(t, "kept", r.store.queuedAgents(), []string{"b", "a"})
				wantSame(t, "told with the others", r.told(myriad.KindInstance)[4:], []string{"b >queued ", "a >queued "})
				time.Sleep(time.Second) // past the minimum life of those whose room they get
				free()
				for _, c := range []<-chan myriad.Woken{other, passing} {
					if w = <-c; w.Err != nil {
						t.Fatal(w.Err)
					}
					w.Release()
				}
				synctest.Wait()
				wantSame(t, "kept after their turn", r.store.queuedAgents(), nil)
				r.close()
			})
		})
	}
}

// When those who asked in passing have left, nobody gives way for them any more.
func TestNobodyGivesWayForWhoHasPassed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxAgents = 1
		r := newRig(t, limits).begin()
		defer r.close()
		r.packets("a", "b")
		w := r.wake("a")
		time.Sleep(2 * time.Second) // past its minimum life
		wantCode(t, "b", (<-r.ask(t.Context(), inPassing("b"))).Err, myriad.TaskErrFleetFull)
		if r.hungry.Load() {
			t.Error("somebody is said to wait")
		}
		w.Release()
		synctest.Wait()
		wantSame(t, "evicted", r.told(myriad.KindEvicted), nil)
	})
}
