package httpapi

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// firstComment is how long a stream waits for its first event before it shows that it is open. Until then a failure can still be told
// as a problem with its status.
const firstComment = 500 * time.Millisecond

// errNothing is a stream that ended well without an event: there is nothing to resume.
var errNothing = errors.New("nothing to stream")

// stream is one text/event-stream reply. Its head goes out with the first event or comment. Events come from the feed, comments from beat.
type stream struct {
	w      *responder
	cancel context.CancelCauseFunc // ends the feed when the reader is gone or too slow

	mu   sync.Mutex // guards the rest and the writing
	open bool
	busy bool // something was sent since the last beat
	err  error
	buf  []byte
}

// lastEventOf is the id of the event that a reader has seen last, "" when there is none. What the id looks like is the stream's own.
func lastEventOf(r *http.Request) (string, error) {
	lines := r.Header["Last-Event-Id"]
	switch len(lines) {
	case 0:
		return "", nil
	case 1:
		return lines[0], nil
	}
	return "", notAnID("is given more than once")
}

// notAnID refuses a Last-Event-ID: from where to go on cannot be told, and a guess would lose events or tell them twice.
func notAnID(rule string) error {
	return myriad.Invalid([]myriad.Mistake{{Path: "Last-Event-ID", Rule: rule}})
}

// streaming runs feed with a stream until feed returns, with comments into its silences. feed's ctx ends when the reader leaves or does
// not read. An error of feed before the first event is returned; afterwards the stream just ends.
func (a *API) streaming(w *responder, r *http.Request, feed func(ctx context.Context, s *stream) error) error {
	ctx, cancel := context.WithCancelCause(r.Context())
	s := &stream{w: w, cancel: cancel}
	var beating sync.WaitGroup
	defer beating.Wait()
	defer cancel(nil)
	beating.Go(func() { s.beat(ctx, a.cfg.KeepAlive) })

	err := feed(ctx, s)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.open:
		if err != nil && s.err == nil && r.Context().Err() == nil {
			a.cfg.Logger.DebugContext(ctx, "stream ended early", "path", r.URL.Path, "error", err)
		}
		return nil
	case err != nil:
		s.err = err // beat must not open it now
		return err
	}
	s.err = errNothing
	w.WriteHeader(http.StatusNoContent) // tells an EventSource not to come again
	return nil
}

// event sends one event. Its error is final: the reader has gone or reads too slowly.
func (s *stream) event(id, kind string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = appendEvent(s.buf[:0], id, kind, data)
	return s.send()
}

// beat comments on every silence until ctx ends.
func (s *stream) beat(ctx context.Context, every time.Duration) {
	wait := time.NewTimer(min(firstComment, every))
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		s.comment()
		wait.Reset(every)
	}
}

func (s *stream) comment() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy {
		s.busy = false
		return
	}
	s.buf = append(s.buf[:0], ": keep-alive\n\n"...)
	_ = s.send() // s.err keeps it
	s.busy = false
}

// send writes and flushes buf, under mu.
func (s *stream) send() error {
	if s.err != nil {
		return s.err
	}
	if !s.open {
		s.open = true
		h := s.w.Header()
		h.Set("Content-Type", typeSSE)
		h.Set("X-Accel-Buffering", "no") // proxies of that family would hold events back
		s.w.WriteHeader(http.StatusOK)
	}
	s.busy = true
	s.w.extend()
	_, err := s.w.Write(s.buf)
	if err == nil {
		err = s.w.control.Flush()
	}
	if err != nil {
		s.err = err
		s.cancel(err)
	}
	if cap(s.buf) > keepSize {
		s.buf = nil
	}
	return err
}

// appendEvent writes one event. A line break inside data, which JSON has between its tokens only, begins a new data line.
func appendEvent(b []byte, id, kind string, data []byte) []byte {
	if id != "" {
		b = append(append(append(b, "id: "...), id...), '\n')
	}
	b = append(append(append(b, "event: "...), kind...), '\n')
	for more := true; more; {
		var line []byte
		line, data, more = cutLine(data)
		b = append(append(append(b, "data: "...), line...), '\n')
	}
	return append(b, '\n')
}

func cutLine(data []byte) (line, rest []byte, more bool) {
	i := bytes.IndexAny(data, "\r\n")
	if i < 0 {
		return data, nil, false
	}
	if data[i] == '\r' && i+1 < len(data) && data[i+1] == '\n' {
		return data[:i], data[i+2:], true
	}
	return data[:i], data[i+1:], true
}

// wantsStream says whether the client asked for an event stream.
func wantsStream(r *http.Request) bool {
	for _, accept := range r.Header["Accept"] {
		for part := range strings.SplitSeq(accept, ",") {
			media, params, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(media), typeSSE) && !unwanted(params) {
				return true
			}
		}
	}
	return false
}

// unwanted says whether the parameters of a media range give it the quality 0, in any of the ways to write that.
func unwanted(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if q, err := strconv.ParseFloat(value, 64); strings.EqualFold(name, "q") && err == nil && q == 0 {
			return true
		}
	}
	return false
}
