package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

func TestAgentsFileTakesEveryField(t *testing.T) {
	file, err := ParseAgents([]byte(`
agents:
  - name: Pump_AI
    endpoint: http://127.0.0.1:7001
    protocol: myriad-http/1
    concepts: [Water Pump, "*"]
    intents: &intents [define, explain]
    safe_intents: *intents
    max_concurrency: 4
    labels: {team: plant, "a.b": "1"}
    auth: {scheme: bearer, env: PUMP_TOKEN}
    description: |
      Knows pumps.
    version: "1.10"
  - name: script
    concepts: [tax]
    template:
      kind: command
      command: [python3, tax.py]
      mode: stdio
      limits: {cpu: 0.5, memory_bytes: 268435456, pids: 64}
`), "")
	if err != nil {
		t.Fatal(err)
	}
	a, b := file.Agents[0], file.Agents[1]
	if a.MaxConcurrency != 4 || a.Labels["a.b"] != "1" || a.Auth.Env != "PUMP_TOKEN" || a.Version != "1.10" || !slices.Equal(a.SafeIntents, a.Intents) {
		t.Errorf("not read whole: %+v", a)
	}
	if !b.Dormant || b.Template.Limits.CPU != 0.5 || b.Template.Limits.MemoryBytes != 256<<20 || b.Owner != myriad.OwnerFile {
		t.Errorf("not read whole: %+v", b)
	}
}

func TestAgentsFileWithNothing(t *testing.T) {
	for _, doc := range []string{"", "# none yet\n", "agents:\n", "agents: []\n", "{}", `{"agents": []}`} {
		if file, err := ParseAgents([]byte(doc), ""); err != nil || len(file.Agents) != 0 {
			t.Errorf("%q: %+v, %v", doc, file, err)
		}
	}
}

func TestAgentsFileMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"fields that are not there": {"agents:\n- name: a\n  endpont: http://h\n  concepts: [c]\n  auth: {scheme: bearer, token: x}\nagent: 1\n",
			[]string{"agents[0].endpont: is no field (line 3)", "agents[0].auth.token: is no field (line 5)", "agent: is no field (line 6)"}},
		"letter case counts": {"agents:\n- Name: a\n", []string{"agents[0].Name: is no field (line 2)"}},
		"wrong types": {"agents:\n- name: 7\n  endpoint: [x]\n  concepts: c\n  version: 1.10\n  max_concurrency: 2.5\n  labels: [x]\n  auth: bearer\n  template: {kind: command, limits: {cpu: half}, env: {A: 1}}\n",
			[]string{"agents[0].name: must be text", "agents[0].endpoint: must be text", "agents[0].concepts: must be a list (line 4)",
				"agents[0].version: must be text; put it in quotes where it looks like something else (line 5)", "agents[0].max_concurrency: must be a whole number (line 6)",
				"agents[0].labels: must be a mapping of keys (line 7)", "agents[0].auth: must be a mapping of keys (line 8)",
				"agents[0].template.limits.cpu: must be a number (line 9)", "agents[0].template.env.A: must be text"}},
		"one of several": {"agents:\n- {name: a, endpoint: 'http://h', concepts: [c]}\n- {nam: b}\n- name: a\n  endpoint: ftp://h\n  concepts: [c, '']\n",
			[]string{"agents[1].nam: is no field (line 3)", "agents[2].endpoint: is an http or https URL with a host (line 5)", "agents[2].concepts[1]: a concept must not be empty (line 6)",
				`agents[2].name: "a" is the name of agents[0] already (line 4)`}},
		"a missing field is named at its agent": {"agents:\n- {name: a, endpoint: 'http://h', concepts: [c]}\n- name: b\n  endpoint: http://h\n",
			[]string{"agents[1].concepts: names at least one concept (line 3)"}},
		"an agent that is nothing": {"agents:\n-\n", []string{"agents[0].name: must not be empty", "agents[0].endpoint: ", "agents[0].concepts: "}},
		"no list":                  {"agents: {name: a}\n", []string{"agents: must be a list (line 1)"}},
		"no mapping":               {"[]\n", []string{": must be a mapping of keys (line 1)"}},
		"JSON that is no YAML":     {`{"agents": [{"name": "\ud83d\ude00", "endpont": "x"}]}`, []string{`agents[0]: json: unknown field "endpont"`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseAgents([]byte(c.file), "")
			got := mistakesOf(t, err)
			if len(got) != len(c.want) {
				t.Fatalf("mistakes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			for _, want := range c.want {
				if !slices.ContainsFunc(got, func(m string) bool { return strings.HasPrefix(m, want) }) {
					t.Errorf("mistakes\n%s\nlack\n%s", strings.Join(got, "\n"), want)
				}
			}
		})
	}
}

// FuzzParseAgents: whatever a file holds, it gives agents that pass the one check, or says what is wrong.
func FuzzParseAgents(f *testing.F) {
	for _, s := range []string{"agents:\n- name: a\n  endpoint: http://h\n  concepts: [c]\n", "agents: [{<<: x}]", `{"agents":[{"auth":{}}]}`, "agents: &a [*a]", "? [a]\n: b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := ParseAgents(data, "")
		if err != nil {
			if myriad.ErrorCode(err) != myriad.CodeInvalid {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		for _, a := range file.Agents {
			if _, wrong := myriad.CheckAgent(a); len(wrong) > 0 {
				t.Fatalf("%q gave an agent with mistakes: %v", data, wrong)
			}
		}
	})
}
