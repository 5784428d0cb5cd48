package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// full is a fleet whose two places are taken by pinned agents.
func full(t *testing.T, limits myriad.FleetLimits) (r *rig, free func()) {
	r = newRig(t, limits).begin()
	r.packets("p", "q")
	p, q := r.wake("p"), r.wake("q")
	return r, func() { p.Release(); q.Release() }
}

func TestQueueOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, free := full(t, quick)
		defer r.close()
		r.packets("a", "b", "c", "d")
		var answers []<-chan myriad.Woken
		for n, name := range []string{"a", "b", "c", "d"} {
			req := wakeOf(name)
			req.Priority = []int{1, 0, 5, 1}[n]
			answers = append(answers, r.ask(context.Background(), req))
			time.Sleep(time.Millisecond)
		}
		order := []string{"c", "a", "d", "b"}
		wantSame(t, "in the store", r.store.queuedAgents(), order)
		var shown []string
		for n, e := range r.Status(context.Background()).Queue {
			shown = append(shown, e.Agent)
			if e.Position != n+1 || e.Kind != myriad.QueueWake || e.Concept != "about_"+e.Agent {
				t.Errorf("entry %d: %+v", n, e)
			}
		}
		wantSame(t, "in the status", shown, order)
		// A more urgent asker takes the agent with it.
		req := wakeOf("d")
		req.Priority = 9
		answers = append(answers, r.ask(context.Background(), req))
		if e := r.Status(context.Background()).Queue[0]; e.Agent != "d" || e.Priority != 9 {
			t.Errorf("the first is now %+v", e)
		}
		time.Sleep(2 * time.Second)
		free()
		go func() {
			for _, c := range answers {
				go func() { w := <-c; time.Sleep(time.Second); w.Release() }()
			}
		}()
		time.Sleep(time.Minute)
		var starts []string
		for _, e := range r.told(myriad.KindInstance) {
			for _, name := range order {
				if e == name+" queued>starting " {
					starts = append(starts, name)
				}
			}
		}
		wantSame(t, "started", starts, []string{"d", "c", "a", "b"})
		if left := r.store.queuedAgents(); len(left) > 0 {
			t.Errorf("left in the store: %v", left)
		}
		if e := r.told(myriad.KindQueue); len(e) == 0 {
			t.Error("the depth of the queue was not told")
		}
	})
}

func TestPatience(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, free := full(t, quick)
		defer r.close()
		r.packets("a", "b")
		req := wakeOf("a")
		req.Patience, req.Deadline = 5*time.Second, time.Now().Add(time.Minute)
		patient := wakeOf("a")
		patient.Deadline = time.Now().Add(10 * time.Minute)
		impatient, waiting := r.ask(context.Background(), req), r.ask(context.Background(), patient)
		other := wakeOf("b")
		other.Patience = time.Nanosecond
		at := time.Now()
		w := <-impatient
		wantCode(t, "the impatient", w.Err, myriad.TaskErrFleetFull)
		took := time.Since(at)
		e, ok := errors.AsType[*myriad.Error](w.Err)
		if !ok || e.RetryAfter <= 0 || w.Queued == nil || w.Queued.Position != 1 || w.Queued.EstimateMS <= 0 || took < 5*time.Second || took > 5*time.Second+moment {
			t.Errorf("after %v: %+v, %+v", took, e, w.Queued)
		}
		if w := <-r.ask(context.Background(), other); w.Queued == nil || w.Queued.Position != 2 {
			t.Errorf("the second in the queue: %+v", w)
		}
		if a, b := r.Place("a"), r.Place("b"); a == nil || a.Position != 1 || b == nil || b.Position != 2 || r.Place("p") != nil || r.Place("nobody") != nil {
			t.Errorf("a waits at %+v, b at %+v, p at %+v, nobody at %+v", a, b, r.Place("p"), r.Place("nobody"))
		}
		wantSame(t, "they wait on", r.store.queuedAgents(), []string{"a", "b"})
		free()
		if w := <-waiting; w.Err != nil {
			t.Error(w.Err)
		} else {
			w.Release()
		}
		time.Sleep(time.Minute)
		if n := r.rt.started("b"); n != 1 {
			t.Errorf("the one without askers was started %d times", n)
		}
	})
}

// A place in the queue is told only when it is kept.
func TestPlaceIsKeptBeforeItIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, free := full(t, quick)
		defer r.close()
		defer free()
		r.packets("a")
		r.store.mu.Lock()
		r.store.slow = time.Second
		r.store.mu.Unlock()
		req := wakeOf("a")
		req.Patience = time.Millisecond
		w := <-r.ask(context.Background(), req)
		if w.Queued == nil || len(r.Status(context.Background()).Queue) != 1 {
			t.Errorf("told %+v", w)
		}
		r.store.mu.Lock()
		r.store.slow = 0
		if len(r.store.queue) != 1 {
			t.Error("told, and not kept")
		}
		r.store.mu.Unlock()
	})
}

func TestQueueThatCannotBeKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, free := full(t, quick)
		defer r.close()
		defer free()
		r.packets("a")
		r.store.failing(func(op, _ string) error {
			if op == "Enqueue" {
				return myriad.Errorf(myriad.CodeUnavailable, "disk full")
			}
			return nil
		})
		w := <-r.ask(context.Background(), wakeOf("a"))
		wantCode(t, "the asker", w.Err, myriad.TaskErrFleetFull)
		if w.Queued != nil {
			t.Errorf("told a place that is not kept: %+v", w.Queued)
		}
		r.store.failing(nil)
		// A row of the same agent that nobody waits for does not stand in the way.
		stray := myriad.QueueEntry{ID: "stray", Kind: myriad.QueueWake, Agent: "a", QueuedAt: time.Now()}
		if err := r.store.Enqueue(context.Background(), stray); err != nil {
			t.Fatal(err)
		}
		req := wakeOf("a")
		req.Patience = time.Second
		if w := <-r.ask(context.Background(), req); w.Queued == nil {
			t.Errorf("not queued: %v", w.Err)
		}
		if q, _ := r.store.Queue(context.Background()); len(q) != 1 || q[0].ID == "stray" {
			t.Errorf("the queue in the store: %+v", q)
		}
	})
}

func TestFullQueue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxQueue = 3
		r, free := full(t, limits)
		defer r.close()
		defer free()
		ctx, leave := context.WithCancel(context.Background())
		defer leave()
		for n := range 5 {
			name := fmt.Sprint("a", n)
			r.packets(name)
			answer := r.ask(ctx, wakeOf(name))
			synctest.Wait()
			if n < 3 {
				continue
			}
			w := <-answer
			wantCode(t, "one too many", w.Err, myriad.TaskErrFleetFull)
			if e, ok := errors.AsType[*myriad.Error](w.Err); !ok || e.RetryAfter <= 0 || w.Queued != nil {
				t.Errorf("refused with %+v, %+v", w.Err, w.Queued)
			}
		}
		if len(r.store.queuedAgents()) != 3 {
			t.Error("the queue has no bound")
		}
	})
}

// A full queue has room for those who ask as long as nobody waits any more for others in it. Creations keep their places: nobody has to ask again.
func TestFullQueueGivesPlacesOfTheDeserted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxQueue = 3
		r, free := full(t, limits)
		defer r.close()
		defer free()
		r.packets("grown", "left", "stays", "new", "more")
		gone, leave := context.WithCancel(context.Background())
		grown := wakeOf("grown")
		grown.Kind = myriad.QueueGrow
		r.ask(gone, grown)
		time.Sleep(time.Millisecond)
		r.ask(gone, wakeOf("left"))
		time.Sleep(time.Millisecond)
		stays := r.ask(context.Background(), wakeOf("stays"))
		synctest.Wait()
		wantCode(t, "while all are wanted", (<-r.ask(context.Background(), wakeOf("new"))).Err, myriad.TaskErrFleetFull)
		leave()
		synctest.Wait()
		fresh := r.ask(context.Background(), wakeOf("new"))
		synctest.Wait()
		wantSame(t, "the queue", r.store.queuedAgents(), []string{"grown", "stays", "new"})
		wantCode(t, "one too many again", (<-r.ask(context.Background(), wakeOf("more"))).Err, myriad.TaskErrFleetFull)
		if e := r.told(myriad.KindInstance); !slices.Contains(e, "left queued>stopped "+myriad.ReasonEvicted) {
			t.Errorf("not told: %v", e)
		}
		time.Sleep(time.Second) // p and q are old enough to give way
		free()
		for _, answer := range []<-chan myriad.Woken{stays, fresh} {
			w := <-answer
			if w.Err != nil {
				t.Fatal(w.Err)
			}
			w.Release()
		}
	})
}

func TestQueueAge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, free := full(t, quick)
		defer r.close()
		defer free()
		r.packets("a")
		answer := r.ask(context.Background(), wakeOf("a"))
		at := time.Now()
		w := <-answer
		wantCode(t, "waited too long", w.Err, myriad.TaskErrFleetFull)
		if time.Since(at) != 10*time.Minute {
			t.Errorf("after %v", time.Since(at))
		}
		synctest.Wait()
		if len(r.store.queuedAgents()) != 0 {
			t.Error("the entry is still kept")
		}
	})
}

// Urgent entries that keep coming do not keep the others from their turn.
func TestPriorityDoesNotStarve(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxAgents, limits.QueueMaxAgeMS = 1, 60_000
		r := newRig(t, limits).begin()
		defer r.close()
		r.packets("slow", "u0", "u1", "u2")
		r.use("u0")
		last := r.ask(context.Background(), wakeOf("slow"))
		stop := make(chan struct{})
		for n := range 3 {
			go func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					req := wakeOf(fmt.Sprint("u", n))
					req.Priority = 9
					if w := <-r.ask(context.Background(), req); w.Err == nil {
						time.Sleep(time.Second)
						w.Release()
					} else {
						time.Sleep(time.Second)
					}
				}
			}()
		}
		at := time.Now()
		w := <-last
		if w.Err != nil {
			t.Fatal(w.Err)
		}
		if took := time.Since(at); took > 40*time.Second {
			t.Errorf("waited for %v", took)
		}
		w.Release()
		close(stop)
		time.Sleep(time.Minute)
	})
}

// What waits survives a killed process and goes on in its order, without anybody asking again.
func TestQueueSurvives(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, free := full(t, quick)
		r.packets("a", "b", "c", "gone")
		for n, name := range []string{"a", "b", "c", "gone"} {
			req := wakeOf(name)
			req.Priority, req.Patience = n%3, time.Millisecond
			if w := <-r.ask(context.Background(), req); w.Queued == nil {
				t.Fatal(w.Err)
			}
		}
		free()
		s, g := r.killed()
		s.mu.Lock()
		delete(s.packets, "gone")
		s.mu.Unlock()
		wantSame(t, "kept", s.queuedAgents(), []string{"c", "b", "a", "gone"})
		rt := newFakeRuntime("inproc")
		rt.conduct = func(myriad.StartRequest) conduct { return conduct{readyAfter: 100 * time.Millisecond} }
		limits := quick
		limits.MaxAgents = 1
		next := reopen(t, limits, s, g, rt).begin()
		defer next.close()
		time.Sleep(time.Minute)
		var starts []string
		for _, e := range next.told(myriad.KindInstance) {
			for _, name := range []string{"a", "b", "c", "gone"} {
				if e == name+" queued>starting " {
					starts = append(starts, name)
				}
			}
		}
		wantSame(t, "started", starts, []string{"c", "b", "a"})
		if left := s.queuedAgents(); len(left) > 0 {
			t.Errorf("left in the store: %v", left)
		}
	})
}

// A process that dies while it starts what has had its turn has not lost it.
func TestQueueSurvivesAStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, free := full(t, quick)
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{readyAfter: time.Minute} }
		r.packets("a")
		req := wakeOf("a")
		req.Kind, req.Patience = myriad.QueueGrow, time.Millisecond
		<-r.ask(context.Background(), req)
		time.Sleep(time.Second)
		free()
		time.Sleep(2 * time.Second)
		if r.rt.started("a") != 1 {
			t.Fatal("it has not had its turn")
		}
		s, g := r.killed()
		next := reopen(t, quick, s, g, newFakeRuntime("inproc")).begin()
		defer next.close()
		time.Sleep(time.Second)
		if next.rt.started("a") != 1 {
			t.Error("lost")
		}
		s2 := next.store.queuedAgents()
		wantSame(t, "entries after the start", s2, nil)
	})
}

// A clean stop keeps the queue for the next start too.
func TestQueueOutlivesDrain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, free := full(t, quick)
		r.packets("a")
		answer := r.ask(context.Background(), wakeOf("a"))
		synctest.Wait()
		r.close()
		free()
		wantCode(t, "the asker", (<-answer).Err, myriad.CodeDraining)
		wantSame(t, "kept", r.store.queuedAgents(), []string{"a"})
	})
}
