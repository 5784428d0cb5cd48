package inprocrt

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/myriad-mind/myriad"
)

func TestWhatWasLearnedIsAnswered(t *testing.T) {
	k := knows(t, tides("function_basic"), KnowledgeOptions{})
	says := func(body, want string) {
		t.Helper()
		if _, out, _ := ask(t, k, "/query", body); out["data"] != want || out["knowledge"] != want {
			t.Errorf("%s: %v, want %q", body, out["data"], want)
		}
	}
	if got := learned(t, k, "History", "mills of the middle ages", 0.6); got != 0.6 {
		t.Errorf("confidence %g", got)
	}
	says(`{"query_type":"history"}`, "mills of the middle ages")
	says(`{"query_type":" HISTORY "}`, "mills of the middle ages")
	says(`{"intent":"history"}`, "mills of the middle ages")
	says(`{"intent":"explain_history"}`, "mills of the middle ages")
	says(`{"intent":"define"}`, "energy taken from the tides")

	// A definition has to be surer than the one before it, which was 0.8 sure; an application or a relationship stands for itself.
	learned(t, k, "definition", "water, mostly", 0.8)
	says(`{"intent":"define"}`, "energy taken from the tides")
	learned(t, k, "definition", "kinetic energy of tidal streams", 0.9)
	says(`{"intent":"define"}`, "kinetic energy of tidal streams")
	learned(t, k, "applications", "desalination", 0.3)
	says(`{"intent":"analyze"}`, "desalination")
	if _, out, _ := ask(t, k, "/evaluate", `{}`); out["data"] != "desalination" || out["confidence"] != 0.3 {
		t.Errorf("/evaluate: %v", out)
	}
	says(`{"query_type":"unheard_of"}`, "kinetic energy of tidal streams") // sure enough: (0.6+0.9+0.3)/3

	_, out, raw := ask(t, k, "/collaborate", `{"collaboration_type":"concept_research","target_concept":"tidal power"}`)
	for _, want := range []string{`"history":"mills of the middle ages"`, `"confidence_score":0.6`} {
		if !strings.Contains(raw, want) {
			t.Errorf("research does not carry %s: %v", want, out)
		}
	}
	_, out, _ = ask(t, k, "/collaborate", `{"collaboration_type":"knowledge_request","target_concept":"tidal power","specific_request":{"knowledge_type":"history"}}`)
	if data := out["data"].(map[string]any); data["primary_knowledge"] != "mills of the middle ages" || data["confidence"] != 0.6 {
		t.Errorf("knowledge_request: %v", out)
	}
	// What it was told under another concept's name it knows of that concept.
	learned(t, k, "wave_farm", "floating converters", 0.7)
	_, out, _ = ask(t, k, "/collaborate", `{"collaboration_type":"concept_research","target_concept":"Wave Farm"}`)
	if data := out["data"].(map[string]any); out["status"] != "success" || data["primary_knowledge"] != "floating converters" || data["concept"] != "wave_farm" {
		t.Errorf("research of a foreign concept: %v", out)
	}
}

func TestOtherValuesAreLearnedAsTheirJSON(t *testing.T) {
	k := knows(t, tides("factbase_basic"), KnowledgeOptions{})
	status, out, _ := ask(t, k, "/update_knowledge", `{"knowledge_type":"figures","content":{"mw": 12}}`)
	if status != 200 || out["new_confidence"] != 0.5 {
		t.Fatalf("HTTP %d %v", status, out)
	}
	if _, out, _ := ask(t, k, "/query", `{"query_type":"figures"}`); out["data"] != `{"mw": 12}` {
		t.Errorf("%v", out)
	}
}

// TestAPacketThatFollowsGoesOn makes an agent anew from what Learned was told.
func TestAPacketThatFollowsGoesOn(t *testing.T) {
	p := tides("factbase_basic")
	original := *p.Agent.Template.Knowledge
	var last myriad.Knowledge
	k := knows(t, p, KnowledgeOptions{Learned: func(agent string, known myriad.Knowledge) error {
		if agent != p.Agent.Name {
			t.Errorf("told of %s", agent)
		}
		last = known
		return nil
	}})
	learned(t, k, "definition", "surer", 0.95)
	learned(t, k, "history", "old", 0.15)
	if !reflect.DeepEqual(*p.Agent.Template.Knowledge, original) {
		t.Errorf("the packet itself was changed: %+v", p.Agent.Template.Knowledge)
	}
	agent := p.Agent
	template := *agent.Template
	template.Knowledge = &last
	agent.Template = &template
	if _, mistakes := myriad.CheckAgent(agent); len(mistakes) > 0 {
		t.Fatalf("what follows is no packet: %v", mistakes)
	}
	again := knows(t, myriad.Packet{Agent: agent}, KnowledgeOptions{})
	for body, want := range map[string]string{`{}`: "surer", `{"query_type":"history"}`: "old"} {
		if _, out, _ := ask(t, again, "/query", body); out["data"] != want {
			t.Errorf("%s: %v", body, out)
		}
	}
	if got := learned(t, again, "history", "older", 0.55); math.Abs(got-0.75) > 1e-12 {
		t.Errorf("the mean goes on at %g", got)
	}
}

// TestWhatIsNotKeptIsNotLearned: who teaches is told so, and may come back.
func TestWhatIsNotKeptIsNotLearned(t *testing.T) {
	var refusal error = myriad.Errorf(myriad.CodeUnavailable, "not here")
	k := knows(t, tides("factbase_basic"), KnowledgeOptions{Learned: func(string, myriad.Knowledge) error { return refusal }})
	before := k.Knowledge()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/update_knowledge", strings.NewReader(`{"knowledge_type":"history","content":"mills"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	k.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"message":"not here"`) || w.Header().Get("Retry-After") != "1" {
		t.Errorf("HTTP %d %s, Retry-After %q", w.Code, w.Body, w.Header().Get("Retry-After"))
	}
	if !reflect.DeepEqual(k.Knowledge(), before) {
		t.Errorf("learned all the same: %+v", k.Knowledge())
	}
	refusal = nil
	learned(t, k, "history", "mills", 0.5)
	refusal = myriad.Errorf(myriad.CodeUnavailable, "not here")
	if status, out, _ := ask(t, k, "/update_knowledge", `{"knowledge_type":"history","content":"mills"}`); status != http.StatusServiceUnavailable {
		t.Errorf("the same again, where it is not kept: HTTP %d %v", status, out)
	}
}

func TestLearningIsBounded(t *testing.T) {
	k := knows(t, tides("factbase_basic"), KnowledgeOptions{})
	post := func(kind, content string) int {
		status, _, _ := ask(t, k, "/update_knowledge", fmt.Sprintf(`{"knowledge_type":%q,"content":%q}`, kind, content))
		return status
	}
	for n := range myriad.MaxLearned {
		if got := post(fmt.Sprint("type", n), "x"); got != http.StatusOK {
			t.Fatalf("%d: HTTP %d", n, got)
		}
	}
	if got := post("one more", "x"); got != http.StatusRequestEntityTooLarge {
		t.Errorf("one type more: HTTP %d", got)
	}
	if got := post("type1", "another"); got != http.StatusOK {
		t.Errorf("another content of a type that is there: HTTP %d", got)
	}
	large := strings.Repeat("x", myriad.MaxLearnedBytes-500)
	statuses := map[int]int{}
	for n := range 6 {
		statuses[post(fmt.Sprint("type", n), large)]++
	}
	if statuses[http.StatusOK] != 4 || statuses[http.StatusRequestEntityTooLarge] != 2 {
		t.Errorf("six large contents: %v", statuses)
	}
	if n := learnedBytes(k.known.Load()); n > myriad.MaxLearnedTotal {
		t.Errorf("%d bytes are kept", n)
	}
}

// TestConcurrentLearning teaches an agent many things at once, in any order: in the end it knows the newest of each type that nobody else
// taught, its confidence is the mean, and Learned has heard that last, one call at a time.
func TestConcurrentLearning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lessons := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) myriad.Learn {
			return myriad.Learn{Content: rapid.StringN(1, 8, -1).Draw(t, "content"), Confidence: rapid.Float64Range(0, 1).Draw(t, "confidence")}
		}), 1, 40).Draw(t, "lessons")
		teachers := rapid.IntRange(1, 8).Draw(t, "teachers")

		var mu sync.Mutex
		var heard myriad.Knowledge
		busy := false
		k, err := NewKnowledge(tides("factbase_basic"), KnowledgeOptions{Learned: func(_ string, known myriad.Knowledge) error {
			mu.Lock()
			if busy {
				t.Error("two calls of Learned at once")
			}
			busy = true
			mu.Unlock()
			mu.Lock()
			defer mu.Unlock()
			heard, busy = known, false
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]myriad.Learn{}
		for n, l := range lessons { // each teacher has types of its own, so the last of each is known
			want[fmt.Sprintf("t%d_%d", n%teachers, n/teachers%3)] = l
		}
		var wg sync.WaitGroup
		for teacher := range teachers {
			wg.Go(func() {
				for n := teacher; n < len(lessons); n += teachers {
					if _, err := k.learn(fmt.Sprintf("t%d_%d", teacher, n/teachers%3), lessons[n]); err != nil {
						t.Error(err)
					}
					tell(k.known.Load(), typeSummary) // a reader
				}
			})
		}
		wg.Wait()
		got := k.Knowledge()
		sum := 0.0
		for _, l := range want {
			sum += l.Confidence
		}
		if !maps.Equal(got.Learned, want) || math.Abs(got.ConfidenceScore-sum/float64(len(want))) > 1e-9 {
			t.Fatalf("knows %+v, mean %g; want %+v, %g", got.Learned, got.ConfidenceScore, want, sum/float64(len(want)))
		}
		if !reflect.DeepEqual(heard, got) {
			t.Fatalf("Learned heard last %+v, and it is %+v", heard, got)
		}
	})
}

// FuzzBodies sends any body to the paths that take one: the answer is a JSON object whose status is one of a few, and what is known stays
// within its bounds.
func FuzzBodies(f *testing.F) {
	for _, s := range []string{``, `{}`, `null`, `{"knowledge_type":"a","content":"b","confidence":0.5}`, `{"knowledge_type":"a","content":[{"b":1}],"confidence":1e300}`,
		`{"collaboration_type":"knowledge_request","target_concept":"tidal power","specific_request":{"knowledge_type":"a"}}`,
		`{"collaboration_type":"concept_research","target_concept":"Moon","knowledge_request":5}`, `{"specific_request":{"knowledge_type":[]}}`,
		`{"collaboration_type":"function_execution","target_concept":"tidal power"}`, `{"query_type":"a","intent":null}`, "{\"knowledge_type\":\"\xff\",\"content\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	k := knows(f, tides("factbase_enhanced"), KnowledgeOptions{Learned: func(string, myriad.Knowledge) error { return nil }})
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range []string{"/update_knowledge", "/collaborate", "/query", "/synthesize"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(string(body)))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			k.ServeHTTP(w, r)
			var out map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out["status"] == nil {
				t.Fatalf("%s %q: %v: %s", path, body, err, w.Body)
			}
			switch w.Code {
			case http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			default:
				t.Fatalf("%s %q: HTTP %d %v", path, body, w.Code, out)
			}
		}
		known := k.known.Load()
		if len(known.Learned) > myriad.MaxLearned || learnedBytes(known) > myriad.MaxLearnedTotal || !(known.ConfidenceScore >= 0 && known.ConfidenceScore <= 1) {
			t.Fatalf("%d types, %d bytes, confidence %g", len(known.Learned), learnedBytes(known), known.ConfidenceScore)
		}
	})
}
