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
	if tooDeep(body) {
		return myriad.Answer{}, bad("the body nests deeper than %d levels", maxDepth)
	}
	a := myriad.Answer{Raw: body}
	fields := 0
	for key, value := range myriad.Fields(body) {
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

// maxDepth is how deep an answer may nest: far less than readers of JSON stop at (about 1,000 levels in some languages), because a reply
// that holds the answer must be readable, or one agent spoils the results of all.
const maxDepth = 500

// tooDeep says whether a valid object nests deeper than maxDepth. Nearly always there are not even that many brackets.
func tooDeep(body []byte) bool {
	if bytes.Count(body, []byte{'{'})+bytes.Count(body, []byte{'['}) <= maxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// text is the value when it is a string, else "". The usual words cost no allocation.
func text(value []byte) string {
	if value[0] != '"' {
		return ""
	}
	switch s := myriad.Unquote(value); string(s) {
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
