package orchestrator

import (
	"encoding/json"
	"slices"

	"github.com/myriad-mind/myriad"
)

// option reads one of the native fields that the compatible routes ignore.
func (d *decoder) option(t *decoded, name string, value json.RawMessage) {
	switch name {
	case "timeout_ms", "priority", "idempotent", "on_dependency_failure", "fallback", "max_age_ms":
	default:
		d.found.add(t.place, name, "unknown field")
		return
	}
	if string(value) == "null" {
		return
	}
	task := &t.task
	switch name {
	case "timeout_ms":
		var ok bool
		if task.TimeoutMS, ok = wholeNumber(value); !ok || task.TimeoutMS < 0 || task.TimeoutMS > d.limits.MaxRunTimeout.Milliseconds() {
			d.found.add(t.place, name, d.timeoutRule())
		}
	case "priority":
		n, ok := wholeNumber(value)
		if !ok || n < 0 || n > 9 {
			d.found.add(t.place, name, "must be a whole number from 0 to 9")
		}
		task.Priority = int(n)
	case "idempotent":
		if task.Idempotent = value[0] == 't'; value[0] != 't' && value[0] != 'f' {
			d.found.add(t.place, name, "must be true or false")
		}
	case "on_dependency_failure":
		task.OnDependencyFailure = ""
		if value[0] == '"' {
			task.OnDependencyFailure = string(myriad.Unquote(value))
		}
		if task.OnDependencyFailure != myriad.OnFailureSkip && task.OnDependencyFailure != myriad.OnFailureContinue {
			d.found.add(t.place, name, `must be "skip" or "continue"`)
		}
	case "fallback":
		d.fallback(t, value)
	case "max_age_ms":
		var ok bool
		if task.MaxAgeMS, ok = wholeNumber(value); !ok || task.MaxAgeMS < 0 {
			d.found.add(t.place, name, "must be a whole number of milliseconds, not negative")
		}
	}
}

func (d *decoder) fallback(t *decoded, value json.RawMessage) {
	const rule = `must be "none" or {"value": ...}`
	t.task.Fallback = slices.Clone(value)
	if value[0] == '"' {
		if string(myriad.Unquote(value)) != "none" {
			d.found.add(t.place, "fallback", rule)
		}
		return
	}
	values, others := 0, value[0] != '{'
	for name := range myriad.Fields(value) {
		if string(name) == "value" {
			values++
		} else {
			others = true
		}
	}
	if values != 1 || others {
		d.found.add(t.place, "fallback", rule)
	}
}
