package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/agent"
	"github.com/myriad-mind/myriad/client"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// serve runs the agent on a socket of its own; stop ends it and gives what Serve returned.
func serve(t *testing.T, a *agent.Agent) (url string, stop func() error) {
	t.Helper()
	ln := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx, ln) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	return "http://" + ln.Addr().String(), stop
}

// post sends one job over a connection of its own.
func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/query", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return res.StatusCode, string(raw)
}

func TestServeStopsGracefully(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	a := agent.New("A").Handle("x", "wait", func(context.Context, agent.Job) (any, error) {
		close(entered)
		<-release
		return "done", nil
	})
	url, stop := serve(t, a)
	answer := make(chan string, 1)
	go func() {
		_, body := post(t, url, `{"intent":"wait"}`)
		answer <- body
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for { // /health tells that it drains
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/health", nil))
		if w.Code == http.StatusServiceUnavailable {
			break
		}
	}
	select {
	case err := <-stopped:
		t.Fatal("stopped with a job under way:", err)
	default:
	}
	close(release)
	if body := <-answer; !strings.Contains(body, "done") {
		t.Errorf("the job under way got %s", body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestServeCutsOffWhatOutlivesTheGrace(t *testing.T) {
	entered := make(chan struct{})
	a := agent.New("A").With(agent.Options{Grace: 10 * time.Millisecond, Logger: quiet}).
		Handle("x", "wait", func(ctx context.Context, _ agent.Job) (any, error) {
			close(entered)
			<-ctx.Done()
			return nil, ctx.Err()
		})
	url, stop := serve(t, a)
	answered := make(chan int, 1)
	go func() {
		code, _ := post(t, url, `{"intent":"wait"}`)
		answered <- code
	}()
	<-entered
	if err := stop(); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("got %v", err)
	}
	if code := <-answered; code == 200 {
		t.Error("the job that was cut off succeeded")
	}
}

func TestListenAndServeTellsMistakes(t *testing.T) {
	t.Setenv("PORT", "")
	ctx := t.Context()
	ok := func() *agent.Agent { return agent.New("A").Handle("x", "define", say("yes")) }
	if err := ok().ListenAndServe(ctx, ""); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("no address: %v", err)
	}
	err := agent.New("no spaces").Handle(" ", "define", say("x")).Handle("x", "define", nil).
		Handle("x", "a", say("")).Handle("X", "A", say("")).ListenAndServe(ctx, "127.0.0.1:0")
	e, _ := errors.AsType[*myriad.Error](err)
	if e == nil || len(e.Mistakes) != 4 {
		t.Errorf("want four mistakes, got %v", err)
	}
	ln := listen(t)
	defer ln.Close()
	if err := ok().ListenAndServe(ctx, ln.Addr().String()); err == nil {
		t.Error("a port in use went through")
	}
	if err := agent.New("").Serve(ctx, listen(t)); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("no name: %v", err)
	}
}

func TestListenAndServeTakesTheAddressOfItsEnvironment(t *testing.T) {
	for bind, address := range map[string]string{"": "127.0.0.1", "127.0.0.2": "127.0.0.2"} {
		listensAt(t, bind, address)
	}
}

func listensAt(t *testing.T, bind, address string) {
	ln, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Skipf("this machine has no address %s: %v", address, err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	_ = ln.Close()
	t.Setenv("PORT", port)
	t.Setenv("MYRIAD_BIND", bind)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- agent.New("A").Handle("x", "define", say("yes")).ListenAndServe(ctx, "") }()
	for {
		code, _ := post(t, "http://"+net.JoinHostPort(address, port), `{"intent":"define"}`)
		if code == 200 {
			break
		}
		select {
		case err := <-done:
			t.Fatal(err)
		default:
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// registrar is the part of a server that registration needs.
type registrar struct {
	mu     sync.Mutex
	refuse []int // statuses given before the first good one
	calls  []string
	cards  []myriad.Agent
	ok     chan struct{}
}

func (s *registrar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, r.Method+" "+r.URL.Path)
	if len(s.refuse) > 0 {
		w.WriteHeader(s.refuse[0])
		s.refuse = s.refuse[1:]
		return
	}
	if r.Method == http.MethodPut {
		var card myriad.Agent
		if err := json.NewDecoder(r.Body).Decode(&card); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.cards = append(s.cards, card)
		_ = json.NewEncoder(w).Encode(card)
		close(s.ok)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *registrar) start(t *testing.T) *client.Client {
	t.Helper()
	s.ok = make(chan struct{})
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	c, err := client.New(client.Config{Server: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestServeRegistersAndLeaves(t *testing.T) {
	s := &registrar{refuse: []int{503}}
	c := s.start(t)
	a := agent.New("A").With(agent.Options{SafeIntents: []string{"define"}, Logger: quiet}).
		Handle("x", "define", say("yes")).Handle("y", "define", say("yes")).RegisterWith(c, agent.Registration{Leave: true})
	url, stop := serve(t, a)
	<-s.ok
	if err := stop(); err != nil {
		t.Error(err)
	}
	want := "PUT /v1/agents/A,PUT /v1/agents/A,DELETE /v1/agents/A"
	if got := strings.Join(s.calls, ","); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	card := s.cards[0]
	if card.Endpoint != url || strings.Join(card.Concepts, ",") != "x,y" || strings.Join(card.Intents, ",") != "define" || card.MaxConcurrency != 10 {
		t.Errorf("card: %+v", card)
	}
}

func TestRegisterGivesUpOnlyWhenItMust(t *testing.T) {
	a := agent.New("A").Handle("x", "define", say("yes"))
	s := &registrar{refuse: []int{409}}
	if err := a.Register(t.Context(), s.start(t), "http://127.0.0.1:1"); myriad.ErrorCode(err) != myriad.CodeConflict || len(s.calls) != 1 {
		t.Errorf("a refusal: %v after %v", err, s.calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	dead := &registrar{refuse: make([]int, 100)}
	for i := range dead.refuse {
		dead.refuse[i] = 503
	}
	c := dead.start(t)
	done := make(chan error, 1)
	go func() { done <- a.Register(ctx, c, "http://127.0.0.1:1") }()
	for {
		dead.mu.Lock()
		n := len(dead.calls)
		dead.mu.Unlock()
		if n > 1 {
			break
		}
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("registered with a server that never answers")
	}
	if err := agent.New("").Register(t.Context(), c, "x"); err == nil {
		t.Error("a nameless agent registered")
	}
}

func TestLeavingAServerThatForgotIsFine(t *testing.T) {
	s := &registrar{refuse: []int{404, 500}}
	c := s.start(t)
	a := agent.New("A").Handle("x", "define", say("yes"))
	if err := a.Deregister(t.Context(), c); err != nil {
		t.Error(err)
	}
	if err := a.Deregister(t.Context(), c); err == nil {
		t.Error("a failure was swallowed")
	}
}

func TestAnAgentWithAHandlerForEveryIntentDeclaresNone(t *testing.T) {
	card := agent.New("A").With(agent.Options{Concepts: []string{"Q"}}).
		Handle(agent.Any, "define", say("")).Handle(agent.Any, agent.Any, say("")).Card("http://h")
	if card.Intents != nil || strings.Join(card.Concepts, ",") != "Q" {
		t.Errorf("%+v", card)
	}
}
