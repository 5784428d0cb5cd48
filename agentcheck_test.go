package myriad

import (
	"slices"
	"strings"
	"testing"
)

func soundAgent() Agent {
	return Agent{Name: "Lamp_AI-1.0", Endpoint: "http://127.0.0.1:5001/query", Concepts: []string{"Light bulb", "*"}, Intents: []string{" Define "}}
}

func TestAgentMistakes(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*Agent)
		path  string // of the one mistake; "" is none
	}{
		"sound":                   {func(*Agent) {}, ""},
		"no name":                 {func(a *Agent) { a.Name = "" }, "name"},
		"long name":               {func(a *Agent) { a.Name = strings.Repeat("x", 257) }, "name"},
		"name with slash":         {func(a *Agent) { a.Name = "a/b" }, "name"},
		"name of dots":            {func(a *Agent) { a.Name = ".." }, "name"},
		"nowhere":                 {func(a *Agent) { a.Endpoint = "" }, "endpoint"},
		"ftp":                     {func(a *Agent) { a.Endpoint = "ftp://h/x" }, "endpoint"},
		"long endpoint":           {func(a *Agent) { a.Endpoint = "http://" + strings.Repeat("x", 2048) }, "endpoint"},
		"protocol":                {func(a *Agent) { a.Protocol = "gopher" }, "protocol"},
		"no concepts":             {func(a *Agent) { a.Concepts = nil }, "concepts"},
		"empty concept":           {func(a *Agent) { a.Concepts = []string{"ok", " - "} }, "concepts[1]"},
		"same concept":            {func(a *Agent) { a.Concepts = []string{"light bulb", "Light-Bulb"} }, "concepts[1]"},
		"empty intent":            {func(a *Agent) { a.Intents = []string{" "} }, "intents[0]"},
		"safe intent, undeclared": {func(a *Agent) { a.SafeIntents = []string{"define", "turn_on"} }, "safe_intents[1]"},
		"safe intent, none declared": {func(a *Agent) {
			a.Intents, a.SafeIntents = nil, []string{"look"}
		}, ""},
		"negative slots":    {func(a *Agent) { a.MaxConcurrency = -1 }, "max_concurrency"},
		"type":              {func(a *Agent) { a.Type = "FactBase" }, "type"},
		"status":            {func(a *Agent) { a.Status = "healthy" }, "status"},
		"label without key": {func(a *Agent) { a.Labels = map[string]string{"": "x"} }, `labels[""]`},
		"long description":  {func(a *Agent) { a.Description = strings.Repeat("x", 64<<10+1) }, "description"},
		"auth scheme":       {func(a *Agent) { a.Auth = &Auth{Scheme: "digest", Env: "X"} }, "auth.scheme"},
		"auth both":         {func(a *Agent) { a.Auth = &Auth{Scheme: "bearer", Env: "X", File: "y"} }, "auth"},
		"auth neither":      {func(a *Agent) { a.Auth = &Auth{Scheme: "bearer"} }, "auth"},
		"auth header":       {func(a *Agent) { a.Auth = &Auth{Scheme: "header", Env: "X"} }, "auth.header"},
		"auth sound":        {func(a *Agent) { a.Auth = &Auth{Scheme: "header", Header: "X-Key", Env: "X"} }, ""},
		"template kind":     {func(a *Agent) { a.Template = &Template{Kind: "magic"} }, "template.kind"},
		"no command":        {func(a *Agent) { a.Template = &Template{Kind: TemplateCommand} }, "template.command"},
		"command mode":      {func(a *Agent) { a.Template = &Template{Kind: TemplateCommand, Command: []string{"cat"}, Mode: "tty"} }, "template.mode"},
		"command": {func(a *Agent) {
			a.Endpoint, a.Template = "", &Template{Kind: TemplateCommand, Command: []string{"cat"}}
		}, ""},
		"no image":     {func(a *Agent) { a.Template = &Template{Kind: TemplateImage} }, "template.image"},
		"no knowledge": {func(a *Agent) { a.Template = &Template{Kind: TemplateKnowledge} }, "template.knowledge"},
		"negative limits": {func(a *Agent) {
			a.Template = &Template{Kind: TemplateImage, Image: "x", Limits: Limits{CPU: -1}}
		}, "template.limits"},
	} {
		t.Run(name, func(t *testing.T) {
			a := soundAgent()
			tc.spoil(&a)
			var paths []string
			for _, m := range a.Mistakes() {
				paths = append(paths, m.Path)
			}
			var want []string
			if tc.path != "" {
				want = []string{tc.path}
			}
			if !slices.Equal(paths, want) {
				t.Errorf("mistakes at %q, want %q", paths, want)
			}
		})
	}
}

func TestAgentMistakesAllAtOnce(t *testing.T) {
	a := Agent{Type: "x", Auth: &Auth{}}
	if got := len(a.Mistakes()); got < 5 {
		t.Errorf("%d mistakes told, want every one of the five: %v", got, a.Mistakes())
	}
}

func TestAgentNormalize(t *testing.T) {
	a := soundAgent()
	given := a.Intents
	a.Normalize()
	if a.Protocol != ProtocolHTTP || a.Type != AgentStatic || a.Status != AgentActive || a.Intents[0] != "define" {
		t.Errorf("normalized to %+v", a)
	}
	if given[0] != " Define " {
		t.Error("Normalize changed the caller's slice")
	}
	p := Agent{Template: &Template{}}
	if p.Normalize(); p.Type != AgentDynamic {
		t.Errorf("a packet has type %q", p.Type)
	}
}
