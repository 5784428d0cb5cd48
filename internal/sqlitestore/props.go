package sqlitestore

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/myriad-mind/myriad"
)

// encodeProps writes properties as JSON. Nulls are absent, as property graphs have it.
func encodeProps(p myriad.Properties) (string, error) {
	kept := make(myriad.Properties, len(p))
	for key, value := range p {
		if !validProp(key) {
			return "", myriad.Errorf(myriad.CodeInvalid, "a property's name has 1 to %d bytes, without quotes, backslashes and control characters: %.40q",
				myriad.MaxNameLength, key)
		}
		if value != nil {
			kept[key] = value
		}
	}
	return marshal(kept)
}

// validProp keeps names out that cannot be written in an SQLite JSON path.
func validProp(key string) bool {
	return key != "" && len(key) <= myriad.MaxNameLength && !strings.ContainsFunc(key, func(r rune) bool {
		return r == '"' || r == '\\' || unicode.IsControl(r) || r == unicode.ReplacementChar
	})
}

func marshal(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", myriad.Errorf(myriad.CodeInvalid, "properties must be JSON: %w", err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// validLabel says whether s may be a label or a relationship type: letters of every script, digits and _.
func validLabel(s string) bool {
	return s != "" && len(s) <= myriad.MaxNameLength && !strings.ContainsFunc(s, func(r rune) bool {
		return r == unicode.ReplacementChar || r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// plainAgent is an Agent without methods, so that none of them changes how it is kept.
type plainAgent myriad.Agent

// agentProps are the properties of an Agent node: the agent's own JSON, with times in milliseconds as every client of the graph expects
// them, and without Dormant, which follows from the rest.
type agentProps struct {
	plainAgent
	Dormant   *struct{} `json:"dormant,omitempty"`
	CreatedAt millis    `json:"created_at,omitempty"`
	UpdatedAt millis    `json:"updated_at,omitempty"`
}

// millis is a time in Unix milliseconds, 0 for none. It also reads fractions and RFC 3339, which other writers use.
type millis int64

func (m *millis) UnmarshalJSON(data []byte) error {
	if n, err := strconv.ParseInt(string(data), 10, 53); err == nil { // as we write it
		*m = millis(n)
		return nil
	}
	if t, err := time.Parse(`"`+time.RFC3339Nano+`"`, string(data)); err == nil {
		*m = millis(t.UnixMilli())
		return nil
	}
	var f float64
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	if math.Abs(f) < 1<<53 {
		*m = millis(f)
	}
	return nil
}

func (m millis) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

func millisOf(t time.Time) millis {
	if t.IsZero() {
		return 0
	}
	return millis(t.UnixMilli())
}

// encodeAgent gives the properties of an agent, and keeps what others had set on its node beside them.
func encodeAgent(a myriad.Agent, before string) (string, error) {
	text, err := marshal(agentProps{plainAgent: plainAgent(a), CreatedAt: millisOf(a.CreatedAt), UpdatedAt: millisOf(a.UpdatedAt)})
	if err != nil || before == "" {
		return text, err
	}
	others, err := foreignProps(before)
	if err != nil || len(others) == 0 {
		return text, err
	}
	if err := json.Unmarshal([]byte(text), &others); err != nil {
		return "", err
	}
	return marshal(others)
}

// foreignProps are the properties that no field of an agent holds.
func foreignProps(props string) (map[string]json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(props), &all); err != nil {
		return nil, err
	}
	for _, name := range agentFields {
		delete(all, name)
	}
	return all, nil
}

// decodeAgent reads an Agent node. A node that another client of the graph made may hold fields of other types; those are passed over.
func decodeAgent(props []byte) (myriad.Agent, error) {
	var p agentProps
	if err := json.Unmarshal(props, &p); err != nil {
		p = agentProps{}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(props, &fields); err != nil {
			return myriad.Agent{}, err
		}
		for _, name := range agentFields {
			if raw, ok := fields[name]; ok {
				before := p
				if json.Unmarshal([]byte(`{"`+name+`":`+string(raw)+`}`), &p) != nil {
					p = before
				}
			}
		}
	}
	a := myriad.Agent(p.plainAgent)
	a.CreatedAt, a.UpdatedAt = p.CreatedAt.time(), p.UpdatedAt.time()
	mend(a.Template)
	a.Dormant = a.Template != nil && a.Endpoint == ""
	if a.Status == "" {
		a.Status = myriad.AgentActive
	}
	return a, nil
}
