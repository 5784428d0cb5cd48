package orchestrator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/myriad-mind/myriad"
)

// decoder reads a request and notes every mistake in it. It works on the text, so that ids, args and values keep every digit, and so that
// each mistake has its path.
type decoder struct {
	limits *Limits
	compat bool
	found  mistakes
}

// decoded is a task as it was read, before its ids are resolved.
type decoded struct {
	place    int // in the request's list
	task     myriad.Task
	template *template
	refs     []written // the references in its args, with the paths to where they stand
	hasID    bool
}

// request reads the body; ok is false when there is no list of tasks to go on with.
func (d *decoder) request(body []byte, p *plan) (tasks []decoded, ok bool) {
	if !d.wellFormed(body) {
		return nil, false
	}
	var list json.RawMessage
	var seen names
	for name, value := range myriad.Fields(body) {
		if !d.compat && !seen.first(name) {
			d.found.add(wholeRequest, string(name), "is given more than once")
		}
		switch {
		case string(name) == "tasks":
			list = value
		case d.compat:
		case string(name) == "timeout_ms":
			d.runTimeout(value, p)
		default:
			d.found.add(wholeRequest, string(name), "unknown field")
		}
	}
	if len(list) == 0 || list[0] != '[' {
		d.found.add(wholeRequest, "tasks", "must be a list of tasks")
		return nil, false
	}
	return d.tasks(list)
}

// wellFormed says whether body is one JSON object in UTF-8.
func (d *decoder) wellFormed(body []byte) bool {
	if !utf8.Valid(body) {
		d.found.add(wholeRequest, "", "must be JSON in valid UTF-8")
		return false
	}
	if !json.Valid(body) {
		var whole json.RawMessage
		err := json.Unmarshal(body, &whole)
		rule := fmt.Sprintf("must be JSON: %v", err)
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			rule += fmt.Sprintf(", at byte %d", syntax.Offset)
		}
		d.found.add(wholeRequest, "", rule)
		return false
	}
	if i := myriad.SkipSpace(body, 0); body[i] != '{' {
		d.found.add(wholeRequest, "", "must be a JSON object")
		return false
	}
	return true
}

func (d *decoder) runTimeout(value json.RawMessage, p *plan) {
	ms, ok := wholeNumber(value)
	switch {
	case string(value) == "null" || ok && ms == 0:
	case !ok || ms < 0 || ms > d.limits.MaxRunTimeout.Milliseconds():
		d.found.add(wholeRequest, "timeout_ms", d.timeoutRule())
	default:
		p.timeout = time.Duration(ms) * time.Millisecond
	}
}

func (d *decoder) timeoutRule() string {
	return fmt.Sprintf("must be a whole number of milliseconds from 0 to %d", d.limits.MaxRunTimeout.Milliseconds())
}

func (d *decoder) tasks(list json.RawMessage) (tasks []decoded, ok bool) {
	n := 0
	for range myriad.Elements(list) {
		n++
	}
	if n > d.limits.MaxTasks {
		d.found.add(wholeRequest, "tasks", fmt.Sprintf("must hold at most %d tasks, holds %d", d.limits.MaxTasks, n))
		return nil, false
	}
	tasks = make([]decoded, 0, n)
	for i, value := range myriad.Elements(list) {
		if value[0] != '{' {
			d.found.add(i, "", "must be an object")
			continue
		}
		tasks = append(tasks, decoded{place: i})
		d.task(value, &tasks[len(tasks)-1])
	}
	return tasks, true
}

// task reads one task. What is missing or wrong is noted; what is right is kept, so that later checks find as much as they can.
func (d *decoder) task(raw json.RawMessage, t *decoded) {
	var has struct{ concept, intent, args bool }
	var args json.RawMessage
	var seen names
	for name, value := range myriad.Fields(raw) {
		if !d.compat && !seen.first(name) {
			d.found.add(t.place, string(name), "is given more than once")
		}
		switch string(name) {
		case "task_id":
			t.hasID = true
			if rule := d.id(value, &t.task.ID); rule != "" {
				d.found.add(t.place, "task_id", rule)
			}
		case "concept":
			has.concept = true
			d.concept(t, value)
		case "intent":
			has.intent = true
			d.intent(t, value)
		case "args":
			args = value
		case "dependencies":
			d.dependencies(t, value)
		default:
			if !d.compat {
				d.option(t, string(name), value)
			}
		}
	}
	if !t.hasID {
		d.found.add(t.place, "task_id", "is missing")
	}
	if !has.concept {
		d.found.add(t.place, "concept", "is missing")
	}
	if !has.intent {
		d.found.add(t.place, "intent", "is missing")
	}
	d.args(t, args)
}

func (d *decoder) concept(t *decoded, value json.RawMessage) {
	if value[0] != '"' {
		d.found.add(t.place, "concept", "must be a string")
		return
	}
	t.task.Concept = string(myriad.Unquote(value))
	key, err := myriad.CanonicalConcept(t.task.Concept)
	switch {
	case err != nil:
		d.found.add(t.place, "concept", err.Error())
	case key == myriad.AnyConcept:
		d.found.add(t.place, "concept", `must not be "*", which only agents may name`)
	}
	t.task.ConceptKey = key
}

func (d *decoder) intent(t *decoded, value json.RawMessage) {
	if value[0] != '"' {
		d.found.add(t.place, "intent", "must be a string")
		return
	}
	t.task.Intent = string(myriad.Unquote(value))
	key, err := myriad.CanonicalIntent(t.task.Intent)
	if err != nil {
		d.found.add(t.place, "intent", err.Error())
	}
	t.task.IntentKey = key
}

func (d *decoder) dependencies(t *decoded, value json.RawMessage) {
	t.task.Dependencies = nil
	if string(value) == "null" {
		return
	}
	if value[0] != '[' {
		d.found.add(t.place, "dependencies", "must be a list of task ids")
		return
	}
	for i, raw := range myriad.Elements(value) {
		var id myriad.TaskID
		if rule := d.id(raw, &id); rule != "" {
			d.found.add(t.place, "dependencies["+strconv.Itoa(i)+"]", rule)
			id = myriad.TaskID{} // keeps the places of the others; link passes it over
		}
		t.task.Dependencies = append(t.task.Dependencies, id)
	}
}

// wholeNumber reads an integer written without fraction or exponent.
func wholeNumber(raw json.RawMessage) (int64, bool) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil
}

// names tells repeated names of one object apart without an allocation for the usual few. They must not change meanwhile.
type names struct {
	few  [12][]byte
	n    int
	many map[string]bool
}

// first says that name was not seen before.
func (s *names) first(name []byte) bool {
	for _, old := range s.few[:s.n] {
		if bytes.Equal(old, name) {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	if s.many[string(name)] {
		return false
	}
	if s.many == nil {
		s.many = map[string]bool{}
	}
	s.many[string(name)] = true
	return true
}
