package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

// TestAliasesAreBounded: by the nodes and by the bytes that they stand for, and when they stand for themselves.
func TestAliasesAreBounded(t *testing.T) {
	for name, doc := range map[string]string{
		"many bytes": "a: &a " + strings.Repeat("x", 100_000) + "\nb: [" + strings.Repeat("*a,", 100_000) + "]\n",
		"itself":     "a: &a [*a, *a]\n",
		"keys":       "a: &a " + strings.Repeat("k", 100_000) + "\nb: [" + strings.Repeat("{*a : 1},", 10_000) + "]\n",
	} {
		out, err := YAMLToJSON([]byte(doc))
		if myriad.ErrorCode(err) != myriad.CodeInvalid {
			t.Errorf("%s: %d bytes, %v; want invalid_request", name, len(out), err)
		}
	}
	doc := "a: &a " + strings.Repeat("<", 100_000) + "\nb: *a\n"
	if _, err := YAMLToJSON([]byte(doc)); err != nil {
		t.Errorf("a harmless alias: %v", err)
	}
}

func TestJSONIsHeldToTheSameRules(t *testing.T) {
	for _, good := range []string{`{"a":{"a":[{"a":1},{"a":"a"}]},"b":"a","":{}}`, ` [1, "1", null, {"x": {}}, []] `, `"x"`, `{"k": {"k": {"k": 1}}, "l": 2}`} {
		if out, err := YAMLToJSON([]byte(good)); err != nil || string(out) != good {
			t.Errorf("%s -> %s, %v", good, out, err)
		}
	}
	for bad, line := range map[string]int{
		"{\"a\":1,\n\"b\":2,\n\"a\":3}":                                      3,
		`{"x":[{"a":{"b":1},"a":2}]}`:                                        1,
		"{\"a\":[],\"b\":{},\n\"\\u0061\":1}":                                2,
		strings.Repeat("[", 200) + strings.Repeat("]", 200):                  1,
		"\n" + strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200): 2,
	} {
		_, err := YAMLToJSON([]byte(bad))
		if myriad.ErrorCode(err) != myriad.CodeInvalid || !strings.HasPrefix(err.Error(), fmt.Sprintf("line %d: ", line)) {
			t.Errorf("%.40s: %v; want a mistake on line %d", bad, err, line)
		}
	}
}

// FuzzJSONSurvives: JSON given through YAML's rules keeps its value, every digit of numbers included, or is refused.
func FuzzJSONSurvives(f *testing.F) {
	for _, s := range []string{`{"a": [1.50, -0, 1e400, "x\n"], "b": {"c": null, "d": true}}`, `["\ud83d\ude00", "0x10", "yes", "~", "<<"]`, `12345678901234567890.10`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			return
		}
		if out, err := YAMLToJSON(data); err == nil && !bytes.Equal(out, data) {
			t.Fatalf("%q -> %q", data, out)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, data); err != nil {
			t.Fatal(err)
		}
		// The same as YAML: the leading comment makes it no JSON.
		out, err := YAMLToJSON(append([]byte("# as YAML\n"), compact.Bytes()...))
		if err != nil {
			return // YAML lacks some of JSON's escapes and characters
		}
		if got, want := values(t, out), values(t, data); got != want {
			t.Fatalf("%s -> %s", want, got)
		}
	})
}

// values is the document with its numbers as written, in one writing of strings and order of keys.
func values(t *testing.T, data []byte) string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
