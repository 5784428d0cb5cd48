package call

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/myriad-mind/myriad"
)

// badAnswer says why a body is no agent's answer.
type badAnswer struct{ why string }

func (e *badAnswer) Error() string { return e.why }

func bad(format string, args ...any) *badAnswer { return &badAnswer{why: fmt.Sprintf(format, args...)} }

// decodeAnswer reads a body that must be one JSON object, in UTF-8, with at least one field and nothing after it. The object is
// validated once and stays raw; only the fields that Myriad itself needs are picked out, by their exact names, and of a name that comes
// twice the later one counts. The answer's slices point into body.
func decodeAnswer(body []byte) (myriad.Answer, *badAnswer) {
	body = bytes.Trim(body, " \t\r\n")
	switch {
	case len(body) == 0:
		return myriad.Answer{}, bad("the body is empty, a JSON object was expected")
	case !utf8.Valid(body):
		return myriad.Answer{}, bad("the body is not valid UTF-8")
	case !json.Valid(body):
		return myriad.Answer{}, bad("the body is not JSON%s", beginning(body))
	case body[0] != '{':
		return myriad.Answer{}, bad("the body is a JSON %s, an object was expected", kindOf(body))
	}
	a := myriad.Answer{Raw: body}
	fields := 0
	for key, value := range object(body) {
		fields++
		switch string(key) {
		case "status":
			a.Status = text(value)
		case "agent_name":
			a.AgentName = text(value)
		case "fault":
			a.Fault = text(value)
		case "data":
			a.Data = value
		}
	}
	if fields == 0 {
		return myriad.Answer{}, bad("the body is an empty JSON object")
	}
	return a, nil
}

// object walks over the fields of a valid JSON object without spaces around it. Keys are unescaped.
func object(b []byte) func(yield func(key, value []byte) bool) {
	return func(yield func(key, value []byte) bool) {
		for i := skipSpace(b, 1); b[i] != '}'; {
			end := skipString(b, i)
			key := unescaped(b[i:end])
			i = skipSpace(b, skipSpace(b, end)+1) // past the colon
			end = skipValue(b, i)
			if !yield(key, b[i:end:end]) {
				return
			}
			if i = skipSpace(b, end); b[i] == ',' {
				i = skipSpace(b, i+1)
			}
		}
	}
}

func skipSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' {
		i++
	}
	return i
}

// skipString returns the place after the string that begins at b[i].
func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipValue returns the place after the value that begins at b[i].
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for {
		switch b[i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return i
		}
		i++
	}
}

func skipNested(b []byte, i int) int {
	for depth := 0; ; {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
}

// unescaped is the text of a JSON string literal; it points into the literal when nothing is escaped.
func unescaped(literal []byte) []byte {
	inner := literal[1 : len(literal)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var s string
	if err := json.Unmarshal(literal, &s); err != nil { // it was validated
		return inner
	}
	return []byte(s)
}

// text is the value when it is a string, else "". The usual words cost no allocation.
func text(value []byte) string {
	if value[0] != '"' {
		return ""
	}
	switch s := unescaped(value); string(s) {
	case myriad.StatusSuccess:
		return myriad.StatusSuccess
	case myriad.StatusError:
		return myriad.StatusError
	default:
		return string(s)
	}
}

func kindOf(b []byte) string {
	switch b[0] {
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

const maxExcerpt = 80 // bytes of a body that an error message quotes

// beginning quotes the start of a body for people.
func beginning(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	return fmt.Sprintf(": it begins with %q", body[:min(len(body), maxExcerpt)])
}
