package myriad

import (
	"encoding/json"
	"time"
)

// TaskID names a task within its plan: a JSON string or number. Two ids are the same when their Key is the same, so 1 and "1" are.
type TaskID struct {
	Key string          // the string form; results are keyed by it
	Raw json.RawMessage // the JSON that the client wrote, echoed unchanged in results
}

// StringID is the id whose JSON form is the string s.
func StringID(s string) TaskID {
	raw, err := json.Marshal(s)
	if err != nil { // a Go string always marshals
		panic(err)
	}
	return TaskID{Key: s, Raw: raw}
}

// MarshalJSON gives the id as its client wrote it.
func (id TaskID) MarshalJSON() ([]byte, error) {
	if id.Raw == nil {
		return json.Marshal(id.Key)
	}
	return id.Raw, nil
}

// UnmarshalJSON takes a JSON string or number; numbers keep their digits.
func (id *TaskID) UnmarshalJSON(data []byte) error {
	var s string
	if len(data) > 0 && data[0] == '"' {
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*id = TaskID{Key: s, Raw: append(json.RawMessage(nil), data...)}
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(data, &n); err != nil {
		return Errorf(CodeInvalid, "a task id is a string or a number, got %.40s", data)
	}
	*id = TaskID{Key: n.String(), Raw: append(json.RawMessage(nil), data...)}
	return nil
}

func (id TaskID) String() string { return id.Key }

// What becomes of a task when one of its dependencies did not succeed.
const (
	OnFailureSkip     = "skip"     // the default: the task is skipped and names the culprit
	OnFailureContinue = "continue" // the task runs and sees the dependency's status
)

// Task is one piece of work stated by capability: a concept and an intent, never an address.
type Task struct {
	ID                  TaskID          `json:"task_id"`
	Concept             string          `json:"concept"`                         // as the client wrote it; look-ups use CanonicalConcept
	Intent              string          `json:"intent"`                          // as the client wrote it; look-ups use CanonicalIntent
	Args                json.RawMessage `json:"args,omitempty"`                  // a JSON object; nil is {}
	Dependencies        []TaskID        `json:"dependencies,omitempty"`          // direct dependencies, by id
	TimeoutMS           int64           `json:"timeout_ms,omitempty"`            // all attempts from the first dispatch on; 0 is no limit but the run's
	Priority            int             `json:"priority,omitempty"`              // 0..9, higher goes first inside its run only
	Idempotent          bool            `json:"idempotent,omitempty"`            // the client allows repetition
	OnDependencyFailure string          `json:"on_dependency_failure,omitempty"` // OnFailureSkip or OnFailureContinue
	Fallback            json.RawMessage `json:"fallback,omitempty"`              // "none", or {"value": any}; nil is the last good answer
	MaxAgeMS            int64           `json:"max_age_ms,omitempty"`            // oldest last good answer that will do; 0 is the server's limit

	// Derived when the plan is made; not on the wire.
	ConceptKey string `json:"-"` // CanonicalConcept(Concept)
	IntentKey  string `json:"-"` // CanonicalIntent(Intent)
}

// Dialect says by which rules a request's body is read.
type Dialect int

// The dialects.
const (
	Native Dialect = iota // /v1: unknown fields and duplicate ids are mistakes
	Compat                // the Python system's /process: unknown fields are ignored, of equal ids the later one wins
)

// RunRequest is a graph of tasks to be run, before it is validated.
type RunRequest struct {
	Body           []byte        // {"tasks": [...], "timeout_ms": n} as JSON
	Dialect        Dialect       //
	IdempotencyKey string        // the same key gives the same run; "" is none
	TraceParent    string        // W3C traceparent of the request; "" is none
	Timeout        time.Duration // when set, overrides the body's timeout_ms (the CLI's flag)
}

// Job is what an agent is asked: one task with its references resolved.
type Job struct {
	TaskID       TaskID                `json:"task_id"`
	Intent       string                `json:"intent"`
	Concept      string                `json:"concept"`
	Args         json.RawMessage       `json:"args"`
	Dependencies map[string]Dependency `json:"dependencies,omitempty"` // by the dependency's TaskID.Key
}

// Dependency is what a job carries of each of its task's direct dependencies.
type Dependency struct {
	Status    string          `json:"status"`
	Data      json.RawMessage `json:"data,omitempty"`
	AgentName string          `json:"agent_name,omitempty"`
}
