package orchestrator

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reference is one ${tasks...} in a string of args: a task, and the way to a value in its result.
type reference struct {
	id   string     // key of the task
	task int32      // its place in the plan, set when the plan is linked
	path []pathStep // to a field or element of its result; none is the whole
	text string     // as it was written, for messages
}

// written is a reference and the path to the string that holds it.
type written struct {
	*reference
	where string
}

// part is a piece of a string of args: text, or a reference in place of text.
type part struct {
	text string
	ref  *reference
}

// hole is a string literal raw[start:end] of args that holds references or escapes.
type hole struct {
	start, end int
	parts      []part
}

// template is the args of a task that refers to results.
type template struct {
	raw   json.RawMessage
	holes []hole // in order
}

const (
	escape  = "$${tasks" // stands for "${tasks" itself
	byID    = "${tasks."
	byQuote = "${tasks["
)

// parseReferences splits text at its references. Everything but "${tasks.", "${tasks[" and the escape stands for itself. Of each malformed
// reference the broken rule is told.
func parseReferences(text string) (parts []part, rules []string) {
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			parts = append(parts, part{text: plain.String()})
			plain.Reset()
		}
	}
	for text != "" {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			break
		}
		plain.WriteString(text[:i])
		text = text[i:]
		switch {
		case strings.HasPrefix(text, escape):
			plain.WriteString(escape[1:])
			text = text[len(escape):]
		case strings.HasPrefix(text, byID) || strings.HasPrefix(text, byQuote):
			p := refParser{text: text, at: len(byID) - 1}
			ref, rule := p.reference()
			if rule != "" {
				rules = append(rules, rule)
				text = text[len(byID):]
				continue
			}
			flush()
			parts = append(parts, part{ref: ref})
			text = text[p.at:]
		default:
			plain.WriteByte('$')
			text = text[1:]
		}
	}
	plain.WriteString(text)
	flush()
	return parts, rules
}

// refParser reads one reference from the start of text.
type refParser struct {
	text string
	at   int
}

func (p *refParser) reference() (*reference, string) {
	ref := &reference{}
	steps, rule := p.steps()
	if rule != "" {
		return nil, fmt.Sprintf("malformed reference %s: %s", shorten(p.text, 60), rule)
	}
	ref.text = p.text[:p.at]
	first := steps[0]
	if first.index >= 0 {
		return nil, fmt.Sprintf(`malformed reference %s: a task is named by .id or ["id"]`, ref.text)
	}
	ref.id, ref.path = first.name, steps[1:]
	return ref, ""
}

// steps reads .name, [0] and ["any name"] up to and with the closing brace.
func (p *refParser) steps() (steps []pathStep, rule string) {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case '}':
			p.at++
			return steps, ""
		case '.':
			name := p.text[p.at+1:]
			n := nameLength(name)
			if n == 0 {
				return nil, "a name of letters, digits, _ or - is due after the dot"
			}
			steps = append(steps, pathStep{name: name[:n], index: -1})
			p.at += 1 + n
		case '[':
			step, rule := p.bracket()
			if rule != "" {
				return nil, rule
			}
			steps = append(steps, step)
		default:
			return nil, fmt.Sprintf("unexpected %q", firstRune(p.text[p.at:]))
		}
	}
	return nil, "the closing brace is missing"
}

// bracket reads [0] or ["any name"].
func (p *refParser) bracket() (step pathStep, rule string) {
	rest := p.text[p.at+1:]
	if strings.HasPrefix(rest, `"`) {
		n := quotedLength(rest)
		var name string
		if n == 0 || json.Unmarshal([]byte(rest[:n]), &name) != nil || !strings.HasPrefix(rest[n:], "]") {
			return step, `a JSON string and ] are due after [`
		}
		p.at += n + 2
		return pathStep{name: name, index: -1}, ""
	}
	digits, _, closed := strings.Cut(rest, "]")
	index, err := strconv.Atoi(digits)
	if !closed || err != nil || index < 0 || strconv.Itoa(index) != digits {
		return step, `an index or a quoted name and ] are due after [`
	}
	p.at += len(digits) + 2
	return pathStep{index: index}, ""
}

// quotedLength is the length of the quoted string that rest starts with, 0 when it does not end.
func quotedLength(rest string) int {
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// nameLength is how much of s is letters, digits, _ and -.
func nameLength(s string) int {
	for i, r := range s {
		if r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return i
		}
	}
	return len(s)
}

// plainName says that a name needs no quotes in a path.
func plainName(s string) bool { return s != "" && nameLength(s) == len(s) }

func firstRune(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return s[:size]
}

// shorten cuts text for a message at n bytes, not in the middle of a character.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
