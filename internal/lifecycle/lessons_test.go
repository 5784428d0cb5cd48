package lifecycle

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestLearned(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick).begin()
		ctx := context.Background()
		r.packets("a", "b")
		r.use("a")
		know := func(n int) myriad.Knowledge {
			return myriad.Knowledge{Concept: "about_a", PrimaryDefinition: fmt.Sprint("lesson ", n)}
		}
		known := func(name string) string {
			a, err := r.Agent(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			return a.Template.Knowledge.PrimaryDefinition
		}
		for n := range 100 {
			r.Learned("", "a", know(n))
		}
		time.Sleep(time.Second)
		a, _ := r.Agent(ctx, "a")
		if known("a") != "lesson 99" || a.Revision != 2 {
			t.Errorf("%q at revision %d: lessons are put together", known("a"), a.Revision)
		}
		if r.Awake("a") == nil {
			t.Error("restarted")
		}
		r.Learned("", "nobody", know(1)) // gone: nothing to learn
		var broken sync.Mutex
		fails := true
		r.store.failing(func(op, _ string) error {
			broken.Lock()
			defer broken.Unlock()
			if fails && op == "SetKnowledge" {
				return myriad.Errorf(myriad.CodeUnavailable, "disk")
			}
			return nil
		})
		r.Learned("", "a", know(100))
		time.Sleep(5 * time.Second)
		broken.Lock()
		fails = false
		broken.Unlock()
		time.Sleep(30 * time.Second)
		if known("a") != "lesson 100" {
			t.Errorf("not written when the store was back: %q", known("a"))
		}
		// A write of the whole agent is not overwritten by what was learned before.
		r.Learned("", "a", know(101))
		if _, err := r.PutAgent(ctx, agent("a"), myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if known("a") != "what it is" {
			t.Errorf("overwritten: %q", known("a"))
		}
		for n := range mostLessons + 5 {
			r.Learned("", fmt.Sprint("x", n), know(n))
		}
		if n := len(r.told(myriad.KindLost)); n != 5 {
			t.Errorf("%d lost", n)
		}
		time.Sleep(time.Second)
		r.Learned("", "b", know(7))
		r.close()
		p, err := r.store.Packet(ctx, "b")
		if err != nil || p.Agent.Template.Knowledge.PrimaryDefinition != "lesson 7" {
			t.Errorf("lost at the end: %+v, %v", p.Agent.Template.Knowledge, err)
		}
	})
}

// An agent that is put to sleep and woken before its lesson is written wakes with the lesson, whether the store takes it or not.
func TestWokenWithItsLessons(t *testing.T) {
	for _, broken := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, quick)
			var knows string
			r.rt.conduct = func(req myriad.StartRequest) conduct {
				knows = req.Packet.Agent.Template.Knowledge.PrimaryDefinition
				return conduct{}
			}
			r.begin()
			defer r.close()
			r.packets("a")
			r.use("a")
			if broken {
				r.store.failing(func(op, _ string) error {
					if op == "SetKnowledge" {
						return myriad.Errorf(myriad.CodeUnavailable, "disk")
					}
					return nil
				})
			}
			r.Learned("", "a", myriad.Knowledge{Concept: "about_a", PrimaryDefinition: "a lesson"})
			if err := r.StopInstance(context.Background(), r.Status(context.Background()).Instances[0].ID); err != nil {
				t.Fatal(err)
			}
			r.use("a")
			if knows != "a lesson" {
				t.Errorf("woken with %q, the store is broken: %v", knows, broken)
			}
			r.store.failing(nil)
		})
	}
}

// What an instance says when it is stopped that it has learned must not undo the write for which it is stopped.
func TestLessonsOfAnEarlierPacketAreDropped(t *testing.T) {
	for _, change := range []string{"written", "made anew"} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, quick)
			r.rt.conduct = func(req myriad.StartRequest) conduct {
				return conduct{stopTakes: time.Second, stopping: func() {
					r.Learned(req.InstanceID, "a", myriad.Knowledge{Concept: "about_a", PrimaryDefinition: "an old lesson"})
				}}
			}
			ctx := context.Background()
			r.begin()
			defer r.close()
			r.packets("a")
			r.use("a")
			if change == "made anew" {
				if _, err := r.DeleteAgent(ctx, "a", myriad.Guard{}); err != nil {
					t.Fatal(err)
				}
			}
			next := agent("a")
			next.Template.Knowledge.PrimaryDefinition = "what it is now"
			if _, err := r.PutAgent(ctx, next, myriad.Guard{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			a, err := r.Agent(ctx, "a")
			if err != nil || a.Template.Knowledge.PrimaryDefinition != "what it is now" {
				t.Errorf("%s: %+v, %v", change, a.Template.Knowledge, err)
			}
		})
	}
}

// An agent that waits while its packet is written starts from what was written, so that what it learns counts.
func TestLessonsOfWhoWaitedForRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limits := quick
		limits.MaxAgents = 1
		r := newRig(t, limits).begin()
		defer r.close()
		ctx := context.Background()
		r.packets("a", "b")
		holds := r.wake("a")
		answer := r.ask(ctx, wakeOf("b"))
		time.Sleep(2 * time.Second)
		next := agent("b")
		next.Template.Knowledge.PrimaryDefinition = "what it is now"
		if _, err := r.PutAgent(ctx, next, myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		holds.Release()
		w := <-answer
		if w.Err != nil {
			t.Fatal(w.Err)
		}
		defer w.Release()
		r.Learned(r.board.get("b").instance.id, "b", myriad.Knowledge{Concept: "about_b", PrimaryDefinition: "a lesson"})
		time.Sleep(2 * time.Second)
		if b, err := r.Agent(ctx, "b"); err != nil || b.Template.Knowledge.PrimaryDefinition != "a lesson" {
			t.Errorf("%+v, %v", b.Template.Knowledge, err)
		}
	})
}
