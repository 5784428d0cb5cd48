package orchestrator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/myriad-mind/myriad"
)

// args checks a task's args and finds the references in them. On the compatible routes args pass on unchanged as they always did, unless
// the task has dependencies, which only clients of ours use.
func (d *decoder) args(t *decoded, raw json.RawMessage) {
	if len(raw) == 0 || string(raw) == "null" {
		return
	}
	if raw[0] != '{' {
		d.found.add(t.place, "args", "must be an object")
		return
	}
	if len(raw) > d.limits.MaxArgsBytes {
		d.found.add(t.place, "args", fmt.Sprintf("must have at most %d bytes, has %d", d.limits.MaxArgsBytes, len(raw)))
		return
	}
	t.task.Args = raw
	scan := argScan{d: d, t: t, raw: raw, references: mayRefer(raw) && (!d.compat || len(t.task.Dependencies) > 0)}
	if !scan.references && d.compat && bytes.Count(raw, []byte{'{'})+bytes.Count(raw, []byte{'['}) <= d.limits.MaxArgsDepth {
		return // nothing to find
	}
	scan.value(0, 1)
	if len(scan.holes) > 0 {
		t.template = &template{raw: raw, holes: scan.holes}
	}
}

// mayRefer says whether any string in raw can hold a reference; an escaped character can spell one too.
func mayRefer(raw []byte) bool {
	return bytes.Contains(raw, []byte("${tasks")) || bytes.Contains(raw, []byte(`\u00`))
}

// argScan walks the JSON of one task's args. It recurses no deeper than the limit on depth.
type argScan struct {
	d          *decoder
	t          *decoded
	raw        []byte
	references bool // look for them
	path       []pathStep
	holes      []hole
	tooDeep    bool // told once
}

// pathStep is a field by name, or an element by index, which is -1 for fields.
type pathStep struct {
	name  string
	index int
}

// value walks the value at i and returns the place after it. depth counts the objects and arrays around and including it.
func (s *argScan) value(i, depth int) int {
	switch s.raw[i] {
	case '"':
		end := myriad.ValueEnd(s.raw, i)
		if s.references {
			s.text(i, end)
		}
		return end
	case '{', '[':
		if depth > s.d.limits.MaxArgsDepth {
			if !s.tooDeep {
				s.tooDeep = true
				s.d.found.add(s.t.place, "args", fmt.Sprintf("must not nest deeper than %d levels", s.d.limits.MaxArgsDepth))
			}
			return myriad.ValueEnd(s.raw, i)
		}
		if s.raw[i] == '{' {
			return s.object(i, depth)
		}
		return s.array(i, depth)
	}
	return myriad.ValueEnd(s.raw, i)
}

func (s *argScan) object(i, depth int) int {
	var seen names
	s.path = append(s.path, pathStep{index: -1})
	defer func() { s.path = s.path[:len(s.path)-1] }()
	for i = myriad.SkipSpace(s.raw, i+1); s.raw[i] == '"'; i = myriad.SkipSpace(s.raw, i+1) {
		end := myriad.ValueEnd(s.raw, i)
		name := myriad.Unquote(s.raw[i:end])
		s.path[len(s.path)-1].name = string(name)
		if !s.d.compat && !seen.first(name) {
			s.d.found.add(s.t.place, s.where(), "is given more than once")
		}
		i = myriad.SkipSpace(s.raw, end) // the colon
		i = myriad.SkipSpace(s.raw, i+1) // the value
		end = s.value(i, depth+1)        //
		if i = myriad.SkipSpace(s.raw, end); s.raw[i] != ',' {
			break
		}
	}
	return i + 1
}

func (s *argScan) array(i, depth int) int {
	s.path = append(s.path, pathStep{})
	defer func() { s.path = s.path[:len(s.path)-1] }()
	if i = myriad.SkipSpace(s.raw, i+1); s.raw[i] == ']' {
		return i + 1
	}
	for n := 0; ; n++ {
		s.path[len(s.path)-1].index = n
		end := s.value(i, depth+1)
		if i = myriad.SkipSpace(s.raw, end); s.raw[i] != ',' {
			return i + 1
		}
		i = myriad.SkipSpace(s.raw, i+1)
	}
}

// text looks for references in the string literal raw[start:end].
func (s *argScan) text(start, end int) {
	literal := s.raw[start:end]
	if !mayRefer(literal) {
		return
	}
	text := string(myriad.Unquote(literal))
	parts, rules := parseReferences(text)
	for _, rule := range rules {
		s.d.found.add(s.t.place, s.where(), rule)
	}
	if len(parts) == 0 || len(parts) == 1 && parts[0].ref == nil && parts[0].text == text {
		return
	}
	where := ""
	for i := range parts {
		if parts[i].ref == nil {
			continue
		}
		if where == "" {
			where = s.where()
		}
		s.t.refs = append(s.t.refs, written{parts[i].ref, where})
	}
	s.holes = append(s.holes, hole{start: start, end: end, parts: parts})
}

// where is the path of the present value, like args.list[2]["odd name"].
func (s *argScan) where() string {
	var b strings.Builder
	b.WriteString("args")
	for _, step := range s.path {
		switch {
		case step.index >= 0:
			b.WriteString("[" + strconv.Itoa(step.index) + "]")
		case plainName(step.name):
			b.WriteString("." + step.name)
		default:
			b.WriteString("[" + strconv.Quote(step.name) + "]")
		}
	}
	return b.String()
}
