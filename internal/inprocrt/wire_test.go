package inprocrt

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// TestWireShapes holds the answers of grown agents against golden files (wire facts 2.3, 2.4, 5.7, 14), in virtual time.
func TestWireShapes(t *testing.T) {
	const from = `"source_agent": {"name": "Asker", "type": "ConceptResearcher"}, `
	for _, c := range []struct{ name, template, path, body string }{
		{"health", "factbase_enhanced", "/health", ""},
		{"job", "factbase_basic", "/query", `{"task_id": 1, "intent": "define", "concept": "tidal power", "args": {}}`},
		{"job_analyze", "function_basic", "/query", `{"task_id": 1, "intent": "analyze", "concept": "Tidal Power", "args": {}}`},
		{"job_other_concept", "factbase_basic", "/query", `{"task_id": 1, "intent": "define", "concept": "cheese"}`},
		{"job_malformed", "factbase_basic", "/query", `{"task_id"`},
		{"query_type", "factbase_basic", "/query", `{"query_type": "relationships"}`},
		{"query_default", "factbase_basic", "/query", `{}`},
		{"query_unknown_type", "factbase_basic", "/query", `{"query_type": "history"}`},
		{"query_summary", "factbase_basic", "/query", `{"query_type": "research_summary"}`},
		{"collaborate_knowledge", "factbase_basic", "/collaborate", `{` + from + `"collaboration_type": "knowledge_request", "target_concept": "TIDAL power"}`},
		{"collaborate_applications", "factbase_basic", "/collaborate", `{"collaboration_type": "knowledge_request", "target_concept": "tidal power", "specific_request": {"knowledge_type": "applications"}}`},
		{"collaborate_research", "specialist_basic", "/collaborate", `{` + from + `"collaboration_type": "concept_research", "target_concept": "tidal power"}`},
		{"collaborate_research_by_knowledge", "factbase_basic", "/collaborate", `{` + from + `"collaboration_type": "knowledge_request", "target_concept": "tidal power", "specific_request": {"knowledge_type": "concept_research", "research_depth": "comprehensive", "focus_areas": ["define"]}}`},
		{"collaborate_research_related", "factbase_basic", "/collaborate", `{"collaboration_type": "knowledge_request", "target_concept": "moon", "specific_request": {"knowledge_type": "concept_research"}}`},
		{"collaborate_research_foreign", "factbase_basic", "/collaborate", `{"collaboration_type": "concept_research", "target_concept": "cheese"}`},
		{"collaborate_context", "function_basic", "/collaborate", `{` + from + `"collaboration_type": "context_sharing", "target_concept": "tidal_power"}`},
		{"collaborate_foreign", "factbase_basic", "/collaborate", `{"collaboration_type": "anything", "target_concept": "cheese"}`},
		{"collaborate_unsupported", "factbase_basic", "/collaborate", `{"collaboration_type": "knowledge_synthesis", "target_concept": "tidal power"}`},
		{"collaborate_synthesis", "factbase_enhanced", "/collaborate", `{"collaboration_type": "knowledge_synthesis", "target_concept": "tidal power"}`},
		{"collaborate_function", "function_basic", "/collaborate", `{"collaboration_type": "function_execution", "target_concept": "tidal power", "specific_request": {"function_type": "impact_analysis"}}`},
		{"collaborate_function_unknown", "function_basic", "/collaborate", `{"collaboration_type": "function_execution", "target_concept": "tidal power"}`},
		{"collaborate_nothing", "factbase_basic", "/collaborate", `{}`},
		{"collaborate_learning_engine", "factbase_basic", "/collaborate", `{"collaboration_type": "knowledge_request", "knowledge_request": {"concept": "tidal power", "aspects": ["definition", "principles"], "requester": "AutonomousLearningEngine"}}`},
		{"update", "factbase_basic", "/update_knowledge", `{"knowledge_type": "history", "content": "mills of the middle ages", "confidence": 0.6}`},
		{"update_nothing", "factbase_basic", "/update_knowledge", `{"knowledge_type": "history", "content": ""}`},
		{"execute", "function_basic", "/execute", `{"function_type": "impact_analysis"}`},
		{"no_such_path", "factbase_basic", "/consult", `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := knows(t, tides(c.template), KnowledgeOptions{Nonce: "n-1"})
				time.Sleep(90 * time.Second)
				status, _, raw := ask(t, k, c.path, c.body)
				golden(t, c.name, fmt.Sprintf("%s %s\nHTTP %d\n%s", c.path, c.body, status, pretty(t, raw)))
			})
		})
	}
}

// TestEveryRouteOfATemplateAnswers asks every path that the templates list, and every type of collaboration.
func TestEveryRouteOfATemplateAnswers(t *testing.T) {
	for _, id := range []string{"factbase_basic", "factbase_enhanced", "function_basic", "specialist_basic", "", "factbase_of_old"} {
		form, ok := myriad.KnowledgeTemplate(id)
		if !ok {
			form, _ = myriad.KnowledgeTemplate("")
		}
		k := knows(t, tides(id), KnowledgeOptions{})
		for _, path := range form.Routes {
			body := map[string]string{"/health": "", "/collaborate": `{"collaboration_type":"knowledge_request","target_concept":"tidal power"}`,
				"/update_knowledge": `{"knowledge_type":"history","content":"old"}`}
			text, special := body[path]
			if !special {
				text = `{}`
			}
			status, out, _ := ask(t, k, path, text)
			if status != 200 || out["status"] != "success" && out["status"] != "healthy" {
				t.Errorf("%s%s: HTTP %d %v", id, path, status, out)
			}
			if said, _ := out["knowledge"].(string); !special && said == "" {
				t.Errorf("%s%s says nothing: %v", id, path, out)
			}
		}
		for _, kind := range form.Collaborations {
			status, out, _ := ask(t, k, "/collaborate", `{"collaboration_type":"`+kind+`","target_concept":"tidal power","specific_request":{"function_type":"impact_analysis"}}`)
			if status != 200 || out["status"] != "success" {
				t.Errorf("%s: %s: HTTP %d %v", id, kind, status, out)
			}
		}
	}
}

func TestIntentsAreAnsweredByWhatTheyAreAbout(t *testing.T) {
	const definition, applications, related = "energy taken from the tides", "electricity, pumping", "wave_power, Moon"
	k := knows(t, tides("factbase_basic"), KnowledgeOptions{})
	for intent, want := range map[string]string{
		"define": definition, " Explain ": definition, "describe": definition, "analyze": applications, "impact": applications,
		"evaluate": applications, "explain_impact": applications, "analyze_impact": applications, "recommend": applications,
		"compare": related, "find-relationships": related, "sing": definition, "analyze_historical_context": applications,
	} {
		if _, out, _ := ask(t, k, "/query", `{"intent":"`+intent+`"}`); out["data"] != want || out["knowledge"] != want {
			t.Errorf("%s: %v, want %q", intent, out, want)
		}
	}
	if _, out, _ := ask(t, k, "/query", `{"intent":"summarize"}`); !strings.Contains(out["data"].(string), definition) || !strings.Contains(out["data"].(string), applications) {
		t.Errorf("summarize: %v", out)
	}
	if _, out, _ := ask(t, k, "/query", `{"intent":"analyze","query_type":"relationships"}`); out["data"] != related {
		t.Errorf("a type by its name wins over an intent: %v", out)
	}
}

func TestLittleKnowledgeIsSaidSo(t *testing.T) {
	p := tides("factbase_basic")
	p.Agent.Template.Knowledge = &myriad.Knowledge{Concept: "tidal_power", PrimaryDefinition: "something wet", ConfidenceScore: 0.5}
	k := knows(t, p, KnowledgeOptions{})
	for body, want := range map[string]string{
		`{"query_type":"history"}`:       "still being learned",
		`{"query_type":"applications"}`:  "no applications",
		`{"query_type":"relationships"}`: "no concepts related",
		`{"intent":"analyze"}`:           "something wet", // rather than nothing
	} {
		if status, out, _ := ask(t, k, "/query", body); status != 200 || !strings.Contains(out["data"].(string), want) {
			t.Errorf("%s: %v, want %q", body, out, want)
		}
	}
	p.Agent.Template.Knowledge = &myriad.Knowledge{Concept: "tidal_power"}
	if _, out, _ := ask(t, knows(t, p, KnowledgeOptions{}), "/query", `{}`); !strings.Contains(out["data"].(string), "still being learned") || out["confidence"] != 0.0 {
		t.Errorf("without a definition: %v", out)
	}
}

func TestKnowledgeRefusals(t *testing.T) {
	k := knows(t, tides("factbase_basic"), KnowledgeOptions{})
	for _, c := range []struct {
		path, body string
		status     int
		text       string
	}{
		{"/query", `[]`, 400, "JSON object"},
		{"/query", `{"intent":5}`, 400, "intent must not be"},
		{"/query", `{"intent":" "}`, 400, "Unknown intent"},
		{"/query", `{"query_type":""}`, 400, "Unknown query_type"},
		{"/query", `{"concept":"\u0001"}`, 400, "Unknown concept"},
		{"/collaborate", ` [ ] `, 400, "no collaboration data"},
		{"/collaborate", `null`, 400, "no collaboration data"},
		{"/collaborate", `{"collaboration_type":5}`, 400, "must not be"},
		{"/collaborate", `{"target_concept":"tidal power"}`, 400, "not supported"},
		{"/update_knowledge", `{"content":"x"}`, 400, "required"},
		{"/update_knowledge", `{"knowledge_type":"x"}`, 400, "required"},
		{"/update_knowledge", `{"knowledge_type":"x","content":null}`, 400, "required"},
		{"/update_knowledge", `{"knowledge_type":"x","content":{ }}`, 400, "required"},
		{"/update_knowledge", `{"knowledge_type":"\u0001","content":"x"}`, 400, "short name"},
		{"/update_knowledge", `{"knowledge_type":" ","content":"x"}`, 400, "short name"},
		{"/update_knowledge", `{"knowledge_type":"x","content":"a\u0000b"}`, 400, "NUL"},
		{"/update_knowledge", `{"knowledge_type":"x","content":"a\ufffdb"}`, 400, "UTF-8"},
		{"/update_knowledge", `{"knowledge_type":"x","content":"a` + "\xff" + `b"}`, 400, "UTF-8"},
		{"/update_knowledge", `{"knowledge_type":"x","content":["a` + "\xff" + `b"]}`, 400, "UTF-8"},
		{"/update_knowledge", `{"knowledge_type":"x","content":"x","confidence":1.1}`, 400, "0 to 1"},
		{"/update_knowledge", `{"knowledge_type":"x","content":"x","confidence":"1"}`, 400, "must not be"},
		{"/update_knowledge", `[1]`, 400, "object"},
		{"/update_knowledge", `{"knowledge_type":"x","content":"` + strings.Repeat("x", myriad.MaxLearnedBytes+1) + `"}`, 413, "at most"},
		{"/collaborate", "", 405, "POST"},
		{"/health", "{}", 405, "GET"},
	} {
		status, out, _ := ask(t, k, c.path, c.body)
		data, _ := out["data"].(string)
		if status != c.status || !strings.Contains(data, c.text) || out["message"] != out["data"] || out["status"] == "success" {
			t.Errorf("%s %.60s: HTTP %d %v, want %d with %q", c.path, c.body, status, out, c.status, c.text)
		}
	}
	for _, p := range []myriad.Packet{{}, {Agent: myriad.Agent{Template: &myriad.Template{Kind: myriad.TemplateKnowledge}}},
		{Agent: myriad.Agent{Template: &myriad.Template{Kind: myriad.TemplateKnowledge, Knowledge: &myriad.Knowledge{}}}}} {
		if _, err := NewKnowledge(p, KnowledgeOptions{}); myriad.ErrorCode(err) != myriad.CodeInvalid {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
