package faultproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxJob bounds the body of a job in bytes.
const maxJob = 8 << 20

// Job is what an Agent is asked.
type Job struct {
	TaskID       json.RawMessage `json:"task_id"`
	Concept      string          `json:"concept"`
	Intent       string          `json:"intent"`
	Args         json.RawMessage `json:"args"`
	Dependencies json.RawMessage `json:"dependencies"`
}

// Behaviour is how an Agent treats jobs. The zero value does its work at once and answers with success.
type Behaviour struct {
	Delay      time.Duration   // the work takes so long; it is given up when the client leaves
	Hold       <-chan struct{} // the work takes until this is closed, when set
	Status     int             // HTTP status, 0: 200; 429, 503 and every other 4xx are given before any work is begun
	RetryAfter string          // Retry-After header as given
	Fail       bool            // answer "status": "error"
	Body       []byte          // body in place of the answer
	Abort      bool            // break the connection after the work instead of answering
	Endless    bool            // never end the body
	Data       func(Job) any   // data of the answer; nil: a sentence that names intent and concept
	First      int             // behave so for the first so many jobs since Set, then like the zero value; 0: for all
}

// Agent is a real agent for tests: an http.Handler that speaks the job protocol (POST /query, GET /health), behaves as told and counts
// what it was made to do. It is safe for concurrent use.
type Agent struct {
	name string

	mu        sync.Mutex // guards what follows
	behaviour Behaviour
	since     int // jobs since behaviour was set
	jobs      int64
	running   int
	peak      int
	ledger    ledger
}

// NewAgent makes an agent that answers under name.
func NewAgent(name string) *Agent {
	return &Agent{name: name, ledger: newLedger(maxEffects)}
}

// Set makes b the behaviour for every job that arrives from now on.
func (a *Agent) Set(b Behaviour) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.behaviour, a.since = b, 0
}

// ServeHTTP answers jobs and health checks.
func (a *Agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/health" && r.Method == http.MethodGet:
		a.reply(w, http.StatusOK, map[string]any{"status": "healthy", "agent": a.name})
	case r.URL.Path != "/query":
		a.mistake(w, http.StatusNotFound, "no such route")
	case r.Method != http.MethodPost:
		a.mistake(w, http.StatusMethodNotAllowed, "jobs are posted")
	default:
		a.query(w, r)
	}
}

func (a *Agent) query(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJob))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			a.mistake(w, http.StatusRequestEntityTooLarge, "the job is too large")
		}
		return // else the client left in the midst of its job
	}
	var job Job
	if err := json.Unmarshal(body, &job); err != nil {
		a.mistake(w, http.StatusBadRequest, "the job is no JSON object")
		return
	}
	if job.Intent == "" {
		a.mistake(w, http.StatusBadRequest, "Missing 'intent' in the job")
		return
	}
	b := a.arrive()
	defer a.leave()
	if turnsAway(b.Status) {
		a.answer(w, b, job)
		return
	}
	key, task := r.Header.Get("Idempotency-Key"), strings.Trim(string(job.TaskID), `"`)
	a.note(key, task, false)
	if !work(r, b) {
		return // the client left; what was begun stays begun
	}
	if b.Status < http.StatusInternalServerError {
		a.note(key, task, true)
	}
	if b.Abort {
		panic(http.ErrAbortHandler)
	}
	a.answer(w, b, job)
}

// turnsAway tells whether an agent gives this status before it works.
func turnsAway(status int) bool {
	return status >= 400 && status < 500 || status == http.StatusServiceUnavailable
}

// work takes its time; false when the client left first.
func work(r *http.Request, b Behaviour) bool {
	if b.Delay > 0 {
		t := time.NewTimer(b.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			return false
		}
	}
	if b.Hold != nil {
		select {
		case <-b.Hold:
		case <-r.Context().Done():
			return false
		}
	}
	return true
}

func (a *Agent) answer(w http.ResponseWriter, b Behaviour, job Job) {
	if b.RetryAfter != "" {
		w.Header().Set("Retry-After", b.RetryAfter)
	}
	status := b.Status
	if status == 0 {
		status = http.StatusOK
	}
	if b.Body != nil {
		w.WriteHeader(status)
		_, _ = w.Write(b.Body) // a client that left is its own business
		return
	}
	if b.Endless {
		w.WriteHeader(status)
		endless(w)
		return
	}
	word := "success"
	if b.Fail || status >= 400 {
		word = "error"
	}
	var data any = fmt.Sprintf("%s of %s", job.Intent, job.Concept)
	if b.Data != nil {
		data = b.Data(job)
	}
	a.reply(w, status, map[string]any{"agent_name": a.name, "status": word, "data": data})
}

// endless writes until the client leaves.
func endless(w io.Writer) {
	if _, err := io.WriteString(w, `{"status":"success","data":"`); err != nil {
		return
	}
	chunk := []byte(strings.Repeat("x", 16<<10))
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func (a *Agent) mistake(w http.ResponseWriter, status int, text string) {
	a.reply(w, status, map[string]any{"agent_name": a.name, "status": "error", "data": text})
}

func (a *Agent) reply(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError) // Behaviour.Data gave what JSON cannot say
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
