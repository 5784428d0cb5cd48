package faultproxy

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// large makes answers of which After bytes always lie inside the body.
var large = Behaviour{Data: func(Job) any { return strings.Repeat("d", 100_000) }}

// TestFaults shows each fault to a plain client. begun and completed are what the agent came to do: the difference between a request
// that may be repeated and one that may not.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name             string
		fault            Fault
		timeout          time.Duration
		check            func(reply) bool
		begun, completed int
	}{
		{"pass", Fault{}, patience, func(r reply) bool { return r.err == nil && len(r.body) > 100_000 }, 1, 1},
		{"reset before the agent saw it", Fault{Mode: ResetRequest}, patience, func(r reply) bool { return wasReset(r.err) && r.status == 0 }, 0, 0},
		{"reset before the answer", Fault{Mode: ResetAnswer}, patience, func(r reply) bool { return wasReset(r.err) && r.status == 0 }, 1, 1},
		{"reset in the head", Fault{Mode: ResetAnswer, After: 20}, patience, func(r reply) bool { return r.err != nil && r.status == 0 }, 1, 1},
		{"reset in the body", Fault{Mode: ResetAnswer, After: 5000}, patience,
			func(r reply) bool { return wasReset(r.err) && len(r.body) < 5000 }, 1, 1},
		{"end in the body", Fault{Mode: Truncate, After: 5000}, patience,
			func(r reply) bool {
				return errors.Is(r.err, io.ErrUnexpectedEOF) && r.status == 200 && len(r.body) > 4000 && len(r.body) < 5000
			}, 1, 1},
		{"end before the answer", Fault{Mode: Truncate}, patience, func(r reply) bool { return errors.Is(r.err, io.EOF) && r.status == 0 }, 1, 1},
		{"silence in the body", Fault{Mode: Stall, After: 5000}, soon,
			func(r reply) bool { return timedOut(r.err) && len(r.body) < 5000 }, 1, 1},
		{"silence after the request", Fault{Mode: Blackhole}, soon, func(r reply) bool { return timedOut(r.err) && r.status == 0 }, 0, 0},
		{"garbage", Fault{Mode: Garbage}, patience,
			func(r reply) bool { return r.err != nil && strings.Contains(r.err.Error(), "malformed HTTP") }, 0, 0},
		{"huge", Fault{Mode: Flood, After: 3 << 20}, patience, func(r reply) bool {
			var answer struct{ Data string }
			return r.err == nil && json.Unmarshal([]byte(r.body), &answer) == nil && len(answer.Data) == 3<<20
		}, 0, 0},
		{"500", Fault{Mode: Canned, Answer: HTTPAnswer(500, "<html>oops</html>", "Content-Type", "text/html")}, patience,
			func(r reply) bool { return r.err == nil && r.status == 500 && r.body == "<html>oops</html>" }, 0, 0},
		{"429", Fault{Mode: Canned, Answer: HTTPAnswer(429, "{}", "Retry-After", "7")}, patience,
			func(r reply) bool { return r.err == nil && r.status == 429 && r.header.Get("Retry-After") == "7" }, 0, 0},
		{"refused", Fault{Mode: Refuse}, patience, func(r reply) bool { return wasRefused(r.err) }, 0, 0},
		{"idle close does not hurt an answer", Fault{Mode: CloseIdle, Interval: time.Second}, patience, func(r reply) bool { return r.err == nil }, 1, 1},
		{"a first request on a connection", Fault{Mode: CloseReused}, patience, func(r reply) bool { return r.err == nil }, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.agent.Set(large)
			b.set(c.fault)
			if r := b.ask("1", c.timeout); !c.check(r) {
				t.Errorf("%s: status %d, %d bytes, error %v", c.fault, r.status, len(r.body), r.err)
			}
			if s := b.agent.Stats(); s.Begun != c.begun || s.Completed != c.completed {
				t.Errorf("%s: the agent began %d and completed %d, want %d and %d", c.fault, s.Begun, s.Completed, c.begun, c.completed)
			}
			b.set(Fault{})
			if r := b.ask("2", patience); r.err != nil || r.status != 200 {
				t.Errorf("after %s: status %d, error %v", c.fault, r.status, r.err)
			}
		})
	}
}

func TestCounters(t *testing.T) {
	b := newBench(t)
	for range 3 {
		if r := b.ask("1", patience); r.err != nil {
			t.Fatal(r.err)
		}
	}
	if got, want := b.proxy.Stats(), (Stats{Conns: 1, Requests: 3, Open: 1}); got != want {
		t.Errorf("three requests on one connection: %+v, want %+v", got, want)
	}
	b.set(Fault{Mode: ResetRequest, First: 2})
	for i, want := range []bool{true, true, false, false} {
		if r := b.ask("2", patience); (r.err != nil) != want {
			t.Errorf("request %d of a fault for the first two: error %v", i, r.err)
		}
	}
	if s := b.proxy.Stats(); s.Hit != 2 || s.Requests != 7 {
		t.Errorf("%+v, want 2 of 7 requests hit", s)
	}
}

// TestReusedConnection shows the trap of http.Transport: a POST that carries an Idempotency-Key and can be rewound is repeated behind
// its caller's back.
func TestReusedConnection(t *testing.T) {
	b := newBench(t)
	if r := b.ask("1", patience); r.err != nil {
		t.Fatal(r.err)
	}
	b.set(Fault{Mode: CloseReused, First: 1})
	if r := b.ask("2", patience); r.err == nil {
		t.Error("a request on a dying connection is answered")
	}
	if s := b.proxy.Stats(); s.Requests != 2 || s.Conns != 1 {
		t.Errorf("%+v, want the request once", s)
	}
	if r := b.ask("3", patience); r.err != nil {
		t.Fatal(r.err)
	}
	b.set(Fault{Mode: CloseReused, First: 1})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.proxy.URL()+"/query", strings.NewReader(`{"task_id":4,"intent":"define"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Idempotency-Key", "4")
	if got := b.do(r); got.err != nil {
		t.Errorf("the rewindable request is not repeated: %v", got.err)
	}
	if s := b.proxy.Stats(); s.Requests != 5 || s.Hit != 2 {
		t.Errorf("%+v, want the rewindable request twice", s)
	}
}

func TestIdleConnectionIsClosed(t *testing.T) {
	b := newBench(t)
	b.set(Fault{Mode: CloseIdle, Interval: time.Millisecond})
	if r := b.ask("1", patience); r.err != nil {
		t.Fatal(r.err)
	}
	b.eventually("the idle connection is closed", func() bool { return b.proxy.Stats().Open == 0 })
}

func TestRefuse(t *testing.T) {
	b := newBench(t)
	if r := b.ask("1", patience); r.err != nil {
		t.Fatal(r.err)
	}
	before := b.proxy.Addr()
	for range 3 {
		b.set(Fault{Mode: Refuse})
		b.set(Fault{Mode: Refuse})
		b.eventually("open connections are reset", func() bool { return b.proxy.Stats().Open == 0 })
		if r := b.ask("2", patience); r.err == nil {
			t.Error("a dead agent answers")
		}
		if r := b.ask("2", patience); !wasRefused(r.err) { // the first may have met its dying connection
			t.Errorf("a dead agent gives %v", r.err)
		}
		b.set(Fault{})
		if r := b.ask("3", patience); r.err != nil {
			t.Errorf("the living agent gives %v", r.err)
		}
	}
	if b.proxy.Addr() != before {
		t.Errorf("the address changed from %s to %s", before, b.proxy.Addr())
	}
}

// TestDelays relies on lower bounds only: a sleep never ends early.
func TestDelays(t *testing.T) {
	b := newBench(t)
	const latency = 30 * time.Millisecond
	b.set(Fault{Latency: latency, Jitter: latency})
	start := time.Now()
	r := b.ask("1", patience)
	if took := time.Since(start); r.err != nil || took < latency {
		t.Errorf("answered after %v, error %v", took, r.err)
	}
	b.set(Fault{Latency: time.Hour})
	if r := b.ask("2", soon); !timedOut(r.err) {
		t.Errorf("an hour of latency gives %v", r.err)
	}
	if s := b.agent.Stats(); s.Completed != 2 {
		t.Errorf("a late answer is one to work that was done: %+v", s)
	}

	const interval = 200 * time.Microsecond
	b.set(Fault{Mode: Drip, Interval: interval})
	start = time.Now()
	r = b.ask("3", patience)
	if took, least := time.Since(start), time.Duration(len(r.body))*interval; r.err != nil || len(r.body) == 0 || took < least {
		t.Errorf("%d bytes dripped in %v, at least %v expected; error %v", len(r.body), took, least, r.err)
	}
}

func TestEndlessBodyEndsWithItsClient(t *testing.T) {
	b := newBench(t)
	b.set(Fault{Mode: Flood})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.proxy.URL()+"/query", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.CopyN(io.Discard, resp.Body, 2<<20); err != nil {
		t.Errorf("the body ended after %d bytes: %v", n, err)
	}
	resp.Body.Close()
	b.eventually("the flooding connection ends", func() bool { return b.proxy.Stats().Open == 0 })
}

// TestSharesComeFromTheSeed: the same seed hits the same connections.
func TestSharesComeFromTheSeed(t *testing.T) {
	draw := func() (hits string) {
		b := newBench(t)
		b.client.Transport.(*http.Transport).DisableKeepAlives = true
		b.set(Fault{Mode: ResetRequest, Share: 0.5})
		for range 24 {
			if r := b.ask("1", patience); r.err != nil {
				hits += "x"
			} else {
				hits += "."
			}
		}
		return hits
	}
	one, two := draw(), draw()
	if one != two {
		t.Errorf("seed %d hits %s and then %s", seed, one, two)
	}
	if n := strings.Count(one, "x"); n < 4 || n > 20 {
		t.Errorf("half of the requests are to be hit, not %s", one)
	}
}

func TestResetBreaksOpenConnections(t *testing.T) {
	b := newBench(t)
	release := make(chan struct{})
	defer close(release)
	b.agent.Set(Behaviour{Hold: release})
	replies := make(chan reply)
	go func() { replies <- b.ask("1", patience) }()
	b.eventually("the agent works", func() bool { return b.agent.Stats().Running == 1 })
	b.proxy.Reset()
	if r := <-replies; !wasReset(r.err) {
		t.Errorf("a killed agent's client sees %v", r.err)
	}
	b.eventually("the agent sees its client leave", func() bool { return b.agent.Stats().Running == 0 })
	if s := b.agent.Stats(); s.Begun != 1 || s.Completed != 0 {
		t.Errorf("%+v, want a task that was begun only", s)
	}
}

func TestAgentGone(t *testing.T) {
	p, err := New("127.0.0.1:1", seed) // nobody listens on port 1
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	resp, err := http.Get(p.URL())
	if err == nil {
		resp.Body.Close()
	}
	if !wasReset(err) {
		t.Errorf("a gone agent gives %v", err)
	}
}

func TestCloseFreesWhatHangs(t *testing.T) {
	for _, f := range []Fault{{Mode: Blackhole}, {Mode: Stall, After: 10}, {Latency: time.Hour}, {Mode: Drip, Interval: time.Hour}, {Mode: Garbage, Latency: time.Hour}} {
		b := newBench(t)
		b.set(f)
		replies := make(chan reply)
		go func() { replies <- b.ask("1", patience) }()
		b.eventually("the request is seen", func() bool { return b.proxy.Stats().Requests == 1 })
		if err := b.proxy.Close(); err != nil {
			t.Error(err)
		}
		if r := <-replies; r.err == nil {
			t.Errorf("%s: answered", f)
		}
		if s := b.proxy.Stats(); s.Open != 0 {
			t.Errorf("%s: %d connections outlive Close", f, s.Open)
		}
		if err := b.proxy.Set(Fault{}); !errors.Is(err, errClosed) {
			t.Errorf("set after close: %v", err)
		}
		if err := b.proxy.Play(false, Step{Fault{}, 1}); !errors.Is(err, errClosed) {
			t.Errorf("play after close: %v", err)
		}
	}
}

func TestNewRefusesNonsense(t *testing.T) {
	if _, err := New("nowhere", seed); err == nil {
		t.Error("an upstream without a port is accepted")
	}
}
