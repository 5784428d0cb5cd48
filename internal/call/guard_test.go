package call

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/resilience"
)

func noJitter(c *Config) { c.Breaker.Jitter = -1 }

// TestBreaker: three failures open it, then nobody is hammered, one call probes after the open time, and all of it is told in order.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var broken atomic.Bool
		broken.Store(true)
		a, stop := n.serve("a", func(w http.ResponseWriter, r *http.Request) {
			if broken.Load() {
				answering(500, ``)(w, r)
				return
			}
			answering(200, `{"status":"success"}`)(w, r)
		})
		defer stop()
		r := newRig(t, n.dial, noJitter)
		for range 10 {
			r.do(t.Context(), r.job("turn_on", a.Agent))
		}
		is(t, "calls that reached the agent", a.effects.Load(), 3)
		reply := r.do(t.Context(), r.job("turn_on", a.Agent))
		is(t, "outcome", reply.Outcome, myriad.OutcomeCircuitOpen)
		is(t, "code", reply.ErrorCode, myriad.TaskErrCircuitOpen)
		is(t, "attempts", len(reply.Attempts), 0)
		is(t, "retry after", reply.RetryAfter, 30*time.Second)
		is(t, "requeue", reply.Requeue, false)
		same(t, "rejections", reasons(reply.Rejections), []string{"a " + myriad.RejectedOpen})
		is(t, "rejection's time", reply.Rejections[0].RetryAfterMS, 30_000)

		time.Sleep(30 * time.Second)
		r.do(t.Context(), r.job("turn_on", a.Agent))
		r.do(t.Context(), r.job("turn_on", a.Agent))
		is(t, "with one probe", a.effects.Load(), 4)
		broken.Store(false)
		time.Sleep(60 * time.Second)
		is(t, "the probe succeeds", r.do(t.Context(), r.job("turn_on", a.Agent)).Outcome, myriad.OutcomeSuccess)
		is(t, "state", r.Breakers("a")[0].State, "closed")

		var told []string
		for _, e := range r.events.of(myriad.KindBreaker) {
			told = append(told, e.Circuit+" "+e.From+" "+e.To)
			if e.At.IsZero() || e.Reason == "" || e.Agent != "a" || e.Endpoint != a.Endpoint || (e.To == "open") != (e.RetryAfter > 0) {
				t.Errorf("event %+v", e)
			}
		}
		same(t, "transitions", told, []string{"a closed open", "a open half_open", "a half_open open", "a open half_open", "a half_open closed"})
		r.Close()
	})
}

// TestHalfOpenLetsOneThrough: of many calls at once one probes, and a probe that nobody waits for any more gives its place back.
func TestHalfOpenLetsOneThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, stop := n.serve("a", sleeping(5*time.Second))
		defer stop()
		r := newRig(t, n.dial, noJitter)
		trip(r, a.Agent)
		time.Sleep(30 * time.Second)
		call := r.job("turn_on", a.Agent)
		call.Deadline = time.Now().Add(100 * time.Millisecond) // too short to say anything about the agent
		is(t, "first probe", r.do(t.Context(), call).Outcome, myriad.OutcomeTaskDeadline)
		is(t, "state", r.Breakers("a")[0].State, "half_open")
		var wg sync.WaitGroup
		var good, rejected atomic.Int64
		for range 10 {
			call := r.job("turn_on", a.Agent)
			wg.Go(func() {
				switch reply := r.Call(t.Context(), call); reply.Outcome {
				case myriad.OutcomeSuccess:
					good.Add(1)
				case myriad.OutcomeCircuitOpen:
					rejected.Add(1)
				}
			})
		}
		wg.Wait()
		is(t, "probes", good.Load(), 1)
		is(t, "rejected", rejected.Load(), 9)
		is(t, "state", r.Breakers("a")[0].State, "closed")
		r.Close()
	})
}

// trip opens the breaker of the agent's endpoint by failures.
func trip(r *rig, agents ...*myriad.Agent) {
	for _, a := range agents {
		for range 3 {
			permit, err := r.ends.of(a).breaker.Acquire()
			if err != nil {
				r.t.Fatal(err)
			}
			permit.Done(resilience.Failure)
		}
	}
}

// TestOpenWhileTheTaskWaited: a breaker that opened before the slot was got rejects then; where others remain the task waits for them.
func TestOpenWhileTheTaskWaited(t *testing.T) {
	a, b := agentAt(t, "A", nil), agentAt(t, "B", nil)
	r := newRig(t, nil)
	call := r.job("turn_on", a.Agent, b.Agent)
	trip(r, a.Agent)
	reply := r.do(t.Context(), call)
	is(t, "outcome", reply.Outcome, myriad.OutcomeCircuitOpen)
	is(t, "requeue", reply.Requeue, true)
	is(t, "retry after", reply.RetryAfter, 0)
	is(t, "calls", a.effects.Load()+b.effects.Load(), 0)

	call = r.job("turn_on", a.Agent, b.Agent)
	trip(r, b.Agent)
	reply = r.do(t.Context(), call)
	is(t, "requeue", reply.Requeue, false)
	if reply.RetryAfter <= 0 || reply.RetryAfter > 33*time.Second {
		t.Errorf("retry after %v", reply.RetryAfter)
	}
}

// A retry passes open breakers over.
func TestRetriesPassOpenBreakersOver(t *testing.T) {
	a, b, c := agentAt(t, "A", answering(500, ``)), agentAt(t, "B", nil), agentAt(t, "C", nil)
	r := newRig(t, nil)
	trip(r, b.Agent)
	reply := r.do(t.Context(), r.job("define", a.Agent, b.Agent, c.Agent))
	is(t, "answered by", reply.Agent, "C")
	same(t, "rejections", reasons(reply.Rejections), []string{"B " + myriad.RejectedOpen})
	trip(r, c.Agent)
	reply = r.do(t.Context(), r.job("define", a.Agent, b.Agent, c.Agent))
	is(t, "outcome", reply.Outcome, myriad.OutcomeServerError)
	same(t, "rejections", reasons(reply.Rejections), []string{"B " + myriad.RejectedOpen, "C " + myriad.RejectedOpen})
}

func TestEligible(t *testing.T) {
	a, b, c := &myriad.Agent{Name: "A", Endpoint: "http://a"}, &myriad.Agent{Name: "B", Endpoint: "http://b"}, &myriad.Agent{Name: "C", Endpoint: "http://c"}
	all := []myriad.Candidate{{Agent: a}, {Agent: b}, {Agent: c}}
	r := newRig(t, nil)
	ok, rejected, wait := r.Eligible(all)
	if len(ok) != 3 || &ok[0] != &all[0] || rejected != nil || wait != 0 {
		t.Errorf("all: %v %v %v", ok, rejected, wait)
	}
	if n := testing.AllocsPerRun(10, func() { r.Eligible(all) }); n != 0 {
		t.Errorf("%v allocations when all are eligible", n)
	}
	trip(r, b)
	ok, rejected, wait = r.Eligible(all)
	if len(ok) != 2 || ok[0].Agent != a || ok[1].Agent != c || wait != 0 {
		t.Errorf("without B: %v %v", ok, wait)
	}
	same(t, "rejected", reasons(rejected), []string{"B " + myriad.RejectedOpen})
	is(t, "told", len(r.events.of(myriad.KindRejected)), 1)
	is(t, "the caller's own list", all[1].Agent, b)
	trip(r, a, c)
	ok, rejected, wait = r.Eligible(all)
	if len(ok) != 0 || len(rejected) != 3 || wait < 20*time.Second || wait > 33*time.Second {
		t.Errorf("none: %v %v %v", ok, rejected, wait)
	}
	told := len(r.events.of(myriad.KindRejected))
	if ready, left := r.Ready(b); ready || left < 20*time.Second || left > 33*time.Second {
		t.Errorf("B alone: %v %v", ready, left)
	}
	is(t, "told by a mere question", len(r.events.of(myriad.KindRejected)), told)
	_, _, wait = r.Eligible(nil)
	is(t, "nobody at all", wait, 0)
}

// TestToldToWait: nothing trips, the endpoint is parked before its slot is free again, another candidate is asked at once and costs no
// budget, and without one the task waits without a slot as long as its deadline allows.
func TestToldToWait(t *testing.T) {
	busy := answering(429, `{"status":"error","data":"busy"}`, "Retry-After", "2")
	a, b := agentAt(t, "A", busy), agentAt(t, "B", nil)
	r := newRig(t, nil)
	for range 10 {
		r.slots.parked = map[string]time.Duration{}
		reply := r.do(t.Context(), r.job("turn_on", a.Agent, b.Agent))
		same(t, "attempts", outcomes(reply.Attempts), []myriad.Outcome{myriad.OutcomeToldToWait, myriad.OutcomeSuccess})
		is(t, "parked", r.slots.parked[a.SlotKey()], 2*time.Second)
	}
	is(t, "state", r.Breakers("A")[0].State, "closed")
	is(t, "failures", r.Breakers("A")[0].ConsecutiveFailures, 0)
	is(t, "statistics", r.stats.Summary("A", "turn_on").Attempts, 0)
	is(t, "budget", r.budgets.of("lightbulb").Snapshot().Taken, 0)
	parks := r.events.of(myriad.KindParked)
	is(t, "parks told", len(parks), 10)
	is(t, "for how long", parks[0].RetryAfter, 2*time.Second)
	is(t, "who", parks[0].Agent+" "+parks[0].Endpoint, "A "+a.Endpoint)

	for name, c := range map[string]struct {
		others   []*myriad.Agent
		noSlot   bool
		open     bool
		deadline time.Duration
		requeue  bool
	}{
		"alone":                       {nil, false, false, time.Minute, true},
		"alone, no deadline":          {nil, false, false, 0, true},
		"alone, too late":             {nil, false, false, time.Second, false},
		"other without slot":          {[]*myriad.Agent{b.Agent}, true, false, time.Second, true},
		"other open":                  {[]*myriad.Agent{b.Agent}, false, true, time.Second, false},
		"other open, a long deadline": {[]*myriad.Agent{b.Agent}, false, true, time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			if c.noSlot {
				r.slots.limit[b.SlotKey()] = 0
			}
			if c.open {
				trip(r, b.Agent)
			}
			call := r.job("turn_on", append([]*myriad.Agent{a.Agent}, c.others...)...)
			if c.deadline > 0 {
				call.Deadline = time.Now().Add(c.deadline)
			}
			reply := r.do(t.Context(), call)
			is(t, "outcome", reply.Outcome, myriad.OutcomeToldToWait)
			is(t, "code", reply.ErrorCode, myriad.TaskErrParked)
			want := 2 * time.Second
			if c.noSlot { // the other one may have a slot any moment
				want = 0
			}
			is(t, "retry after", reply.RetryAfter, want)
			is(t, "requeue", reply.Requeue, c.requeue)
			is(t, "the agent's words", string(reply.Answer.Data), `"busy"`)
		})
	}
}

// TestPanics: a panic anywhere is one reply, with its stack told, and neither a slot nor a probe is lost.
func TestPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, stop := n.serve("a", nil)
		defer stop()
		for name, broken := range map[string]func(r *rig) *myriad.Call{
			"protocol": func(r *rig) *myriad.Call {
				r.protocols[""] = panicky{}
				return r.job("define", a.Agent)
			},
			"dispatcher": func(r *rig) *myriad.Call {
				r.cfg.Slots = panicSlots{r.slots}
				busy, stop := n.serve("busy", answering(429, ``))
				r.t.Cleanup(stop)
				return r.job("define", busy.Agent, a.Agent)
			},
			"sink": func(r *rig) *myriad.Call {
				told := false
				r.cfg.Sink = myriad.SinkFunc(func(e myriad.Event) {
					r.events.Emit(e)
					if e.Kind == myriad.KindAttempt && !told {
						told = true
						panic("boom")
					}
				})
				return r.job("define", a.Agent)
			},
			"first candidate out of range": func(r *rig) *myriad.Call {
				call := r.job("define", a.Agent)
				call.First = 7
				return call
			},
			"no candidates": func(r *rig) *myriad.Call {
				call := r.job("define", a.Agent)
				call.Candidates = nil
				return call
			},
		} {
			r := newRig(t, n.dial, noJitter)
			call := broken(r)
			reply := r.do(t.Context(), call)
			is(t, name+": outcome", reply.Outcome, myriad.OutcomePanic)
			is(t, name+": code", reply.ErrorCode, myriad.TaskErrInternal)
			is(t, name+": slots", r.slots.inUse(), 0)
			told := r.events.of(myriad.KindPanic)
			if len(told) != 1 || !strings.Contains(told[0].Stack, "call.(*Caller).Call") || told[0].Reason == "" || told[0].TaskID != "t1" {
				t.Errorf("%s: told %+v", name, told)
			}
			r.Close()
		}
	})
}

type panicky struct{}

func (panicky) encode(*myriad.Job) ([]byte, error)          { return nil, nil }
func (panicky) exchange(context.Context, message) exchanged { panic("boom") }

type panicSlots struct{ *slots }

func (panicSlots) Park(string, time.Duration) { panic("boom") }

// TestPanicOfAProbe: the half-open breaker's one permit comes back, so the next call can probe.
func TestPanicOfAProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, stop := n.serve("a", nil)
		defer stop()
		r := newRig(t, n.dial, noJitter)
		trip(r, a.Agent)
		time.Sleep(30 * time.Second)
		sound := r.protocols[""]
		r.protocols[""] = panicky{}
		reply := r.do(t.Context(), r.job("define", a.Agent))
		same(t, "attempts", outcomes(reply.Attempts), []myriad.Outcome{myriad.OutcomePanic})
		is(t, "state", r.Breakers("a")[0].State, "half_open")
		r.protocols[""] = sound
		is(t, "next", r.do(t.Context(), r.job("define", a.Agent)).Outcome, myriad.OutcomeSuccess)
		is(t, "state", r.Breakers("a")[0].State, "closed")
		r.Close()
	})
}

// TestAdaptiveLimit: the endpoint's slots follow its latency when that is configured.
func TestAdaptiveLimit(t *testing.T) {
	a := agentAt(t, "A", nil)
	a.MaxConcurrency = 30
	r := newRig(t, nil, func(c *Config) { c.Adaptive = &resilience.LimitConfig{} })
	for range 200 {
		r.do(t.Context(), r.job("define", a.Agent))
	}
	if n := r.slots.limits[a.SlotKey()]; n < 1 || n > 100 {
		t.Errorf("limit %d was set", n)
	}
}

// TestProvenance: attempts are in the order of their beginning, in the run's time, and each is told once.
func TestProvenance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, stopA := n.serve("a", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(30 * time.Millisecond)
			answering(500, ``)(w, r)
		})
		b, stopB := n.serve("b", sleeping(20*time.Millisecond))
		defer stopA()
		defer stopB()
		r := newRig(t, n.dial)
		call := r.job("define", a.Agent, b.Agent)
		call.RunStart = time.Now().Add(-100 * time.Millisecond)
		call.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		reply := r.do(t.Context(), call)
		same(t, "attempts", reply.Attempts, []myriad.Attempt{
			{Agent: "a", Endpoint: a.Endpoint, Outcome: myriad.OutcomeServerError, HTTPStatus: 500, StartMS: 100, DurationMS: 30,
				Error: "HTTP 500 Internal Server Error with application/json"},
			{Agent: "b", Endpoint: b.Endpoint, Outcome: myriad.OutcomeSuccess, HTTPStatus: 200, StartMS: 130, DurationMS: 20},
		})
		is(t, "agent", reply.Agent, "b")
		is(t, "endpoint", reply.Endpoint, b.Endpoint)
		for i, e := range r.events.of(myriad.KindAttempt) {
			is(t, "attempt", *e.Attempt, reply.Attempts[i])
			is(t, "run", e.RunID, call.RunID)
			is(t, "task", e.TaskID, "t1")
			is(t, "traceparent", e.TraceParent, call.TraceParent)
			is(t, "number", e.Count, int64(i+1))
			is(t, "duration", myriad.Millis(e.Duration), e.Attempt.DurationMS)
			is(t, "at", e.At, call.RunStart.Add(time.Duration(reply.Attempts[i].StartMS+reply.Attempts[i].DurationMS)*time.Millisecond))
		}
		r.Close()
	})
}
