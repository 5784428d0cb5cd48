package myriad

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	var indented bytes.Buffer
	if err := json.Indent(&indented, got, "", "  "); err != nil {
		t.Fatalf("%s is not JSON: %v\n%s", name, err, got)
	}
	indented.WriteByte('\n')
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, indented.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, indented.Bytes()) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, indented.Bytes(), want)
	}
}

func answer(raw string) Answer { return ReadAnswer(json.RawMessage(raw)) }

// samples are results of every kind, by the name of their golden file.
func samples() map[string]Result {
	live := Provenance{
		Source: SourceLive, Agent: "Lamp", Endpoint: "http://127.0.0.1:1/query", QueuedMS: 0.125, StartMS: 1.5, DurationMS: 20,
		Attempts: []Attempt{
			{Agent: "Old", Endpoint: "http://127.0.0.1:2/query", Outcome: OutcomeServerError, HTTPStatus: 500, StartMS: 1.6, DurationMS: 3, Error: "HTTP 500"},
			{Agent: "Lamp", Endpoint: "http://127.0.0.1:1/query", Outcome: OutcomeSuccess, StartMS: 4.6, DurationMS: 16.9, Hedge: true},
		},
		Rejections: []Rejection{{Agent: "Third", Reason: RejectedOpen, RetryAfterMS: 3000}},
		Ranking:    []Ranked{{Agent: "Lamp", Score: 0.5, Tier: TierExact, Parts: ScoreParts{Weight: 0.5, Availability: 1, Load: 1, Latency: 1}}},
		Graph:      GraphFresh,
	}
	return map[string]Result{
		"live": {TaskID: TaskID{Key: "1", Raw: json.RawMessage("1")}, Status: "success", Succeeded: true, Provenance: live,
			Answer: answer(`{"agent_name":"Lamp","status":"success","data":{"n":1234567890123456789012345678901234567890.5},"odd \"name\"":[]}`)},
		"verbatim_status": {TaskID: StringID("a"), Status: "timeout", Succeeded: true, Provenance: Provenance{Source: SourceLive, Agent: "A"},
			Answer: answer(`{"status":"timeout","agent_url":"theirs","error_code":"theirs","message":"theirs","skipped_because":4}`)},
		"ours_win": {TaskID: StringID("a"), Status: "error", ErrorCode: TaskErrAgent, ErrorMessage: `it "failed"`,
			Provenance: Provenance{Source: SourceNone, Agent: "A", Endpoint: "http://a"},
			Answer:     answer(`{"task_id":"fake","succeeded":true,"status":"error","data":null,"provenance":{"source":"live"},"error_code":"x","error_message":4}`)},
		"no_status": {TaskID: StringID("a"), Status: "success", Succeeded: true, Answer: answer("{\n \"data\": [1,\n2]\n}"), Provenance: Provenance{Source: SourceLive, Agent: "A"}},
		"cache": {TaskID: StringID("a"), Status: "success", Succeeded: true, Answer: answer(`{"agent_name":"A","status":"ok","data":"old"}`),
			Provenance: Provenance{Source: SourceCache, AgeMS: 5000, Agent: "A", Fallback: "circuit_open: every candidate's breaker is open", Graph: GraphStale, GraphAgeMS: 70}},
		"default": {TaskID: StringID("a"), Status: "success", Succeeded: true, Extra: Extra{Data: json.RawMessage(`{"x":null}`)}, Provenance: Provenance{Source: SourceDefault}},
		"timeout": {TaskID: StringID("a"), Status: "timeout", ErrorCode: TaskErrTimeout, ErrorMessage: "late", Extra: Extra{AgentURL: "http://a/query"}, Provenance: Provenance{Source: SourceNone}},
		"unavailable": {TaskID: StringID("a"), Status: "service_unavailable", ErrorCode: TaskErrCircuitOpen, ErrorMessage: "open",
			Extra: Extra{Message: "open", RetryAfterMS: 1500}, Provenance: Provenance{Source: SourceNone}},
		"skipped": {TaskID: StringID("b"), Status: "skipped", ErrorCode: TaskErrDependency, ErrorMessage: "because of a",
			Extra: Extra{SkippedBecause: "a", Message: "because of a"}, Provenance: Provenance{Source: SourceNone}},
		"no_agent": {TaskID: StringID("b"), Status: "no_agent_available", ErrorCode: TaskErrNoAgent, ErrorMessage: "nobody",
			Extra: Extra{Data: json.RawMessage(`"nobody"`)}, Provenance: Provenance{Source: SourceNone, Graph: GraphFresh}},
		"grown": {TaskID: StringID("b"), Status: StatusNeurogenesisAgent, Succeeded: true, Answer: answer(`{"agent_name":"LED_AI","status":"success","data":"light"}`),
			Extra: Extra{NeurogenesisData: &NeurogenesisData{Concept: "LED", ExpansionMethod: "neurogenesis_phase2", Sources: []string{}, Confidence: 0.5, DynamicAgentCreated: true, NewAgentName: "LED_AI"},
				NewAgent: &NewAgent{Name: "LED_AI", Endpoint: "http://127.0.0.1:9", Capabilities: []string{"define"}}},
			Provenance: Provenance{Source: SourceLive, Agent: "LED_AI", ColdStartMS: 2}},
		"queued": {TaskID: StringID("b"), Status: StatusNeurogenesisSuccess, ErrorCode: TaskErrFleetFull, ErrorMessage: "no room",
			Extra: Extra{AgentName: "Orchestrator_Neurogenesis", Data: json.RawMessage(`"a diode"`), Queued: &QueuePosition{Position: 3},
				NeurogenesisData: &NeurogenesisData{Concept: "LED", ExpansionMethod: "neurogenesis_phase1", Sources: []string{"wordnet"}}},
			Provenance: Provenance{Source: SourceNone}},
	}
}

func TestResultGolden(t *testing.T) {
	for name, r := range samples() {
		t.Run(name, func(t *testing.T) { golden(t, "result_"+name+".json", r.AppendJSON(nil)) })
	}
}

// A result that was read back says the same on the wire, and the same to Go code that looks at it.
func TestResultReadBack(t *testing.T) {
	for name, want := range samples() {
		t.Run(name, func(t *testing.T) {
			raw := want.AppendJSON(nil)
			var got Result
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Fatal(err)
			}
			sameJSON(t, got.AppendJSON(nil), raw)
			if got.Status != want.Status || got.Succeeded != want.Succeeded || got.ErrorCode != want.ErrorCode || got.TaskID.Key != want.TaskID.Key {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if !reflect.DeepEqual(got.Provenance, want.Provenance) {
				t.Errorf("provenance: got %+v, want %+v", got.Provenance, want.Provenance)
			}
			if !reflect.DeepEqual(got.Extra, want.Extra) {
				t.Errorf("extra: got %+v, want %+v", got.Extra, want.Extra)
			}
			if got.Answer.AgentName != want.Answer.AgentName || string(got.Answer.Data) != string(AppendJSONRaw(nil, want.Answer.Data)) && want.Answer.Data != nil {
				t.Errorf("answer: got %+v, want %+v", got.Answer, want.Answer)
			}
		})
	}
}

// An appended result has no line breaks, whatever the agent wrote, so that it is one line of a stream.
func TestResultIsOneLine(t *testing.T) {
	r := Result{TaskID: StringID("a"), Status: "success", Succeeded: true, Answer: answer("{\"data\":\r\n{\"a\":\n1}}")}
	if raw := r.AppendJSON(nil); bytes.ContainsAny(raw, "\r\n") {
		t.Errorf("line breaks in %s", raw)
	}
}

func TestResultRefusesWhatIsNone(t *testing.T) {
	for _, bad := range []string{``, `null`, `[]`, `"x"`, `{`, `{"task_id":{}}`, `{"provenance":3}`, `{"error_code":{}}`} {
		var r Result
		if err := r.UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%s was taken for a result", bad)
		}
	}
}

// The provenance has an appender of its own; it must say what reflection over the same tags would say.
func TestProvenanceAppenderAgreesWithTags(t *testing.T) {
	for name, r := range samples() {
		want, err := json.Marshal(r.Provenance)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Provenance.appendJSON(nil); !bytes.Equal(got, want) {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestRunRecordJSON(t *testing.T) {
	start := time.Date(2026, 11, 24, 1, 2, 3, 4000, time.UTC)
	rec := RunRecord{RunSummary: RunSummary{RunID: "r", Status: RunPartial, Tasks: 3, Succeeded: 1, StartedAt: start, FinishedAt: start.Add(time.Second),
		DurationMS: 1000, CriticalPathMS: 900, QueuedMS: 50, OrchestrationMS: 50, SequentialMS: 2000, Parallelism: 2}}
	all := samples()
	rec.Results = []Result{all["live"], all["skipped"], {TaskID: StringID("unfinished")}}
	raw := rec.AppendJSON(nil)
	golden(t, "run.json", raw)
	var got RunRecord
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Results) != 2 || got.Results[0].TaskID.Key != "1" || got.Results[1].TaskID.Key != "b" || !got.StartedAt.Equal(start) {
		t.Errorf("read back as %+v", got)
	}
	sameJSON(t, got.AppendJSON(nil), raw)
	summary, err := json.Marshal(rec.RunSummary)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, rec.RunSummary.AppendJSON(nil), summary)
}

func TestAppendJSONString(t *testing.T) {
	for _, s := range []string{"", "plain", "q\"b\\", "\n\t\r\x00\x1f", "é漢😀\u2028", "bad\xffutf", "\x7f"} {
		var back string
		got := AppendJSONString(nil, s)
		if err := json.Unmarshal(got, &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") {
			t.Errorf("%q became %s, read as %q (%v)", s, got, back, err)
		}
	}
}

func TestAppendFloatAgreesWithEncodingJSON(t *testing.T) {
	for _, f := range []float64{0, 1, -1, 0.1, 1e-7, 1e21, 123456.789, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		want, _ := json.Marshal(f)
		got := appendFloat(nil, f)
		var a, b float64
		if json.Unmarshal(got, &a) != nil || json.Unmarshal(want, &b) != nil || a != b {
			t.Errorf("%v: got %s, want %s", f, got, want)
		}
	}
	if got := appendFloat(nil, math.NaN()); string(got) != "0" {
		t.Errorf("NaN became %s", got)
	}
}

func FuzzResultReadBack(f *testing.F) {
	for _, r := range samples() {
		f.Add(r.AppendJSON(nil))
	}
	f.Add([]byte(`{"task_id":null,"status":5,"data":1,"data":2,"status":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var once, twice Result
		if json.Unmarshal(data, &once) != nil {
			return
		}
		first := once.AppendJSON(nil)
		if err := json.Unmarshal(first, &twice); err != nil {
			t.Fatalf("cannot read back %s: %v", first, err)
		}
		sameJSON(t, twice.AppendJSON(nil), first)
	})
}

func FuzzFields(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[{"c":"]}"}],"d\"e":null}`))
	f.Add([]byte(`{"a"`))
	f.Add([]byte(`[1,`))
	f.Add([]byte("{\"\x80\":null}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got := map[string]string{}
		for name, value := range Fields(data) {
			got[string(name)] = string(value)
		}
		n := 0
		for range Elements(data) {
			n++
		}
		if !json.Valid(data) {
			return // must only not panic or hang
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(data, &want) == nil && want != nil {
			for name, value := range want {
				if got[name] != string(value) {
					t.Fatalf("member %q of %s: got %s, want %s", name, data, got[name], value)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("%d members of %s, want %d", len(got), data, len(want))
			}
		}
		var list []json.RawMessage
		if json.Unmarshal(data, &list) == nil && len(list) != n {
			t.Fatalf("%d elements of %s, want %d", n, data, len(list))
		}
	})
}

// sameJSON compares two documents by their values, digits of numbers included.
func sameJSON(t *testing.T, got, want []byte) {
	t.Helper()
	var a, b any
	if err := decodeNumbers(got, &a); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, got)
	}
	if err := decodeNumbers(want, &b); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, want)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func BenchmarkResultAppendJSON(b *testing.B) {
	r := samples()["live"]
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = r.AppendJSON(buf[:0])
	}
}
