package myriad

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// Fields ranges over the members of a JSON object in reading order: each name, unescaped, and its value as it was written. raw must be
// valid JSON, as by json.Valid; anything that is no object has no members. Names and values alias raw where they can.
func Fields(raw []byte) iter.Seq2[[]byte, json.RawMessage] {
	return func(yield func([]byte, json.RawMessage) bool) {
		i := SkipSpace(raw, 0)
		if i >= len(raw) || raw[i] != '{' {
			return
		}
		for i = SkipSpace(raw, i+1); i < len(raw) && raw[i] == '"'; i = SkipSpace(raw, i+1) {
			end := stringEnd(raw, i)
			name := Unquote(raw[i:end])
			if i = SkipSpace(raw, end); i >= len(raw) || raw[i] != ':' {
				return
			}
			i = SkipSpace(raw, i+1)
			end = ValueEnd(raw, i)
			if end == i || !yield(name, raw[i:end:end]) {
				return
			}
			if i = SkipSpace(raw, end); i >= len(raw) || raw[i] != ',' {
				return
			}
		}
	}
}

// Elements ranges over the elements of a JSON array: each place, from 0, and the value as it was written. raw must be valid JSON;
// anything that is no array has no elements.
func Elements(raw []byte) iter.Seq2[int, json.RawMessage] {
	return func(yield func(int, json.RawMessage) bool) {
		i := SkipSpace(raw, 0)
		if i >= len(raw) || raw[i] != '[' {
			return
		}
		for n := 0; ; n++ {
			i = SkipSpace(raw, i+1)
			end := ValueEnd(raw, i)
			if end == i || !yield(n, raw[i:end:end]) {
				return
			}
			if i = SkipSpace(raw, end); i >= len(raw) || raw[i] != ',' {
				return
			}
		}
	}
}

// SkipSpace is the first place from i on that holds no white space of JSON.
func SkipSpace(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\t' || raw[i] == '\r') {
		i++
	}
	return i
}

// stringEnd is the place after the string that starts at i.
func stringEnd(raw []byte, i int) int {
	for from := i + 1; ; {
		n := bytes.IndexByte(raw[min(from, len(raw)):], '"')
		if n < 0 {
			return len(raw)
		}
		quote, escapes := from+n, 0
		for quote-1-escapes > i && raw[quote-1-escapes] == '\\' {
			escapes++
		}
		from = quote + 1
		if escapes%2 == 0 {
			return from
		}
	}
}

// ValueEnd is the place after the value that starts at i, or i where none starts. It does not recurse, whatever the depth.
func ValueEnd(raw []byte, i int) int {
	if i >= len(raw) {
		return i
	}
	switch raw[i] {
	case '"':
		return stringEnd(raw, i)
	case '{', '[':
		return nestedEnd(raw, i)
	}
	for i < len(raw) && bytes.IndexByte([]byte(",]}: \n\t\r"), raw[i]) < 0 {
		i++
	}
	return i
}

func nestedEnd(raw []byte, i int) int {
	for depth := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i = stringEnd(raw, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(raw)
}

// Unquote is the text of a JSON string given with its quotes. Bytes that are no UTF-8 become U+FFFD, as in encoding/json.
func Unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 && utf8.Valid(quoted) {
		if len(quoted) < 2 {
			return nil
		}
		return quoted[1 : len(quoted)-1]
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return nil
	}
	return []byte(s)
}

// stringOf is the text of raw when that is a JSON string, else "".
func stringOf(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	return string(Unquote(raw))
}
