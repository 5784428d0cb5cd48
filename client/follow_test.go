package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// stream answers with an event stream that ends after body; cut ends it by closing the connection in the middle.
func stream(body string, cut bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, body)
		_ = http.NewResponseController(w).Flush()
		if cut {
			panic(http.ErrAbortHandler)
		}
	}
}

func event(id int, kind string) string {
	return fmt.Sprintf("id: %d\nevent: %s\ndata: {}\n\n", id, kind)
}

// collect gathers events as "id kind".
func collect(into *[]string) func(myriad.RunEvent) error {
	return func(ev myriad.RunEvent) error {
		*into = append(*into, fmt.Sprint(ev.ID, " ", ev.Kind))
		return nil
	}
}

func TestFollowResumesWhereItBroke(t *testing.T) {
	c, s := against(t, client.Config{},
		stream(": keep-alive\n\n"+event(1, "run.started")+event(2, "task.started"), true),
		reply(503, `{"detail":"restarting"}`),
		stream(event(2, "task.started")+event(3, "task.finished"), false), // repeats one
		stream(event(4, "run.finished")+event(5, "never"), false),
	)
	var got []string
	if err := c.Follow(t.Context(), "r1", 0, collect(&got)); err != nil {
		t.Fatal(err)
	}
	if want := "1 run.started,2 task.started,3 task.finished,4 run.finished"; strings.Join(got, ",") != want {
		t.Errorf("got %v", got)
	}
	var ids []string
	for i, h := range s.headers {
		ids = append(ids, h.Get("Last-Event-ID"))
		if s.asked[i] != "GET /v1/runs/r1/events" || h.Get("Accept") != "text/event-stream" {
			t.Errorf("asked %s %v", s.asked[i], h)
		}
	}
	if strings.Join(ids, ",") != ",2,2,3" {
		t.Errorf("resumed from %q", ids)
	}
}

func TestFollowFromANumber(t *testing.T) {
	c, s := against(t, client.Config{}, stream(event(6, "task.finished")+event(7, "run.finished"), false))
	var got []string
	if err := c.Follow(t.Context(), "r1", 5, collect(&got)); err != nil || len(got) != 2 {
		t.Errorf("%v %v", got, err)
	}
	if _, h := s.last(); h.Get("Last-Event-ID") != "5" {
		t.Error(h)
	}
}

func TestFollowOfWhatIsOver(t *testing.T) {
	c, s := against(t, client.Config{}, reply(204, ""))
	var got []string
	if err := c.Follow(t.Context(), "r1", 9, collect(&got)); err != nil || len(got) != 0 || len(s.asked) != 1 {
		t.Errorf("%v %v after %v", got, err, s.asked)
	}
}

func TestFollowEndsOnWhatWillNotPass(t *testing.T) {
	mine := errors.New("mine")
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		cfg    client.Config
		fn     func(myriad.RunEvent) error
		check  func(error) bool
	}{
		{"no such run", reply(404, `{"detail":"no run"}`), client.Config{}, nil, func(err error) bool { return myriad.ErrorCode(err) == myriad.CodeNotFound }},
		{"no stream", reply(200, `{}`), client.Config{}, nil, func(err error) bool { return myriad.ErrorCode(err) == myriad.CodeInternal }},
		{"no number", stream("id: x\ndata: {}\n\n", false), client.Config{}, nil, func(err error) bool { return myriad.ErrorCode(err) == myriad.CodeInternal }},
		{"own error", stream(event(1, "run.started"), false), client.Config{}, func(myriad.RunEvent) error { return mine }, func(err error) bool { return err == mine }},
		{"own EOF", stream(event(1, "run.started"), false), client.Config{}, func(myriad.RunEvent) error { return io.EOF }, func(err error) bool { return err == io.EOF }},
		{"too large", stream("data: "+strings.Repeat("x", 100)+"\n\n", false), client.Config{MaxEvent: 50}, nil, func(err error) bool { return myriad.ErrorCode(err) == myriad.CodeTooLarge }},
		{"never resumed", stream(event(1, "run.started"), false), client.Config{Resume: -1}, nil, func(err error) bool { return myriad.ErrorCode(err) == myriad.CodeUnavailable }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl, s := against(t, c.cfg, c.answer)
			if c.fn == nil {
				c.fn = func(myriad.RunEvent) error { return nil }
			}
			if err := cl.Follow(t.Context(), "r1", 0, c.fn); !c.check(err) || len(s.asked) != 1 {
				t.Errorf("got %v after %v", err, s.asked)
			}
		})
	}
}

// inMemory carries requests to a handler inside a bubble of virtual time.
type inMemory func(ctx context.Context, body *io.PipeWriter) int

func (f inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	pr, pw := io.Pipe()
	status := make(chan int, 1)
	go func() {
		<-r.Context().Done()
		_ = pw.CloseWithError(r.Context().Err())
	}()
	go func() { status <- f(r.Context(), pw) }()
	return &http.Response{StatusCode: <-status, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: pr, Request: r}, nil
}

func TestASilentStreamIsResumedAndGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		c, err := client.New(client.Config{Idle: 10 * time.Second, Resume: 2, Transport: inMemory(func(context.Context, *io.PipeWriter) int {
			tries++
			return 200
		})})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		err = c.Follow(t.Context(), "r1", 0, func(myriad.RunEvent) error { return nil })
		if myriad.ErrorCode(err) != myriad.CodeUnavailable || !strings.Contains(err.Error(), "silent") || tries != 3 {
			t.Errorf("%d tries: %v", tries, err)
		}
		if took := time.Since(begun); took < 30*time.Second || took > 31*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestKeepAlivesKeepAStreamAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := client.New(client.Config{Idle: 10 * time.Second, Transport: inMemory(func(_ context.Context, w *io.PipeWriter) int {
			go func() {
				for range 10 {
					time.Sleep(9 * time.Second)
					_, _ = io.WriteString(w, ":\n\n")
				}
				_, _ = io.WriteString(w, event(1, "run.finished"))
			}()
			return 200
		})})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		slow := func(ev myriad.RunEvent) error { time.Sleep(time.Minute); return collect(&got)(ev) }
		if err := c.Follow(t.Context(), "r1", 0, slow); err != nil || len(got) != 1 {
			t.Errorf("%v %v", got, err)
		}
	})
}

func TestLeavingAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := client.New(client.Config{Transport: inMemory(func(context.Context, *io.PipeWriter) int { return 200 })})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { time.Sleep(time.Second); cancel() }()
		if err := c.Follow(ctx, "r1", 0, nil); myriad.ErrorCode(err) != myriad.CodeCancelled {
			t.Errorf("cancelled: %v", err)
		}
		late, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Follow(late, "r1", 0, nil); myriad.ErrorCode(err) != myriad.CodeDeadline {
			t.Errorf("deadline: %v", err)
		}
		if err := c.Events(ctx, "", nil); err != nil {
			t.Errorf("events end quietly: %v", err)
		}
	})
}

func TestStreamARun(t *testing.T) {
	c, s := against(t, client.Config{}, stream(event(1, "run.started")+event(2, "run.finished"), false))
	var got []string
	if err := c.Stream(t.Context(), client.Plan{}, collect(&got), client.WithKey("k")); err != nil || len(got) != 2 {
		t.Errorf("%v %v", got, err)
	}
	what, h := s.last()
	if what != `POST /v1/runs {"tasks":[]}` || h.Get("Accept") != "text/event-stream" || h.Get("Idempotency-Key") != "k" {
		t.Errorf("%s %v", what, h)
	}
	mine := errors.New("mine")
	if err := c.Stream(t.Context(), client.Plan{}, func(myriad.RunEvent) error { return mine }); err != mine {
		t.Errorf("own error: %v", err)
	}
	c, s = against(t, client.Config{}, stream(event(1, "run.started"), false))
	if err := c.Stream(t.Context(), client.Plan{}, collect(&got)); myriad.ErrorCode(err) != myriad.CodeUnavailable || len(s.asked) != 1 {
		t.Errorf("a stream that breaks: %v after %v", err, s.asked)
	}
	c, _ = against(t, client.Config{}, reply(400, `{"mistakes":[{"path":"tasks","rule":"missing"}]}`))
	if err := c.Stream(t.Context(), client.Plan{}, collect(&got)); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("a bad plan: %v", err)
	}
}

func TestEventsGoOnAfterABreak(t *testing.T) {
	c, s := against(t, client.Config{},
		stream("id: a\nevent: breaker.changed\ndata: {\"to\":\"open\"}\n\n", true),
		stream("event: gap\ndata: {\"lost\":3}\n\nid: b\nevent: agent.put\ndata: {}\n\n", false))
	stop := errors.New("enough")
	var got []string
	err := c.Events(t.Context(), "", func(ev client.Event) error {
		got = append(got, ev.ID+" "+ev.Kind+" "+string(ev.Data))
		if len(got) == 3 {
			return stop
		}
		return nil
	})
	if err != stop || strings.Join(got, "|") != `a breaker.changed {"to":"open"}| gap {"lost":3}|b agent.put {}` {
		t.Errorf("%q %v", got, err)
	}
	if h := s.headers[1]; h.Get("Last-Event-ID") != "a" {
		t.Errorf("resumed from %q", h.Get("Last-Event-ID"))
	}
}
