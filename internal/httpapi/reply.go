package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// The content types of replies.
const (
	typeJSON    = "application/json"
	typeProblem = "application/problem+json"
	typeSSE     = "text/event-stream"
)

const (
	chunkSize = 256 << 10 // bytes of a reply that must go out within one write timeout
	pieceSize = 64 << 10  // bytes of a reply that are sent before the rest is made
	keepSize  = 1 << 20   // largest buffer worth keeping for the next reply
)

// responder is the writer that handlers get. It knows whether a reply has begun, and gives every write a deadline of its own, so that a
// reader that stops reading is not waited for, while a long stream lives on.
type responder struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	began   bool
}

func newResponder(w http.ResponseWriter, timeout time.Duration) *responder {
	return &responder{ResponseWriter: w, control: http.NewResponseController(w), timeout: timeout}
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (w *responder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader begins the reply.
func (w *responder) WriteHeader(status int) {
	if status >= 200 {
		w.began = true
		w.extend()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends b in pieces, each within the write timeout.
func (w *responder) Write(b []byte) (int, error) {
	if !w.began {
		w.WriteHeader(http.StatusOK)
	}
	sent := 0
	for first := true; first || sent < len(b); first = false {
		if !first {
			w.extend()
		}
		n, err := w.ResponseWriter.Write(b[sent:min(sent+chunkSize, len(b))])
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// extend moves the write deadline. A writer without deadlines (HTTP in tests) goes without.
func (w *responder) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(w.timeout)) }

// reply sends a whole body. A client that has gone is none of the handler's business.
func (a *API) reply(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h["Content-Type"] = []string{contentType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// replyJSON sends v, one of the reply types of the table.
func (a *API) replyJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode a reply: %w", err)
	}
	a.reply(w, status, typeJSON, append(b, '\n'))
	return nil
}

// buffers are for replies that are appended together.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// spilling is one reply while it is appended. What fits into a piece goes out whole with its length; a longer reply goes out piece by piece
// while it is made, so that it is never in memory whole.
type spilling struct {
	w    *responder
	gone bool // the client is: the rest is made for nobody
}

// spill sends what has come together when that is a piece, and gives back what to append to.
func (s *spilling) spill(b []byte) []byte {
	if len(b) < pieceSize {
		return b
	}
	if !s.w.began {
		s.w.Header()["Content-Type"] = []string{typeJSON}
		s.w.WriteHeader(http.StatusOK)
	}
	s.send(b)
	return b[:0]
}

func (s *spilling) send(b []byte) {
	if s.gone {
		return
	}
	s.w.extend()
	_, err := s.w.Write(b)
	s.gone = err != nil
}

// replyAppended sends what build appends to a pooled buffer, as JSON with status 200. build hands the buffer to spill wherever it may be sent.
func (a *API) replyAppended(w *responder, build func(b []byte, spill func([]byte) []byte) []byte) {
	buf := buffers.Get().(*[]byte)
	s := spilling{w: w}
	*buf = append(build((*buf)[:0], s.spill), '\n')
	if w.began {
		s.send(*buf)
	} else {
		a.reply(w, http.StatusOK, typeJSON, *buf)
	}
	if cap(*buf) <= keepSize {
		buffers.Put(buf)
	}
}
