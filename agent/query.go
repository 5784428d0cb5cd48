package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"mime"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// DeadlineHeader carries the milliseconds that are left to a job.
const DeadlineHeader = "X-Myriad-Deadline-Ms"

// Answer is an answer in full, for handlers that want more than data.
type Answer struct {
	Status string         // "success" when empty
	Data   any            //
	Fields map[string]any // beside agent_name, status and data, which win
}

// ServeHTTP answers /query, /health and /collaborate.
func (a *Agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/query":
		a.post(w, r, a.query)
	case r.URL.Path == "/health":
		a.health(w, r)
	case r.URL.Path == "/collaborate" && a.collaborator != nil:
		a.post(w, r, a.collaborate)
	default:
		a.refuse(w, http.StatusNotFound, "no such path: "+r.URL.Path)
	}
}

// post reads the body of a POST and hands it on, one of at most MaxConcurrency at once, with its deadline set and panics caught.
func (a *Agent) post(w http.ResponseWriter, r *http.Request, answer func(ctx context.Context, w http.ResponseWriter, r *http.Request, body []byte) error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		a.refuse(w, http.StatusMethodNotAllowed, "only POST is answered here")
		return
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		a.refuse(w, a.badBody(http.StatusUnsupportedMediaType), "the body must be application/json")
		return
	}
	a.inFlight.Add(1)
	defer a.inFlight.Done()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, a.opts.MaxBody))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			a.refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is over %d bytes", a.opts.MaxBody))
		} // else the caller is gone
		return
	}
	ctx, cancel := withDeadline(r)
	defer cancel()
	if err := a.limit.acquire(ctx); err != nil {
		a.failed(w, err)
		return
	}
	defer a.limit.release()
	if err := answer(ctx, w, r, body); err != nil {
		a.failed(w, err)
	}
}

// badBody is the status for a body that cannot be read: status, unless the options name one.
func (a *Agent) badBody(status int) int {
	if a.opts.BadBody != http.StatusBadRequest {
		return a.opts.BadBody
	}
	return status
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

func withDeadline(r *http.Request) (context.Context, context.CancelFunc) {
	ms, err := strconv.ParseInt(r.Header.Get(DeadlineHeader), 10, 64)
	if err != nil || ms <= 0 || ms > math.MaxInt64/int64(time.Millisecond) {
		return r.Context(), func() {}
	}
	return context.WithTimeout(r.Context(), time.Duration(ms)*time.Millisecond)
}

// query carries one job out. An error is left to the caller to write.
func (a *Agent) query(ctx context.Context, w http.ResponseWriter, r *http.Request, body []byte) error {
	job, ok, err := decodeJob(body)
	if !ok {
		a.refuse(w, a.opts.BadBody, "the body is no JSON")
		return nil
	}
	if err != nil {
		return err
	}
	job.Key, job.TraceParent = r.Header.Get("Idempotency-Key"), r.Header.Get("Traceparent")
	handle, err := a.handler(job)
	if err != nil {
		return err
	}
	value, err := guard(a, func() (any, error) { return handle(ctx, job) })
	if err != nil {
		return err
	}
	return a.answer(w, value)
}

// handler finds who answers: the closest in concept, then in intent. A job without a concept asks by its intent alone.
func (a *Agent) handler(job Job) (HandlerFunc, error) {
	intent, err := myriad.CanonicalIntent(job.Intent)
	if err != nil {
		return nil, Callerf("Unknown intent: %s", err)
	}
	concept := ""
	if job.Concept != "" {
		if concept, err = myriad.CanonicalConcept(job.Concept); err != nil {
			return nil, Callerf("Unknown concept: %s", err)
		}
	}
	for _, r := range [...]route{{concept, intent}, {concept, Any}, {Any, intent}, {Any, Any}} {
		if h, ok := a.handlers[r]; ok {
			return h, nil
		}
	}
	known := false
	for _, r := range a.order {
		if r.intent != intent && r.intent != Any {
			continue
		}
		if concept == "" {
			return a.handlers[r], nil
		}
		known = true
	}
	if known {
		return nil, Callerf("Unknown concept '%s' for the intent '%s'", job.Concept, job.Intent)
	}
	return nil, Callerf("Unknown intent '%s'", job.Intent)
}

// errPanic is what a caller learns of a panic; the log has the rest.
var errPanic = errors.New("internal error: the agent's handler panicked")

// guard calls f and makes a panic an error. http.ErrAbortHandler passes: it is how a handler asks for the connection to be cut.
func guard[T any](a *Agent, f func() (T, error)) (value T, err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			a.opts.Logger.Error("an agent's handler panicked", slog.String("agent", a.name), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			err = errPanic
		}
	}()
	return f()
}

func (a *Agent) answer(w http.ResponseWriter, value any) error {
	full, ok := value.(Answer)
	if !ok {
		full = Answer{Data: value}
	}
	body := make(map[string]any, len(full.Fields)+3)
	for k, v := range full.Fields {
		body[k] = v
	}
	body["agent_name"], body["status"], body["data"] = a.name, full.Status, full.Data
	if full.Status == "" {
		body["status"] = myriad.StatusSuccess
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("the answer cannot be written as JSON: %w", err)
	}
	send(w, http.StatusOK, raw)
	return nil
}

func (a *Agent) refuse(w http.ResponseWriter, status int, text string) {
	a.write(w, status, map[string]any{"agent_name": a.name, "status": "error", "data": text})
}

// write sends a body that is known to marshal.
func (a *Agent) write(w http.ResponseWriter, status int, body map[string]any) {
	raw, err := json.Marshal(body)
	if err != nil {
		a.opts.Logger.Error("an agent's reply cannot be written", slog.String("agent", a.name), slog.Any("error", err))
		status, raw = http.StatusInternalServerError, []byte(`{"status":"error"}`)
	}
	send(w, status, raw)
}

func send(w http.ResponseWriter, status int, raw []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // the caller may be gone; there is nobody left to tell
}

func (a *Agent) health(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		a.refuse(w, http.StatusMethodNotAllowed, "only GET is answered here")
		return
	}
	body := map[string]any{}
	if a.opts.Health != nil {
		body = a.opts.Health()
	}
	status := http.StatusOK
	out := map[string]any{"status": "healthy", "agent": a.name}
	if a.draining.Load() {
		status, out["status"] = http.StatusServiceUnavailable, "draining"
	}
	if a.nonce != "" {
		out["nonce"] = a.nonce
	}
	for k, v := range body {
		if _, ours := out[k]; !ours {
			out[k] = v
		}
	}
	a.write(w, status, out)
}
