package neurogenesis

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// replies are what peers may say to /collaborate, and what is made of it: a finding as text, "" for no expertise, "!" for nonsense.
var replies = []struct{ name, body, want string }{
	{"a static agent", `{"agent_name":"X","status":"success","data":{"primary_knowledge":"glows","knowledge_type":"concept_research","confidence":0.95,"source":"X",
		"additional_context":{"industrial_impact":{"a":1},"Applications":["light","signs"],"history":"old","IMPACT on homes":"bright"}},"collaboration_metadata":{}}`,
		`glows 0.95 ["{\"a\":1}" "light, signs" "bright"]`},
	{"a grown agent", `{"status":"success","data":{"primary_knowledge":"glows","research_confidence":0.5,"research_depth":"specialized","expertise_level":"high",
		"additional_context":{"applications":["light"],"concept":"led"}}}`, `glows 0.5 ["light"]`},
	{"both confidences", `{"status":"success","data":{"confidence":0.2,"research_confidence":0.9}}`, ` 0.2 []`},
	{"no confidence", `{"status":"success","data":{"primary_knowledge":"glows"}}`, `glows ? []`},
	{"nothing but data", `{"status":"success","data":{"x":1}}`, ` ? []`},
	{"nulls", `{"status":"success","data":{"primary_knowledge":null,"confidence":null,"additional_context":null}}`, ` ? []`},
	{"a context that is text", `{"status":"success","data":{"primary_knowledge":"glows","confidence":1,"additional_context":"impact"}}`, `glows 1 []`},
	{"odd values in the context", `{"status":"success","data":{"confidence":1,"additional_context":{"impact":null,"impact2":true,"impact3":2.50,"impact4":["a",1],"impact5":"  "}}}`,
		` 1 ["true" "2.50" "[\"a\",1]"]`},
	{"no expertise, static", `{"agent_name":"X","status":"no_expertise","data":"sorry"}`, ""},
	{"no expertise, grown", `{"status":"no_expertise","message":"sorry"}`, ""},
	{"unsupported", `{"status":"unsupported","message":"sorry"}`, ""},
	{"error", `{"status":"error","data":{"primary_knowledge":"x","confidence":1}}`, ""},
	{"no status", `{"data":{"primary_knowledge":"x","confidence":1}}`, ""},
	{"a status of another case", `{"status":"SUCCESS","data":{"confidence":1}}`, ""},
	{"a status that is no text", `{"status":["success"],"data":{"confidence":1}}`, ""},
	{"no data", `{"status":"success"}`, ""},
	{"null data", `{"status":"success","data":null}`, ""},
	{"empty data", `{"status":"success","data":{ }}`, ""},
	{"false data", `{"status":"success","data":false}`, ""},
	{"data that is text", `{"status":"success","data":"glows"}`, "!"},
	{"data that is a list", `{"status":"success","data":[{"primary_knowledge":"x"}]}`, "!"},
	{"knowledge that is a number", `{"status":"success","data":{"primary_knowledge":5,"confidence":1}}`, "!"},
	{"knowledge that is a list", `{"status":"success","data":{"primary_knowledge":["x"],"confidence":1}}`, "!"},
	{"confidence that is text", `{"status":"success","data":{"primary_knowledge":"x","confidence":"0.9"}}`, "!"},
	{"confidence that is true", `{"status":"success","data":{"primary_knowledge":"x","confidence":true}}`, "!"},
	{"confidence that is a list", `{"status":"success","data":{"primary_knowledge":"x","confidence":[0.9]}}`, "!"},
	{"confidence in per cent", `{"status":"success","data":{"primary_knowledge":"x","confidence":95}}`, "!"},
	{"confidence below nothing", `{"status":"success","data":{"primary_knowledge":"x","confidence":-1}}`, "!"},
	{"confidence beyond numbers", `{"status":"success","data":{"primary_knowledge":"x","confidence":1e999}}`, "!"},
	{"huge knowledge", `{"status":"success","data":{"primary_knowledge":"` + strings.Repeat("x", maxText+1) + `"}}`, "!"},
	{"a huge reply", `{"status":"success","data":{"x":"` + strings.Repeat("x", maxReply) + `"}}`, "!"},
	{"a list", `["success"]`, "!"},
	{"a text", `"success"`, "!"},
	{"null", `null`, "!"},
	{"no JSON", `<html>`, "!"},
	{"two values", `{"status":"success"}{}`, "!"},
	{"nothing", ``, "!"},
}

// shown is a finding as the table has it.
func shown(f Finding, ok bool, err error) string {
	switch {
	case err != nil:
		return "!"
	case !ok:
		return ""
	}
	sure := "?"
	if f.Confidence != nil {
		sure = fmt.Sprint(*f.Confidence)
	}
	return fmt.Sprintf("%s %s %q", f.Definition, sure, f.Applications)
}

func TestReadReply(t *testing.T) {
	for _, c := range replies {
		if got := shown(readReply([]byte(c.body))); got != c.want {
			t.Errorf("%s: %.300q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzReadReply: no reply breaks the reader, and what it takes can be used.
func FuzzReadReply(f *testing.F) {
	for _, c := range replies {
		f.Add([]byte(c.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		finding, ok, err := readReply(body)
		if err != nil && ok {
			t.Fatal("nonsense that is used")
		}
		if !ok {
			return
		}
		if !json.Valid(body) || finding.sound() != "" || slices.ContainsFunc(finding.Applications, func(a string) bool { return len(a) > maxText || strings.TrimSpace(a) != a || a == "" }) {
			t.Fatalf("%+v", finding)
		}
		if k := synthesise(Question{Concept: "c", Display: "C"}, []Finding{finding}); !(k.ConfidenceScore >= 0 && k.ConfidenceScore <= 1) {
			t.Fatalf("%+v", k)
		}
	})
}
