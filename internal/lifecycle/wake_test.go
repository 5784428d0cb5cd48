package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestWakeAndHibernate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick)
		r.rt.conduct = func(myriad.StartRequest) conduct {
			return conduct{startTakes: 20 * time.Millisecond, readyAfter: 50 * time.Millisecond}
		}
		r.begin()
		defer r.close()
		r.packets("a")
		if r.Awake("a") != nil {
			t.Fatal("awake before it was asked for")
		}
		w := r.wake("a")
		if w.Agent.Endpoint == "" || w.Agent.Dormant || w.Cold < 50*time.Millisecond || w.Cold > 100*time.Millisecond {
			t.Errorf("woken: %+v after %v", w.Agent, w.Cold)
		}
		if r.Awake("a") != w.Agent {
			t.Error("the card on the board is another one")
		}
		again := r.ask(context.Background(), wakeOf("a"))
		second := <-again
		if second.Cold != 0 || second.Agent != w.Agent {
			t.Errorf("the second asker: %+v", second)
		}
		time.Sleep(time.Hour) // pinned: far beyond the idle timeout
		if r.Awake("a") == nil {
			t.Fatal("put to sleep while pinned")
		}
		w.Release()
		w.Release() // harmless
		time.Sleep(time.Hour)
		if r.Awake("a") == nil {
			t.Fatal("put to sleep while the second asker has it pinned")
		}
		second.Release()
		time.Sleep(59 * time.Second)
		if r.Awake("a") == nil {
			t.Error("hibernated early")
		}
		time.Sleep(2 * time.Second)
		if r.Awake("a") != nil || r.rt.living() != 0 {
			t.Error("not hibernated")
		}
		wantSame(t, "moves", r.told(myriad.KindInstance), []string{"a queued>starting ", "a starting>ready ", "a ready>draining idle", "a draining>stopped idle"})
		if s := r.graph.shows(); s != `a "" packet=true dormant=true at=; ` {
			t.Errorf("the graph shows %s", s)
		}
	})
}

func TestLeaseKeepsAwake(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick).begin()
		defer r.close()
		r.packets("a")
		r.use("a")
		card := r.Awake("a")
		release, ok := r.Lease(card)
		if !ok {
			t.Fatal("no lease of an awake agent")
		}
		time.Sleep(time.Hour)
		if r.Awake("a") == nil {
			t.Fatal("stopped under a lease")
		}
		release()
		other := *card
		other.Endpoint = "http://127.0.0.1:9/elsewhere"
		if _, ok := r.Lease(&other); ok {
			t.Error("a lease of an instance that is not there any more")
		}
		time.Sleep(2 * time.Minute)
		if _, ok := r.Lease(card); ok {
			t.Error("a lease of a dormant agent")
		}
	})
}

// However many ask at once, the agent is started once, and nobody's leaving hurts the others.
func TestOneFlight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick)
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{readyAfter: time.Second} }
		r.begin()
		defer r.close()
		r.packets("a")
		const askers = 1000
		first, leave := context.WithCancel(context.Background())
		var answers []<-chan myriad.Woken
		for n := range askers {
			ctx, req := context.Background(), wakeOf("a")
			switch n % 4 {
			case 0:
				ctx = first
			case 1:
				req.Deadline = time.Now().Add(500 * time.Millisecond)
			}
			answers = append(answers, r.ask(ctx, req))
		}
		time.Sleep(100 * time.Millisecond)
		leave()
		time.Sleep(2 * time.Second)
		for n, c := range answers {
			w := <-c
			switch n % 4 {
			case 0:
				wantCode(t, "one who left", w.Err, myriad.CodeCancelled)
			case 1:
				wantCode(t, "one whose deadline passed", w.Err, myriad.CodeDeadline)
			default:
				if w.Err != nil {
					t.Fatal(w.Err)
				}
				w.Release()
			}
			if len(c) > 0 {
				t.Error("answered twice")
			}
		}
		if n := r.rt.started("a"); n != 1 {
			t.Errorf("%d starts", n)
		}
	})
}

// The start goes on when nobody waits for it any more.
func TestStartOutlivesItsAskers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick)
		r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{readyAfter: time.Second} }
		r.begin()
		defer r.close()
		r.packets("a")
		ctx, leave := context.WithCancel(context.Background())
		answer := r.ask(ctx, wakeOf("a"))
		synctest.Wait()
		leave()
		wantCode(t, "the asker", (<-answer).Err, myriad.CodeCancelled)
		time.Sleep(2 * time.Second)
		if r.Awake("a") == nil {
			t.Error("the start did not go on")
		}
		left, over := context.WithCancel(context.Background())
		over()
		wantCode(t, "who is gone already", (<-r.ask(left, wakeOf("b"))).Err, myriad.CodeCancelled)
	})
}

func TestWakeFails(t *testing.T) {
	broken := map[string]conduct{
		"refuses":  {startErr: errors.New("no such program")},
		"panics":   {startPanics: true},
		"dies":     {dies: 100 * time.Millisecond, neverReady: true, log: "segmentation fault"},
		"hangs":    {neverReady: true},
		"stubborn": {neverReady: true, stopTakes: time.Hour},
		"broken":   {readyPanics: true},
		"undying":  {neverReady: true, stopFails: 2, stopPanics: 1},
	}
	for name, c := range broken {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, quick)
				var mended atomic.Bool
				r.rt.conduct = func(myriad.StartRequest) conduct {
					if mended.Load() {
						return conduct{}
					}
					return c
				}
				r.begin()
				defer r.close()
				r.packets("a")
				w := <-r.ask(context.Background(), wakeOf("a"))
				wantCode(t, "the asker", w.Err, myriad.TaskErrStart)
				if e, ok := errors.AsType[*myriad.Error](w.Err); !ok || e.RetryAfter != 5*time.Second {
					t.Errorf("try again after: %+v", e)
				}
				time.Sleep(10 * time.Millisecond)
				wantCode(t, "the next", (<-r.ask(context.Background(), wakeOf("a"))).Err, myriad.TaskErrCoolingDown)
				s := r.Status(context.Background())
				if len(s.Instances) != 1 || s.Instances[0].State != myriad.InstanceFailed || s.Instances[0].LastLog != c.log || s.InUse != 0 {
					t.Errorf("status %+v", s)
				}
				if r.rt.living() != 0 || r.store.recorded() != 0 {
					t.Errorf("%d alive, %d recorded", r.rt.living(), r.store.recorded())
				}
				time.Sleep(5 * time.Second)
				w = <-r.ask(context.Background(), wakeOf("a"))
				wantCode(t, "the second start", w.Err, myriad.TaskErrStart)
				time.Sleep(6 * time.Second)
				wantCode(t, "it cools down longer", (<-r.ask(context.Background(), wakeOf("a"))).Err, myriad.TaskErrCoolingDown)
				time.Sleep(5 * time.Second)
				mended.Store(true)
				r.use("a")
				if got := r.states(); len(got) != 1 || got[0] != "a ready" {
					t.Errorf("after it was mended: %v", got)
				}
			})
		})
	}
}

func TestWakeOfNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick)
		r.rt.kind = myriad.TemplateKnowledge
		wantCode(t, "before the start", (<-r.ask(context.Background(), wakeOf("a"))).Err, myriad.CodeUnavailable)
		r.begin()
		defer r.close()
		wantCode(t, "no packet", (<-r.ask(context.Background(), wakeOf("nobody"))).Err, myriad.CodeNotFound)
		wantCode(t, "no agent", (<-r.ask(context.Background(), myriad.WakeRequest{})).Err, myriad.CodeInvalid)
		image := myriad.Agent{Name: "image", Concepts: []string{"x"}, Template: &myriad.Template{Kind: myriad.TemplateImage, Image: "i"}}
		if _, err := r.PutAgent(context.Background(), image, myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		w := <-r.ask(context.Background(), wakeOf("image"))
		wantCode(t, "no runtime", w.Err, myriad.TaskErrStart)
		if w.Err == nil || !strings.Contains(w.Err.Error(), "image") {
			t.Errorf("the error says nothing: %v", w.Err)
		}
		r.store.failing(func(op, _ string) error {
			if op == "Packet" {
				return myriad.Errorf(myriad.CodeUnavailable, "disk")
			}
			return nil
		})
		wantCode(t, "no store", (<-r.ask(context.Background(), wakeOf("image"))).Err, myriad.TaskErrStart)
		r.store.failing(nil)
	})
}

func TestUnenforced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick)
		r.rt.conduct = func(myriad.StartRequest) conduct {
			return conduct{unenforced: []string{"memory", "pids"}, dies: time.Minute}
		}
		r.begin()
		defer r.close()
		r.packets("a")
		w := r.wake("a")
		defer w.Release()
		if s := r.Status(context.Background()); fmt.Sprint(s.Instances[0].Unenforced) != "[memory pids]" || s.Instances[0].Usage == nil {
			t.Errorf("status %+v", s.Instances)
		}
		time.Sleep(90 * time.Second) // one crash, one restart
		if r.Awake("a") == nil || r.rt.started("a") != 2 {
			t.Errorf("%d starts", r.rt.started("a"))
		}
		wantSame(t, "told once", r.told(myriad.KindUnenforced), []string{"a > memory, pids"})
	})
}
