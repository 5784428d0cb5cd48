package call

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// always is a dispatcher without limits.
type always struct{}

func (always) Release()                                 {}
func (always) Try(myriad.Candidate) (myriad.Slot, bool) { return always{}, true }
func (always) Park(string, time.Duration)               {}
func (always) SetLimit(string, int)                     {}

// instant is a protocol that costs nothing, so that what remains is the chain.
type instant struct{ answer myriad.Answer }

func (instant) encode(*myriad.Job) ([]byte, error) { return nil, nil }

func (p instant) exchange(context.Context, message) exchanged {
	return exchanged{stage: stageBody, status: 200, answer: p.answer}
}

func benchCaller(b *testing.B, change func(*Config)) *Caller {
	b.Helper()
	cfg := Config{Slots: always{}, Dial: (&net.Dialer{}).DialContext}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

func benchCall(agents ...*myriad.Agent) *myriad.Call {
	call := &myriad.Call{
		RunID: "01890a5d-ac96-774b-bcce-b302099a8057", Key: "key-1", RunStart: time.Now(), Slot: always{}, Deadline: time.Now().Add(time.Hour),
		Task: &myriad.Task{ID: myriad.StringID("t1"), Concept: "lightbulb", Intent: "define", ConceptKey: "lightbulb", IntentKey: "define"},
		Job:  myriad.Job{TaskID: myriad.StringID("t1"), Concept: "lightbulb", Intent: "define", Args: json.RawMessage(`{}`)},
	}
	for _, a := range agents {
		call.Candidates = append(call.Candidates, myriad.Candidate{Agent: a})
	}
	return call
}

// BenchmarkChain is the whole policy stack around an exchange that costs nothing, beside what a careful caller without any policy pays
// for the attempt's time limit. The difference is what the policies cost a call on the happy path.
func BenchmarkChain(b *testing.B) {
	a, o := &myriad.Agent{Name: "A", Endpoint: "http://127.0.0.1:1"}, &myriad.Agent{Name: "B", Endpoint: "http://127.0.0.1:2"}
	answer, _ := decodeAnswer([]byte(`{"status":"success"}`))
	free := instant{answer}
	b.Run("none", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
			if x := free.exchange(ctx, message{}); x.err != nil {
				b.Fatal(x.err)
			}
			cancel()
		}
	})
	for name, call := range map[string]*myriad.Call{"one candidate": benchCall(a), "hedge armed": benchCall(a, o)} {
		b.Run(name, func(b *testing.B) {
			c := benchCaller(b, nil)
			c.protocols[""] = free
			for range 50 {
				c.stats.Series("A", "define").Observe(time.Millisecond, true)
				c.stats.Series("B", "define").Observe(time.Millisecond, true)
			}
			call.RunID = "" // a traceparent belongs to the exchange
			b.ReportAllocs()
			for b.Loop() {
				if r := c.Call(b.Context(), call); r.Outcome != myriad.OutcomeSuccess {
					b.Fatal(r.Error)
				}
			}
		})
	}
}

// BenchmarkCall is a whole call to an agent on loopback, beside the same exchange by bare means: the transport with a time limit, and
// the answer decoded.
func BenchmarkCall(b *testing.B) {
	srv := serve(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"agent_name":"A","status":"success","data":"an electric device"}`)
	})
	a := &myriad.Agent{Name: "A", Endpoint: srv + "/query"}
	b.Run("bare", func(b *testing.B) {
		c := benchCaller(b, nil)
		call := benchCall(a)
		b.ReportAllocs()
		for b.Loop() {
			if err := bare(b.Context(), c.transport, a.Endpoint, call); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("exchange", func(b *testing.B) {
		c := benchCaller(b, nil)
		call := benchCall(a)
		p, to := c.protocols[""], newTarget(a.Endpoint)
		f := &flight{caller: c, call: call}
		b.ReportAllocs()
		for b.Loop() {
			until := time.Now().Add(10 * time.Second)
			ctx, cancel := context.WithDeadline(b.Context(), until)
			body, _ := p.encode(&call.Job)
			if x := p.exchange(ctx, message{agent: a, target: to, body: body, key: "key-1", trace: f.trace(1), until: until}); x.err != nil {
				b.Fatal(x.err)
			}
			cancel()
		}
	})
	b.Run("call", func(b *testing.B) {
		c := benchCaller(b, nil)
		call := benchCall(a)
		b.ReportAllocs()
		for b.Loop() {
			if r := c.Call(b.Context(), call); r.Outcome != myriad.OutcomeSuccess {
				b.Fatal(r.Error)
			}
		}
	})
}

func bare(ctx context.Context, rt http.RoundTripper, url string, call *myriad.Call) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	body, err := json.Marshal(call.Job)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Status string
		Data   json.RawMessage
	}
	return json.Unmarshal(raw, &answer)
}

func BenchmarkSignals(b *testing.B) {
	c := benchCaller(b, nil)
	a := &myriad.Agent{Name: "A", Endpoint: "http://a"}
	c.ends.of(a)
	for i := range 200 {
		c.stats.Series("A", "define").Observe(time.Duration(i)*time.Millisecond, true)
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Signals(a, "define")
	}
}
