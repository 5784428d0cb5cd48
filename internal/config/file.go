package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/myriad-mind/myriad"
)

// flatten gives the scalar values of a configuration file by dotted key, and every key that does not exist.
func flatten(file string, data []byte) (map[string]string, []myriad.Mistake) {
	node, err := parseYAML(data)
	if err != nil {
		return nil, []myriad.Mistake{{Rule: fmt.Sprintf("%s is not YAML: %v", file, err)}}
	}
	f := &flattener{file: file, seen: map[string]bool{}, values: map[string]string{}}
	if node != nil && !isNull(node) {
		f.mapping(node, "")
	}
	return f.values, f.mistakes
}

type flattener struct {
	file     string
	seen     map[string]bool
	values   map[string]string
	mistakes []myriad.Mistake
}

func (f *flattener) mistake(n *yaml.Node, key, rule string) {
	f.mistakes = append(f.mistakes, myriad.Mistake{Path: key, Rule: fmt.Sprintf("%s (%s, line %d)", rule, f.file, n.Line)})
}

func (f *flattener) mapping(n *yaml.Node, prefix string) {
	if n.Kind != yaml.MappingNode {
		f.mistake(n, strings.TrimSuffix(prefix, "."), "must be a mapping of keys")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := prefix+n.Content[i].Value, n.Content[i+1]
		if f.seen[key] {
			f.mistake(n.Content[i], key, "is there twice")
			continue
		}
		f.seen[key] = true
		switch {
		case isNull(value) && (isOption(key) || isSection(key)): // as if it were not there
		case isOption(key):
			f.value(key, value)
		case isSection(key):
			f.mapping(value, key+".")
		default:
			f.mistake(n.Content[i], key, "is no key of the configuration")
		}
	}
}

func (f *flattener) value(key string, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		f.values[key] = n.Value
		return
	}
	if n.Kind != yaml.SequenceNode || !isList(key) {
		rule := "must be a plain value"
		if isList(key) {
			rule = "must be a list of plain values"
		}
		f.mistake(n, key, rule)
		return
	}
	items := make([]string, 0, len(n.Content))
	for i, item := range n.Content {
		if item.Kind != yaml.ScalarNode || isNull(item) || strings.Contains(item.Value, ",") {
			f.mistake(item, fmt.Sprintf("%s[%d]", key, i), "must be a plain value without a comma")
			continue
		}
		items = append(items, item.Value)
	}
	f.values[key] = strings.Join(items, ",")
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func isList(key string) bool {
	var c Config
	return slices.ContainsFunc(options, func(o option) bool {
		_, list := o.into(&c).(*[]string)
		return o.key == key && list
	})
}

func isOption(key string) bool {
	return slices.ContainsFunc(options, func(o option) bool { return o.key == key })
}

func isSection(key string) bool {
	return slices.ContainsFunc(options, func(o option) bool { return strings.HasPrefix(o.key, key+".") })
}
