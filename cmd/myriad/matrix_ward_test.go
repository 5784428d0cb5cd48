package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/faultproxy"
)

// ward is a server and the agents before it, some of which will fall ill.
type ward struct {
	t        *testing.T
	rng      *rand.Rand // of the test's own goroutine
	server   *server
	client   *client.Client
	patients []*patient // concepts sick0, sick1, ...; all of them also pair
	well     []*patient // Solid_AI, which alone knows solid, and Partner_AI, which also knows pair
	changes  *breakerLog

	mu   sync.Mutex
	runs []*asked // guarded by mu
}

// patient is an agent behind a proxy.
type patient struct {
	name  string
	agent *faultproxy.Agent
	proxy *faultproxy.Proxy
}

// newWard starts everything and ends it with the test, by when nothing may be left over: no goroutine, no connection.
func newWard(t *testing.T, sick int, rng *rand.Rand) *ward {
	t.Helper()
	w := &ward{t: t, rng: rng}
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	var agents []myriad.Agent
	for i := range sick {
		p := startPatient(t, fmt.Sprintf("Sick%d_AI", i), rng.Uint64())
		w.patients = append(w.patients, p)
		agents = append(agents, myriad.Agent{Name: p.name, Concepts: []string{fmt.Sprint("sick", i), "pair"}, MaxConcurrency: sickSlots})
	}
	for _, known := range [][2]string{{"Solid_AI", "solid"}, {"Partner_AI", "pair"}} {
		w.well = append(w.well, startPatient(t, known[0], rng.Uint64()))
		agents = append(agents, myriad.Agent{Name: known[0], Concepts: known[1:], MaxConcurrency: 50})
	}
	t.Cleanup(func() {
		for _, p := range append(w.patients, w.well...) {
			soon(t, "the server has closed its connections to "+p.name, func() bool { return p.proxy.Stats().Open == 0 })
		}
	})
	w.server, w.client = startServer(t, quick)
	w.changes = followBreakers(t, w.client)
	for i, p := range append(w.patients[:sick:sick], w.well...) {
		agents[i].Endpoint = p.proxy.URL() + "/query"
		put(t, w.client, agents[i])
	}
	return w
}

func startPatient(t testing.TB, name string, seed uint64) *patient {
	t.Helper()
	p := &patient{name: name, agent: faultproxy.NewAgent(name)}
	p.agent.Set(faultproxy.Behaviour{Data: echo})
	srv := httptest.NewServer(p.agent)
	t.Cleanup(srv.Close)
	var err error
	if p.proxy, err = faultproxy.New(srv.Listener.Addr().String(), seed); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.proxy.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	return p
}

// warmUp lets every agent be known, and gives every question that is asked later a last good answer, but for every fourth.
func (w *ward) warmUp() {
	w.t.Helper()
	plan := client.Plan{Timeout: time.Minute}
	for q := range questions {
		if q%4 == 3 {
			continue
		}
		for i := range w.patients {
			plan.Add(client.Task{ID: fmt.Sprintf("warm/sick%d/%d", i, q), Concept: fmt.Sprint("sick", i), Intent: "define", Args: question(q)})
		}
		plan.Add(client.Task{ID: fmt.Sprintf("warm/pair/%d", q), Concept: "pair", Intent: "define", Args: question(q)})
	}
	record, err := w.client.Run(w.t.Context(), plan)
	if err != nil || record.Status != myriad.RunSuccess {
		w.t.Fatalf("before any fault: %+v, %v", record, err)
	}
}

// heal ends all faults.
func (w *ward) heal() {
	w.t.Helper()
	for _, p := range w.patients {
		p.agent.Set(faultproxy.Behaviour{Data: echo})
		if err := p.proxy.Set(faultproxy.Fault{}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// recover checks that healed agents are called again without anybody's doing, by real tasks, and that nothing is under way after the last of them.
func (w *ward) recover() {
	w.t.Helper()
	for i, p := range w.patients {
		ask := client.Plan{Tasks: []client.Task{{ID: "again", Concept: fmt.Sprint("sick", i), Intent: "turn_on", Timeout: taskTime}}}
		var last *myriad.RunRecord
		w.eventually(p.name+" is called again", func() bool {
			var err error
			if last, err = w.client.Run(w.t.Context(), ask); err != nil {
				w.t.Fatal(err)
			}
			return last.Status == myriad.RunSuccess
		})
		states, err := w.client.Breaker(w.t.Context(), p.name)
		if err != nil || len(states) != 1 || states[0].State != "closed" {
			w.t.Errorf("%s answers, and its breaker is %+v, %v", p.name, states, err)
		}
	}
	w.eventually("no slot is held and nobody waits", func() bool { return w.server.dispatcher.InUse() == 0 && w.server.dispatcher.Waiting() == 0 })
	w.eventually("no run is under way", func() bool { return w.metric("myriad_runs_active") == "0" })
	w.eventually("agents and server agree on the connections between them", func() bool {
		open := 0
		for _, p := range append(w.well, w.patients...) {
			if p.agent.Stats().Running > 0 {
				return false
			}
			open += p.proxy.Stats().Open
		}
		return int64(open) == w.server.connections.open.Load()
	})
}

// eventually waits for what must come.
func (w *ward) eventually(what string, ok func() bool) {
	w.t.Helper()
	soon(w.t, what, ok)
}

// soon waits for what must come by itself, far longer than it takes.
func soon(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// metric is the value of a series of /metrics as it is written there, "" when it is not.
func (w *ward) metric(series string) string {
	w.t.Helper()
	return metric(w.t, w.server.url(), series)
}

func metric(t testing.TB, server, series string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// breakerLog is every transition of every breaker, as /v1/events tells it.
type breakerLog struct {
	mu      sync.Mutex
	changes []breakerChange // guarded by mu
	gaps    int             // guarded by mu
	heralds map[string]bool // agents of which the stream has told; guarded by mu
}

type breakerChange struct {
	At                        time.Time
	Circuit, From, To, Reason string
}

func followBreakers(t *testing.T, c *client.Client) *breakerLog {
	t.Helper()
	b, heard := &breakerLog{heralds: map[string]bool{}}, make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		first := sync.OnceFunc(func() { close(heard) })
		err := c.Events(ctx, "", func(e client.Event) error {
			first()
			return b.note(e)
		})
		if err != nil {
			t.Errorf("the stream of events: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		all.Wait()
	})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for { // until the stream is known to tell
		put(t, c, herald("First"))
		select {
		case <-heard:
			return b
		case <-tick.C:
		}
	}
}

func herald(name string) myriad.Agent {
	return myriad.Agent{Name: name + "_Herald_AI", Endpoint: "http://127.0.0.1:1/", Concepts: []string{"herald"}}
}

// catchUp waits until the stream has told of every transition so far. Whoever makes one tells of it before its run can end, unless somebody else who does not
// get away before it is told, so when no run is under way all are in the stream; and what is put there now comes after them.
func (b *breakerLog) catchUp(t *testing.T, c *client.Client) {
	t.Helper()
	last := herald("Last")
	put(t, c, last)
	soon(t, "the stream of events has told all", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.heralds[last.Name]
	})
	if b.mu.Lock(); b.gaps > 0 {
		t.Error("the stream of events has a gap")
	}
	b.mu.Unlock()
}

func (b *breakerLog) note(e client.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.Kind {
	case "gap":
		b.gaps++
	case string(myriad.KindAgentPut):
		var put struct{ Agent string }
		if err := json.Unmarshal(e.Data, &put); err != nil {
			return err
		}
		b.heralds[put.Agent] = true
	case string(myriad.KindBreaker):
		var c breakerChange
		if err := json.Unmarshal(e.Data, &c); err != nil {
			return err
		}
		b.changes = append(b.changes, c)
	}
	return nil
}

// of are the transitions of one circuit.
func (b *breakerLog) of(circuit string) (all []breakerChange) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.changes {
		if c.Circuit == circuit {
			all = append(all, c)
		}
	}
	return all
}

// count is how often the circuit went into a state.
func (b *breakerLog) count(circuit, to string) (n int) {
	for _, c := range b.of(circuit) {
		if c.To == to {
			n++
		}
	}
	return n
}
