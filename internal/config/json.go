package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// checkJSON holds valid JSON to the rules of YAMLToJSON that its grammar does not know: no key twice in one object, and bounded depth.
func checkJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var open []object
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if len(open) > maxDepth {
				return fmt.Errorf("line %d: nested deeper than %d", lineAt(data, dec), maxDepth)
			}
			if len(open) > 0 {
				open[len(open)-1].valueComes()
			}
			open = append(open, newObject(token == json.Delim('{')))
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		default:
			if len(open) == 0 {
				continue
			}
			if key, twice := open[len(open)-1].take(token); twice {
				return fmt.Errorf("line %d: the key %q is there twice", lineAt(data, dec), key)
			}
		}
	}
}

func lineAt(data []byte, dec *json.Decoder) int {
	return 1 + bytes.Count(data[:dec.InputOffset()], []byte{'\n'})
}

// object is an open object, or an array: seen is nil.
type object struct {
	seen  map[string]bool
	value bool // the next token is a value, not a key
}

func newObject(keyed bool) object {
	if keyed {
		return object{seen: map[string]bool{}}
	}
	return object{}
}

func (o *object) valueComes() { o.value = false }

// take notes a scalar; it is true for a key that was there before.
func (o *object) take(token json.Token) (key string, twice bool) {
	if o.seen == nil || o.value {
		o.value = false
		return "", false
	}
	key, _ = token.(string)
	twice, o.seen[key], o.value = o.seen[key], true, true
	return key, twice
}
