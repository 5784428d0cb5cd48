package httpapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// newTLSWorld is a world behind TLS, where clients speak HTTP/2.
func newTLSWorld(t *testing.T, change ...func(*Config)) *world {
	t.Helper()
	w := newWorld(t, change...)
	server := httptest.NewUnstartedServer(nil)
	server.Config = Server(ServerConfig{API: w.api})
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	w.url, w.client = server.URL, server.Client()
	return w
}

func TestHTTP2RunsAndStreams(t *testing.T) {
	w := newTLSWorld(t)
	res := w.open("POST", "/v1/runs", onePlan, "Accept", typeSSE)
	defer res.Body.Close()
	if res.ProtoMajor != 2 {
		t.Fatalf("the client speaks %s", res.Proto)
	}
	events := newEventReader(res.Body)
	for _, want := range []string{"run.started", "task.started", "task.finished", "run.finished"} {
		if e := events.next(t); e.kind != want {
			t.Errorf("got %+v, want %s", e, want)
		}
	}
	events.end(t)
	if got := w.do("POST", "/process", `{"query":"x"}`); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := w.do("GET", "/v1/agents", "", "Host", "evil.example"); got.status != 403 {
		t.Errorf("a foreign :authority gave %d", got.status)
	}
}

// TestHTTP2DeadlinesAreOfOneStream: a dripping body is given up without harm to what shares its connection.
func TestHTTP2DeadlinesAreOfOneStream(t *testing.T) {
	w := newTLSWorld(t, func(c *Config) { c.BodyTimeout = 150 * time.Millisecond })
	events, _ := w.listen("")
	drip, drop := io.Pipe()
	defer drop.Close()
	req := w.request("POST", "/v1/runs", "x")
	req.Body, req.ContentLength = drip, 1000
	got := make(chan int, 1)
	go func() {
		res, err := w.client.Do(req)
		if err != nil {
			got <- 0
			return
		}
		_ = res.Body.Close()
		got <- res.StatusCode
	}()
	if _, err := io.WriteString(drop, "{"); err != nil {
		t.Fatal(err)
	}
	if status := <-got; status != http.StatusRequestTimeout {
		t.Errorf("the dripping body gave %d", status)
	}
	w.api.Hub.Emit(myriad.Event{Kind: myriad.KindAgentPut, Agent: "alive"})
	if e := events.next(t); !strings.Contains(e.data, "alive") {
		t.Errorf("got %+v", e)
	}
}
