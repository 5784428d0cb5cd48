package call

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/resilience"
)

func circuits(states []myriad.BreakerState) (names []string) {
	for _, s := range states {
		names = append(names, s.Circuit+" "+s.State+" "+s.Mode)
	}
	return names
}

func TestBreakersAreOfEndpoints(t *testing.T) {
	r := newRig(t, nil)
	is(t, "at first", len(r.Breakers("")), 0)
	a1 := &myriad.Agent{Name: "A", Endpoint: "http://one/query"}
	a2 := &myriad.Agent{Name: "A", Endpoint: "http://two/query"} // after it moved, or as it was before
	b := &myriad.Agent{Name: "B", Endpoint: "http://one/query"}  // shares A's first endpoint
	fleet := &myriad.Agent{Name: "F", Endpoint: "http://one/query", Owner: myriad.OwnerFleet}
	for _, a := range []*myriad.Agent{a1, a2, b, fleet} {
		r.ends.of(a)
	}
	same(t, "all", circuits(r.Breakers("")), []string{"A closed auto", "A http://two/query closed auto", "F closed auto"})
	same(t, "of A", circuits(r.Breakers("A")), []string{"A closed auto", "A http://two/query closed auto"})
	same(t, "of B", circuits(r.Breakers("B")), []string{"A closed auto"})
	is(t, "of nobody", len(r.Breakers("Z")), 0)
	if r.ends.of(a1) != r.ends.of(b) || r.ends.of(a1) == r.ends.of(a2) {
		t.Error("one endpoint is one breaker, two are two")
	}
}

func TestForce(t *testing.T) {
	a, b := agentAt(t, "A", nil), agentAt(t, "B", answering(500, ``))
	r := newRig(t, nil)
	if _, err := r.ForceBreaker("A", "broken"); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("unknown mode: %v", err)
	}
	if _, err := r.ForceBreaker("", "open"); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("no agent: %v", err)
	}
	r.do(t.Context(), r.job("define", a.Agent))
	force := func(agent, mode, want string) {
		t.Helper()
		states, err := r.ForceBreaker(agent, mode)
		if err != nil {
			t.Fatal(err)
		}
		same(t, mode, circuits(states), []string{want})
	}
	force("A", "open", "A open forced_open")
	is(t, "forced open", r.do(t.Context(), r.job("define", a.Agent)).Outcome, myriad.OutcomeCircuitOpen)
	force("A", "auto", "A half_open auto")
	is(t, "automatic again", r.do(t.Context(), r.job("define", a.Agent)).Outcome, myriad.OutcomeSuccess)

	force("B", "close", "B closed forced_closed") // was never called
	for range 10 {
		is(t, "forced closed", r.do(t.Context(), r.job("define", b.Agent)).Outcome, myriad.OutcomeServerError)
	}
	same(t, "B", circuits(r.Breakers("B")), []string{"B closed forced_closed"})

	c := &myriad.Agent{Name: "C", Endpoint: "http://127.0.0.1:1"}
	force("C", "open", "C open forced_open")
	ok, rejected, _ := r.Eligible([]myriad.Candidate{{Agent: c}})
	if len(ok) != 0 || len(rejected) != 1 {
		t.Errorf("an order for an agent that was never called should hold from its first task on: %v", ok)
	}
	force("D", "open", "D open forced_open")
	force("D", "auto", "D closed auto")
	is(t, "orders kept", len(r.ends.forced), 0)
	for i := range maxForced {
		force(fmt.Sprint("X", i), "open", fmt.Sprintf("X%d open forced_open", i))
	}
	if _, err := r.ForceBreaker("one more", "open"); myriad.ErrorCode(err) != myriad.CodeOverloaded {
		t.Errorf("too many orders: %v", err)
	}
}

// TestForget: what is kept of an agent goes with it; a call under way ends well and brings nothing back.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, stop := n.serve("a", sleeping(time.Second))
		defer stop()
		r := newRig(t, n.dial, func(c *Config) { c.Breaker.ConsecutiveFailures = 1; c.AttemptTimeout = 100 * time.Millisecond })
		call := r.job("define", a.Agent)
		done := make(chan myriad.Reply, 1)
		go func() { done <- r.Call(t.Context(), call) }()
		time.Sleep(50 * time.Millisecond)
		r.know("define", time.Millisecond, a.Agent)
		r.Forget(*a.Agent)
		is(t, "statistics", r.stats.Summary("a", "define").Attempts, 0)
		is(t, "outcome", (<-done).Outcome, myriad.OutcomeTimeout)
		is(t, "breakers", len(r.Breakers("")), 0)
		is(t, "transitions told", len(r.events.of(myriad.KindBreaker)), 0)
		r.Forget(*a.Agent) // once more does no harm
		r.Close()
	})
}

func TestForgetOneOfTwoAtAnEndpoint(t *testing.T) {
	r := newRig(t, nil)
	a, b := &myriad.Agent{Name: "A", Endpoint: "http://one"}, &myriad.Agent{Name: "B", Endpoint: "http://one"}
	r.ends.of(a)
	r.ends.of(b)
	trip(r, a)
	r.Forget(*a)
	states := r.Breakers("B")
	same(t, "breakers", circuits(states), []string{"A open auto"})
	is(t, "agent", states[0].Agent, "B")
	is(t, "of A", len(r.Breakers("A")), 0)
	r.Forget(*b)
	is(t, "all", len(r.Breakers("")), 0)
	r.ends.of(b)
	same(t, "anew", circuits(r.Breakers("")), []string{"B closed auto"})
}

func TestEndpointsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		time.Sleep(time.Minute)
		agent := func(i int) *myriad.Agent {
			return &myriad.Agent{Name: fmt.Sprint(i), Endpoint: fmt.Sprint("http://", i)}
		}
		trip(r, agent(0))
		for i := range maxEndpoints + 10 {
			r.ends.of(agent(i))
		}
		if n := len(r.ends.byKey); n > maxEndpoints {
			t.Errorf("%d endpoints", n)
		}
		is(t, "names", len(r.ends.circuits), len(r.ends.byKey))
		is(t, "the open one", r.Breakers("0")[0].State, "open")
	})
}

func TestSignals(t *testing.T) {
	r := newRig(t, nil)
	fast, slow, bad := &myriad.Agent{Name: "fast", Endpoint: "http://f"}, &myriad.Agent{Name: "slow", Endpoint: "http://s"}, &myriad.Agent{Name: "bad", Endpoint: "http://b"}
	av, lat := r.Signals(fast, "define")
	if av != 1 || lat != 1 {
		t.Errorf("a new agent is good and fast until it is known: %v %v", av, lat)
	}
	r.know("define", 10*time.Millisecond, fast, bad)
	r.know("define", time.Second, slow)
	for range 10 {
		r.stats.Series("bad", "define").Observe(time.Millisecond, false)
	}
	_, latFast := r.Signals(fast, "define")
	_, latSlow := r.Signals(slow, "define")
	avBad, _ := r.Signals(bad, "define")
	if latFast < 0.95 || latSlow > 0.51 || latSlow < 0.49 || avBad >= 0.95 || avBad <= 0 {
		t.Errorf("fast %v, slow %v, bad %v", latFast, latSlow, avBad)
	}
	if av, _ := r.Signals(bad, "explain"); av != 1 {
		t.Error("what is bad at one intent is not at another")
	}
	trip(r, fast)
	if av, _ := r.Signals(fast, "define"); av != 0 {
		t.Error("an open breaker makes an agent unavailable")
	}
	if n := testing.AllocsPerRun(100, func() { r.Signals(fast, "define"); r.Signals(slow, "define") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestValidate(t *testing.T) {
	_, err := New(Config{MaxConns: -1, AttemptTimeout: -1, MaxJob: -1, Breaker: resilience.BreakerConfig{Probes: -1}})
	for _, words := range []string{"slots are missing", "max connections -1", "attempt timeout -1", "max job -1", "probes -1"} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v does not name %q", err, words)
		}
	}
}

func TestResearch(t *testing.T) {
	rec := &recorder{}
	a := agentServing(t, "A", rec.then(answering(200, `["anything"]`)))
	r := newRig(t, nil)
	for _, base := range []string{"", "/", "/query", "/base/query", "/base"} {
		raw, err := r.Research(t.Context(), &myriad.Agent{Name: "A", Endpoint: a.Endpoint + base}, "/collaborate", []byte(`{"target_concept":"x"}`))
		if err != nil || string(raw) != `["anything"]` {
			t.Errorf("%q: %s %v", base, raw, err)
		}
	}
	same(t, "paths", rec.paths, []string{"POST /collaborate", "POST /collaborate", "POST /collaborate", "POST /base/collaborate", "POST /base/collaborate"})
	is(t, "body", rec.bodies[0], `{"target_concept":"x"}`)

	b := agentAt(t, "B", answering(500, ``))
	for range 3 {
		if _, err := r.Research(t.Context(), b.Agent, "collaborate", nil); myriad.ErrorCode(err) != myriad.CodeUnavailable || !strings.Contains(err.Error(), "ask agent B: HTTP 500") {
			t.Errorf("500: %v", err)
		}
	}
	_, err := r.Research(t.Context(), b.Agent, "collaborate", nil)
	if e, ok := err.(*myriad.Error); !ok || e.Code != myriad.TaskErrCircuitOpen || e.RetryAfter <= 0 || b.effects.Load() != 3 {
		t.Errorf("open: %v after %d calls", err, b.effects.Load())
	}
	busy := agentAt(t, "busy", answering(429, ``))
	_, err = r.Research(t.Context(), busy.Agent, "collaborate", nil)
	if e, ok := err.(*myriad.Error); !ok || e.Code != myriad.TaskErrParked || e.RetryAfter != time.Second || r.slots.parked[busy.SlotKey()] != time.Second {
		t.Errorf("busy: %v", err)
	}
	if _, err = r.Research(t.Context(), agentAt(t, "C", answering(400, ``)).Agent, "collaborate", nil); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("400: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = r.Research(ctx, a, "collaborate", nil); myriad.ErrorCode(err) != myriad.CodeCancelled {
		t.Errorf("cancelled: %v", err)
	}
	if _, err = r.Research(t.Context(), &myriad.Agent{Name: "D"}, "collaborate", nil); myriad.ErrorCode(err) != myriad.TaskErrEndpoint {
		t.Errorf("no endpoint: %v", err)
	}
	if _, err = r.Research(t.Context(), &myriad.Agent{Name: "E", Endpoint: "http://169.254.169.254/"}, "collaborate", nil); myriad.ErrorCode(err) != myriad.TaskErrDenied {
		t.Errorf("a denied network: %v", err)
	}
}

func TestResearchTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, stop := n.silent("a")
		defer stop()
		r := newRig(t, n.dial)
		began := time.Now()
		_, err := r.Research(t.Context(), a, "collaborate", nil)
		is(t, "code", myriad.ErrorCode(err), myriad.CodeUnavailable)
		is(t, "after", time.Since(began), 10*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = r.Research(ctx, a, "collaborate", nil)
		is(t, "code", myriad.ErrorCode(err), myriad.CodeDeadline)
		r.Close()
	})
}

// TestBreakerOfADormantAgent: an agent that has a template keeps its breaker when its instance ends, so that nobody need wake it to be told that it is open.
// When the breaker's time is over the dormant card may be tried, and the instance that is woken for that call makes the probe.
func TestBreakerOfADormantAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		template := &myriad.Template{Kind: myriad.TemplateCommand}
		dormant := &myriad.Agent{Name: "S", Template: template, Dormant: true}
		live := &myriad.Agent{Name: "S", Template: template, Endpoint: "http://127.0.0.1:1/query"}
		next := &myriad.Agent{Name: "S", Template: template, Endpoint: "http://127.0.0.1:2/query"}
		eligible := func(a *myriad.Agent) (bool, time.Duration) {
			ok, rejected, wait := r.Eligible([]myriad.Candidate{{Agent: a}})
			is(t, "rejected", len(rejected), 1-len(ok))
			return len(ok) == 1, wait
		}
		if ok, _ := eligible(dormant); !ok {
			t.Error("an agent that never was called is turned away")
		}
		b := r.ends.of(live).breaker
		for range 3 {
			permit, err := b.Acquire()
			if err != nil {
				t.Fatal(err)
			}
			permit.Done(resilience.Failure)
		}
		ok, wait := eligible(dormant)
		if ok || wait <= 0 {
			t.Fatalf("its breaker is open: %v, wait %s", ok, wait)
		}
		time.Sleep(wait)
		if ok, _ := eligible(dormant); !ok {
			t.Error("nobody may wake the agent for the probe")
		}
		probe, err := r.ends.of(next).breaker.Acquire()
		if err != nil || !probe.Probe() {
			t.Fatalf("the next instance does not probe: %v", err)
		}
		if ok, wait := eligible(dormant); ok || wait <= 0 {
			t.Errorf("another probes: %v, wait %s", ok, wait)
		}
		probe.Done(resilience.Success)
		if ok, _ := eligible(dormant); !ok {
			t.Error("it is well again")
		}
	})
}
