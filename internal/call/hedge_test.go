package call

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// know lets the caller know that the agents answer the intent in d.
func (r *rig) know(intent string, d time.Duration, agents ...*myriad.Agent) {
	for _, a := range agents {
		for range 50 {
			r.stats.Series(a.Name, intent).Observe(d, true)
		}
	}
}

// TestHedge goes through what can become of a first attempt that is slower than usual, and of the second one that then is made.
func TestHedge(t *testing.T) {
	const usual = 40 * time.Millisecond // its p95 is known as at most 50 ms
	fail := func(after time.Duration) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(after)
			answering(500, ``)(w, r)
		}
	}
	for name, c := range map[string]struct {
		first, second http.HandlerFunc
		intent        string
		want          []myriad.Outcome
		agent         string
		within        time.Duration
		prepare       func(r *rig, a, b *fake)
		rejections    []string
	}{
		"usual":                      {first: sleeping(20 * time.Millisecond), want: outs(myriad.OutcomeSuccess), agent: "a", within: 20 * time.Millisecond},
		"fast failure, then a retry": {first: fail(time.Millisecond), want: outs(myriad.OutcomeServerError, myriad.OutcomeSuccess), agent: "b", within: 10 * time.Millisecond},
		"second wins":                {first: sleeping(5 * time.Second), second: sleeping(time.Millisecond), want: outs(myriad.OutcomeLostHedge, myriad.OutcomeSuccess), agent: "b", within: 60 * time.Millisecond},
		"first wins after all":       {first: sleeping(100 * time.Millisecond), second: sleeping(time.Second), want: outs(myriad.OutcomeSuccess, myriad.OutcomeLostHedge), agent: "a", within: 100 * time.Millisecond},
		"second fails, first wins":   {first: sleeping(200 * time.Millisecond), second: fail(time.Millisecond), want: outs(myriad.OutcomeSuccess, myriad.OutcomeServerError), agent: "a", within: 200 * time.Millisecond},
		"first fails, second wins":   {first: fail(100 * time.Millisecond), second: sleeping(200 * time.Millisecond), want: outs(myriad.OutcomeServerError, myriad.OutcomeSuccess), agent: "b", within: 260 * time.Millisecond},
		"both fail":                  {first: fail(100 * time.Millisecond), second: fail(100 * time.Millisecond), want: outs(myriad.OutcomeServerError, myriad.OutcomeServerError), agent: "a", within: 160 * time.Millisecond},
		"second: the caller's fault": {first: sleeping(5 * time.Second), second: answering(400, `{"status":"error"}`), want: outs(myriad.OutcomeLostHedge, myriad.OutcomeCallerFault), agent: "b", within: 60 * time.Millisecond},
		"must not be repeated":       {first: sleeping(200 * time.Millisecond), intent: "turn_on", want: outs(myriad.OutcomeSuccess), agent: "a", within: 200 * time.Millisecond},
		"the other is open": {first: sleeping(200 * time.Millisecond), want: outs(myriad.OutcomeSuccess), agent: "a", within: 200 * time.Millisecond,
			prepare: func(r *rig, _, b *fake) { trip(r, b.Agent) }},
		"the other has no slot": {first: sleeping(200 * time.Millisecond), want: outs(myriad.OutcomeSuccess), agent: "a", within: 200 * time.Millisecond,
			prepare: func(r *rig, _, b *fake) { r.slots.limit[b.SlotKey()] = 0 }, rejections: []string{"b " + myriad.RejectedNoSlot}},
		"no budget": {first: sleeping(200 * time.Millisecond), want: outs(myriad.OutcomeSuccess), agent: "a", within: 200 * time.Millisecond,
			prepare: func(r *rig, _, _ *fake) {
				for r.budgets.of("lightbulb").Take() {
				}
			}, rejections: []string{"b " + myriad.RejectedBudget}},
		"nothing is known": {first: sleeping(200 * time.Millisecond), want: outs(myriad.OutcomeSuccess), agent: "a", within: 200 * time.Millisecond,
			prepare: func(r *rig, a, _ *fake) { r.stats.Forget(a.Name) }},
		"switched off": {first: sleeping(200 * time.Millisecond), want: outs(myriad.OutcomeSuccess), agent: "a", within: 200 * time.Millisecond,
			prepare: func(r *rig, _, _ *fake) { r.cfg.NoHedge = true }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				a, stopA := n.serve("a", c.first)
				b, stopB := n.serve("b", c.second)
				defer stopA()
				defer stopB()
				r := newRig(t, n.dial)
				if c.intent == "" {
					c.intent = "define"
				}
				r.know(c.intent, usual, a.Agent, b.Agent)
				known := r.stats.Summary("a", c.intent)
				if c.prepare != nil {
					c.prepare(r, a, b)
				}
				call := r.job(c.intent, a.Agent, b.Agent)
				reply := r.do(t.Context(), call)
				same(t, "attempts", outcomes(reply.Attempts), c.want)
				is(t, "agent", reply.Agent, c.agent)
				if took := time.Since(call.RunStart); took > c.within {
					t.Errorf("took %v", took)
				}
				same(t, "rejections", reasons(reply.Rejections), c.rejections)
				is(t, "slots", r.slots.inUse(), 0)
				hedges := len(r.events.of(myriad.KindHedge))
				for i, at := range reply.Attempts {
					is(t, "second attempt is a hedge", at.Hedge, i == 1 && hedges == 1)
				}
				if reply.Attempts[0].Outcome == myriad.OutcomeLostHedge {
					is(t, "statistics of the loser", r.stats.Summary("a", c.intent).Attempts, known.Attempts)
					is(t, "failures of the loser", r.Breakers("a")[0].ConsecutiveFailures, 0)
				}
				r.Close()
			})
		})
	}
}

func outs(o ...myriad.Outcome) []myriad.Outcome { return o }

// TestHedgeBesideASafeAgentOnly: the second candidate has to be one at which the task may be repeated too.
func TestHedgeBesideASafeAgentOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, stopA := n.serve("a", sleeping(time.Second))
		b, stopB := n.serve("b", nil)
		c, stopC := n.serve("c", nil)
		defer stopA()
		defer stopB()
		defer stopC()
		r := newRig(t, n.dial)
		a.SafeIntents, c.SafeIntents = []string{"status"}, []string{"status"}
		r.know("status", time.Millisecond, a.Agent, b.Agent, c.Agent)
		reply := r.do(t.Context(), r.job("status", a.Agent, b.Agent, c.Agent))
		is(t, "agent", reply.Agent, "c")
		is(t, "effects of b", b.effects.Load(), 0)
		r.Close()
	})
}

// TestCancelledWithItsHedge: when the caller leaves, both attempts end and neither counts.
func TestCancelledWithItsHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, stopA := n.serve("a", sleeping(time.Minute))
		b, stopB := n.serve("b", sleeping(time.Minute))
		defer stopA()
		defer stopB()
		r := newRig(t, n.dial)
		r.know("define", time.Millisecond, a.Agent, b.Agent)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		reply := r.do(ctx, r.job("define", a.Agent, b.Agent))
		same(t, "attempts", outcomes(reply.Attempts), outs(myriad.OutcomeCancelled, myriad.OutcomeCancelled))
		for _, s := range r.Breakers("") {
			is(t, s.Circuit, s.ConsecutiveFailures, 0)
		}
		r.Close()
	})
}

// TestPanicOfAHedge: it is told, and the first attempt's answer still comes.
func TestPanicOfAHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, stopA := n.serve("a", sleeping(time.Second))
		b, stopB := n.serve("b", nil)
		defer stopA()
		defer stopB()
		r := newRig(t, n.dial)
		b.Protocol = "panicky"
		r.protocols["panicky"] = panicky{}
		r.know("define", time.Millisecond, a.Agent, b.Agent)
		reply := r.do(t.Context(), r.job("define", a.Agent, b.Agent))
		same(t, "attempts", outcomes(reply.Attempts), outs(myriad.OutcomeSuccess, myriad.OutcomePanic))
		is(t, "told", len(r.events.of(myriad.KindPanic)), 1)
		r.Close()
	})
}

// TestPanicBesideAHedge: the first attempt's panic ends the call, and the hedge with it.
func TestPanicBesideAHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b, stopB := n.serve("b", sleeping(time.Minute))
		defer stopB()
		r := newRig(t, n.dial)
		a := &myriad.Agent{Name: "a", Endpoint: "http://a.test", Protocol: "late"}
		r.protocols["late"] = latePanic{}
		r.know("define", time.Millisecond, a, b.Agent)
		call := r.job("define", a, b.Agent)
		reply := r.do(t.Context(), call)
		is(t, "outcome", reply.Outcome, myriad.OutcomePanic)
		same(t, "attempts", outcomes(reply.Attempts), outs(myriad.OutcomePanic, myriad.OutcomeLostHedge))
		is(t, "took", time.Since(call.RunStart), time.Second)
		r.Close()
	})
}

type latePanic struct{ panicky }

func (latePanic) exchange(context.Context, message) exchanged {
	time.Sleep(time.Second)
	panic("boom")
}

// TestHedgeNeedsNoGoroutineForOneCandidate and no context of its own: the attempt runs on the caller's goroutine.
func TestHedgeNeedsNoGoroutineForOneCandidate(t *testing.T) {
	r := newRig(t, nil)
	a := &myriad.Agent{Name: "A"}
	r.know("define", time.Millisecond, a)
	call := r.job("define", a)
	defer call.Slot.Release()
	f := &flight{caller: r.Caller, call: call, intent: "define"}
	if _, ok := r.hedgeAfter(f, f.first()); ok {
		t.Error("there is nobody to hedge with")
	}
}

// TestHedgesAreFewAndHelp: one of two agents answers twenty times slower from some moment on. Hedging takes the tail away for at most a
// fifth more calls.
func TestHedgesAreFewAndHelp(t *testing.T) {
	const calls = 1000
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var slow atomic.Bool
		var hiccup atomic.Int64
		a, stopA := n.serve("a", func(w http.ResponseWriter, r *http.Request) {
			d := 10 * time.Millisecond
			if slow.Load() && hiccup.Add(1)%10 == 0 {
				d = 200 * time.Millisecond
			}
			sleeping(d)(w, r)
		})
		b, stopB := n.serve("b", sleeping(10*time.Millisecond))
		defer stopA()
		defer stopB()
		r := newRig(t, n.dial)
		r.know("define", 10*time.Millisecond, a.Agent, b.Agent)
		slow.Store(true)
		late := 0
		for range calls {
			call := r.job("define", a.Agent, b.Agent)
			is(t, "outcome", r.do(t.Context(), call).Outcome, myriad.OutcomeSuccess)
			if time.Since(call.RunStart) > 50*time.Millisecond {
				late++
			}
		}
		if late > calls/100 {
			t.Errorf("%d of %d calls were late", late, calls)
		}
		if extra := a.effects.Load() + b.effects.Load() - calls; extra > calls/5 || extra < calls/20 {
			t.Errorf("%d calls more", extra)
		}
		r.Close()
	})
}
