package client

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// Plan is a graph of tasks. A json.RawMessage that holds one as JSON can be sent in its place.
type Plan struct {
	Tasks   []Task
	Timeout time.Duration // of the whole run, to the millisecond; the server's default when 0
}

// Task is one task of a Plan.
type Task struct {
	ID                  string
	Concept             string
	Intent              string
	Args                any           // marshalled to a JSON object; nil is {}
	DependsOn           []string      // ids of tasks of the same plan
	Timeout             time.Duration // all attempts, from the first dispatch on; none but the run's when 0
	Priority            int           // 0..9, higher goes first inside its run
	Idempotent          bool          // the task may be repeated
	OnDependencyFailure string        // myriad.OnFailureSkip (default) or myriad.OnFailureContinue
	Fallback            any           // NoFallback, Default(value), or nil for the last good answer
	MaxAge              time.Duration // oldest last good answer that will do; the server's limit when 0
}

// NoFallback refuses every answer but a live one.
const NoFallback = "none"

// Default is the answer of last resort.
func Default(value any) any {
	return struct {
		Value any `json:"value"`
	}{value}
}

// Add appends tasks and returns the plan, for building in one expression.
func (p *Plan) Add(tasks ...Task) *Plan {
	p.Tasks = append(p.Tasks, tasks...)
	return p
}

// MarshalJSON gives the plan as the API takes it.
func (p Plan) MarshalJSON() ([]byte, error) {
	if p.Tasks == nil {
		p.Tasks = []Task{}
	}
	return json.Marshal(struct {
		Tasks     []Task `json:"tasks"`
		TimeoutMS int64  `json:"timeout_ms,omitempty"`
	}{p.Tasks, p.Timeout.Milliseconds()})
}

// MarshalJSON gives the task as the API takes it.
func (t Task) MarshalJSON() ([]byte, error) {
	w := myriad.Task{
		ID: myriad.StringID(t.ID), Concept: t.Concept, Intent: t.Intent, TimeoutMS: t.Timeout.Milliseconds(),
		Priority: t.Priority, Idempotent: t.Idempotent, OnDependencyFailure: t.OnDependencyFailure, MaxAgeMS: t.MaxAge.Milliseconds(),
	}
	for _, id := range t.DependsOn {
		w.Dependencies = append(w.Dependencies, myriad.StringID(id))
	}
	var err error
	if t.Args != nil {
		if w.Args, err = json.Marshal(t.Args); err != nil {
			return nil, myriad.Errorf(myriad.CodeInvalid, "args of task %s: %w", t.ID, err)
		}
	}
	if t.Fallback != nil {
		if w.Fallback, err = json.Marshal(t.Fallback); err != nil {
			return nil, myriad.Errorf(myriad.CodeInvalid, "fallback of task %s: %w", t.ID, err)
		}
	}
	return json.Marshal(w)
}

// Ref is the text that stands for a part of another task's result in args: Ref("a", "data", "links", 0) is ${tasks.a.data.links[0]}.
// Parts are field names (string) and indexes (int).
func Ref(id string, parts ...any) string {
	var b strings.Builder
	b.WriteString("${tasks")
	writeField(&b, id)
	for _, part := range parts {
		switch p := part.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(p) + "]")
		case string:
			writeField(&b, p)
		}
	}
	b.WriteString("}")
	return b.String()
}

func writeField(b *strings.Builder, name string) {
	plain := name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
	})
	if plain {
		b.WriteString("." + name)
		return
	}
	quoted, err := json.Marshal(name)
	if err != nil { // a Go string always marshals
		panic(err)
	}
	b.WriteString("[" + string(quoted) + "]")
}
