package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// dial opens a raw connection to the world's server.
func (w *world) dial() net.Conn {
	w.t.Helper()
	conn, err := w.connect(w.t.Context(), "tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second)) // only so that a failure ends
	return conn
}

func TestBodyOverTheLimit(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxBody = 1000 })
	long := `{"tasks":[],"x":"` + strings.Repeat("x", 1000) + `"}`
	p := w.do("POST", "/v1/runs", long).problem(t, 413, myriad.CodeTooLarge)
	if !strings.Contains(p.Detail, "1000 bytes") {
		t.Errorf("the limit is not named: %s", p.Detail)
	}
	if got := w.do("POST", "/process", long); got.status != 413 || !strings.Contains(got.body, "1000 bytes") {
		t.Errorf("the compatible route gave %d %s", got.status, got.body)
	}
	if len(w.runs.seen) != 0 {
		t.Error("a body over the limit got through")
	}
}

// TestChunkedBodyOverTheLimit: a body that does not say its length is measured as it comes.
func TestChunkedBodyOverTheLimit(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxBody = 1000 })
	req := w.request("POST", "/v1/runs", "x")
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("x", 1001))), -1
	res, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 413 {
		t.Errorf("got %d", res.StatusCode)
	}
	req = w.request("POST", "/v1/runs", "x")
	plan := `{"tasks":[{"task_id":1,"concept":"x","intent":"y"}]}`
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(plan)), -1
	res, err = w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || string(w.runs.last().Body) != plan {
		t.Errorf("got %d for %q", res.StatusCode, w.runs.last().Body)
	}
}

func TestLargeBodyArrivesWhole(t *testing.T) {
	w := newWorld(t)
	plan := `{"tasks":[{"task_id":1,"concept":"x","intent":"y","args":{"a":"` + strings.Repeat("0123456789", 300_000) + `"}}]}`
	if got := w.do("POST", "/v1/runs", plan); got.status != 200 || string(w.runs.last().Body) != plan {
		t.Errorf("got %d, %d of %d bytes", got.status, len(w.runs.last().Body), len(plan))
	}
}

// TestDrippingBodyIsGivenUp: a client that sends its body byte by byte gets 408 when the time for it is over, and holds nothing.
func TestDrippingBodyIsGivenUp(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.BodyTimeout = 150 * time.Millisecond })
	for _, path := range []string{"/v1/runs", "/process", "/v1/agents"} {
		conn := w.dial()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", path)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != 408 || !strings.Contains(string(body), "in time") {
			t.Errorf("%s: got %d %s", path, res.StatusCode, body)
		}
		if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: the connection lives on: %v", path, err)
		}
	}
}

// TestDrippingBodyThatNobodyReads: it must not hold the connection when the route has no use for it either.
func TestDrippingBodyThatNobodyReads(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.BodyTimeout = 150 * time.Millisecond })
	for _, start := range []string{"GET /health", "POST /nowhere", "POST /v1/runs?x=1"} {
		conn := w.dial()
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", start)
		if _, err := io.Copy(io.Discard, conn); err != nil { // until the server closes it
			t.Errorf("%s: %v", start, err)
		}
	}
}

// TestRunOutlivesTheBodyTimeout: the deadline for the body must not end the run that the body asked for.
func TestRunOutlivesTheBodyTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldAt(t, newPipes(), func(c *Config) { c.BodyTimeout, c.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond })
		w.runs.do = slowly(200 * time.Millisecond)
		if got := w.do("POST", "/v1/runs", onePlan); got.status != 200 {
			t.Errorf("got %d %s", got.status, got.body)
		}
	})
}

// TestConnectionOutlivesTheWriteTimeout: the write deadline of one reply must not hit the next on the same connection.
func TestConnectionOutlivesTheWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldAt(t, newPipes(), func(c *Config) { c.WriteTimeout = time.Second })
		conn := w.dial()
		lines := bufio.NewReader(conn)
		for range 2 {
			fmt.Fprint(conn, "DELETE /v1/runs/"+runUUID+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
			res, err := http.ReadResponse(lines, nil)
			if err != nil || res.StatusCode != 204 {
				t.Fatalf("got %v, %v", res, err)
			}
			<-time.After(1200 * time.Millisecond) // past the deadline of the reply before
		}
	})
}

// TestExpectContinue: a client that waits to be told gets its 100, and a body that is refused is never sent.
func TestExpectContinue(t *testing.T) {
	w := newWorld(t)
	conn := w.dial()
	lines := bufio.NewReader(conn)
	fmt.Fprint(conn, "POST /process HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 13\r\nExpect: 100-continue\r\n\r\n")
	if res, err := http.ReadResponse(lines, nil); err != nil || res.StatusCode != 100 {
		t.Fatalf("got %v, %v", res, err)
	}
	fmt.Fprint(conn, `{"query":"x"}`)
	if res, err := http.ReadResponse(lines, nil); err != nil || res.StatusCode != 200 {
		t.Fatalf("got %v, %v", res, err)
	}
	conn = w.dial()
	fmt.Fprint(conn, "POST /process HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\nContent-Length: 13\r\nExpect: 100-continue\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != 403 {
		t.Fatalf("got %v, %v", res, err)
	}
}

func TestMediaTypes(t *testing.T) {
	w := newWorld(t)
	const plan = `{"tasks":[{"task_id":1,"concept":"x","intent":"y"}]}`
	for media, want := range map[string][2]int{ // native, compatible
		"application/json":                  {200, 200},
		"Application/JSON; charset=utf-8":   {200, 200},
		"application/vnd.x+json":            {415, 200},
		"text/plain":                        {415, 400},
		"application/x-www-form-urlencoded": {415, 400},
		"nonsense;;":                        {415, 400},
		"":                                  {415, 400},
	} {
		if got := w.do("POST", "/v1/runs", plan, "Content-Type", media).status; got != want[0] {
			t.Errorf("native with %q gave %d, want %d", media, got, want[0])
		}
		if got := w.do("POST", "/process", plan, "Content-Type", media).status; got != want[1] {
			t.Errorf("compatible with %q gave %d, want %d", media, got, want[1])
		}
	}
}

// TestMissingBodiesAreMistakesLikeOthers: what is wrong with a body as a whole is in the list of mistakes too, on every native route that needs one.
func TestMissingBodiesAreMistakesLikeOthers(t *testing.T) {
	w := newWorld(t)
	for _, rt := range w.api.table {
		if rt.body == nil || rt.dialect != native {
			continue
		}
		path := strings.NewReplacer("{name}", "x").Replace(rt.path)
		p := w.do(rt.method, path, "").problem(t, 400, myriad.CodeInvalid)
		if len(p.Mistakes) != 1 || p.Mistakes[0] != (myriad.Mistake{Rule: "the request needs a JSON body"}) {
			t.Errorf("%s %s: %+v", rt.method, path, p)
		}
		conn := w.dial()
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", rt.method, path)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		p = answer{res.StatusCode, res.Header, string(body)}.problem(t, 400, myriad.CodeInvalid)
		if len(p.Mistakes) != 1 || p.Mistakes[0].Path != "" {
			t.Errorf("%s %s broken off: %+v", rt.method, path, p)
		}
	}
}
