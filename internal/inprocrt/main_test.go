package inprocrt

import (
	"bytes"
	"encoding/json"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(patient{m}) }

// patient looks for leaks once before it counts: a server of net/http keeps a connection whose request it refused for half a second, which is
// longer than goleak waits.
type patient struct{ *testing.M }

func (p patient) Run() int {
	code := p.M.Run()
	_ = goleak.Find() // what it finds is found again if it stays
	return code
}

var quiet = slog.New(slog.DiscardHandler)

// tides is the packet of an agent that knows about tides, from a template.
func tides(template string) myriad.Packet {
	form, _ := myriad.KnowledgeTemplate(template)
	return myriad.Packet{Revision: 1, Agent: myriad.Agent{
		Name: form.AgentName("tidal_power"), Concepts: []string{"Tidal Power"}, Capabilities: form.Capabilities,
		Template: &myriad.Template{Kind: myriad.TemplateKnowledge, ID: template, Knowledge: &myriad.Knowledge{
			Concept: "tidal_power", DisplayName: "Tidal Power", PrimaryDefinition: "energy taken from the tides", ConfidenceScore: 0.8,
			Applications: []string{"electricity", "pumping"}, RelatedConcepts: []string{"wave_power", "Moon"}, ResearchSources: []string{"Librarian"},
			OriginalIntent: "define",
		}},
	}}
}

func knows(t testing.TB, p myriad.Packet, opts KnowledgeOptions) *KnowledgeAgent {
	t.Helper()
	k, err := NewKnowledge(p, opts)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// ask sends a request to a handler without a network. An empty body is a GET.
func ask(t testing.TB, h http.Handler, path, body string) (int, map[string]any, string) {
	t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s %s: the answer is no JSON object: %v: %s", path, body, err, w.Body)
	}
	return w.Code, out, w.Body.String()
}

// learned asks the agent to learn, which must go well, and gives the confidence that comes of it.
func learned(t testing.TB, k *KnowledgeAgent, kind, content string, confidence float64) float64 {
	t.Helper()
	body, err := json.Marshal(map[string]any{"knowledge_type": kind, "content": content, "confidence": confidence})
	if err != nil {
		t.Fatal(err)
	}
	status, out, _ := ask(t, k, "/update_knowledge", string(body))
	got, ok := out["new_confidence"].(float64)
	if status != http.StatusOK || !ok {
		t.Fatalf("learn %s: HTTP %d %v", kind, status, out)
	}
	return got
}

// logged is a log that several goroutines write.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// golden compares text with its file; -update writes the file.
func golden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.ReplaceAll(string(want), "\r\n", "\n"); text != got {
		t.Errorf("the reply changed\n got: %s\nwant: %s", text, got)
	}
}

// pretty is a JSON text with one field a line.
func pretty(t *testing.T, raw string) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(raw), "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
