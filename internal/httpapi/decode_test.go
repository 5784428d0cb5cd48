package httpapi

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

func jsonObject(body []byte, into *map[string]any) bool {
	return json.Unmarshal(body, into) == nil && *into != nil
}

func TestStrictDecodingNamesEveryMistake(t *testing.T) {
	for name, tc := range map[string]struct {
		body  string
		paths []string
	}{
		"sound":             {`{"name":"a","concepts":["x"],"template":{"kind":"command","command":["cat"],"limits":{"cpu":0.5,"pids":10}},"created_at":"2026-11-24T12:00:00Z"}`, nil},
		"nulls as absent":   {`{"name":"a","concepts":null,"labels":null,"auth":null}`, nil},
		"unknown":           {`{"name":"a","concepts":[],"colour":1,"auth":{"shceme":"x"}}`, []string{"auth.shceme", "colour"}},
		"deep unknown":      {`{"template":{"knowledge":{"learned_knowledge":{"k":{"x":1}}}}}`, []string{"template.knowledge.learned_knowledge.k.x"}},
		"wrong types":       {`{"name":1,"concepts":"x","intents":[1,"y",null],"max_concurrency":1.5,"labels":{"k":2},"dormant":"no","auth":[]}`, []string{"auth", "concepts", "dormant", "intents[0]", "intents[2]", "labels.k", "max_concurrency", "name"}},
		"numbers":           {`{"template":{"limits":{"cpu":"1","memory_bytes":99999999999999999999}}}`, []string{"template.limits.cpu", "template.limits.memory_bytes"}},
		"time":              {`{"created_at":"yesterday","updated_at":7}`, []string{"created_at", "updated_at"}},
		"no object":         {`[1]`, []string{""}},
		"malformed":         {`{"name":`, []string{""}},
		"something after":   {`{"name":"a"} {}`, []string{""}},
		"twice":             {`{"name":"a","name":"b","name":"c","concepts":[]}`, []string{"name"}},
		"twice, escaped":    {`{"name":"a","n\u0061me":"b"}`, []string{"name"}},
		"twice, deep":       {`{"auth":{"env":"A","env":"B"},"template":{"limits":{"cpu":1,"cpu":2},"env":{"A":"1","A":"2"}},"labels":{"k":"1","k":"1"}}`, []string{"auth.env", "template.limits.cpu", "template.env.A", "labels.k"}},
		"twice, and absent": {`{"template":null,"template":{"kind":"x"}}`, []string{"template"}},
		"twice, unknown":    {`{"colour":1,"colour":2}`, []string{"colour"}},
		"twice in what it knows": {`{"template":{"kind":"knowledge","knowledge":{"concept":"a","concept":"b","learned_knowledge":{"k":{},"k":{"content":"x","content":"y"}}}}}`,
			[]string{"template.knowledge.concept", "template.knowledge.learned_knowledge.k", "template.knowledge.learned_knowledge.k.content"}},
		"case is not ours": {`{"Name":"a"}`, []string{"Name"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeStrict[myriad.Agent]([]byte(tc.body))
			var got []string
			if err != nil {
				got = paths(failureOf(err).problem())
			}
			if !slices.Equal(got, tc.paths) {
				t.Errorf("mistakes at %q, want %q (%v)", got, tc.paths, err)
			}
		})
	}
}

// A field that is given twice is refused on every native route that takes a body, and the last one counts where clients of the Python system ask.
func TestTwiceIsRefused(t *testing.T) {
	w := newWorld(t)
	w.addAgent(lamp())
	for request, body := range map[[2]string]string{
		{"POST /v1/agents", "endpoint"}:            `{"name":"B","endpoint":"http://127.0.0.1:8/query","endpoint":"http://127.0.0.1:9/query","concepts":["c"]}`,
		{"PUT /v1/agents/A", "concepts"}:           `{"name":"A","endpoint":"http://127.0.0.1:9/query","concepts":["c"],"concepts":["d"]}`,
		{"POST /v1/discover", "concept"}:           `{"concept":"c","concept":"d"}`,
		{"POST /v1/agents/Lamp/breaker", "action"}: `{"action":"open","action":"close"}`,
		{"PATCH /v1/fleet/limits", "max_agents"}:   `{"max_agents":1,"max_agents":2}`,
		{"PATCH /v1/fleet/limits", "instance"}:     `{"instance":{"pids":5},"instance":{"cpu":1}}`,
		{"PATCH /v1/fleet/limits", "instance.cpu"}: `{"instance":{"cpu":1,"cpu":2}}`,
	} {
		method, path, _ := strings.Cut(request[0], " ")
		p := w.do(method, path, body).problem(t, 400, myriad.CodeInvalid)
		if got := paths(p); !slices.Equal(got, []string{request[1]}) || !strings.Contains(p.Mistakes[0].Rule, "more than once") {
			t.Errorf("%s %s: %+v", request[0], body, p)
		}
	}
	if r := w.do("POST", "/discover", `{"concept":"x","concept":"c"}`); r.status == 400 || !strings.Contains(r.body, `"concept":"c"`) {
		t.Errorf("the compatible route: %d %s", r.status, r.body)
	}
}

// FuzzDecodeAgent: the decoder never panics, refuses with paths only, and what it takes survives a round trip.
func FuzzDecodeAgent(f *testing.F) {
	f.Add([]byte(`{"name":"a","endpoint":"http://h/","concepts":["x"],"auth":{"scheme":"bearer","env":"X"}}`))
	f.Add([]byte(`{"template":{"kind":"knowledge","knowledge":{"confidence_score":1e999}}}`))
	f.Add([]byte(`{"created_at":"2026-11-24T12:00:00+25:00"}`))
	f.Add([]byte(`{"labels":{"\ud800":"x"}}`))
	f.Add([]byte(`{"labels":{"\ud800":"x","\ud801":"y"},"name":"a","name":"b"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		agent, err := decodeStrict[myriad.Agent](body)
		if err != nil {
			if p := failureOf(err).problem(); p.Code != myriad.CodeInvalid || len(p.Mistakes) == 0 {
				t.Fatalf("%q is refused without a mistake: %v", body, err)
			}
			return
		}
		again, err := decodeStrict[myriad.Agent](mustJSON(agent))
		if err != nil || string(mustJSON(again)) != string(mustJSON(agent)) {
			t.Fatalf("%q does not survive: %v", body, err)
		}
	})
}

// FuzzDecodeDiscover: both dialects read without panics, and the native one takes nothing that the compatible one would not.
func FuzzDecodeDiscover(f *testing.F) {
	f.Add([]byte(`{"concept":"light bulb","intent":"define"}`))
	f.Add([]byte(`{"concept":null}`))
	f.Add([]byte(`"concept"`))
	f.Add([]byte(`{"concept":"a","concept":"b"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		strict, err := decodeStrict[DiscoverRequest](body)
		loose, looseErr := discoverOf(body)
		if err == nil && fieldOf(body, "concept") != nil && (looseErr != nil || loose.Concept != strict.Concept) {
			t.Fatalf("%q: native %+v, compatible %+v, %v", body, strict, loose, looseErr)
		}
	})
}
