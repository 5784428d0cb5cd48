package call

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/myriad-mind/myriad"
)

func TestDecodeAnswer(t *testing.T) {
	for _, c := range []struct{ body, status, name, data, fault string }{
		{`{"agent_name":"A","status":"success","data":"light"}`, "success", "A", `"light"`, ""},
		{" \n{ \"status\" : \"error\" , \"fault\" : \"caller\" , \"data\" : { \"a\" : [ 1 , \"}\" ] } }\r\n", "error", "", `{ "a" : [ 1 , "}" ] }`, "caller"},
		{`{"Status":"error","STATUS":"error","Data":1}`, "", "", "", ""}, // names are exact
		{`{"stat\u0075s":"n\u00f8","data":null}`, "nø", "", "null", ""},
		{`{"status":"error","status":"success"}`, "success", "", "", ""}, // the later one counts
		{`{"status":1,"agent_name":["A"],"fault":{}}`, "", "", "", ""},
		{`{"nested":{"status":"error"},"list":[{"status":"error"}],"n":-1.5e9,"t":true,"f":false,"data":12345678901234567890}`, "", "", "12345678901234567890", ""},
		{`{"":"","a\\":"\"","status":"a\\"}`, `a\`, "", "", ""},
	} {
		a, err := decodeAnswer([]byte(c.body))
		if err != nil {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		is(t, c.body+" status", a.Status, c.status)
		is(t, c.body+" agent_name", a.AgentName, c.name)
		is(t, c.body+" data", string(a.Data), c.data)
		is(t, c.body+" fault", a.Fault, c.fault)
		is(t, c.body+" raw", string(a.Raw), strings.TrimSpace(c.body))
	}
}

func TestNotAnAnswer(t *testing.T) {
	for body, words := range map[string]string{
		"":                          "the body is empty",
		"  \n":                      "the body is empty",
		`[{"status":"success"}]`:    "a JSON array, an object was expected",
		`"success"`:                 "a JSON string",
		`true`:                      "a JSON boolean",
		`null`:                      "a JSON null",
		`12`:                        "a JSON number",
		`{}`:                        "an empty JSON object",
		`{"status":"success"} true`: "not JSON",
		`{"status":"success"}{}`:    "not JSON",
		`{"status":"success"`:       "not JSON",
		`{'status':'success'}`:      `it begins with "{'status'`,
		"<html>":                    `it begins with "<html>"`,
		"{\"a\":\"\xff\"}":          "not valid UTF-8",
		"\ufeff{\"a\":1}":           "not JSON",
		strings.Repeat("x", 1000):   "not JSON",
		strings.Repeat(`[`, 20000):  "not JSON", // too deep
	} {
		_, err := decodeAnswer([]byte(body))
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%.40q: got %v, want %q", body, err, words)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("%.40q: message of %d bytes", body, len(err.Error()))
		}
	}
}

// A bug: an answer that nests nearly as deep as can be read was passed on, and with the levels of the reply around it no client could read
// the results of the whole run.
func TestAnAnswerThatNestsTooDeep(t *testing.T) {
	nested := func(levels int) string {
		return `{"data":` + strings.Repeat(`[`, levels-1) + strings.Repeat(`]`, levels-1) + `}`
	}
	for body, fine := range map[string]bool{
		nested(maxDepth):     true,
		nested(maxDepth + 1): false,
		nested(9000):         false,
		`{"data":[` + strings.Repeat(`[],`, 2*maxDepth) + `[]]}`:                              true,
		`{"data":"` + strings.Repeat(`[{`, 2*maxDepth) + `"}`:                                 true,
		`{"data":"` + strings.Repeat(`\"[\\`, 2*maxDepth) + `"}`:                              true,
		strings.Repeat(`{"a":`, maxDepth+1) + `"]]]]"` + strings.Repeat(`}`, maxDepth+1):      false,
		`{"data":[` + strings.Repeat(`"\"]",`, 9) + nested(maxDepth-2) + `]}`:                 true,
		`{"data":[` + strings.Repeat(`"\"]",`, 9) + `{"x":` + nested(maxDepth-2) + `}` + `]}`: false,
	} {
		_, err := decodeAnswer([]byte(body))
		if fine && err != nil || !fine && (err == nil || !strings.Contains(err.Error(), "nests deeper than")) {
			t.Errorf("%.60q... of %d bytes: %v", body, len(body), err)
		}
	}
}

func TestDecodingIsCheap(t *testing.T) {
	body := []byte(`{"agent_name":"Lightbulb_Definition_AI","status":"success","data":"an electric device"}`)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := decodeAnswer(body); err != nil {
			t.Fatal(err)
		}
	}); n > 1 { // the name
		t.Errorf("%v allocations", n)
	}
}

// FuzzDecodeAnswer: what is taken is exactly what the standard decoder takes as a non-empty object with the same fields.
func FuzzDecodeAnswer(f *testing.F) {
	for _, s := range []string{`{"status":"success","data":[1,{"a":"\"}"}]}`, `{"a":1} `, `[]`, `{"status":"\ud800"}`, "{\"\\u0073tatus\":\"x\"}", "{}", "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, wrong := decodeAnswer(body)
		var want map[string]json.RawMessage
		err := json.Unmarshal(body, &want)
		ok := err == nil && len(want) > 0 && utf8.Valid(body)
		if ok != (wrong == nil) {
			t.Fatalf("taken: %v (%v), want %v (%v)", wrong == nil, wrong, ok, err)
		}
		if !ok {
			return
		}
		asString := func(raw json.RawMessage) string {
			var s string
			if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
				return ""
			}
			return s
		}
		if a.Status != asString(want["status"]) || a.AgentName != asString(want["agent_name"]) || a.Fault != asString(want["fault"]) {
			t.Fatalf("fields %+v of %q", a, body)
		}
		if string(a.Data) != string(want["data"]) || !json.Valid(a.Raw) {
			t.Fatalf("data %q, want %q", a.Data, want["data"])
		}
	})
}

func BenchmarkDecodeAnswer(b *testing.B) {
	body := []byte(`{"agent_name":"Lightbulb_Definition_AI","status":"success","data":"an electric device that produces light via an incandescent filament"}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if a, err := decodeAnswer(body); err != nil || a.Status != myriad.StatusSuccess {
			b.Fatal(a, err)
		}
	}
}
