package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// Problem is the body of a failed native request (RFC 9457).
type Problem struct {
	Type         string           `json:"type" jsonschema:"urn:myriad:problem: and the code"`
	Title        string           `json:"title"`
	Status       int              `json:"status"`
	Detail       string           `json:"detail"`
	Code         myriad.Code      `json:"code" jsonschema:"stable word to compare"`
	Mistakes     []myriad.Mistake `json:"mistakes,omitempty" jsonschema:"every broken rule of the request"`
	RetryAfterMS int64            `json:"retry_after_ms,omitempty" jsonschema:"when trying again may help"`
	Instance     string           `json:"instance,omitempty"`
}

// CompatError is the body of a failed compatible request.
type CompatError struct {
	Error string `json:"error"`
}

// TesterError is the body of a failed POST /run_orchestration.
type TesterError struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	Details string `json:"details,omitempty" jsonschema:"the body that /process would have answered with"`
}

// errBodyTimeout is a body that did not come in time; it has a status of its own that no code has.
var errBodyTimeout = errors.New("the request's body did not come in time")

// failure is an error as it goes over the wire, in whatever shape.
type failure struct {
	status  int
	code    myriad.Code
	message string
	err     *myriad.Error // nil when there was none in the chain
}

// failureOf reads an error for the wire. What is internal keeps its text to itself: that is for the log.
func failureOf(err error) failure {
	e, ok := errors.AsType[*myriad.Error](err)
	switch {
	case errors.Is(err, errBodyTimeout):
		return failure{status: http.StatusRequestTimeout, code: myriad.CodeDeadline, message: err.Error()}
	case ok && e.Code != myriad.CodeInternal:
		return failure{status: e.Code.HTTPStatus(), code: e.Code, message: err.Error(), err: e}
	case errors.Is(err, context.Canceled):
		return failure{status: myriad.CodeCancelled.HTTPStatus(), code: myriad.CodeCancelled, message: "the request was cancelled"}
	case errors.Is(err, context.DeadlineExceeded):
		return failure{status: myriad.CodeDeadline.HTTPStatus(), code: myriad.CodeDeadline, message: "the time for the request ran out"}
	}
	return failure{status: http.StatusInternalServerError, code: myriad.CodeInternal,
		message: "the server failed; its log has the cause"}
}

func (f failure) problem() Problem {
	p := Problem{Type: "urn:myriad:problem:" + string(f.code), Title: title(f.code), Status: f.status, Detail: f.message, Code: f.code}
	if f.err != nil {
		p.Mistakes = f.err.Mistakes
		p.RetryAfterMS = f.err.RetryAfter.Milliseconds()
	}
	return p
}

// maxTold is how many mistakes a text tells.
const maxTold = 50

// whole is the message with all the mistakes in it, for bodies that have no list of them.
func (f failure) whole() string {
	if f.err == nil || len(f.err.Mistakes) < 2 {
		return f.message
	}
	var b strings.Builder
	for i, m := range f.err.Mistakes {
		if i == maxTold {
			fmt.Fprintf(&b, "; and %d more", len(f.err.Mistakes)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		if m.Path != "" {
			b.WriteString(m.Path + ": ")
		}
		b.WriteString(m.Rule)
	}
	return b.String()
}

func title(c myriad.Code) string {
	words := strings.ReplaceAll(string(c), "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// fail writes err in the dialect's shape, and logs what the client is not told.
func (a *API) fail(w http.ResponseWriter, r *http.Request, d dialect, err error) {
	f := failureOf(err)
	if f.code == myriad.CodeInternal {
		a.cfg.Logger.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	h := w.Header()
	if f.err != nil && f.err.RetryAfter > 0 {
		h.Set("Retry-After", retryAfter(f.err.RetryAfter))
	}
	if f.code == myriad.CodeUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="myriad"`)
	}
	if f.status == http.StatusRequestTimeout || f.status == http.StatusRequestEntityTooLarge {
		h.Set("Connection", "close") // the rest of the body is not worth waiting for
	}
	contentType, body := d.failure(f)
	a.reply(w, f.status, contentType, body)
}

// retryAfter is d in whole seconds, rounded up.
func retryAfter(d time.Duration) string {
	return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
}

// dialect is the shape in which a route speaks.
type dialect int

const (
	native dialect = iota // problem+json; unknown fields and parameters are mistakes
	compat                // {"error": text}, as the Python orchestrator
	tester                // {"status":"error","message":...}, as the Python integration tester
)

func (d dialect) failure(f failure) (contentType string, body []byte) {
	switch d {
	case compat:
		return typeJSON, line(CompatError{Error: f.whole()})
	case tester:
		return typeJSON, line(TesterError{Status: "error", Message: f.whole(), Details: string(line(CompatError{Error: f.whole()}))})
	}
	return typeProblem, line(f.problem())
}

// line is the JSON of v with a line break after it and < > & as they are, so that replies read well in a terminal.
func line(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // types of this package always marshal
	}
	return b.Bytes()
}

// mustJSON marshals types of this package, which always marshal.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
