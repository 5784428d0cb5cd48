package myriad_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

func endpointAgent() myriad.Agent {
	return myriad.Agent{Name: "Lightbulb_AI", Endpoint: "http://127.0.0.1:5001/query", Concepts: []string{"lightbulb"}}
}

func commandAgent() myriad.Agent {
	return myriad.Agent{Name: "sum", Concepts: []string{"text"}, Template: &myriad.Template{Kind: myriad.TemplateCommand, Command: []string{"python3", "s.py"}}}
}

func TestCheckAgentNormalises(t *testing.T) {
	in := myriad.Agent{
		Name: "  A.b-c_1 ", Endpoint: " https://h.example/x ", Concepts: []string{" Smart Grid ", "smart_grid", "SMART-grid", "led", "*"},
		Intents: []string{" Define", "define", "EXPLAIN "}, SafeIntents: []string{"Define", "DEFINE"}, Auth: &myriad.Auth{Scheme: "Bearer", Env: "KEY"},
	}
	before := in
	got, mistakes := myriad.CheckAgent(in)
	if mistakes != nil {
		t.Fatalf("mistakes: %v", mistakes)
	}
	want := myriad.Agent{
		Name: "A.b-c_1", Endpoint: "https://h.example/x", Protocol: myriad.ProtocolHTTP, Concepts: []string{"Smart Grid", "led", "*"},
		Intents: []string{"define", "explain"}, SafeIntents: []string{"define"}, Auth: &myriad.Auth{Scheme: "bearer", Env: "KEY"},
		Type: myriad.AgentStatic, Status: myriad.AgentActive,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if !reflect.DeepEqual(in, before) || in.Auth.Scheme != "Bearer" {
		t.Error("the argument was changed")
	}
	if keys := got.ConceptKeys(); !slices.Equal(keys, []string{"smart_grid", "led", "*"}) {
		t.Errorf("keys %q", keys)
	}
	again, mistakes := myriad.CheckAgent(got)
	if mistakes != nil || !reflect.DeepEqual(again, got) {
		t.Errorf("checking twice changes the agent: %+v, %v", again, mistakes)
	}
}

func TestCheckAgentTellsDormant(t *testing.T) {
	packet, mistakes := myriad.CheckAgent(commandAgent())
	if mistakes != nil || !packet.Dormant || packet.Type != myriad.AgentDynamic || packet.Template.Mode != myriad.ModeStdio {
		t.Errorf("packet %+v, %v", packet, mistakes)
	}
	packet.Endpoint = "http://127.0.0.1:1/"
	if awake, _ := myriad.CheckAgent(packet); awake.Dormant {
		t.Error("an agent with an endpoint is awake")
	}
	static := endpointAgent()
	static.Dormant = true
	if static, _ = myriad.CheckAgent(static); static.Dormant {
		t.Error("an agent without a template is never dormant")
	}
}

func TestCheckAgentNamesEveryMistake(t *testing.T) {
	cases := []struct {
		path   string
		change func(a *myriad.Agent)
	}{
		{"name", func(a *myriad.Agent) { a.Name = "" }},
		{"name", func(a *myriad.Agent) { a.Name = "a b" }},
		{"name", func(a *myriad.Agent) { a.Name = "a/b" }},
		{"name", func(a *myriad.Agent) { a.Name = ".." }},
		{"name", func(a *myriad.Agent) { a.Name = "-rf" }},
		{"name", func(a *myriad.Agent) { a.Name = "\xff" }},
		{"name", func(a *myriad.Agent) { a.Name = strings.Repeat("n", 257) }},
		{"endpoint", func(a *myriad.Agent) { a.Endpoint = "" }},
		{"endpoint", func(a *myriad.Agent) { a.Endpoint = "ftp://h/" }},
		{"endpoint", func(a *myriad.Agent) { a.Endpoint = "http://" }},
		{"endpoint", func(a *myriad.Agent) { a.Endpoint = "http://u:p@h/" }},
		{"endpoint", func(a *myriad.Agent) { a.Endpoint = "http://h/#x" }},
		{"endpoint", func(a *myriad.Agent) { a.Endpoint = "http://h:70000/" }},
		{"endpoint", func(a *myriad.Agent) { a.Endpoint = "http://h/" + strings.Repeat("x", 5000) }},
		{"protocol", func(a *myriad.Agent) { a.Protocol = "gopher/1" }},
		{"concepts", func(a *myriad.Agent) { a.Concepts = nil }},
		{"concepts", func(a *myriad.Agent) { a.Concepts = make([]string, 1001) }},
		{"concepts[1]", func(a *myriad.Agent) { a.Concepts = []string{"a", " ", "b"} }},
		{"intents[0]", func(a *myriad.Agent) { a.Intents = []string{" "} }},
		{"intents", func(a *myriad.Agent) { a.Intents = make([]string, 1001) }},
		{"safe_intents[1]", func(a *myriad.Agent) { a.SafeIntents = []string{"a", "\x00"} }},
		{"max_concurrency", func(a *myriad.Agent) { a.MaxConcurrency = -1 }},
		{"max_concurrency", func(a *myriad.Agent) { a.MaxConcurrency = 10001 }},
		{"labels", func(a *myriad.Agent) { a.Labels = map[string]string{"": "x"} }},
		{"labels.k", func(a *myriad.Agent) { a.Labels = map[string]string{"k": "\x00"} }},
		{"auth.scheme", func(a *myriad.Agent) { a.Auth = &myriad.Auth{Scheme: "magic", Env: "X"} }},
		{"auth", func(a *myriad.Agent) { a.Auth = &myriad.Auth{Scheme: "bearer"} }},
		{"auth", func(a *myriad.Agent) { a.Auth = &myriad.Auth{Scheme: "bearer", Env: "X", File: "y"} }},
		{"auth.env", func(a *myriad.Agent) { a.Auth = &myriad.Auth{Scheme: "bearer", Env: "A=B"} }},
		{"auth.header", func(a *myriad.Agent) { a.Auth = &myriad.Auth{Scheme: "header", Env: "X"} }},
		{"auth.header", func(a *myriad.Agent) { a.Auth = &myriad.Auth{Scheme: "header", Header: "Host", Env: "X"} }},
		{"auth.header", func(a *myriad.Agent) { a.Auth = &myriad.Auth{Scheme: "bearer", Header: "X-Key", Env: "X"} }},
		{"description", func(a *myriad.Agent) { a.Description = strings.Repeat("d", 5000) }},
		{"capabilities[0]", func(a *myriad.Agent) { a.Capabilities = []string{"\x00"} }},
		{"type", func(a *myriad.Agent) { a.Type = "FactBase" }},
		{"status", func(a *myriad.Agent) { a.Status = "healthy" }},
		{"owner", func(a *myriad.Agent) { a.Owner = "me" }},
	}
	for _, c := range cases {
		a := endpointAgent()
		c.change(&a)
		expectMistake(t, a, c.path)
	}
	bad := myriad.Agent{Name: "?", Endpoint: "x", Intents: []string{""}, MaxConcurrency: -1}
	if _, mistakes := myriad.CheckAgent(bad); len(mistakes) != 5 {
		t.Errorf("five mistakes at once, got %v", mistakes)
	}
}

func TestCheckAgentTemplates(t *testing.T) {
	cases := []struct {
		path   string
		change func(p *myriad.Template)
	}{
		{"template.kind", func(p *myriad.Template) { p.Kind = "vm" }},
		{"template.command", func(p *myriad.Template) { p.Command = nil }},
		{"template.command[1]", func(p *myriad.Template) { p.Command = []string{"a", "\x00"} }},
		{"template.mode", func(p *myriad.Template) { p.Mode = "pipe" }},
		{"template.image", func(p *myriad.Template) { p.Image = "x" }},
		{"template.port", func(p *myriad.Template) { p.Port = 80 }},
		{"template.env", func(p *myriad.Template) { p.Env = map[string]string{"1A": "x"} }},
		{"template.pass_env[0]", func(p *myriad.Template) { p.PassEnv = []string{"A B"} }},
		{"template.limits.cpu", func(p *myriad.Template) { p.Limits.CPU = math.NaN() }},
		{"template.limits.cpu", func(p *myriad.Template) { p.Limits.CPU = 0.0009 }},
		{"template.limits.cpu", func(p *myriad.Template) { p.Limits.CPU = 1e300 }},
		{"template.limits.memory_bytes", func(p *myriad.Template) { p.Limits.MemoryBytes = -1 }},
		{"template.limits.memory_bytes", func(p *myriad.Template) { p.Limits.MemoryBytes = 1 }},
		{"template.limits.memory_bytes", func(p *myriad.Template) { p.Limits.MemoryBytes = myriad.MinInstanceMemory - 1 }},
		{"template.limits.memory_bytes", func(p *myriad.Template) { p.Limits.MemoryBytes = math.MaxInt64 }},
		{"template.limits.memory_bytes", func(p *myriad.Template) {
			*p = myriad.Template{Kind: myriad.TemplateImage, Image: "a", Limits: myriad.Limits{MemoryBytes: 1 << 20}}
		}},
		{"template.limits.pids", func(p *myriad.Template) { p.Limits.PIDs = -1 }},
		{"template.limits.pids", func(p *myriad.Template) { p.Limits.PIDs = myriad.MaxInstancePIDs + 1 }},
		{"template.dir", func(p *myriad.Template) { p.Dir = "scripts" }},
		{"template.dir", func(p *myriad.Template) { p.Dir = "../scripts" }},
		{"template.dir", func(p *myriad.Template) { p.Dir = "." }},
		{"template.image", func(p *myriad.Template) { *p = myriad.Template{Kind: myriad.TemplateImage, Image: "--privileged"} }},
		{"template.pull", func(p *myriad.Template) { *p = myriad.Template{Kind: myriad.TemplateImage, Image: "a", Pull: "ever"} }},
		{"template.knowledge", func(p *myriad.Template) { *p = myriad.Template{Kind: myriad.TemplateKnowledge} }},
		{"template.knowledge.concept", func(p *myriad.Template) {
			*p = myriad.Template{Kind: myriad.TemplateKnowledge, Knowledge: &myriad.Knowledge{}}
		}},
		{"template.knowledge.confidence_score", func(p *myriad.Template) {
			*p = myriad.Template{Kind: myriad.TemplateKnowledge, Knowledge: &myriad.Knowledge{Concept: "x", ConfidenceScore: 2}}
		}},
		{"template.knowledge.definition_confidence", func(p *myriad.Template) {
			*p = myriad.Template{Kind: myriad.TemplateKnowledge, Knowledge: &myriad.Knowledge{Concept: "x", DefinitionConfidence: -1}}
		}},
		{"template.id", func(p *myriad.Template) { *p = myriad.Template{Kind: myriad.TemplateHandler} }},
		{"template.command", func(p *myriad.Template) {
			*p = myriad.Template{Kind: myriad.TemplateHandler, ID: "a", Command: []string{"b"}}
		}},
	}
	for _, c := range cases {
		a := commandAgent()
		c.change(a.Template)
		expectMistake(t, a, c.path)
	}
}

// What is just within the bounds, and what leaves the choice to the server, is taken.
func TestCheckAgentLimitsWithin(t *testing.T) {
	for _, l := range []myriad.Limits{
		{}, {CPU: myriad.MinInstanceCPU, MemoryBytes: myriad.MinInstanceMemory, PIDs: 1},
		{CPU: myriad.MaxInstanceCPU, MemoryBytes: myriad.MaxInstanceMemory, PIDs: myriad.MaxInstancePIDs},
	} {
		a := commandAgent()
		a.Template.Limits, a.Template.Dir = l, "/srv"
		if _, mistakes := myriad.CheckAgent(a); len(mistakes) > 0 {
			t.Errorf("%+v: %v", l, mistakes)
		}
	}
}

// Ranges are told with their units.
func TestCheckAgentLimitsHaveUnits(t *testing.T) {
	a := commandAgent()
	a.MaxConcurrency, a.Template.Limits = -1, myriad.Limits{CPU: -1, MemoryBytes: 1, PIDs: -1}
	_, mistakes := myriad.CheckAgent(a)
	units := []string{"10000 jobs", "cores", "6291456 bytes (6 MiB", "processes and threads"}
	if len(mistakes) != len(units) {
		t.Fatal(mistakes)
	}
	for i, m := range mistakes {
		if !strings.Contains(m.Rule, units[i]) {
			t.Errorf("%s: %s", m.Path, m.Rule)
		}
	}
}

func expectMistake(t *testing.T, a myriad.Agent, path string) {
	t.Helper()
	_, mistakes := myriad.CheckAgent(a)
	if len(mistakes) != 1 || mistakes[0].Path != path || mistakes[0].Rule == "" {
		t.Errorf("%+v: want one mistake at %q, got %v", a, path, mistakes)
	}
}

func FuzzCheckAgent(f *testing.F) {
	f.Add("a", "http://h/", "led", "define")
	f.Add("", "::", "*", "")
	f.Fuzz(func(t *testing.T, name, endpoint, concept, intent string) {
		once, mistakes := myriad.CheckAgent(myriad.Agent{Name: name, Endpoint: endpoint, Concepts: []string{concept}, Intents: []string{intent}})
		if mistakes != nil {
			return
		}
		twice, mistakes := myriad.CheckAgent(once)
		if mistakes != nil || !reflect.DeepEqual(once, twice) {
			t.Errorf("not stable: %+v then %+v, %v", once, twice, mistakes)
		}
	})
}
