package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/myriad-mind/myriad"
)

// errSilent is the cause of a stream that was given up because nothing came, not even a keep-alive.
var errSilent = errors.New("the stream fell silent")

// errNothing says that the run is over and every event of it was told before.
var errNothing = errors.New("nothing more to tell")

// The waits between two tries to resume a broken stream: doubling, with full jitter on the upper half.
const (
	firstResume = 100 * time.Millisecond
	lastResume  = 5 * time.Second
)

// stopError carries the error of the caller's own function through the resume loop.
type stopError struct{ err error }

func (e stopError) Error() string { return e.err.Error() }

// Follow tells fn the events of a run after number after (0 is all), in order and each once, and returns nil after run.finished, or at once
// when there is nothing after it. A stream that breaks is resumed where it broke off. An error of fn ends it and is returned as it is.
func (c *Client) Follow(ctx context.Context, id string, after int, fn func(myriad.RunEvent) error) error {
	r := request{method: http.MethodGet, path: runsPath + "/" + seg(id) + "/events"}
	return c.resuming(ctx, func() (done, progress bool, err error) {
		r := r.with(nil)
		if after > 0 {
			r.header.Set("Last-Event-ID", strconv.Itoa(after))
		}
		before := after
		done, err = c.runEvents(ctx, r, &after, fn)
		return done, after > before, err
	})
}

// Stream carries plan out and tells fn its events as they happen; it returns nil after run.finished. Leaving, by ctx or an error of fn,
// cancels the run. A stream that breaks is an error: the server has cancelled the run then.
func (c *Client) Stream(ctx context.Context, plan json.Marshaler, fn func(myriad.RunEvent) error, opts ...Option) error {
	after := 0
	done, err := c.runEvents(ctx, request{method: http.MethodPost, path: runsPath, body: plan}.with(opts), &after, fn)
	if stop, ok := errors.AsType[stopError](err); ok {
		return stop.err
	}
	if err == nil && !done {
		err = myriad.Errorf(myriad.CodeUnavailable, "POST %s: the stream ended before the run did", runsPath)
	}
	return err
}

// runEvents reads one stream of run events. done says that run.finished came; after is the number of the last event told.
func (c *Client) runEvents(ctx context.Context, r request, after *int, fn func(myriad.RunEvent) error) (done bool, err error) {
	err = c.stream(ctx, r, func(ev sseEvent) error {
		n, err := strconv.Atoi(ev.id)
		if err != nil || n < 1 {
			return myriad.Errorf(myriad.CodeInternal, "%s %s: an event has the id %.20q, not a number", r.method, r.path, ev.id)
		}
		if n <= *after { // told before the stream broke
			return nil
		}
		if err := fn(myriad.RunEvent{ID: n, Kind: ev.kind, Data: ev.data}); err != nil {
			return stopError{err}
		}
		*after = n
		if ev.kind == myriad.EventRunFinished {
			done = true
			return io.EOF
		}
		return nil
	})
	if errors.Is(err, errNothing) {
		return true, nil
	}
	return done, err
}

// Event is one event of the server's own stream: breakers, agents, parks, the graph. Kind "gap" marks events that were lost because this
// subscriber was too slow.
type Event struct {
	ID   string
	Kind string
	Data json.RawMessage
}

// Events tells fn what happens on the server from now on, until ctx ends (which is no error) or fn gives an error. A broken stream is
// taken up again; lastID, when not "", asks for what came after that event, as far as the server still has it.
func (c *Client) Events(ctx context.Context, lastID string, fn func(Event) error) error {
	err := c.resuming(ctx, func() (done, progress bool, err error) {
		r := request{method: http.MethodGet, path: "/v1/events"}.with(nil)
		if lastID != "" {
			r.header.Set("Last-Event-ID", lastID)
		}
		err = c.stream(ctx, r, func(ev sseEvent) error {
			progress = true
			if err := fn(Event{ID: ev.id, Kind: ev.kind, Data: ev.data}); err != nil {
				return stopError{err}
			}
			if ev.id != "" {
				lastID = ev.id
			}
			return nil
		})
		if errors.Is(err, errNothing) { // the server is going; another may come
			err = nil
		}
		return false, progress, err
	})
	if code := myriad.ErrorCode(err); ctx.Err() != nil && (code == myriad.CodeCancelled || code == myriad.CodeDeadline) {
		return nil
	}
	return err
}

// resuming calls once until it is done, waiting longer each time that it brought nothing new.
func (c *Client) resuming(ctx context.Context, once func() (done, progress bool, err error)) error {
	wait, idle := firstResume, 0
	for {
		done, progress, err := once()
		if stop, ok := errors.AsType[stopError](err); ok {
			return stop.err
		}
		if done {
			return nil
		}
		if err != nil && !resumable(err) {
			return err
		}
		if progress {
			wait, idle = firstResume, 0
		}
		if idle++; idle > c.cfg.Resume {
			return cmpErr(err, myriad.Errorf(myriad.CodeUnavailable, "the stream from %s ended %d times without anything new", c.base.Host, idle))
		}
		pause := wait/2 + rand.N(wait/2+1)
		if e, ok := errors.AsType[*myriad.Error](err); ok {
			pause = max(pause, min(e.RetryAfter, lastResume))
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		wait = min(2*wait, lastResume)
	}
}

// resumable says whether the failure of a stream may pass.
func resumable(err error) bool {
	switch myriad.ErrorCode(err) {
	case myriad.CodeUnavailable, myriad.CodeOverloaded, myriad.CodeDraining:
		return true
	}
	return false
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
	}
	code := myriad.CodeCancelled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = myriad.CodeDeadline
	}
	return &myriad.Error{Code: code, Message: "gave up waiting for the stream: " + ctx.Err().Error(), Err: ctx.Err()}
}

// stream reads one event stream and tells each. io.EOF of tell ends it well; the end of the stream itself is nil too.
func (c *Client) stream(ctx context.Context, r request, tell func(sseEvent) error) error {
	r.header.Set("Accept", "text/event-stream")
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(c.cfg.Idle, func() { cancel(errSilent) })
	defer watch.Stop()
	res, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNoContent {
		return errNothing
	}
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind != "text/event-stream" {
		return myriad.Errorf(myriad.CodeInternal, "%s %s: expected an event stream, got %.60q", r.method, r.path, res.Header.Get("Content-Type"))
	}
	events := newSSEReader(readerFunc(func(p []byte) (int, error) {
		n, err := res.Body.Read(p)
		watch.Reset(c.cfg.Idle)
		return n, err
	}), c.cfg.MaxEvent)
	for {
		ev, err := events.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case myriad.ErrorCode(err) == myriad.CodeTooLarge:
			return err
		case err != nil:
			return c.failure(ctx, r, err)
		}
		watch.Stop() // the caller's function may take its time
		if err := tell(ev); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		watch.Reset(c.cfg.Idle)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
