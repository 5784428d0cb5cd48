package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/myriad-mind/myriad"
)

// Job is one job as it reached the agent.
type Job struct {
	myriad.Job
	Key         string          // Idempotency-Key: the same for every attempt at the same task; "" when the caller gave none
	TraceParent string          // W3C traceparent; "" when the caller gave none
	Body        json.RawMessage // the whole job as it came, for fields of other dialects
}

// Bind decodes the job's args into the value that into points at. What does not fit is the caller's fault.
func (j Job) Bind(into any) error {
	if len(j.Args) == 0 {
		return nil
	}
	if err := json.Unmarshal(j.Args, into); err != nil {
		return CallerError{Message: "args: " + unfit(err)}
	}
	return nil
}

// Dependency decodes the data of a dependency's answer. One that is not there, or does not fit, is the caller's fault.
func (j Job) Dependency(id string, into any) error {
	d, ok := j.Dependencies[id]
	if !ok || len(d.Data) == 0 {
		return CallerError{Message: fmt.Sprintf("the job carries no data of a dependency %q", id)}
	}
	if err := json.Unmarshal(d.Data, into); err != nil {
		return CallerError{Message: fmt.Sprintf("data of dependency %q: %s", id, unfit(err))}
	}
	return nil
}

// Func makes a handler from a function on the job's args as a type of its own.
func Func[In, Out any](f func(ctx context.Context, in In) (Out, error)) HandlerFunc {
	return func(ctx context.Context, job Job) (any, error) {
		var in In
		if err := job.Bind(&in); err != nil {
			return nil, err
		}
		return f(ctx, in)
	}
}

// wireJob is a job on the wire, as leniently as the agents before us took it.
type wireJob struct {
	TaskID       json.RawMessage              `json:"task_id"`
	Intent       any                          `json:"intent"`
	Concept      any                          `json:"concept"`
	Args         json.RawMessage              `json:"args"`
	Dependencies map[string]myriad.Dependency `json:"dependencies"`
}

// decodeJob reads a job. ok is false when body is no JSON; a caller's mistake is an error.
func decodeJob(body []byte) (job Job, ok bool, err error) {
	if !json.Valid(body) {
		return job, false, nil
	}
	if body = bytes.TrimSpace(body); body[0] != '{' {
		return job, true, CallerError{Message: "Missing 'intent': a job is a JSON object"}
	}
	var w wireJob
	if err := json.Unmarshal(body, &w); err != nil {
		return job, true, CallerError{Message: "the job does not fit: " + unfit(err)}
	}
	if w.Intent == nil {
		return job, true, CallerError{Message: "Missing 'intent' in the job"}
	}
	intent, isText := w.Intent.(string)
	if !isText {
		return job, true, CallerError{Message: fmt.Sprintf("Unknown intent: %v is no text", w.Intent)}
	}
	concept, isText := w.Concept.(string)
	if !isText && w.Concept != nil {
		return job, true, CallerError{Message: fmt.Sprintf("Unknown concept: %v is no text", w.Concept)}
	}
	job.Job = myriad.Job{Intent: intent, Concept: concept, Args: w.Args, Dependencies: w.Dependencies}
	job.Body = body
	if bytes.Equal(job.Args, []byte("null")) {
		job.Args = nil
	}
	if len(w.TaskID) > 0 && job.TaskID.UnmarshalJSON(w.TaskID) != nil { // another scalar: echoed, compared by its text
		job.TaskID = myriad.TaskID{Key: string(w.TaskID), Raw: w.TaskID}
	}
	return job, true, nil
}

// unfit says what of a JSON value did not fit, without the words of our types.
func unfit(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if e.Field == "" {
			return "it must not be of type " + e.Value
		}
		return e.Field + " must not be of type " + e.Value
	}
	return err.Error()
}
