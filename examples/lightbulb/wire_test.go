package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad/agent"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// exchange is one request to an agent, in the order of a conversation.
type exchange struct{ path, body string }

var timestamp = regexp.MustCompile(`"timestamp": "[0-9T:-]+Z"`)

// talk holds the conversation and writes it down.
func talk(t *testing.T, url string, conversation []exchange) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, e := range conversation {
		method := http.MethodPost
		if e.path == "/health" {
			method = http.MethodGet
		}
		status, body := send(t, method, url+e.path, e.body)
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, body, "", "  "); err != nil {
			t.Fatalf("%s %s: %v: %s", e.path, e.body, err, body)
		}
		fmt.Fprintf(&out, "%s %s %s\n%d %s\n\n", method, e.path, e.body, status, bytes.TrimSpace(pretty.Bytes()))
	}
	return timestamp.ReplaceAll(out.Bytes(), []byte(`"timestamp": "TIME"`))
}

func send(t *testing.T, method, url, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, raw
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n")); !bytes.Equal(got, want) {
		t.Errorf("%s: the wire has changed; run with -update if that is meant. Got:\n%s", name, got)
	}
}

func TestDefinitionOnTheWire(t *testing.T) {
	function := httptest.NewServer(newFunction())
	defer function.Close()
	srv := httptest.NewServer(newDefinition(function.URL + "/query"))
	defer srv.Close()
	golden(t, "definition.golden", talk(t, srv.URL, []exchange{
		{"/health", ""},
		{"/query", `{"task_id": 1, "concept": "Lightbulb", "intent": "define", "args": {}}`},
		{"/query", `{"intent": "define"}`},
		{"/query", `{"intent": "explain_impact", "concept": "anything"}`},
		{"/query", `{"intent": "analyze_historical_context"}`},
		{"/query", `{"intent": "sing"}`},
		{"/query", `{"concept": "lightbulb"}`},
		{"/query", `{}`},
		{"/query", `null`},
		{"/query", `{"intent":`},
		{"/collaborate", `{}`},
		{"/collaborate", `{"target`},
		{"/collaborate", `{"context": "text"}`},
		{"/collaborate", `{"target_concept": "LightBulb"}`},
		{"/collaborate", `{"target_concept": "lightbulb", "source_agent": {"name": "B", "type": "T"}, "specific_request": {"knowledge_type": "historical_context"}}`},
		{"/collaborate", `{"target_concept": "lightbulb", "specific_request": {"knowledge_type": "properties"}}`},
		{"/collaborate", `{"target_concept": "lightbulb", "specific_request": {"knowledge_type": "concept_research"}}`},
		{"/collaborate", `{"target_concept": "lightbulb", "specific_request": {"knowledge_type": "colour"}}`},
		{"/collaborate", `{"target_concept": "lightbulb", "context": {"request_industrial_impact": true}}`},
		{"/collaborate", `{"target_concept": "quantum computer", "specific_request": {"knowledge_type": "concept_research"}}`},
		{"/collaborate", `{"target_concept": "lightbulb", "collaboration_type": "context_sharing"}`},
		{"/collaborate", `{"target_concept": "candle", "collaboration_type": "context_sharing"}`},
		{"/collaborate", `{"target_concept": "lightbulb", "collaboration_type": "function_execution"}`},
		{"/collaborate", `{"target_concept": "lightbulb", "collaboration_type": "concept_research"}`},
	}))
}

func TestFunctionOnTheWire(t *testing.T) {
	srv := httptest.NewServer(newFunction())
	defer srv.Close()
	golden(t, "function.golden", talk(t, srv.URL, []exchange{
		{"/health", ""},
		{"/query", `{"intent": "explain_limitation", "concept": "lightbulb"}`},
		{"/query", `{"intent": "explain_impact", "concept": "Factories"}`},
		{"/query", `{"intent": "explain_impact", "concept": "industrial age"}`},
		{"/query", `{"intent": "explain_impact", "concept": "lightbulb"}`},
		{"/query", `{"intent": "compare", "concept": "lightbulb versus candle"}`},
		{"/query", `{"intent": "compare", "concept": "lightbulb"}`},
		{"/query", `{"intent": "synthesize_response"}`},
		{"/query", `{"intent": "status"}`},
		{"/query", `{"intent": "turn_on"}`},
		{"/query", `{"intent": "status"}`},
		{"/query", `{"intent": "dim", "args": {"brightness": 30}}`},
		{"/query", `{"intent": "turn_off"}`},
		{"/query", `{"intent": "status"}`},
		{"/query", `{"intent": "turn_on"}`},
		{"/query", `{"intent": "dim"}`},
		{"/query", `{"intent": "dim", "args": {"brightness": "75"}}`},
		{"/query", `{"intent": "dim", "args": {"brightness": 20.9}}`},
		{"/query", `{"intent": "dim", "args": {"brightness": 0}}`},
		{"/query", `{"intent": "status"}`},
		{"/query", `{"intent": "dim", "args": {"brightness": 101}}`},
		{"/query", `{"intent": "dim", "args": {"brightness": -1}}`},
		{"/query", `{"intent": "dim", "args": {"brightness": "bright"}}`},
		{"/query", `{"intent": "dim", "args": {"brightness": "7.5"}}`},
		{"/query", `{"intent": "dim", "args": {"brightness": null}}`},
		{"/query", `{"intent": "dim", "args": {"brightness": true}}`},
		{"/query", `{"intent": "define"}`},
		{"/query", `[]`},
		{"/query", `nonsense`},
		{"/collaborate", `[]`},
		{"/collaborate", `{"target_concept": "factories"}`},
		{"/collaborate", `{"target_concept": "lightbulb", "specific_request": {"knowledge_type": "limitations"}}`},
		{"/collaborate", `{"target_concept": "lightbulb", "specific_request": {"knowledge_type": "factory_applications"}}`},
		{"/collaborate", `{"target_concept": "lightbulb", "specific_request": {"knowledge_type": "historical_timeline"}}`},
		{"/collaborate", `{"target_concept": "lightbulb", "specific_request": {"knowledge_type": "concept_research"}}`},
		{"/collaborate", `{"target_concept": "candle"}`},
		{"/collaborate", `{"target_concept": "factories", "collaboration_type": "context_sharing"}`},
		{"/collaborate", `{"target_concept": "candle", "collaboration_type": "context_sharing"}`},
		{"/collaborate", `{"collaboration_type": "function_execution", "target_concept": "candle", "specific_request": {"function_type": "impact_analysis"}}`},
		{"/collaborate", `{"collaboration_type": "function_execution"}`},
		{"/collaborate", `{"collaboration_type": "concept_research", "target_concept": "lightbulb"}`},
	}))
}

func TestADeadPeerCostsOnlyItsPart(t *testing.T) {
	for _, peer := range []string{"http://127.0.0.1:1", ""} {
		srv := httptest.NewServer(newDefinition(peer))
		status, body := send(t, http.MethodPost, srv.URL+"/collaborate", `{"target_concept": "lightbulb", "context": {"request_industrial_impact": "yes"}}`)
		srv.Close()
		if status != 200 || bytes.Contains(body, []byte("additional_context")) || !bytes.Contains(body, []byte(definition)) {
			t.Errorf("%q: %d %s", peer, status, body)
		}
	}
}

func TestTheLampIsSafeForManyHands(t *testing.T) {
	l := new(lamp)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			l.turnOn()
			l.dim(i)
			_ = l.status()
			l.turnOff()
		})
	}
	wg.Wait()
	if got := l.status(); got != "Lightbulb is off" {
		t.Error(got)
	}
}

func TestTheAgentsFileSaysWhatTheAgentsServe(t *testing.T) {
	raw, err := os.ReadFile("agents.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []*agent.Agent{newDefinition(""), newFunction()} {
		card := a.Card("")
		for _, line := range []string{
			"name: " + card.Name, "concepts: [" + strings.Join(card.Concepts, ", ") + "]", "intents: [" + strings.Join(card.Intents, ", ") + "]",
			"safe_intents: [" + strings.Join(card.SafeIntents, ", ") + "]", "capabilities: [" + strings.Join(card.Capabilities, ", ") + "]",
		} {
			if !strings.Contains(string(raw), " "+line+"\n") {
				t.Errorf("agents.yaml does not say %q", line)
			}
		}
	}
}

func TestRunServesBothUntilItIsStopped(t *testing.T) {
	ports := make([]string, 2)
	for i := range ports {
		ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = ln.Addr().String()
		_ = ln.Close()
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"--definition", ports[0], "--function", ports[1], "--peer", ""}) }()
	for _, at := range ports {
		for up := false; !up; {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+at+"/health", nil)
			req.Close = true
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
				up = true
			}
			select {
			case err := <-done:
				t.Fatal(err)
			default:
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{{"extra"}, {"--nope"}} {
		if err := run(t.Context(), args); err == nil {
			t.Errorf("%v went through", args)
		}
	}
}
