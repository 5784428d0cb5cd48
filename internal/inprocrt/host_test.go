package inprocrt

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/agent"
)

// opened is a runtime that is closed at the end of the test.
func opened(t testing.TB, cfg Config) *Runtime {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = quiet
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return r
}

func started(t testing.TB, r *Runtime, id string, p myriad.Packet) myriad.Instance {
	t.Helper()
	i, err := r.Start(t.Context(), myriad.StartRequest{InstanceID: id, OwnerID: "me", Packet: p, Nonce: "nonce-" + id})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return i
}

// handler registers h and starts an instance of it.
func handler(t *testing.T, r *Runtime, h http.HandlerFunc) myriad.Instance {
	t.Helper()
	if err := r.Register("h", h); err != nil {
		t.Fatal(err)
	}
	return started(t, r, "h", myriad.Packet{Agent: myriad.Agent{Name: "H", Concepts: []string{"x"}, Template: &myriad.Template{Kind: myriad.TemplateHandler, ID: "h"}}})
}

// exchange posts a body, changed by edit, and gives what came back.
func exchange(t testing.TB, url, body string, edit func(r *http.Request)) (*http.Response, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if edit != nil {
		edit(req)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		return resp, "cut: " + err.Error()
	}
	return resp, string(raw)
}

func TestKnowledgeOverHTTP(t *testing.T) {
	var mu sync.Mutex
	var heard []string
	r := opened(t, Config{Learned: func(instance, agent string, k myriad.Knowledge) error {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, instance+" "+agent+" "+k.Learned["history"].Content)
		return nil
	}})
	p := tides("factbase_basic")
	i := started(t, r, "01890a5d-ac96-774b-bcce-b302099a8057", p)
	if names := i.Unenforced(); len(names) > 0 {
		t.Errorf("without limits: %v", names)
	}
	base := strings.TrimSuffix(i.Endpoint(), "/query")
	if resp, body := exchange(t, i.Endpoint(), `{"intent":"define","concept":"tidal power"}`, nil); resp.StatusCode != 200 || !strings.Contains(body, "energy taken from the tides") {
		t.Errorf("job: HTTP %d %s", resp.StatusCode, body)
	}
	if resp, body := exchange(t, base+"/update_knowledge", `{"knowledge_type":"history","content":"mills"}`, nil); resp.StatusCode != 200 {
		t.Errorf("update: HTTP %d %s", resp.StatusCode, body)
	}
	if resp, body := exchange(t, i.Endpoint(), `{"query_type":"history"}`, nil); resp.StatusCode != 200 || !strings.Contains(body, "mills") {
		t.Errorf("query: HTTP %d %s", resp.StatusCode, body)
	}
	resp, body := exchange(t, base+"/health", "", func(r *http.Request) { r.Method = http.MethodGet })
	if resp.StatusCode != 200 || !strings.Contains(body, `"nonce":"nonce-01890a5d-ac96-774b-bcce-b302099a8057"`) {
		t.Errorf("health: HTTP %d %s", resp.StatusCode, body)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"01890a5d-ac96-774b-bcce-b302099a8057 " + p.Agent.Name + " mills"}; !slices.Equal(heard, want) {
		t.Errorf("Learned heard %v, want %v", heard, want)
	}
}

func TestNothingListensBeforeTheFirstStart(t *testing.T) {
	r := opened(t, Config{})
	before := runtime.NumGoroutine()
	if r.host.Load() != nil {
		t.Error("a runtime without instances listens")
	}
	started(t, r, "first", tides("factbase_basic"))
	with := runtime.NumGoroutine()
	if with > before+1 { // the listener's own
		t.Errorf("%d goroutines became %d", before, with)
	}
	for n := range 200 {
		started(t, r, fmt.Sprint("i", n), tides("factbase_basic"))
	}
	if got := runtime.NumGoroutine(); got > with {
		t.Errorf("200 idle instances more have %d goroutines", got-with)
	}
}

func TestOneListenerWhenManyStartFirst(t *testing.T) {
	r := opened(t, Config{})
	hosts := make([]string, 8)
	var wg sync.WaitGroup
	for n := range hosts {
		wg.Go(func() {
			i, err := r.Start(t.Context(), myriad.StartRequest{InstanceID: fmt.Sprint("i", n), Packet: tides("factbase_basic")})
			if err != nil {
				t.Error(err)
				return
			}
			hosts[n], _, _ = strings.Cut(strings.TrimPrefix(i.Endpoint(), "http://"), "/")
		})
	}
	wg.Wait()
	slices.Sort(hosts)
	if one := slices.Compact(hosts); len(one) != 1 {
		t.Errorf("several listeners: %v", one)
	}
}

func TestAPanicIsAnAnswerAndALogLine(t *testing.T) {
	var log logged
	r := opened(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	i := handler(t, r, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/health":
		case "/half":
			_, _ = io.WriteString(w, "half of ")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			panic("midway")
		default:
			panic("oh no")
		}
	})
	resp, body := exchange(t, i.Endpoint(), `{}`, nil)
	if resp.StatusCode != 500 || !strings.Contains(body, "panicked") || strings.Contains(body, "oh no") {
		t.Errorf("HTTP %d %s", resp.StatusCode, body)
	}
	if _, body := exchange(t, strings.TrimSuffix(i.Endpoint(), "query")+"half", `{}`, nil); !strings.HasPrefix(body, "cut: ") {
		t.Errorf("half an answer passes for a whole one: %q", body)
	}
	if text := log.String(); !strings.Contains(text, "oh no") || !strings.Contains(text, "host_test.go") {
		t.Errorf("the log lacks the panic or its stack: %s", text)
	}
	if text := i.LastLog(); !strings.Contains(text, "midway") || len(text) > maxLog {
		t.Errorf("LastLog: %s", text)
	}
	if err := i.Ready(t.Context()); err != nil {
		t.Errorf("a panic ends a job, not the instance: %v", err)
	}
}

func TestTheHostRefuses(t *testing.T) {
	r := opened(t, Config{})
	i := handler(t, r, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		_, _ = io.WriteString(w, r.URL.Path)
	})
	base := strings.TrimSuffix(i.Endpoint(), "/query")
	for _, c := range []struct {
		name, url, body string
		edit            func(r *http.Request)
		status          int
		want            string
	}{
		{"the instance's paths are its own", base + "/a/b%2fc?x=1", `{}`, nil, 200, "/a/b/c"},
		{"no path is the root", base, `{}`, nil, 200, "/"},
		{"a body over the limit", i.Endpoint(), strings.Repeat(" ", maxBody+1), nil, 413, ""},
		{"a web page", i.Endpoint(), `{}`, func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 403, "web pages"},
		{"a name that leads here", i.Endpoint(), `{}`, func(r *http.Request) { r.Host = "evil.example" }, 403, "web pages"},
		{"nobody", strings.Replace(i.Endpoint(), "/h/", "/nobody/", 1), `{}`, nil, 503, "not here"},
		{"the root of the host", strings.TrimSuffix(base, "h"), `{}`, nil, 503, "not here"},
	} {
		resp, body := exchange(t, c.url, c.body, c.edit)
		if resp.StatusCode != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: HTTP %d %s", c.name, resp.StatusCode, body)
		}
		if retry := resp.Header.Get("Retry-After"); (c.status == 503) != (retry == "0") {
			t.Errorf("%s: Retry-After %q", c.name, retry)
		}
	}
}

// TestADrainingInstanceSendsBack asks while a job holds up the end of the instance.
func TestADrainingInstanceSendsBack(t *testing.T) {
	r := opened(t, Config{})
	working, release := make(chan struct{}), make(chan struct{})
	i := handler(t, r, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			close(working)
			<-release
			_, _ = io.WriteString(w, "done")
		}
	})
	answered := make(chan string)
	go func() {
		_, body := exchange(t, i.Endpoint(), `{}`, nil)
		answered <- body
	}()
	<-working
	stopped := make(chan error)
	go func() { stopped <- i.Stop(context.WithoutCancel(t.Context())) }()
	for i.(*instance).enter() { // until it drains
		i.(*instance).leave()
	}
	resp, body := exchange(t, i.Endpoint(), `{}`, nil)
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "0" {
		t.Errorf("HTTP %d %s", resp.StatusCode, body)
	}
	if err := i.Ready(t.Context()); err == nil {
		t.Error("a draining instance is ready")
	}
	close(release)
	if err, body := <-stopped, <-answered; err != nil || body != "done" {
		t.Errorf("stop: %v, the job under way: %q", err, body)
	}
}

// TestAHandlerThatHeedsNothing cannot be ended: Stop says so, and Exited tells when it has returned after all.
func TestAHandlerThatHeedsNothing(t *testing.T) {
	r := opened(t, Config{})
	working, release := make(chan struct{}), make(chan struct{})
	i := handler(t, r, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			close(working)
			<-release
		}
	})
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		exchange(t, i.Endpoint(), `{}`, nil)
	}()
	<-working
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.Stop(over); myriad.ErrorCode(err) != myriad.CodeDeadline || !strings.Contains(err.Error(), "still run") {
		t.Errorf("stop: %v", err)
	}
	select {
	case <-i.Exited():
		t.Error("exited while a handler runs")
	default:
	}
	if resp, _ := exchange(t, i.Endpoint(), `{}`, nil); resp.StatusCode != 503 {
		t.Errorf("it takes more work: HTTP %d", resp.StatusCode)
	}
	close(release)
	<-i.Exited()
	<-answered
	if err := i.Stop(over); err != nil {
		t.Errorf("stop of what is gone: %v", err)
	}
}

// TestReadyHeedsItsContext asks a handler that never answers /health.
func TestReadyHeedsItsContext(t *testing.T) {
	r := opened(t, Config{})
	if err := r.Register("mute", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })); err != nil {
		t.Fatal(err)
	}
	i, err := r.Start(t.Context(), myriad.StartRequest{InstanceID: "m", Packet: myriad.Packet{Agent: myriad.Agent{
		Name: "M", Template: &myriad.Template{Kind: myriad.TemplateHandler, ID: "mute"}}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := i.Ready(ctx); myriad.ErrorCode(err) != myriad.CodeDeadline {
		t.Errorf("ready: %v", err)
	}
}

func TestUnenforcedLimits(t *testing.T) {
	r := opened(t, Config{})
	limits := myriad.Limits{CPU: 1, MemoryBytes: 1 << 28, PIDs: 10}
	if err := r.Register("h", http.NotFoundHandler()); err != nil { // without a /health it is ready
		t.Fatal(err)
	}
	for id, c := range map[string]struct {
		p    myriad.Packet
		want []string
	}{
		"k": {tides("factbase_basic"), []string{"cpu"}},
		"h": {myriad.Packet{Agent: myriad.Agent{Template: &myriad.Template{Kind: myriad.TemplateHandler, ID: "h"}}}, []string{"cpu", "memory", "pids"}},
	} {
		i, err := r.Start(t.Context(), myriad.StartRequest{InstanceID: id, Packet: c.p, Limits: limits})
		if err != nil {
			t.Fatal(err)
		}
		if got := i.Unenforced(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", id, got, c.want)
		}
		if err := i.Ready(t.Context()); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestRegister(t *testing.T) {
	r := opened(t, Config{})
	a := agent.New("A").Handle("x", "define", func(context.Context, agent.Job) (any, error) { return "an x", nil })
	if err := r.Register("a", a); err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]http.Handler{"": a, "b": nil, "a": a} {
		if err := r.Register(name, h); err == nil {
			t.Errorf("registered %q, %v", name, h)
		}
	}
	for _, c := range []struct {
		t    myriad.Template
		want bool
	}{
		{myriad.Template{Kind: myriad.TemplateHandler, ID: "a"}, true},
		{myriad.Template{Kind: myriad.TemplateHandler, ID: "b"}, false},
		{myriad.Template{Kind: myriad.TemplateKnowledge}, false},
		{*tides("").Agent.Template, true},
		{myriad.Template{Kind: myriad.TemplateCommand, Command: []string{"a"}}, false},
	} {
		if got := r.Serves(c.t); got != c.want {
			t.Errorf("%+v: %v", c.t, got)
		}
	}
	i := started(t, r, "one", myriad.Packet{Agent: myriad.Agent{Name: "One", Template: &myriad.Template{Kind: myriad.TemplateHandler, ID: "a"}}})
	_, body := exchange(t, i.Endpoint(), `{"concept":"x","intent":"define"}`, nil)
	var out map[string]any
	if err := json.Unmarshal([]byte(body), &out); err != nil || out["data"] != "an x" {
		t.Errorf("%s %v", body, err)
	}
	for _, id := range []string{"", "a/b", "é", strings.Repeat("a", 300)} {
		if _, err := r.Start(t.Context(), myriad.StartRequest{InstanceID: id, Packet: tides("")}); myriad.ErrorCode(err) != myriad.CodeInvalid {
			t.Errorf("id %q: %v", id, err)
		}
	}
}
