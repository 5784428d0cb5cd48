package neurogenesis

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/myriad-mind/myriad"
)

// maxReply is the longest reply of a peer that is read.
const maxReply = 256 << 10

// readReply reads a peer's answer to /collaborate (wire facts 5.2, 2.4). ok is false when the peer knows nothing, which is no error; an error is
// an answer that makes no sense.
func readReply(raw []byte) (f Finding, ok bool, err error) {
	if len(raw) > maxReply {
		return f, false, errors.New("the reply is too long")
	}
	var reply map[string]json.RawMessage
	if err := json.Unmarshal(raw, &reply); err != nil || reply == nil {
		return f, false, errors.New("the reply is no JSON object")
	}
	if status, isText := text(reply["status"]); !isText || status != myriad.StatusSuccess {
		return f, false, nil
	}
	if falsy(reply["data"]) {
		return f, false, nil
	}
	var data map[string]json.RawMessage
	if err := json.Unmarshal(reply["data"], &data); err != nil {
		return f, false, errors.New("its data is no object")
	}
	if raw := data["primary_knowledge"]; present(raw) {
		if f.Definition, ok = text(raw); !ok {
			return f, false, errors.New("its primary_knowledge is no text")
		}
	}
	confidence := data["confidence"]
	if !present(confidence) {
		confidence = data["research_confidence"] // of agents that were grown elsewhere
	}
	if present(confidence) {
		f.Confidence = new(float64)
		if err := json.Unmarshal(confidence, f.Confidence); err != nil {
			return f, false, errors.New("its confidence is no number")
		}
	}
	f.Applications = applications(data["additional_context"])
	if why := f.sound(); why != "" {
		return f, false, errors.New(why)
	}
	return f, true, nil
}

// present says whether a value is there and not null.
func present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// falsy says whether a value holds nothing, in the sense of the agents before us.
func falsy(raw json.RawMessage) bool {
	if !present(raw) {
		return true
	}
	var flat bytes.Buffer
	if json.Compact(&flat, raw) != nil {
		return true
	}
	switch flat.String() {
	case "{}", "[]", `""`, "0", "0.0", "-0", "false":
		return true
	}
	return false
}

func text(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(raw, &s) == nil
}

// applications are the entries of a context whose key speaks of an application or an impact, as text, in the order written.
func applications(raw json.RawMessage) (found []string) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	for dec.More() {
		t, err := dec.Token()
		key, _ := t.(string)
		var value json.RawMessage
		if err != nil || dec.Decode(&value) != nil {
			return found
		}
		key = strings.ToLower(key)
		if strings.Contains(key, "application") || strings.Contains(key, "impact") {
			found = append(found, plain(value))
		}
	}
	return usable(found)
}

// plain writes a value as people would: a text as it is, a list of texts by commas, the rest as JSON.
func plain(raw json.RawMessage) string {
	if s, ok := text(raw); ok {
		return s
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return strings.Join(list, ", ")
	}
	var flat bytes.Buffer
	if json.Compact(&flat, raw) != nil {
		return ""
	}
	return flat.String()
}
