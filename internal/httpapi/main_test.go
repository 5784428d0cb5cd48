package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/egress"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const runUUID = "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5"

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// world is an API with fakes behind it, on a real socket.
type world struct {
	t        *testing.T
	api      *API
	runs     *fakeRuns
	agents   *fakeAgents
	found    *fakeDirectory
	breakers *fakeBreakers
	fleet    *fakeFleet
	url      string
	client   *http.Client
	connect  func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	events []myriad.Event
}

func (w *world) Emit(e myriad.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

func (w *world) emitted(kind myriad.EventKind) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, e := range w.events {
		if e.Kind == kind {
			out = append(out, e.Reason)
		}
	}
	return out
}

const testToken = "s3cret"

func config(w *world) Config {
	return Config{Runs: w.runs, Agents: w.agents, Discover: w.found, Breakers: w.breakers, Fleet: w.fleet, Sink: w, Token: testToken, Listen: "127.0.0.1:5000",
		Checker: egress.NewDialer(nil, egress.Options{}), Version: "1.2.3", Logger: slog.New(slog.DiscardHandler),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = io.WriteString(w, "orchestrator_active_agents 2\n")
		}),
		Graph: GraphStatus{URL: "sqlite:data"}}
}

// newWorld starts an API; change may alter its configuration.
func newWorld(t *testing.T, change ...func(*Config)) *world {
	t.Helper()
	return newWorldAt(t, nil, change...)
}

// newWorldAt is newWorld behind pipes in memory, for virtual time; nil is the loopback.
func newWorldAt(t *testing.T, ln *pipes, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, runs: &fakeRuns{}, agents: &fakeAgents{byID: map[string]myriad.Agent{}}, breakers: &fakeBreakers{state: map[string]myriad.BreakerState{}},
		fleet: newFakeFleet()}
	w.found = &fakeDirectory{agents: w.agents}
	cfg := config(w)
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if w.api, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = Server(ServerConfig{API: w.api, Logger: cfg.Logger})
	if ln != nil {
		_ = server.Listener.Close()
		server.Listener = ln
	}
	server.Start()
	w.url, w.client = server.URL, server.Client()
	w.connect = new(net.Dialer).DialContext
	if ln != nil {
		w.connect = ln.dial
		w.client.Transport.(*http.Transport).DialContext = ln.dial
	}
	t.Cleanup(server.Close)
	t.Cleanup(w.api.Close)
	return w
}

func (w *world) addAgent(a myriad.Agent) {
	w.t.Helper()
	if a.Owner == "" {
		a.Owner = myriad.OwnerAPI
	}
	if _, err := w.agents.PutAgent(w.t.Context(), a, myriad.Guard{}); err != nil {
		w.t.Fatal(err)
	}
}

func lamp() myriad.Agent {
	return myriad.Agent{Name: "Lightbulb_Definition_AI", Type: "static", Endpoint: "http://127.0.0.1:5001/query", Status: "active", Protocol: myriad.ProtocolHTTP,
		Concepts: []string{"Light Bulb"}, Intents: []string{"define"}, Capabilities: []string{"define"}}
}

// answer is a reply read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends one request; headers come in pairs. JSON is said of a body unless a header says otherwise.
func (w *world) do(method, path, body string, headers ...string) answer {
	w.t.Helper()
	return w.send(w.request(method, path, body, headers...))
}

func (w *world) send(req *http.Request) answer {
	w.t.Helper()
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(raw)}
}

func (w *world) open(method, path, body string, headers ...string) *http.Response {
	w.t.Helper()
	res, err := w.client.Do(w.request(method, path, body, headers...))
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

func (w *world) request(method, path, body string, headers ...string) *http.Request {
	w.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, reader)
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		} else {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	return req
}

// problem reads a problem+json reply and checks what all of them have in common.
func (a answer) problem(t *testing.T, status int, code myriad.Code) Problem {
	t.Helper()
	var p Problem
	dec := json.NewDecoder(bytes.NewReader([]byte(a.body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		t.Fatalf("%d %q is no problem: %v", a.status, a.body, err)
	}
	if a.status != status || p.Status != status || p.Code != code || p.Detail == "" || p.Title == "" || a.header.Get("Content-Type") != typeProblem {
		t.Fatalf("got %d (%s) %s, want %d %s", a.status, a.header.Get("Content-Type"), a.body, status, code)
	}
	return p
}

func paths(p Problem) []string {
	var out []string
	for _, m := range p.Mistakes {
		out = append(out, m.Path)
	}
	return out
}
