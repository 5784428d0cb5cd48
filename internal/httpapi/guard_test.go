package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

// ask sends a request to the handler without a socket, as a browser elsewhere would be seen.
func ask(t *testing.T, change func(*Config), method, path, host string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	w := newWorld(t, func(c *Config) {
		if change != nil {
			change(c)
		}
	})
	w.addAgent(lamp())
	body := io.Reader(http.NoBody)
	if changes(method) && method != "DELETE" {
		body = strings.NewReader(`{"concept":"light bulb","intent":"define"}`)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, body)
	r.Host = host
	r.Header.Set("Content-Type", typeJSON)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(rec, r)
	return rec
}

func TestHosts(t *testing.T) {
	listen := func(at string, hosts ...string) func(*Config) {
		return func(c *Config) { c.Listen, c.Hosts, c.Insecure = at, hosts, true }
	}
	for _, tc := range []struct {
		name   string
		change func(*Config)
		host   string
		ours   bool
	}{
		{"loopback by name", listen("127.0.0.1:5000"), "localhost:5000", true},
		{"loopback, upper case and dot", listen("127.0.0.1:5000"), "LOCALHOST.:80", true},
		{"loopback by address", listen("127.0.0.1:5000"), "127.0.0.1:5000", true},
		{"loopback, another of its addresses", listen("127.0.0.1:5000"), "127.9.9.9", true},
		{"loopback by IPv6", listen("[::1]:5000"), "[::1]:5000", true},
		{"IPv6 without port", listen("[::1]:5000"), "[::1]", true},
		{"a name rebound to us", listen("127.0.0.1:5000"), "evil.example:5000", false},
		{"a name that begins like ours", listen("127.0.0.1:5000"), "localhost.evil.example", false},
		{"a foreign address at loopback", listen("127.0.0.1:5000"), "10.0.0.1", false},
		{"no host", listen("127.0.0.1:5000"), "", false},
		{"the listen host", listen("10.1.2.3:5000"), "10.1.2.3:5000", true},
		{"another address", listen("10.1.2.3:5000"), "10.1.2.4:5000", false},
		{"a listen name", listen("myriad.internal:5000"), "myriad.internal:5000", true},
		{"any address at a wildcard", listen("0.0.0.0:5000"), "10.7.7.7:5000", true},
		{"any address at an empty host", listen(":5000"), "[2001:db8::1]:5000", true},
		{"a name at a wildcard", listen("0.0.0.0:5000"), "orchestrator:5000", false},
		{"a configured name", listen("0.0.0.0:5000", "Orchestrator"), "orchestrator:5000", true},
		{"all names", listen("0.0.0.0:5000", "*"), "whatever.example", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rec := ask(t, tc.change, "GET", "/v1/agents", tc.host)
			if got := rec.Code == 200; got != tc.ours || !tc.ours && rec.Code != 403 {
				t.Errorf("host %q gave %d: %s", tc.host, rec.Code, rec.Body)
			}
			if probe := ask(t, tc.change, "GET", "/livez", tc.host); probe.Code != 200 {
				t.Errorf("a probe with host %q gave %d", tc.host, probe.Code)
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	trusted := func(c *Config) { c.Origins = []string{"https://dash.example.org"} }
	for _, tc := range []struct {
		name    string
		change  func(*Config)
		method  string
		path    string
		headers []string
		status  int
	}{
		{"no browser", nil, "POST", "/v1/discover", nil, 200},
		{"our own page", nil, "POST", "/v1/discover", []string{"Origin", "http://localhost:5000"}, 200},
		{"our own page, told by the browser", nil, "POST", "/v1/discover", []string{"Origin", "http://localhost:5000", "Sec-Fetch-Site", "same-origin"}, 200},
		{"a foreign page", nil, "POST", "/v1/discover", []string{"Origin", "https://evil.example"}, 403},
		{"a page on another port", nil, "POST", "/v1/discover", []string{"Origin", "http://localhost:3000"}, 403},
		{"a page without an origin", nil, "POST", "/v1/discover", []string{"Origin", "null"}, 403},
		{"cross-site", nil, "POST", "/v1/discover", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"same-site", nil, "POST", "/v1/discover", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"a trusted page", trusted, "POST", "/v1/discover", []string{"Origin", "https://dash.example.org", "Sec-Fetch-Site", "cross-site"}, 200},
		{"a foreign page on a compatible route", nil, "POST", "/discover", []string{"Origin", "https://evil.example"}, 403},
		{"a foreign page that deletes", nil, "DELETE", "/v1/agents/Lightbulb_Definition_AI", []string{"Origin", "https://evil.example"}, 403},
		{"a foreign page that reads", nil, "GET", "/v1/agents", []string{"Origin", "https://evil.example"}, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rec := ask(t, tc.change, tc.method, tc.path, "localhost:5000", tc.headers...)
			if rec.Code != tc.status {
				t.Errorf("got %d: %s", rec.Code, rec.Body)
			}
			if rec.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Error("another origin may read the reply")
			}
		})
	}
}

func TestBadOriginInTheConfiguration(t *testing.T) {
	w := &world{}
	cfg := config(w)
	cfg.Runs, cfg.Agents, cfg.Discover, cfg.Breakers = &fakeRuns{}, &fakeAgents{}, &fakeDirectory{}, &fakeBreakers{}
	cfg.Origins = []string{"dash.example.org"}
	if _, err := New(cfg); err == nil {
		t.Error("an origin without a scheme was taken")
	}
	if _, err := New(Config{}); err == nil || strings.Count(err.Error(), "required") != 5 {
		t.Errorf("an empty configuration gave %v", err)
	}
}

func TestTokens(t *testing.T) {
	at := func(listen, token string, insecure bool) func(*Config) {
		return func(c *Config) { c.Listen, c.Token, c.Insecure = listen, token, insecure }
	}
	const packet = `{"name":"P","concepts":["x"],"template":{"kind":"image","image":"x:1"}}`
	const secret = `{"name":"P","concepts":["x"],"endpoint":"http://127.0.0.1:1/q","auth":{"scheme":"bearer","env":"HOME"}}`
	const harmless = `{"name":"P","concepts":["x"],"endpoint":"http://127.0.0.1:1/q"}`
	for _, tc := range []struct {
		name     string
		change   func(*Config)
		method   string
		path     string
		body     string
		auth     string
		admitted bool
	}{
		{"loopback asks for none", at("127.0.0.1:1", testToken, false), "GET", "/v1/agents", "", "", true},
		{"off loopback asks", at("0.0.0.0:1", testToken, false), "GET", "/v1/agents", "", "", false},
		{"off loopback, the token", at("0.0.0.0:1", testToken, false), "GET", "/v1/agents", "", "Bearer " + testToken, true},
		{"the scheme in any case", at("0.0.0.0:1", testToken, false), "GET", "/v1/agents", "", "bearer " + testToken, true},
		{"another token", at("0.0.0.0:1", testToken, false), "GET", "/v1/agents", "", "Bearer other", false},
		{"a longer token", at("0.0.0.0:1", testToken, false), "GET", "/v1/agents", "", "Bearer " + testToken + "x", false},
		{"another scheme", at("0.0.0.0:1", testToken, false), "GET", "/v1/agents", "", "Basic " + testToken, false},
		{"an empty token is none", at("0.0.0.0:1", "", false), "GET", "/v1/agents", "", "Bearer ", false},
		{"a compatible route", at("0.0.0.0:1", testToken, false), "GET", "/agents", "", "", false},
		{"the metrics", at("0.0.0.0:1", testToken, false), "GET", "/metrics", "", "", false},
		{"the document", at("0.0.0.0:1", testToken, false), "GET", "/openapi.json", "", "", false},
		{"livez", at("0.0.0.0:1", testToken, false), "GET", "/livez", "", "", true},
		{"readyz", at("0.0.0.0:1", testToken, false), "GET", "/readyz", "", "", true},
		{"health", at("0.0.0.0:1", testToken, false), "GET", "/health", "", "", true},
		{"an address that cannot be read", at("", testToken, false), "GET", "/v1/agents", "", "", false},
		{"insecure", at("0.0.0.0:1", testToken, true), "GET", "/v1/agents", "", "", true},
		{"localhost by name", at("localhost:1", testToken, false), "GET", "/v1/agents", "", "", true},
		{"a harmless agent on loopback", at("127.0.0.1:1", testToken, false), "POST", "/v1/agents", harmless, "", true},
		{"a container on loopback", at("127.0.0.1:1", testToken, false), "POST", "/v1/agents", packet, "", false},
		{"a container with the token", at("127.0.0.1:1", testToken, false), "POST", "/v1/agents", packet, "Bearer " + testToken, true},
		{"a container by PUT", at("127.0.0.1:1", testToken, false), "PUT", "/v1/agents/P", packet, "", false},
		{"a container, insecure", at("0.0.0.0:1", testToken, true), "POST", "/v1/agents", packet, "", false},
		{"a container where there is no token", at("127.0.0.1:1", "", false), "POST", "/v1/agents", packet, "Bearer ", false},
		{"a credential of the server on loopback", at("127.0.0.1:1", testToken, false), "POST", "/v1/agents", secret, "", false},
		{"a credential with the token", at("127.0.0.1:1", testToken, false), "POST", "/v1/agents", secret, "Bearer " + testToken, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, tc.change)
			got := w.do(tc.method, tc.path, tc.body, "Authorization", tc.auth, "Host", "127.0.0.1")
			if admitted := got.status < 300; admitted != tc.admitted {
				t.Fatalf("got %d: %s", got.status, got.body)
			}
			if !tc.admitted && (got.status != 401 || got.header.Get("WWW-Authenticate") == "") {
				t.Errorf("got %d, WWW-Authenticate %q", got.status, got.header.Get("WWW-Authenticate"))
			}
			if strings.Contains(got.body, testToken) {
				t.Error("the reply holds the token")
			}
		})
	}
}

func TestPanicBecomesAProblem(t *testing.T) {
	w := newWorld(t)
	w.runs.do = func(context.Context, myriad.RunRequest) (*myriad.RunRecord, error) { panic("secret state") }
	got := w.do("POST", "/v1/runs", `{"tasks":[]}`)
	if p := got.problem(t, 500, myriad.CodeInternal); strings.Contains(p.Detail, "secret") {
		t.Errorf("the client was told %q", p.Detail)
	}
	if got := w.do("POST", "/process", `{"query":"x"}`); got.status != 500 || !strings.HasPrefix(got.body, `{"error":`) {
		t.Errorf("the compatible route gave %d %s", got.status, got.body)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	stacks := 0
	for _, e := range w.events {
		if e.Kind == myriad.KindPanic && strings.Contains(e.Reason, "secret state") && strings.Contains(e.Stack, "TestPanicBecomesAProblem") {
			stacks++
		}
	}
	if stacks != 2 {
		t.Errorf("%d panics were told with their stack, want 2", stacks)
	}
}

// TestPanicInAStreamBreaksIt: what has begun as a success must not end as if it were whole.
func TestPanicInAStreamBreaksIt(t *testing.T) {
	w := newWorld(t)
	w.runs.doStream = func(_ context.Context, _ myriad.RunRequest, fn func(myriad.RunEvent) error) error {
		if err := fn(myriad.RunEvent{ID: 1, Kind: "run.started", Data: []byte("{}")}); err != nil {
			return err
		}
		panic("in the middle")
	}
	res := w.open("POST", "/v1/runs", `{"tasks":[]}`, "Accept", typeSSE)
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the stream ended with %v, want it broken", err)
	}
}

func TestSecurityHeaders(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/v1/agents", "/health", "/nowhere"} {
		h := w.do("GET", path, "").header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") == "" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s came with %v", path, h)
		}
	}
}

func TestUnroutedIsJSON(t *testing.T) {
	w := newWorld(t)
	w.do("GET", "/v1/nothing", "").problem(t, 404, myriad.CodeNotFound)
	w.do("GET", "/v1//runs", "").problem(t, 404, myriad.CodeNotFound)
	w.do("GET", "/v1/agents/", "").problem(t, 404, myriad.CodeNotFound)
	got := w.do("PATCH", "/v1/runs", `{}`)
	got.problem(t, 405, myriad.CodeMethod)
	if allow := got.header.Get("Allow"); allow != "GET, HEAD, POST, OPTIONS" {
		t.Errorf("Allow: %s", allow)
	}
	w.do("GET", "/v1/runs?limt=5", "").problem(t, 400, myriad.CodeInvalid)
	if got := w.do("GET", "/agents?whatever=1", ""); got.status != 200 {
		t.Errorf("a compatible route minds parameters: %d", got.status)
	}
}
