package orchestrator

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/myriad-mind/myriad"
)

// id reads a task id and says which rule it breaks, "" when none; the compatible routes take any scalar and key it as Python's str() would.
func (d *decoder) id(value json.RawMessage, into *myriad.TaskID) (rule string) {
	rule = "must be a string or a number"
	switch value[0] {
	case '"':
		key := string(myriad.Unquote(value))
		*into = myriad.TaskID{Key: key, Raw: value}
		if key != "" || d.compat {
			return ""
		}
		rule = "must not be empty"
	case '{', '[':
		if d.compat {
			rule = "must be a JSON scalar"
		}
	case 't', 'f', 'n':
		if d.compat {
			*into = myriad.TaskID{Key: pythonWords[value[0]], Raw: value}
			return ""
		}
	default:
		*into = myriad.TaskID{Key: string(value), Raw: value}
		if d.compat {
			into.Key = pythonNumber(string(value))
		}
		return ""
	}
	return rule
}

var pythonWords = map[byte]string{'t': "True", 'f': "False", 'n': "None"}

// pythonNumber is str() of the number that Python's json module reads from s: integers keep every digit, floats have their shortest form.
func pythonNumber(s string) string {
	if !strings.ContainsAny(s, ".eE") {
		if s == "-0" {
			return "0"
		}
		return s
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil { // out of range: Python's inf, or 0 when too small
		if strings.HasPrefix(s, "-") {
			return "-inf"
		}
		return "inf"
	}
	exp := strconv.FormatFloat(f, 'e', -1, 64)
	if _, power, ok := strings.Cut(exp, "e"); ok {
		if n, err := strconv.Atoi(power); err == nil && (n < -4 || n >= 16) && f != 0 {
			return exp
		}
	}
	plain := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(plain, ".") {
		plain += ".0"
	}
	return plain
}
