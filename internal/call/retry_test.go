package call

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/resilience"
)

// faults are the ways in which an agent fails after it has, or may have, carried a job out.
var faults = map[string]func(net.Conn){
	"closed":           func(net.Conn) {},
	"reset":            reset,
	"half-open":        hanging,
	"dripping":         dripping(head("200 OK") + "{"),
	"truncated head":   writing("HTTP/1.1 200"),
	"truncated body":   writing(head("200 OK", "Content-Length: 100") + "{"),
	"garbage":          writing("SSH-2.0\r\n"),
	"not JSON":         writing(head("200 OK", "Content-Length: 5") + "<ok/>"),
	"huge":             writing(head("200 OK", "Content-Length: 100000000") + "{"),
	"500":              writing(head("500 Oops", "Content-Length: 0")),
	"503":              writing(head("503 Oops", "Content-Length: 0")),
	"504":              writing(head("504 Oops", "Content-Length: 0")),
	"redirect":         writing(head("303 See Other", "Location: /", "Content-Length: 0")),
	"status error":     writing(head("200 OK", "Content-Length: 18") + `{"status":"error"}`),
	"nothing in a 204": writing(head("204 No Content")),
}

// TestWhatMustNotBeRepeatedIsNot: under every fault a task that changes something is carried out once, whoever else could have.
func TestWhatMustNotBeRepeatedIsNot(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := rawAgent(t, "A", fault), agentAt(t, "B", nil)
			r := newRig(t, nil, func(c *Config) { c.AttemptTimeout = 300 * time.Millisecond })
			for range 50 { // enough is known of A for a hedge, were it allowed
				r.stats.Series("A", "turn_on").Observe(time.Microsecond, true)
			}
			reply := r.do(t.Context(), r.job("turn_on", a.Agent, b.Agent))
			is(t, "effects", a.effects.Load()+b.effects.Load(), 1)
			is(t, "class", reply.Outcome.Class(), myriad.ClassAgent)
			same(t, "rejections", reasons(reply.Rejections), []string{"B " + myriad.RejectedRepeatable})
		})
	}
}

// TestWhatMayBeRepeatedIs: the same faults cost a task that only reads one more attempt.
func TestWhatMayBeRepeatedIs(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := rawAgent(t, "A", fault), agentAt(t, "B", nil)
			r := newRig(t, nil, func(c *Config) { c.AttemptTimeout = 300 * time.Millisecond })
			reply := r.do(t.Context(), r.job("define", a.Agent, b.Agent))
			is(t, "outcome", reply.Outcome, myriad.OutcomeSuccess)
			is(t, "agent", reply.Agent, "B")
			is(t, "effects of A", a.effects.Load(), 1)
			is(t, "effects of B", b.effects.Load(), 1)
			is(t, "retries told", len(r.events.of(myriad.KindRetry)), 1)
			is(t, "attempts told", len(r.events.of(myriad.KindAttempt)), 2)
		})
	}
}

// TestWhoSaysThatATaskMayBeRepeated goes through the three words that count, and those that do not.
func TestWhoSaysThatATaskMayBeRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		intent string
		safeA  []string // safe_intents of the agent that fails
		safeB  []string // of the other one
		client bool     // "idempotent": true
		listed []string // configured
		want   bool
	}{
		"a reading intent by default":             {intent: "define", want: true},
		"another intent":                          {intent: "turn_on"},
		"the client's word":                       {intent: "turn_on", client: true, want: true},
		"the word of the agent that has failed":   {intent: "status", safeA: []string{"status"}, want: true},
		"only the other agent's word":             {intent: "status", safeB: []string{"status"}},
		"an intent that begins like a safe one":   {intent: "define_new"},
		"another spelling":                        {intent: "define", listed: []string{"Define"}},
		"an emptied list":                         {intent: "define", listed: []string{}},
		"a configured one":                        {intent: "peek", listed: []string{"peek"}, want: true},
		"safe_intents with another spelling":      {intent: "status", safeA: []string{"Status"}},
		"an agent's word about some other intent": {intent: "turn_on", safeA: []string{"status"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := agentAt(t, "A", answering(500, `{}`)), agentAt(t, "B", nil)
			a.SafeIntents, b.SafeIntents = c.safeA, c.safeB
			r := newRig(t, nil, func(cfg *Config) { cfg.ReadingIntents = c.listed })
			call := r.job(c.intent, a.Agent, b.Agent)
			call.Task.Idempotent = c.client
			r.do(t.Context(), call)
			is(t, "repeated", b.effects.Load() == 1, c.want)
		})
	}
}

// An intent that its client wrote in its own way is compared in its canonical form.
func TestIntentsAreCompared(t *testing.T) {
	is(t, "derived", intentOf(&myriad.Task{Intent: " Define "}), "define")
	is(t, "given", intentOf(&myriad.Task{Intent: "x", IntentKey: "define"}), "define")
	is(t, "impossible", intentOf(&myriad.Task{Intent: " "}), "")
}

// After an unsafe agent was reached nobody else is asked, even when the last failure was harmless.
func TestOneReachedAgentForbidsAllThatFollow(t *testing.T) {
	a, b, c := agentAt(t, "A", answering(500, `{}`)), agentAt(t, "B", answering(500, `{}`)), agentAt(t, "C", nil)
	a.SafeIntents = []string{"status"}
	r := newRig(t, nil)
	reply := r.do(t.Context(), r.job("status", a.Agent, b.Agent, c.Agent))
	same(t, "attempts", outcomes(reply.Attempts), []myriad.Outcome{myriad.OutcomeServerError, myriad.OutcomeServerError})
	is(t, "effects of C", c.effects.Load(), 0)
}

// What did not reach the agent goes on to another candidate, whatever the task.
func TestWhatReachedNobodyGoesOn(t *testing.T) {
	for name, first := range map[string]*myriad.Agent{
		"refused":   refused(t, "A"),
		"no host":   {Name: "A", Endpoint: "http://lamp.invalid"},
		"denied":    {Name: "A", Endpoint: "http://169.254.169.254"},
		"no TLS":    {Name: "A", Endpoint: strings.Replace(agentAt(t, "A", nil).Endpoint, "http:", "https:", 1)},
		"not found": agentAt(t, "A", answering(404, `{}`)).Agent,
		"not mine":  agentAt(t, "A", answering(405, `{}`)).Agent,
		"busy":      agentAt(t, "A", answering(429, `{}`)).Agent,
	} {
		t.Run(name, func(t *testing.T) {
			b := agentAt(t, "B", nil)
			r := newRig(t, nil)
			reply := r.do(t.Context(), r.job("turn_on", first, b.Agent))
			is(t, "outcome", reply.Outcome, myriad.OutcomeSuccess)
			is(t, "attempts", len(reply.Attempts), 2)
		})
	}
}

func TestTheSameAgentAgain(t *testing.T) {
	good := answering(200, `{"status":"success"}`)
	for name, c := range map[string]struct {
		first http.HandlerFunc
		again bool
	}{
		"connection cut":      {aborting, true},
		"gateway":             {answering(502, ``), true},
		"unavailable":         {answering(503, ``), true},
		"500":                 {answering(500, ``), false}, // would only trip the breaker sooner
		"garbage":             {answering(200, `[]`), false},
		"status error":        {answering(200, `{"status":"error"}`), false},
		"not found":           {answering(404, ``), false},
		"the caller's fault":  {answering(400, ``), false},
		"too large an answer": {answering(200, strings.Repeat(" ", 5<<20)), false},
	} {
		t.Run(name, func(t *testing.T) {
			rec := &recorder{}
			a := agentServing(t, "A", rec.then(c.first, good))
			r := newRig(t, nil)
			r.do(t.Context(), r.job("define", a))
			is(t, "second attempt", len(rec.paths) == 2, c.again)
		})
	}
	t.Run("only once", func(t *testing.T) {
		a := agentAt(t, "A", answering(503, ``))
		r := newRig(t, nil, func(c *Config) { c.MaxAttempts = 10 })
		is(t, "attempts", len(r.do(t.Context(), r.job("define", a.Agent)).Attempts), 2)
	})
	t.Run("not when it may not be repeated", func(t *testing.T) {
		a := agentAt(t, "A", answering(503, ``))
		r := newRig(t, nil)
		reply := r.do(t.Context(), r.job("turn_on", a.Agent))
		is(t, "attempts", len(reply.Attempts), 1)
		same(t, "rejections", reasons(reply.Rejections), []string{"A " + myriad.RejectedRepeatable})
	})
	t.Run("refused", func(t *testing.T) {
		r := newRig(t, nil)
		is(t, "attempts", len(r.do(t.Context(), r.job("define", refused(t, "A"))).Attempts), 1)
	})
}

// Between two attempts at the same agent no slot is held, and the wait is not past the deadline.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, stop := n.serve("a", answering(503, ``))
		defer stop()
		r := newRig(t, n.dial, func(c *Config) {
			c.Backoff = resilience.Backoff{Base: time.Hour, Max: time.Hour}
			c.Breaker.ConsecutiveFailures = -1
		})
		call := r.job("define", a.Agent)
		done := make(chan myriad.Reply, 1)
		go func() { done <- r.do(t.Context(), call) }()
		synctest.Wait()
		is(t, "slots during the wait", r.slots.inUse(), 0)
		began := time.Now()
		is(t, "attempts", len((<-done).Attempts), 2)
		if time.Since(began) == 0 {
			t.Error("there was no wait")
		}

		call = r.job("define", a.Agent)
		call.Deadline = time.Now().Add(time.Millisecond) // the wait would be longer, nearly surely
		reply := r.do(t.Context(), call)
		is(t, "attempts", len(reply.Attempts), 1)
		is(t, "outcome", reply.Outcome, myriad.OutcomeServerError)

		call = r.job("define", a.Agent)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- r.do(ctx, call) }()
		synctest.Wait()
		cancel()
		is(t, "attempts of the cancelled", len((<-done).Attempts), 1)
		r.Close()
	})
}

func TestAttemptsAreBounded(t *testing.T) {
	var agents []*myriad.Agent
	for _, name := range []string{"A", "B", "C", "D", "E"} {
		agents = append(agents, agentAt(t, name, answering(500, ``)).Agent)
	}
	r := newRig(t, nil)
	is(t, "attempts", len(r.do(t.Context(), r.job("define", agents...)).Attempts), 3)
	r = newRig(t, nil, func(c *Config) { c.MaxAttempts = 1 })
	is(t, "attempts", len(r.do(t.Context(), r.job("define", agents...)).Attempts), 1)
}

// TestBudget: when everything fails, the retries of a concept are a fifth of its calls or three, and another concept has its own.
func TestBudget(t *testing.T) {
	a, b := agentAt(t, "A", answering(500, ``)), agentAt(t, "B", answering(500, ``))
	r := newRig(t, nil, func(c *Config) { c.Breaker.ConsecutiveFailures = -1 })
	const calls = 50
	attempts, denied := 0, 0
	for range calls {
		reply := r.do(t.Context(), r.job("define", a.Agent, b.Agent))
		attempts += len(reply.Attempts)
		for _, rej := range reply.Rejections {
			if rej.Reason == myriad.RejectedBudget {
				denied++
			}
		}
	}
	if extra := attempts - calls; extra > calls/5 || extra < 3 {
		t.Errorf("%d retries for %d calls", extra, calls)
	}
	is(t, "retries and refusals", attempts-calls+denied, calls)
	is(t, "refusals told", len(r.events.of(myriad.KindRejected)), denied)

	call := r.job("define", a.Agent, b.Agent)
	call.Task.ConceptKey = "candle"
	is(t, "attempts for another concept", len(r.do(t.Context(), call).Attempts), 2)
}

func TestBudgetsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgets(resilience.BudgetConfig{})
		time.Sleep(time.Minute)
		for i := range maxBudgets {
			b.of(string(rune(i + 0x4e00))).Call()
		}
		if b.of("one more") != b.rest {
			t.Error("all groups are busy, the rest should share one budget")
		}
		is(t, "groups", len(b.groups), maxBudgets)
		time.Sleep(time.Minute)
		if b.of("one more") == b.rest || len(b.groups) != 1 {
			t.Error("idle groups should have made room")
		}
	})
}

// A retry takes a free slot or none, and the budget it took comes back.
func TestNoSlotForARetry(t *testing.T) {
	a, b, c := agentAt(t, "A", answering(500, ``)), agentAt(t, "B", nil), agentAt(t, "C", nil)
	r := newRig(t, nil)
	r.slots.limit[b.SlotKey()] = 0
	reply := r.do(t.Context(), r.job("define", a.Agent, b.Agent, c.Agent))
	is(t, "answered by", reply.Agent, "C")
	same(t, "rejections", reasons(reply.Rejections), []string{"B " + myriad.RejectedNoSlot})
	r.slots.limit[c.SlotKey()] = 0
	for range 10 {
		reply = r.do(t.Context(), r.job("define", a.Agent, b.Agent, c.Agent))
		if len(reply.Attempts) != 1 || reply.Requeue {
			t.Fatalf("attempts %v, requeue %v", outcomes(reply.Attempts), reply.Requeue)
		}
		r.ForceBreaker("A", "close")
	}
	is(t, "budget taken", r.budgets.of("lightbulb").Snapshot().Taken, 1)
}

func TestSlotsAreTakenOneAtATime(t *testing.T) {
	a, b := agentAt(t, "A", answering(500, ``)), agentAt(t, "B", nil)
	r := newRig(t, nil)
	r.do(t.Context(), r.job("define", a.Agent, b.Agent))
	is(t, "slots at once", r.slots.most, 1)
}

func TestTheCallersFaultGoesBack(t *testing.T) {
	var asked atomic.Int64
	b := agentAt(t, "B", func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	for name, h := range map[string]http.HandlerFunc{
		"400":           answering(400, `{"status":"error","data":"bad brightness"}`),
		"422":           answering(422, `{"status":"error","data":"bad brightness"}`),
		"fault: caller": answering(200, `{"status":"error","fault":"caller","data":"bad brightness"}`),
	} {
		a := agentAt(t, "A", h)
		r := newRig(t, nil)
		for range 5 {
			reply := r.do(t.Context(), r.job("define", a.Agent, b.Agent))
			is(t, name+" code", reply.ErrorCode, myriad.TaskErrRejected)
			is(t, name+" answer", string(reply.Answer.Data), `"bad brightness"`)
		}
		is(t, name+" state", r.Breakers("A")[0].State, "closed")
		is(t, name+" attempts in statistics", r.stats.Summary("A", "define").Attempts, 0)
	}
	is(t, "others asked", asked.Load(), 0)
}
