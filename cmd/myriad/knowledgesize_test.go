package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/config"
	"github.com/myriad-mind/myriad/internal/inprocrt"
	"github.com/myriad-mind/myriad/internal/sqlitestore"
)

// laden gives a packet that knows as much as it may: its own texts are where put puts them, and what it learned is under the types named.
func laden(t *testing.T, id string, learned []string, put func(k *myriad.Knowledge, texts []string)) myriad.Packet {
	t.Helper()
	const letter = "<" // six bytes in an answer
	a := knower("Heavy_AI", "weight", "")
	k := a.Template.Knowledge
	a.Template.ID = id
	texts := make([]string, myriad.MaxKnowledgeEntries)
	for i := range texts {
		texts[i] = strings.Repeat(letter, myriad.MaxKnowledgeBytes/len(texts))
	}
	put(k, texts)
	left := myriad.MaxLearnedTotal
	k.Learned = map[string]myriad.Learn{}
	for _, kind := range learned {
		n := min(myriad.MaxLearnedBytes, left-len(kind))
		k.Learned[kind] = myriad.Learn{Content: strings.Repeat(letter, n), Confidence: 1}
		left -= len(kind) + n
	}
	if _, mistakes := myriad.CheckAgent(a); len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	return myriad.Packet{Agent: a, Revision: 1}
}

// laid are the ways in which knowledge may be spread over its fields.
var laid = map[string]func(k *myriad.Knowledge, texts []string){
	"definition":   func(k *myriad.Knowledge, texts []string) { k.PrimaryDefinition = strings.Join(texts, "") },
	"applications": func(k *myriad.Knowledge, texts []string) { k.Applications = texts },
	"related":      func(k *myriad.Knowledge, texts []string) { k.RelatedConcepts = texts },
	"attributes":   func(k *myriad.Knowledge, texts []string) { k.KeyAttributes = texts },
}

// allQuestions are bodies for every way of asking a knowledge agent, at /collaborate and at the paths that take jobs.
func allQuestions() (collaborations, queries []string) {
	ask := func(kind, of string) {
		collaborations = append(collaborations, fmt.Sprintf(`{"collaboration_type":%q,"target_concept":"weight","knowledge_request":{"x":1},
			"specific_request":{"knowledge_type":%q,"function_type":"impact_analysis"}}`, kind, of))
	}
	for _, of := range []string{"definition", "applications", "relationships", "research_summary", "concept_research", "a"} {
		ask("knowledge_request", of)
	}
	for _, kind := range []string{"context_sharing", "concept_research", "knowledge_synthesis", "relationship_mapping", "function_execution"} {
		ask(kind, "")
	}
	queries = []string{"{}"}
	for _, word := range []string{"define", "impact", "compare", "summarize"} {
		queries = append(queries, fmt.Sprintf(`{"intent":%q}`, word))
	}
	return collaborations, queries
}

// TestEveryAnswerOfAKnowledgeAgentFits: whatever an agent may know, and whatever it is asked, its answer is no larger than the largest that the server takes by default.
func TestEveryAnswerOfAKnowledgeAgentFits(t *testing.T) {
	collaborations, queries := allQuestions()
	largest, limit := 0, int(config.Default().Call.MaxAnswer)
	for _, id := range []string{myriad.TemplateFactbaseEnhanced, myriad.TemplateFunctionBasic} {
		form, _ := myriad.KnowledgeTemplate(id)
		for place, put := range laid {
			for _, learned := range [][]string{{"a", "b", "c", "d"}, {"definition", "applications", "relationships", "x"}} {
				a, err := inprocrt.NewKnowledge(laden(t, id, learned, put), inprocrt.KnowledgeOptions{})
				if err != nil {
					t.Fatal(err)
				}
				for _, route := range form.Routes {
					bodies := queries[:1] // a function's own question
					switch route {
					case "/query":
						bodies = queries
					case "/collaborate":
						bodies = collaborations
					case "/health", "/update_knowledge":
						bodies = nil
					}
					for _, body := range bodies {
						n := answerSize(a, route, body)
						if largest = max(largest, n); n > limit {
							t.Fatalf("%s, %s, learned %q, %s %s: %d bytes", id, place, learned, route, body, n)
						}
					}
				}
			}
		}
	}
	if largest < limit*9/10 {
		t.Errorf("the largest of these answers has %d bytes: they try too little", largest)
	}
}

func answerSize(h http.Handler, route, body string) int {
	r := httptest.NewRequest(http.MethodPost, route, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Body.Len()
}

// TestAPacketThatKnowsTooMuch is refused by name over the API and by an import, which leaves the server as it was.
func TestAPacketThatKnowsTooMuch(t *testing.T) {
	s, c := startServer(t)
	a := knower("Heavy_AI", "weight", strings.Repeat("x", 2<<20))
	_, err := c.PutAgent(t.Context(), a)
	if e, ok := err.(*myriad.Error); !ok || e.Code != myriad.CodeInvalid || len(e.Mistakes) != 1 || e.Mistakes[0].Path != "template.knowledge.primary_definition" {
		t.Errorf("the API: %v", err)
	}
	file := filepath.Join(t.TempDir(), "agents.yaml")
	text := fmt.Appendf(nil, "agents:\n  - name: Light_AI\n    endpoint: http://127.0.0.1:1/\n    concepts: [x]\n  - name: Heavy_AI\n    concepts: [x]\n"+
		"    template: {knowledge: {concept: x, primary_definition: %s}}\n", strings.Repeat("x", 2<<20))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, said := command(t, "", append([]string{"agents", "import", file}, withToken(s)...)...)
	if code == 0 || !strings.Contains(said, "primary_definition: has at most 49152 bytes") {
		t.Errorf("the import: %d, %s", code, said)
	}
	if agents, _, err := c.Agents(t.Context(), myriad.Page{}); err != nil || len(agents) > 0 {
		t.Errorf("agents %v, %v", agents, err)
	}
}

// TestAPacketThatKnewTooMuchBefore lives on: one that was stored when there was no bound is woken, answers and learns.
func TestAPacketThatKnewTooMuchBefore(t *testing.T) {
	data := t.TempDir()
	store, err := sqlitestore.Open(t.Context(), data, sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	heavy := knower("Heavy_AI", "weight", strings.Repeat("x", 1<<20))
	heavy.Owner = myriad.OwnerAPI
	if _, err := store.PutPacket(t.Context(), myriad.Packet{Agent: heavy}, myriad.Guard{}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	_, c := startServer(t, func(cfg *config.Config) { cfg.Data = data })
	eventually(t, func() (bool, string) { // the graph has it once it is reconciled
		found, err := c.Discover(t.Context(), "weight", "define")
		return err == nil && len(found.Candidates) == 1, fmt.Sprint("not found: ", err)
	})
	if r := mustOne(t, c, "weight", "define", nil); len(r.Answer.Data) < 1<<20 {
		t.Errorf("%d bytes", len(r.Answer.Data))
	}
	i := mustBeReady(t, c, "Heavy_AI")
	reply := fetched(t, http.MethodPost, strings.TrimSuffix(i.Endpoint, "query")+"update_knowledge", `{"knowledge_type":"use","content":"an anchor"}`)
	if !strings.Contains(reply, `"status":"success"`) {
		t.Fatal(reply)
	}
	eventually(t, func() (bool, string) {
		a, err := c.Agent(t.Context(), "Heavy_AI")
		return err == nil && a.Template.Knowledge.Learned["use"].Content == "an anchor", "the lesson is not in the packet"
	})
}
