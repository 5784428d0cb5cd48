package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/myriad-mind/myriad"
)

// shape holds an agents file to the fields and types of written, and knows the line of everything in it. The JSON decoder would name
// one mistake, and neither path nor line.
type shape struct {
	root     *yaml.Node // nil: empty, or JSON that is no YAML, which then has no lines
	mistakes []myriad.Mistake
	broken   map[int]bool // agents that have one
}

func newShape(data []byte) *shape {
	root, err := parseYAML(data)
	if err != nil {
		root = nil
	}
	return &shape{root: root}
}

// check lists every mistake in reading order, and which agents have one.
func (s *shape) check() (mistakes []myriad.Mistake, broken map[int]bool) {
	s.broken = map[int]bool{}
	if s.root == nil || isNull(s.root) {
		return nil, s.broken
	}
	s.entries(s.root, "", func(key string) reflect.Type {
		if key == "agents" {
			return reflect.TypeFor[[]written]()
		}
		return nil
	})
	return s.mistakes, s.broken
}

func (s *shape) wrong(n *yaml.Node, path, rule string) {
	s.mistakes = append(s.mistakes, myriad.Mistake{Path: path, Rule: rule + onLine(n)})
}

func onLine(n *yaml.Node) string { return fmt.Sprintf(" (line %d)", n.Line) }

// value checks n against the Go type that JSON would be decoded into. The document's depth and aliases are known to be bounded.
func (s *shape) value(n *yaml.Node, t reflect.Type, path string) {
	n = followed(n)
	if isNull(n) {
		return
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[Size]():
		if _, err := parseSize(n.Value); n.Kind != yaml.ScalarNode || err != nil {
			s.wrong(n, path, "must be a size like 256MiB")
		}
	case t == reflect.TypeFor[time.Time]() || t.Kind() == reflect.String:
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" && n.ShortTag() != "!!timestamp" || isNumber(n) {
			s.wrong(n, path, "must be text; put it in quotes where it looks like something else")
		}
	case t.Kind() == reflect.Struct:
		s.fields(n, t, path)
	case t.Kind() == reflect.Map:
		s.entries(n, path, func(string) reflect.Type { return t.Elem() })
	case t.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			s.wrong(n, path, "must be a list")
			return
		}
		for i, item := range n.Content {
			before := len(s.mistakes)
			s.value(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
			if path == "agents" && len(s.mistakes) > before {
				s.broken[i] = true
			}
		}
	case t.Kind() == reflect.Bool:
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
			s.wrong(n, path, "must be true or false")
		}
	case t.Kind() == reflect.Float64:
		if !isNumber(n) {
			s.wrong(n, path, "must be a number")
		}
	default:
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
			s.wrong(n, path, "must be a whole number")
		}
	}
}

func (s *shape) fields(n *yaml.Node, t reflect.Type, path string) {
	fields := make(map[string]reflect.Type, t.NumField())
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); !f.Anonymous {
			fields[name] = f.Type
		}
	}
	s.entries(n, path, func(key string) reflect.Type { return fields[key] })
}

// entries checks a mapping whose values have the type that typeOf gives for their key; nil: there is no such key.
func (s *shape) entries(n *yaml.Node, path string, typeOf func(key string) reflect.Type) {
	if n.Kind != yaml.MappingNode {
		s.wrong(n, path, "must be a mapping of keys")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := followed(n.Content[i])
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		if t := typeOf(key.Value); t != nil {
			s.value(n.Content[i+1], t, at)
		} else {
			s.wrong(key, at, "is no field")
		}
	}
}

func isNumber(n *yaml.Node) bool {
	tag := n.ShortTag()
	return n.Kind == yaml.ScalarNode && (tag == "!!int" || tag == "!!float" || tag == "!!str" && n.Style == 0 && jsonNumber.MatchString(n.Value))
}

func followed(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// line says on which line the value at path is, or what is nearest above it; "" when that is not known.
func (s *shape) line(path string) string {
	if s.root == nil {
		return ""
	}
	n := followed(s.root)
	for path != "" {
		next, rest := step(n, path)
		if next == nil {
			break
		}
		n, path = followed(next), strings.TrimPrefix(rest, ".")
	}
	return onLine(n)
}

// step goes one key or index along path; nil when there is nothing.
func step(n *yaml.Node, path string) (next *yaml.Node, rest string) {
	if n.Kind == yaml.SequenceNode {
		number, after, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
		i, err := strconv.Atoi(number)
		if !ok || err != nil || i < 0 || i >= len(n.Content) {
			return nil, ""
		}
		return n.Content[i], after
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		after, ok := strings.CutPrefix(path, followed(n.Content[i]).Value)
		if ok && (after == "" || after[0] == '.' || after[0] == '[') {
			return n.Content[i+1], after
		}
	}
	return nil, ""
}
