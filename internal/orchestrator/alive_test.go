package orchestrator

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

type growerFunc func(ctx context.Context, req myriad.GrowRequest, done func(myriad.Growth))

func (f growerFunc) Grow(ctx context.Context, req myriad.GrowRequest, done func(myriad.Growth)) {
	f(ctx, req, done)
}

type wakerFunc func(ctx context.Context, req myriad.WakeRequest, done func(myriad.Woken))

func (f wakerFunc) Wake(ctx context.Context, req myriad.WakeRequest, done func(myriad.Woken)) {
	f(ctx, req, done)
}

// Place knows of nobody that waits.
func (wakerFunc) Place(string) *myriad.QueuePosition { return nil }

func asleep(name string) myriad.Candidate {
	c := candidate(name)
	c.Agent.Endpoint, c.Agent.Dormant, c.Tier = "", true, myriad.TierDormant
	return c
}

// finds makes the finder answer with these candidates.
func (w *world) finds(candidates ...myriad.Candidate) {
	w.finder.find = func(_ context.Context, _, _ string, done func(myriad.Found, error)) {
		done(myriad.Found{Known: true, Candidates: candidates}, nil)
	}
}

func TestWakingADormantAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.finds(asleep("Sleepy"))
		var pins atomic.Int64
		w.cfg.Waker = wakerFunc(func(_ context.Context, c myriad.WakeRequest, done func(myriad.Woken)) {
			go func() {
				time.Sleep(2 * time.Second)
				pins.Add(1)
				up := *c.Agent
				up.Endpoint, up.Dormant = "http://127.0.0.1:9/query", false
				done(myriad.Woken{Agent: &up, Cold: 2 * time.Second, Release: func() { pins.Add(-1) }})
			}()
		})
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply {
			if pins.Load() != 1 {
				t.Error("the agent is not pinned while it works")
			}
			return slow(ctx, c, time.Second)
		}
		r := w.do(task{}).Results[0]
		if !r.Succeeded || r.Provenance.ColdStartMS != 2000 || r.Provenance.DurationMS != 3000 || r.Provenance.Endpoint != "http://127.0.0.1:9/query" {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
		if pins.Load() != 0 {
			t.Error("the agent stays pinned")
		}
	})
}

func TestWakingFails(t *testing.T) {
	w := newWorld(t)
	any := candidate("Any")
	any.Tier = myriad.TierAny
	var asked []string
	w.cfg.Waker = wakerFunc(func(_ context.Context, c myriad.WakeRequest, done func(myriad.Woken)) {
		asked = append(asked, c.Agent.Name)
		done(myriad.Woken{Err: &myriad.Error{Code: myriad.TaskErrFleetFull, Message: "no room", RetryAfter: time.Second}})
	})
	w.finds(asleep("S1"), asleep("S2"), any)
	if r := w.do(task{}).Results[0]; !r.Succeeded || r.Provenance.Agent != "Any" || !slices.Equal(asked, []string{"S1", "S2"}) {
		t.Errorf("asked %v, got %s", asked, r.AppendJSON(nil))
	}
	w.finds(asleep("S1"))
	if r := w.do(task{}).Results[0]; r.Status != myriad.StatusServiceUnavailable || r.ErrorCode != myriad.TaskErrFleetFull || r.Extra.RetryAfterMS != 1000 {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
	w.cfg.Waker = wakerFunc(func(_ context.Context, _ myriad.WakeRequest, done func(myriad.Woken)) {
		done(myriad.Woken{Err: errors.New("broken")})
	})
	if r := w.do(task{}).Results[0]; r.ErrorCode != myriad.TaskErrStart {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
}

// The end of a task's time while its agent is not awake yet is told as such: not as a start that failed.
func TestTimeEndsBeforeTheAgentIsAwake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.finds(asleep("Sleepy"))
		w.cfg.Waker = wakerFunc(func(_ context.Context, c myriad.WakeRequest, done func(myriad.Woken)) {
			time.AfterFunc(time.Until(c.Deadline), func() { done(myriad.Woken{Err: myriad.Errorf(myriad.CodeDeadline, "too late")}) })
		})
		if r := w.do(task{}).Results[0]; r.Status != myriad.StatusTimeout || r.ErrorCode != myriad.TaskErrRunDeadline {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
	})
}

// So is the end of the run's time while an agent is being made.
func TestTimeEndsBeforeAnAgentIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.finder.find = func(_ context.Context, _, _ string, done func(myriad.Found, error)) { done(myriad.Found{}, nil) }
		w.cfg.Grower = growerFunc(func(_ context.Context, c myriad.GrowRequest, done func(myriad.Growth)) {
			time.AfterFunc(time.Until(c.Deadline)-time.Nanosecond, func() {
				done(myriad.Growth{Status: myriad.StatusNeurogenesisFailed, ErrorCode: myriad.TaskErrRunDeadline, Message: "too late"})
			})
		})
		if r := w.do(task{}).Results[0]; r.Status != myriad.StatusTimeout || r.ErrorCode != myriad.TaskErrRunDeadline {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
	})
}

// Awake exact agents come before dormant ones; without a waker dormant ones are nobody.
func TestDormantAgentsArePassedOver(t *testing.T) {
	w := newWorld(t)
	w.cfg.Waker = wakerFunc(func(context.Context, myriad.WakeRequest, func(myriad.Woken)) {
		t.Error("woken for nothing")
	})
	w.finds(candidate("A"), asleep("S"))
	if r := w.do(task{}).Results[0]; r.Provenance.Agent != "A" {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
	w.cfg.Waker = nil
	w.finds(asleep("S"))
	if r := w.do(task{}).Results[0]; r.Status != myriad.StatusNoAgent {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
}

// An agent that comes alive after the run has ended is unpinned at once.
func TestWakingOutlivesTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.finds(asleep("Sleepy"))
		released := make(chan struct{})
		w.cfg.Waker = wakerFunc(func(_ context.Context, c myriad.WakeRequest, done func(myriad.Woken)) {
			time.AfterFunc(time.Minute, func() {
				done(myriad.Woken{Agent: candidate("Sleepy").Agent, Cold: time.Minute, Release: func() { close(released) }})
			})
		})
		if r := w.do(task{}).Results[0]; r.Status != myriad.StatusTimeout || r.ErrorCode != myriad.TaskErrRunDeadline {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
		<-released
	})
}

// An instance that is gone when its turn comes is nobody's fault: the task looks for the agent again, wakes it, and its own timeout goes on.
func TestAgentFallsAsleepAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		live := candidate("S")
		found := []myriad.Candidate{live}
		w.finder.find = func(_ context.Context, _, _ string, done func(myriad.Found, error)) {
			done(myriad.Found{Known: true, Candidates: found}, nil)
			found = []myriad.Candidate{asleep("S")}
		}
		wakes := 0
		w.cfg.Waker = wakerFunc(func(_ context.Context, req myriad.WakeRequest, done func(myriad.Woken)) {
			wakes++
			if left := time.Until(req.Deadline); left.Round(time.Millisecond) != 5*time.Second {
				t.Errorf("waits for %s, the task has 5 s", left)
			}
			time.AfterFunc(time.Second, func() { done(myriad.Woken{Agent: live.Agent, Cold: time.Second, Release: func() {}}) })
		})
		calls := 0
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply {
			if calls++; calls > 1 {
				return slow(ctx, c, time.Millisecond)
			}
			c.Slot.Release()
			return myriad.Reply{Outcome: myriad.OutcomeAsleep, ErrorCode: myriad.TaskErrAsleep, Error: "gone", Requeue: true}
		}
		r := w.do(task{"timeout_ms": 5000}).Results[0]
		if !r.Succeeded || wakes != 1 || calls != 2 || r.Provenance.ColdStartMS != 1000 {
			t.Errorf("%d wakes, %d calls, got %s", wakes, calls, r.AppendJSON(nil))
		}
	})
}

func TestGrowingAnAgent(t *testing.T) {
	w := newWorld(t)
	w.finder.find = func(_ context.Context, _, _ string, done func(myriad.Found, error)) { done(myriad.Found{}, nil) }
	pins := 0
	w.cfg.Grower = growerFunc(func(_ context.Context, req myriad.GrowRequest, done func(myriad.Growth)) {
		if req.Concept != "led" || req.Display != "LED" || req.Intent != "define" || req.Priority != 3 || time.Until(req.Deadline) <= 0 {
			t.Errorf("asked to grow %+v", req)
		}
		pins++
		agent := *candidate("Led_AI").Agent
		agent.Capabilities = []string{"define"}
		done(myriad.Growth{Status: myriad.StatusNeurogenesisAgent, Agent: &agent, Release: func() { pins-- }, Cold: time.Millisecond,
			Data: myriad.NeurogenesisData{Concept: "LED", ExpansionMethod: "neurogenesis_phase2", Sources: []string{}}})
	})
	r := w.do(task{"concept": "LED", "intent": "Define", "priority": 3}).Results[0]
	if !r.Succeeded || r.Status != myriad.StatusNeurogenesisAgent || string(r.Answer.Data) != `"0"` || r.Extra.NeurogenesisData == nil || r.Extra.NewAgent == nil ||
		r.Extra.NewAgent.Name != "Led_AI" || r.Provenance.Source != myriad.SourceLive || r.Provenance.ColdStartMS != 1 || pins != 0 {
		t.Errorf("pins %d, got %s", pins, r.AppendJSON(nil))
	}
	w.caller.call = func(_ context.Context, c *myriad.Call) myriad.Reply {
		return bad(c, myriad.OutcomeServerError, myriad.TaskErrAgent)
	}
	r = w.do(task{"concept": "LED", "intent": "Define", "priority": 3, "fallback": "none"}).Results[0]
	if r.Succeeded || r.Status != myriad.StatusNeurogenesisAgent || r.ErrorCode != myriad.TaskErrAgent || pins != 0 {
		t.Errorf("pins %d, got %s", pins, r.AppendJSON(nil))
	}
}

func TestGrowingComesToNothing(t *testing.T) {
	w := newWorld(t)
	w.finder.find = func(_ context.Context, _, _ string, done func(myriad.Found, error)) { done(myriad.Found{}, nil) }
	var growth myriad.Growth
	w.cfg.Grower = growerFunc(func(_ context.Context, _ myriad.GrowRequest, done func(myriad.Growth)) { done(growth) })
	growth = myriad.Growth{Status: myriad.StatusNeurogenesisSuccess, Definition: "a diode", ErrorCode: myriad.TaskErrFleetFull, Message: "no room yet",
		Queued: &myriad.QueuePosition{Position: 2}, RetryAfter: time.Second, Data: myriad.NeurogenesisData{Concept: "LED", Sources: []string{}}}
	r := w.do(task{}).Results[0]
	if r.Succeeded || r.Status != myriad.StatusNeurogenesisSuccess || string(r.Extra.Data) != `"a diode"` || r.Extra.Queued == nil || r.Extra.AgentName != neurogenesisName ||
		r.ErrorCode != myriad.TaskErrFleetFull || r.ErrorMessage != "no room yet" || r.Extra.RetryAfterMS != 1000 {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
	growth = myriad.Growth{Status: myriad.StatusNoAgent}
	if r := w.do(task{}).Results[0]; r.Status != myriad.StatusNoAgent || r.Extra.NeurogenesisData != nil {
		t.Errorf("growth is off, yet %s", r.AppendJSON(nil))
	}
	growth = myriad.Growth{Status: myriad.StatusNeurogenesisFailed}
	if r := w.do(task{"fallback": map[string]any{"value": 1}}).Results[0]; !r.Succeeded || r.Provenance.Source != myriad.SourceDefault {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
}

// A bug that the race detector finds: what a task had waited for its agent was counted while the end of its run summed it up.
func TestAwakeWhileTheRunEnds(t *testing.T) {
	w := newWorld(t)
	w.finds(asleep("Sleepy"))
	for range 300 {
		ctx, leave := context.WithCancel(t.Context())
		begin := make(chan struct{})
		var both sync.WaitGroup
		w.cfg.Waker = wakerFunc(func(_ context.Context, c myriad.WakeRequest, done func(myriad.Woken)) {
			up := *c.Agent
			up.Endpoint, up.Dormant = "http://127.0.0.1:9/query", false
			both.Go(func() { <-begin; done(myriad.Woken{Agent: &up, Release: func() {}}) })
			both.Go(func() { <-begin; leave() })
			close(begin)
		})
		if _, err := w.Do(ctx, myriad.RunRequest{Body: body(task{})}); err != nil {
			t.Fatal(err)
		}
		both.Wait()
		leave()
	}
}
