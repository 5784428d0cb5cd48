package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/myriad-mind/myriad"
)

// The bounds of a YAML document: what its aliases may blow it up to, and its depth.
const (
	maxNodes   = 1 << 20 // beyond those that the document itself can come to, one a byte
	maxDepth   = 128
	maxBlowUp  = 16 << 20 // bytes of JSON beyond what the document itself can come to
	maxEscaped = 6        // bytes of JSON that one byte of text can come to, like \u003c
)

// parseYAML reads exactly one document; nil for an empty one.
func parseYAML(data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("there must be one document only")
	}
	return doc.Content[0], nil
}

// YAMLToJSON turns one YAML document into JSON; JSON itself comes back as it is. Numbers keep every digit, true and false are the only
// booleans, duplicate keys are mistakes, and aliases cannot blow the document up beyond a bound. An empty document is null.
func YAMLToJSON(data []byte) ([]byte, error) {
	if json.Valid(data) { // YAML lacks some of JSON's escapes, so JSON is not read as YAML
		if err := checkJSON(data); err != nil {
			return nil, &myriad.Error{Code: myriad.CodeInvalid, Message: err.Error(), Err: err}
		}
		return data, nil
	}
	node, err := parseYAML(data)
	if err != nil {
		return nil, &myriad.Error{Code: myriad.CodeInvalid, Message: "not YAML: " + err.Error(), Err: err}
	}
	if node == nil {
		return []byte("null"), nil
	}
	w := &jsonWriter{mostNodes: len(data) + maxNodes, most: maxEscaped*len(data) + maxBlowUp}
	if err := w.node(node, 0); err != nil {
		return nil, &myriad.Error{Code: myriad.CodeInvalid, Message: err.Error(), Err: err}
	}
	return w.out.Bytes(), nil
}

type jsonWriter struct {
	out       bytes.Buffer
	nodes     int
	mostNodes int
	most      int // bytes
}

func (w *jsonWriter) node(n *yaml.Node, depth int) error {
	if w.nodes++; w.nodes > w.mostNodes || w.out.Len() > w.most {
		return fmt.Errorf("line %d: the document is too large once its aliases are followed", n.Line)
	}
	if depth > maxDepth {
		return fmt.Errorf("line %d: nested deeper than %d", n.Line, maxDepth)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return w.node(n.Alias, depth+1)
	case yaml.MappingNode:
		return w.mapping(n, depth)
	case yaml.SequenceNode:
		w.out.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				w.out.WriteByte(',')
			}
			if err := w.node(item, depth+1); err != nil {
				return err
			}
		}
		w.out.WriteByte(']')
		return nil
	}
	return w.scalar(n)
}

func (w *jsonWriter) mapping(n *yaml.Node, depth int) error {
	seen := make(map[string]bool, len(n.Content)/2)
	w.out.WriteByte('{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			return fmt.Errorf("line %d: a key must be a plain value", key.Line)
		case key.Tag == "!!merge":
			return fmt.Errorf("line %d: merge keys are not supported", key.Line)
		case seen[key.Value]:
			return fmt.Errorf("line %d: the key %q is there twice", key.Line, key.Value)
		}
		seen[key.Value] = true
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.text(key.Value)
		w.out.WriteByte(':')
		if err := w.node(n.Content[i+1], depth+1); err != nil {
			return err
		}
	}
	w.out.WriteByte('}')
	return nil
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func (w *jsonWriter) scalar(n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!null":
		w.out.WriteString("null")
	case "!!bool":
		word := strings.ToLower(n.Value)
		if word != "true" && word != "false" {
			w.text(n.Value)
			return nil
		}
		w.out.WriteString(word)
	case "!!int", "!!float":
		if !jsonNumber.MatchString(n.Value) {
			return fmt.Errorf("line %d: %q is no number that JSON can write; quote it if it is meant as text", n.Line, n.Value)
		}
		w.out.WriteString(n.Value)
	case "!!str", "!!timestamp":
		if n.Style == 0 && jsonNumber.MatchString(n.Value) { // a number too large for the YAML package to know it as one
			w.out.WriteString(n.Value)
			return nil
		}
		w.text(n.Value)
	default:
		return fmt.Errorf("line %d: values of type %s are not supported", n.Line, n.ShortTag())
	}
	return nil
}

func (w *jsonWriter) text(s string) {
	raw, err := json.Marshal(s)
	if err != nil { // a Go string always marshals
		panic(err)
	}
	w.out.Write(raw)
}
