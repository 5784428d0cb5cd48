package main

import (
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"github.com/myriad-mind/myriad"
)

// asTyped puts before the path of every mistake how people wrote the field here; "" leaves a path alone. The path itself stays, because rules and the
// server's log name fields by it.
func asTyped(err error, typed func(path string) string) error {
	e, ok := errors.AsType[*myriad.Error](err)
	if !ok || len(e.Mistakes) == 0 {
		return err
	}
	named := *e
	named.Mistakes = make([]myriad.Mistake, len(e.Mistakes))
	for i, m := range e.Mistakes {
		if word := typed(m.Path); word != "" && word != m.Path {
			m.Path = word + " (" + m.Path + ")"
		}
		named.Mistakes[i] = m
	}
	return &named
}

// addFlags are the flags of agents add by what they fill in; others are named as their fields.
var addFlags = map[string]string{
	"concepts": "concept", "intents": "intent", "safe_intents": "safe-intent", "max_concurrency": "max-concurrency", "pass_env": "pass-env",
	"limits.cpu": "cpu", "limits.memory_bytes": "memory", "limits.pids": "pids",
}

// flagOf is the flag that was given for a field of an agent; "" when there was none.
func flagOf(flags *pflag.FlagSet, path string) string {
	field, _, _ := strings.Cut(strings.TrimPrefix(path, "template."), "[")
	if strings.HasPrefix(field, "env.") {
		field = "env"
	}
	name := field
	if known, ok := addFlags[field]; ok {
		name = known
	}
	if !flags.Changed(name) {
		return ""
	}
	return "--" + name
}
