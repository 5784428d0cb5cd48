package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

const onePlan = `{"tasks":[{"task_id":1,"concept":"x","intent":"y"}]}`

// slowly answers after d, or when its caller leaves.
func slowly(d time.Duration) func(context.Context, myriad.RunRequest) (*myriad.RunRecord, error) {
	return func(ctx context.Context, req myriad.RunRequest) (*myriad.RunRecord, error) {
		select {
		case <-time.After(d):
			return answered(req)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func TestSynchronousRun(t *testing.T) {
	w := newWorld(t)
	got := w.do("POST", "/v1/runs", onePlan, "Idempotency-Key", "k1", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	var rec myriad.RunRecord
	if err := json.Unmarshal([]byte(got.body), &rec); err != nil || got.status != 200 || rec.RunID != runUUID || len(rec.Results) != 1 {
		t.Fatalf("got %d %s (%v)", got.status, got.body, err)
	}
	req := w.runs.last()
	if req.Dialect != myriad.Native || req.IdempotencyKey != "k1" || !strings.HasPrefix(req.TraceParent, "00-0af7") || string(req.Body) != onePlan {
		t.Errorf("asked for %+v", req)
	}
	w.do("POST", "/v1/runs", onePlan, "Idempotency-Key", strings.Repeat("k", 256)).problem(t, 400, myriad.CodeInvalid)
}

func TestAsynchronousRun(t *testing.T) {
	w := newWorld(t)
	for _, prefer := range []string{"respond-async", "wait=10, Respond-Async; x=1"} {
		got := w.do("POST", "/v1/runs", onePlan, "Prefer", prefer, "Accept", typeSSE)
		if got.status != 202 || got.header.Get("Location") != "/v1/runs/"+runUUID || strings.TrimSpace(got.body) != `{"run_id":"`+runUUID+`","status":"running"}` {
			t.Errorf("Prefer: %s gave %d %v %s", prefer, got.status, got.header, got.body)
		}
	}
}

func TestRunFailuresAreProblems(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
		code   myriad.Code
		retry  string
	}{
		{myriad.Invalid([]myriad.Mistake{{Path: "tasks[3].dependencies[0]", Rule: "unknown"}, {Path: "tasks[0].concept", Rule: "empty"}}), 400, myriad.CodeInvalid, ""},
		{&myriad.Error{Code: myriad.CodeOverloaded, Message: "full", RetryAfter: time.Millisecond}, 429, myriad.CodeOverloaded, "1"},
		{&myriad.Error{Code: myriad.CodeDraining, Message: "bye", RetryAfter: 10 * time.Second}, 503, myriad.CodeDraining, "10"},
		{myriad.Errorf(myriad.CodeKeyReused, "another body"), 422, myriad.CodeKeyReused, ""},
		{fmt.Errorf("wrapped: %w", myriad.Errorf(myriad.CodeTooLarge, "results")), 413, myriad.CodeTooLarge, ""},
		{errors.New("disk /secret/path is full"), 500, myriad.CodeInternal, ""},
		{myriad.Errorf(myriad.CodeInternal, "disk /secret/path is full"), 500, myriad.CodeInternal, ""},
	} {
		w := newWorld(t)
		w.runs.do = func(context.Context, myriad.RunRequest) (*myriad.RunRecord, error) { return nil, tc.err }
		w.runs.doStream = func(context.Context, myriad.RunRequest, func(myriad.RunEvent) error) error { return tc.err }
		for _, accept := range []string{"*/*", typeSSE} {
			got := w.do("POST", "/v1/runs", onePlan, "Accept", accept)
			p := got.problem(t, tc.status, tc.code)
			if got.header.Get("Retry-After") != tc.retry || strings.Contains(p.Detail, "/secret") {
				t.Errorf("%v became %s with Retry-After %q", tc.err, got.body, got.header.Get("Retry-After"))
			}
			if e, ok := errors.AsType[*myriad.Error](tc.err); ok && (len(p.Mistakes) != len(e.Mistakes) || p.RetryAfterMS != e.RetryAfter.Milliseconds()) {
				t.Errorf("%v became %+v", tc.err, p)
			}
		}
	}
}

func TestStreamedRun(t *testing.T) {
	w := newWorld(t)
	res := w.open("POST", "/v1/runs", onePlan, "Accept", "application/json;q=0.5, text/event-stream")
	defer res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != typeSSE {
		t.Fatalf("got %d %v", res.StatusCode, res.Header)
	}
	events := newEventReader(res.Body)
	for i, want := range []string{"run.started", "task.started", "task.finished", "run.finished"} {
		if e := events.next(t); e.kind != want || e.id != fmt.Sprint(i+1) || !json.Valid([]byte(e.data)) {
			t.Errorf("event %d is %+v", i+1, e)
		}
	}
	events.end(t)
}

func TestFollowResumes(t *testing.T) {
	w := newWorld(t)
	res := w.open("GET", "/v1/runs/"+runUUID+"/events", "", "Last-Event-ID", "2")
	defer res.Body.Close()
	events := newEventReader(res.Body)
	for _, want := range []string{"3", "4"} {
		if e := events.next(t); e.id != want {
			t.Errorf("got %+v, want event %s", e, want)
		}
	}
	events.end(t)
}

// TestLeavingCancels: the run of a client that hangs up is cancelled, waiting or streaming, even before its first event.
func TestLeavingCancels(t *testing.T) {
	for _, accept := range []string{"application/json", typeSSE} {
		w := newWorld(t)
		began, ended := make(chan struct{}), make(chan error, 1)
		hang := func(ctx context.Context) error {
			close(began)
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return ctx.Err()
		}
		w.runs.do = func(ctx context.Context, _ myriad.RunRequest) (*myriad.RunRecord, error) { return nil, hang(ctx) }
		w.runs.doStream = func(ctx context.Context, _ myriad.RunRequest, _ func(myriad.RunEvent) error) error { return hang(ctx) }
		conn := w.dial()
		fmt.Fprintf(conn, "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nAccept: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", accept, len(onePlan), onePlan)
		<-began
		_ = conn.Close()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: the run ended by %v", accept, err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the run goes on without its client", accept)
		}
	}
}

// TestLeavingAStreamOfEventsCancels: also once events have flowed.
func TestLeavingAStreamOfEventsCancels(t *testing.T) {
	w := newWorld(t)
	ended := make(chan struct{})
	w.runs.doStream = func(ctx context.Context, _ myriad.RunRequest, fn func(myriad.RunEvent) error) error {
		defer close(ended)
		for i := 1; ; i++ {
			if err := fn(myriad.RunEvent{ID: i, Kind: "task.started", Data: []byte("{}")}); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Millisecond):
			}
		}
	}
	res := w.open("POST", "/v1/runs", onePlan, "Accept", typeSSE)
	newEventReader(res.Body).next(t)
	_ = res.Body.Close()
	<-ended // or the test's time is over
}

// TestSilentStreamIsKeptAlive: comments show that it is open, long before the first event.
func TestSilentStreamIsKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldAt(t, newPipes(), func(c *Config) { c.KeepAlive, c.WriteTimeout = 10*time.Millisecond, 200*time.Millisecond })
		release := make(chan struct{})
		w.runs.follow = func(ctx context.Context, _ string, _ int, fn func(myriad.RunEvent) error) error {
			select {
			case <-release:
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Minute): // only so that a failure ends
				return errors.New("not released")
			}
			return fn(myriad.RunEvent{ID: 1, Kind: "run.finished", Data: []byte("{}")})
		}
		res := w.open("GET", "/v1/runs/"+runUUID+"/events", "")
		defer res.Body.Close()
		lines := bufio.NewReader(res.Body)
		for range 50 { // more than the write timeout's worth
			if line, err := lines.ReadString('\n'); err != nil || line != ": keep-alive\n" && line != "\n" {
				t.Fatalf("got %q, %v", line, err)
			}
		}
		close(release)
		events := &eventReader{lines: lines}
		if e := events.next(t); e.kind != "run.finished" {
			t.Errorf("got %+v", e)
		}
		events.end(t)
	})
}

// TestReaderThatDoesNotReadEndsItsRun: the write deadline bounds it, and nobody else waits.
func TestReaderThatDoesNotReadEndsItsRun(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.WriteTimeout = 100 * time.Millisecond })
	ended := make(chan error, 1)
	big := []byte(`"` + strings.Repeat("x", 1<<20) + `"`)
	w.runs.doStream = func(_ context.Context, _ myriad.RunRequest, fn func(myriad.RunEvent) error) error {
		for i := 1; ; i++ {
			if err := fn(myriad.RunEvent{ID: i, Kind: "task.finished", Data: big}); err != nil {
				ended <- err
				return err
			}
		}
	}
	conn := w.dial()
	fmt.Fprintf(conn, "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(onePlan), onePlan)
	err := <-ended
	if nerr, ok := errors.AsType[net.Error](err); !ok || !nerr.Timeout() {
		t.Errorf("the run ended by %v, want a timeout", err)
	}
}

// TestSlowReaderOfALargeReply gets it whole as long as it reads on, however much longer than one write timeout that takes.
func TestSlowReaderOfALargeReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldAt(t, newPipes(), func(c *Config) { c.WriteTimeout = 300 * time.Millisecond })
		w.runs.do = func(_ context.Context, req myriad.RunRequest) (*myriad.RunRecord, error) {
			rec, err := answered(req)
			rec.Results[0].Answer = myriad.ReadAnswer(json.RawMessage(`{"data":"` + strings.Repeat("x", 24<<20) + `"}`))
			return rec, err
		}
		res := w.open("POST", "/v1/runs", onePlan)
		defer res.Body.Close()
		var total int64
		for start := time.Now(); time.Since(start) < time.Second; { // slow for several write timeouts
			n, err := io.CopyN(io.Discard, res.Body, 1<<20)
			total += n
			if err != nil {
				t.Fatalf("broken after %d bytes: %v", total, err)
			}
			<-time.After(60 * time.Millisecond)
		}
		rest, err := io.Copy(io.Discard, res.Body)
		if total += rest; err != nil || total <= 24<<20 {
			t.Errorf("%d bytes, %v", total, err)
		}
	})
}

// TestLongReply goes out in pieces, and comes to what it would be in one.
func TestLongReply(t *testing.T) {
	w := newWorld(t)
	var rec *myriad.RunRecord
	w.runs.do = func(_ context.Context, req myriad.RunRequest) (*myriad.RunRecord, error) {
		var err error
		rec, err = answered(req)
		one := rec.Results[0]
		for i := range 3000 {
			one.TaskID = myriad.StringID(strconv.Itoa(i))
			rec.Results = append(rec.Results, one)
		}
		return rec, err
	}
	for path, want := range map[string]func() []byte{
		"/v1/runs": func() []byte { return rec.AppendJSON(nil) },
		"/process": func() []byte { return appendProcessed(nil, func(b []byte) []byte { return b }, rec, false) },
	} {
		res := w.open("POST", path, onePlan)
		got, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || string(got) != string(want())+"\n" || len(got) < 2*pieceSize || res.Header.Get("Content-Type") != typeJSON {
			t.Errorf("%s: %d bytes of %d, %v, %v", path, len(got), len(want()), res.Header, err)
		}
	}
}

func TestEventsOnManyLines(t *testing.T) {
	got := string(appendEvent(nil, "7", "task.finished", []byte("{\r\n\"a\": 1,\n\"b\":\r2}")))
	if want := "id: 7\nevent: task.finished\ndata: {\ndata: \"a\": 1,\ndata: \"b\":\ndata: 2}\n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := string(appendEvent(nil, "", "gap", nil)), "event: gap\ndata: \n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	if got := w.do("GET", "/v1/runs?limit=1000", "").body; !strings.Contains(got, `"next_cursor":"c1"`) {
		t.Errorf("got %s", got)
	}
	if got := w.do("GET", "/v1/runs?cursor=c1", "").body; strings.TrimSpace(got) != `{"runs":[]}` {
		t.Errorf("got %s", got)
	}
	for query, path := range map[string]string{"limit=0": "query.limit", "limit=1001": "query.limit", "limit=x": "query.limit", "limit=": "query.limit",
		"cursor=zz": "query.cursor", "cursor=" + strings.Repeat("c", 2049): "query.cursor", "x=1": "query.x"} {
		for _, list := range []string{"/v1/runs", "/v1/concepts"} {
			if p := w.do("GET", list+"?"+query, "").problem(t, 400, myriad.CodeInvalid); paths(p)[0] != path {
				t.Errorf("%s?%.20s gave %+v", list, query, p)
			}
		}
	}
	w.do("GET", "/v1/runs?limit=%zz", "").problem(t, 400, myriad.CodeInvalid)
}
