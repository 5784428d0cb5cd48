package httpapi

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/myriad-mind/myriad"
)

const (
	smallBody = 64 << 10 // limit of requests that hold a name or two
	agentBody = 4 << 20  // limit of one agent, its knowledge included
	trustBody = 64 << 10 // how far a Content-Length is believed before the bytes are there
)

// bodyOf is the body for a route's handler, in the form that the route takes; routes that take none get what little there is.
func (a *API) bodyOf(w *responder, r *http.Request, rt *route) ([]byte, error) {
	said := rt.body != nil && r.ContentLength != 0
	if said && rt.dialect == native {
		if err := checkForm(w, r, native, nil); err != nil {
			return nil, err
		}
	}
	body, err := a.readBody(w, r, rt)
	switch {
	case err != nil:
		return nil, err
	case rt.body != nil && len(body) == 0:
		return nil, myriad.Invalid([]myriad.Mistake{{Rule: "the request needs a JSON body"}})
	case said && rt.dialect != native:
		return body, checkForm(w, r, rt.dialect, body)
	}
	return body, nil
}

// readBody reads the request's body whole, within the route's limit and the time for it. The bytes belong to the caller: runs keep
// parts of them, so they are not pooled.
func (a *API) readBody(w *responder, r *http.Request, rt *route) ([]byte, error) {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	limit := a.limit(rt)
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	body, err := readAll(http.MaxBytesReader(w.ResponseWriter, r.Body, limit), r.ContentLength)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge(limit)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errBodyTimeout
	case err != nil:
		return nil, &myriad.Error{Code: myriad.CodeInvalid, Message: "the body broke off: " + err.Error(), Err: err,
			Mistakes: []myriad.Mistake{{Rule: "broke off"}}}
	}
	// The deadline that enter set must be gone before the handler starts: with it the server watches the connection meanwhile. It stays
	// for a body that did not come in whole, whose rest the server drains.
	_ = w.control.SetReadDeadline(time.Time{})
	return body, nil
}

// limit is what the route's body may have; routes without one let a stray body of a little pass unread.
func (a *API) limit(rt *route) int64 {
	switch {
	case rt.body == nil:
		return smallBody
	case rt.body.limit > 0:
		return min(rt.body.limit, a.cfg.MaxBody)
	}
	return a.cfg.MaxBody
}

// readAll is io.ReadAll with room made beforehand, but not on a client's mere word.
func readAll(r io.Reader, declared int64) ([]byte, error) {
	room := int64(512)
	if declared > 0 {
		room = min(declared, trustBody) + 1 // one more, so that the end is seen without growing
	}
	b := make([]byte, 0, room)
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

func tooLarge(limit int64) error {
	return myriad.Errorf(myriad.CodeTooLarge, "the body is larger than the %d bytes that this route takes", limit)
}
