package lifecycle

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// teach tells an agent that is awake something.
func (r *rig) teach(agent string, k myriad.Knowledge) error {
	r.t.Helper()
	l := r.board.get(agent)
	if l == nil {
		r.t.Fatalf("%s is not awake", agent)
	}
	return r.Learned(l.instance.id, agent, k)
}

// know is what agent a may know.
func know(definition string) myriad.Knowledge {
	return myriad.Knowledge{Concept: "about_a", PrimaryDefinition: definition}
}

// knows is the definition that the packet of an agent holds, and its revision.
func (r *rig) knows(name string) (definition string, revision int64) {
	r.t.Helper()
	a, err := r.Agent(context.Background(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	return a.Template.Knowledge.PrimaryDefinition, a.Revision
}

func TestLearned(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick).begin()
		r.packets("a")
		r.use("a")
		for n := range 100 {
			if err := r.teach("a", know(fmt.Sprint("lesson ", n))); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if k, revision := r.knows("a"); k != "lesson 99" || revision != 2 {
			t.Errorf("%q at revision %d: lessons are put together", k, revision)
		}
		if r.Awake("a") == nil {
			t.Error("restarted")
		}
		for _, nobody := range []string{"", "another"} {
			if err := r.Learned(nobody, "a", know("from nobody")); myriad.ErrorCode(err) != myriad.CodeUnavailable {
				t.Errorf("of the instance %q: %v", nobody, err)
			}
		}
		if err := r.teach("a", know("the last lesson")); err != nil {
			t.Fatal(err)
		}
		r.close()
		p, err := r.store.Packet(context.Background(), "a")
		if err != nil || p.Agent.Template.Knowledge.PrimaryDefinition != "the last lesson" {
			t.Errorf("lost at the end: %+v, %v", p.Agent.Template.Knowledge, err)
		}
	})
}

// What cannot be written waits, within bounds; who would be lost past them is refused.
func TestLessonsWaitForTheStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick).begin()
		defer r.close()
		r.packets("a", "b")
		r.use("a")
		r.use("b")
		var broken atomic.Bool
		broken.Store(true)
		r.store.failing(func(op, _ string) error {
			if broken.Load() && op == "SetKnowledge" {
				return myriad.Errorf(myriad.CodeUnavailable, "disk")
			}
			return nil
		})
		if err := r.teach("a", know("a lesson")); err != nil {
			t.Fatal(err)
		}
		for n := range mostLessons - 1 {
			r.lessons.add(fmt.Sprint("x", n), &myriad.Knowledge{})
		}
		if err := r.teach("b", know("too much")); myriad.ErrorCode(err) != myriad.CodeUnavailable {
			t.Errorf("more than may wait: %v", err)
		}
		if err := r.teach("a", know("a better lesson")); err != nil {
			t.Errorf("in place of one that waits: %v", err)
		}
		time.Sleep(5 * time.Second)
		broken.Store(false)
		time.Sleep(30 * time.Second)
		if k, _ := r.knows("a"); k != "a better lesson" {
			t.Errorf("not written when the store was back: %q", k)
		}
		if n := len(r.lessons.names()); n > 0 {
			t.Errorf("%d wait for agents that are gone", n)
		}
	})
}

// A write of the whole agent is not overwritten by what was learned before, and is judged with it; one that changes nothing undoes no lesson.
func TestLessonsAndWritesOfTheAgent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick).begin()
		defer r.close()
		ctx := context.Background()
		r.packets("a")
		r.use("a")
		read, err := r.Agent(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		if err := r.teach("a", know("a lesson")); err != nil {
			t.Fatal(err)
		}
		if _, err := r.PutAgent(ctx, read, myriad.Guard{Revision: read.Revision}); myriad.ErrorCode(err) != myriad.CodePrecondition {
			t.Errorf("the revision that was read before the lesson: %v", err)
		}
		if k, revision := r.knows("a"); k != "a lesson" || revision != 2 || r.Awake("a") == nil {
			t.Errorf("%q at revision %d, awake %+v", k, revision, r.Awake("a"))
		}
		if err := r.teach("a", know("another lesson")); err != nil {
			t.Fatal(err)
		}
		if _, err := r.PutAgent(ctx, read, myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		if r.Awake("a") != nil {
			t.Error("who knows what was written over is still there")
		}
		time.Sleep(5 * time.Second)
		if k, _ := r.knows("a"); k != "what it is" {
			t.Errorf("overwritten: %q", k)
		}
		r.use("a")
		if err := r.teach("a", know("a lesson")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if read, err = r.Agent(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := r.PutAgent(ctx, read, myriad.Guard{}); err != nil || r.Awake("a") == nil {
			t.Errorf("a write that changes nothing ends nobody: %v", err)
		}
		if err := r.teach("a", know("one lesson more")); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if k, _ := r.knows("a"); k != "one lesson more" {
			t.Errorf("%q after a write that changed nothing", k)
		}
	})
}

// While the whole agent is written no lesson is taken, at whatever step: it would be lost, or undo the write.
func TestNoLessonIsTakenDuringAWriteOfTheAgent(t *testing.T) {
	ctx := context.Background()
	put := func(a myriad.Agent) func(r *rig) error {
		return func(r *rig) error {
			_, err := r.PutAgent(ctx, a, myriad.Guard{Revision: 1})
			return err
		}
	}
	other := agent("a")
	other.Description = "another"
	for name, write := range map[string]func(r *rig) error{
		"put":          put(other),
		"put the same": put(agent("a")),
		"unpacked":     put(myriad.Agent{Name: "a", Concepts: []string{"about a"}, Owner: myriad.OwnerAPI, Endpoint: "http://127.0.0.1:1/query"}),
		"deleted": func(r *rig) error {
			_, err := r.DeleteAgent(ctx, "a", myriad.Guard{Revision: 1})
			return err
		},
	} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, quick).begin()
			defer r.close()
			r.packets("a")
			r.use("a")
			id, steps := r.board.get("a").instance.id, 0
			r.store.failing(func(op, _ string) error {
				steps++
				if err := r.Learned(id, "a", know("a lesson")); myriad.ErrorCode(err) != myriad.CodeUnavailable {
					t.Errorf("%s: a lesson at %s: %v", name, op, err)
				}
				return nil
			})
			if err := write(r); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			r.store.failing(nil)
			if steps < 2 || len(r.lessons.names()) > 0 || len(r.lessons.closed) > 0 {
				t.Errorf("%s: %d steps, waiting %v, closed %v", name, steps, r.lessons.names(), r.lessons.closed)
			}
		})
	}
}

// To be told the same again is no write; to be told it where it would be lost is refused all the same.
func TestTheSameLessonAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick).begin()
		defer r.close()
		r.packets("a")
		w := r.wake("a")
		id := r.board.get("a").instance.id
		for range 3 {
			if err := r.Learned(id, "a", know("a lesson")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if _, revision := r.knows("a"); revision != 2 {
			t.Errorf("revision %d", revision)
		}
		a := agent("a")
		a.Description = "another"
		if _, err := r.PutAgent(t.Context(), a, myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		if err := r.Learned(id, "a", know("a lesson")); myriad.ErrorCode(err) != myriad.CodeUnavailable {
			t.Errorf("of an instance that is to end: %v", err)
		}
		w.Release()
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
			if err := r.teach("a", know("a lesson")); err != nil {
				t.Fatal(err)
			}
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
			stopping := 0
			r := newRig(t, quick)
			r.rt.conduct = func(req myriad.StartRequest) conduct {
				return conduct{stopTakes: time.Second, stopping: func() {
					stopping++
					if err := r.Learned(req.InstanceID, "a", know("an old lesson")); myriad.ErrorCode(err) != myriad.CodeUnavailable {
						t.Errorf("an old lesson: %v", err)
					}
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
			if err != nil || a.Template.Knowledge.PrimaryDefinition != "what it is now" || stopping != 1 {
				t.Errorf("%s: %+v, %v, stopped %d", change, a.Template.Knowledge, err, stopping)
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
		if err := r.teach("b", myriad.Knowledge{Concept: "about_b", PrimaryDefinition: "a lesson"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if b, err := r.Agent(ctx, "b"); err != nil || b.Template.Knowledge.PrimaryDefinition != "a lesson" {
			t.Errorf("%+v, %v", b.Template.Knowledge, err)
		}
	})
}
