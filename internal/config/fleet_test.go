package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/myriad-mind/myriad"
)

func TestFleetDefaults(t *testing.T) {
	l, err := load(t, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	want := myriad.FleetLimits{MaxAgents: 20, IdleTimeoutMS: 30 * 60_000, MaxAgeMS: 24 * 3_600_000, MinLifeMS: 10_000, MaxQueue: 100, QueueMaxAgeMS: 600_000,
		Instance: myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 64}}
	if got := l.Fleet.Limits(); got != want || !l.Fleet.Grow {
		t.Errorf("limits %+v, want %+v", got, want)
	}
}

// TestPythonNames: the environment of the Python system means here what it means there, in its units.
func TestPythonNames(t *testing.T) {
	for _, c := range []struct {
		name, value, key, want string
	}{
		{"ENABLE_DYNAMIC_AGENTS", "TRUE", "fleet.grow", "true"},
		{"ENABLE_DYNAMIC_AGENTS", "false", "fleet.grow", "false"},
		{"ENABLE_DYNAMIC_AGENTS", "yes", "fleet.grow", "false"}, // only the word true is on
		{"ENABLE_DYNAMIC_AGENTS", "", "fleet.grow", "false"},
		{"MAX_DYNAMIC_AGENTS", "3", "fleet.max_agents", "3"},
		{"AGENT_IDLE_TIMEOUT", "45", "fleet.idle_timeout", "45m0s"},
		{"AGENT_IDLE_TIMEOUT", " 1.5 ", "fleet.idle_timeout", "1m30s"},
		{"AGENT_IDLE_TIMEOUT", "90s", "fleet.idle_timeout", "1m30s"},
		{"AGENT_MAX_AGE_HOURS", "12", "fleet.max_age", "12h0m0s"},
		{"AGENT_MAX_AGE_HOURS", "0.5", "fleet.max_age", "30m0s"},
		{"AGENT_CPU_LIMIT", "1.5", "fleet.cpu", "1.5"},
		{"AGENT_MEMORY_LIMIT", "512m", "fleet.memory", "512MiB"},
		{"AGENT_MEMORY_LIMIT", "512M", "fleet.memory", "512MiB"},
		{"AGENT_MEMORY_LIMIT", "1gb", "fleet.memory", "1GiB"},
		{"AGENT_MEMORY_LIMIT", "64MiB", "fleet.memory", "64MiB"},
		{"AGENT_MEMORY_LIMIT", "67108864", "fleet.memory", "64MiB"},
		{"AGENT_MEMORY_LIMIT", "67108864b", "fleet.memory", "64MiB"},
	} {
		l, err := load(t, map[string]string{c.name: c.value}, "")
		if err != nil {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
			continue
		}
		if got := text(optionOf(t, c.key).into(&l.Config)); got != c.want || l.Source(c.key) != "env "+c.name {
			t.Errorf("%s=%s gives %s = %s from %q, want %s", c.name, c.value, c.key, got, l.Source(c.key), c.want)
		}
	}
	_, err := load(t, map[string]string{"AGENT_IDLE_TIMEOUT": "soon", "AGENT_MEMORY_LIMIT": "lots"}, "")
	if got := mistakesOf(t, err); len(got) != 2 || !strings.Contains(got[0], `not "soon" (from env AGENT_IDLE_TIMEOUT)`) {
		t.Errorf("mistakes %q", got)
	}
}

func optionOf(t *testing.T, key string) option {
	t.Helper()
	for _, o := range options {
		if o.key == key {
			return o
		}
	}
	t.Fatalf("there is no key %s", key)
	return option{}
}

// A rule that a value breaks says where that came from, in the words in which it was given.
func TestRulesSayWhoseTheyAre(t *testing.T) {
	for want, given := range map[string]struct {
		environ map[string]string
		flag    string
	}{
		"fleet.max_agents: must be more than 0 (from flag --fleet-max-agents)":                                                      {flag: "--fleet-max-agents=0"},
		"fleet.max_agents: must be more than 0 (from env MAX_DYNAMIC_AGENTS)":                                                       {environ: map[string]string{"MAX_DYNAMIC_AGENTS": "0"}},
		"fleet.knowledge_runtime: docker needs fleet.host_image, the image that they live in (from flag --fleet-knowledge-runtime)": {flag: "--fleet-knowledge-runtime=docker"},
	} {
		var flags []string
		if given.flag != "" {
			flags = append(flags, given.flag)
		}
		_, err := load(t, given.environ, "", flags...)
		if got := mistakesOf(t, err); len(got) != 1 || got[0] != want {
			t.Errorf("mistakes %q, want %q", got, want)
		}
	}
}

func TestFleetRules(t *testing.T) {
	for flags, want := range map[string]string{
		"--fleet-max-agents=0":                "fleet.max_agents: must be more than 0",
		"--fleet-total-cpu=-1":                "fleet.total_cpu: must not be negative",
		"--fleet-total-memory=-1":             "fleet.total_memory: must not be negative",
		"--fleet-cpu=0":                       "fleet.cpu: must be more than 0",
		"--fleet-cpu=2 --fleet-total-cpu=1":   "fleet.cpu: must not be over fleet.total_cpu",
		"--fleet-total-memory=128MiB":         "fleet.memory: must not be over fleet.total_memory",
		"--fleet-memory=1MiB":                 "fleet.memory: must not be under 6MiB",
		"--fleet-pids=0":                      "fleet.pids: must be more than 0",
		"--fleet-idle-timeout=1us":            "fleet.idle_timeout: must not be under 1ms",
		"--fleet-max-age=0":                   "fleet.max_age: must be more than 0",
		"--fleet-min-life=-1s":                "fleet.min_life: must not be negative",
		"--fleet-docker=maybe":                "fleet.docker: is one of auto, on, off",
		"--fleet-docker-host=/var/run/x.sock": "fleet.docker_host: must be an address of a docker daemon",
		"--fleet-docker-host=unix://":         "fleet.docker_host: must be an address of a docker daemon",
		"--fleet-knowledge-runtime=process":   "fleet.knowledge_runtime: is one of inproc, docker",
		"--fleet-knowledge-runtime=docker":    "fleet.knowledge_runtime: docker needs fleet.host_image",
		"--growth-cooldown=0":                 "growth.cooldown: must be more than 0",
		"--growth-max-flights=none":           "growth.max_flights: is a whole number",
		"--fleet-grow=perhaps":                "fleet.grow: is true or false",
		"--growth-source-timeout=-1s":         "growth.source_timeout: must be more than 0",
		"--fleet-knowledge-runtime=docker --fleet-host-image=host --fleet-docker=off": "fleet.knowledge_runtime: docker cannot be",
	} {
		_, err := load(t, nil, "", strings.Fields(flags)...)
		if got := mistakesOf(t, err); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%s: mistakes %q, want the one %q", flags, got, want)
		}
	}
	l, err := load(t, map[string]string{"ENABLE_DYNAMIC_AGENTS": "true"}, "fleet: {min_life: 0s, total_cpu: 4, total_memory: 2GiB, docker_host: 'unix:///run/d.sock'}\n",
		"--fleet-grow=false", "--fleet-knowledge-runtime=docker", "--fleet-host-image=myriad-host")
	if err != nil || l.Fleet.Grow || l.Fleet.MinLife != 0 || l.Fleet.TotalMemory != 2<<30 || l.Fleet.TotalCPU != 4 {
		t.Errorf("not taken over: %+v, %v", l, err)
	}
}

func TestUseDocker(t *testing.T) {
	env := func(name string) (string, bool) { return "", false }
	host := func(name string) (string, bool) { return "tcp://127.0.0.1:2375", name == "DOCKER_HOST" }
	for _, c := range []struct {
		fleet Fleet
		env   func(string) (string, bool)
		want  bool
	}{
		{Fleet{Docker: DockerOn}, env, true},
		{Fleet{Docker: DockerOff, DockerHost: "unix:///x"}, host, false},
		{Fleet{Docker: DockerAuto}, host, true},
		{Fleet{Docker: DockerAuto, DockerHost: "unix:///x"}, env, true},
	} {
		if got := c.fleet.UseDocker(c.env); got != c.want {
			t.Errorf("%+v: %v", c.fleet, got)
		}
	}
}

// TestAgentsFileTemplates: how people write agents that this server starts itself, in full and in the short form.
func TestAgentsFileTemplates(t *testing.T) {
	file, err := ParseAgents([]byte(`
agents:
  - name: short
    concepts: [text]
    intents: [summarize]
    command: [python3, summarize.py]
  - name: full
    concepts: [text]
    template: {kind: command, command: [python3, summarize.py], mode: exec, dir: scripts, env: {LANG: C.UTF-8}, pass_env: [API_KEY]}
  - name: told_by_its_fields
    concepts: [text]
    template:
      image: registry.example/summarize:1
      command: [--fast]
      pull: missing
      limits: {cpu: 1, memory: 64MiB, pids: 8}
  - name: short_image
    concepts: [text]
    image: registry.example/summarize:1
  - name: knows
    concepts: [tax]
    template: {knowledge: {concept: tax, primary_definition: a charge, confidence_score: 0.9}}
  - name: elsewhere
    concepts: [text]
    template: {command: [./x], dir: /srv, limits: {memory: 67108864}}
`), "/etc/myriad")
	if err != nil {
		t.Fatal(err)
	}
	want := []myriad.Template{
		{Kind: "command", Command: []string{"python3", "summarize.py"}, Mode: "stdio", Dir: "/etc/myriad"},
		{Kind: "command", Command: []string{"python3", "summarize.py"}, Mode: "exec", Dir: "/etc/myriad/scripts", Env: map[string]string{"LANG": "C.UTF-8"}, PassEnv: []string{"API_KEY"}},
		{Kind: "image", Image: "registry.example/summarize:1", Command: []string{"--fast"}, Pull: "missing", Limits: myriad.Limits{CPU: 1, MemoryBytes: 64 << 20, PIDs: 8}},
		{Kind: "image", Image: "registry.example/summarize:1", Pull: "never"},
		{Kind: "knowledge", Knowledge: &myriad.Knowledge{Concept: "tax", PrimaryDefinition: "a charge", ConfidenceScore: 0.9}},
		{Kind: "command", Command: []string{"./x"}, Mode: "stdio", Dir: "/srv", Limits: myriad.Limits{MemoryBytes: 64 << 20}},
	}
	for i, a := range file.Agents {
		if !reflect.DeepEqual(*a.Template, want[i]) || !a.Dormant || a.Type != myriad.AgentDynamic {
			t.Errorf("%s: %+v\nwant %+v", a.Name, *a.Template, want[i])
		}
	}
	if got := file.Line("agents[3].template.kind"); got != " (line 17)" {
		t.Errorf("the fourth is on%s", got)
	}
}

func TestAgentsFileTemplateMistakes(t *testing.T) {
	for file, want := range map[string][]string{
		"command: python3 x.py": {"agents[0].command: must be a list (line 4)"},
		"command: []":           {"agents[0].command: is an argument list that starts with the program (line 4)"},
		"command: [x]\n  template: {kind: command, command: [x]}":            {"agents[0].template: must not be there beside command or image, which stand for it (line 5)"},
		"command: [x]\n  endpoint: http://h":                                 {"agents[0].endpoint: must not be there beside a command"},
		"command: [x]\n  mode: exec":                                         {"agents[0].mode: is no field (line 5)"},
		"image: '-x'":                                                        {"agents[0].image: is a container image reference (line 4)"},
		"template: {mode: stdio}":                                            {"agents[0].template.kind: is one of"},
		"template: {command: [x], limits: {memory: lots}}":                   {"agents[0].template.limits.memory: must be a size like 256MiB (line 4)"},
		"template: {command: [x], limits: {memory: [1]}}":                    {"agents[0].template.limits.memory: must be a size like 256MiB (line 4)"},
		"template: {command: [x], limits: {memory: -1}}":                     {"agents[0].template.limits.memory: is 6291456 bytes (6 MiB"},
		"template: {command: [x], limits: {memory: 1KiB}}":                   {"agents[0].template.limits.memory: is 6291456 bytes (6 MiB, no program starts in less) at least"},
		"template: {command: [x], limits: {memory_bytes: 1}}":                {"agents[0].template.limits.memory_bytes: is 6291456 bytes (6 MiB"},
		"template: {command: [x], limits: {memory: 64MiB, memory_bytes: 2}}": {"agents[0].template.limits.memory: must not be there beside memory_bytes (line 4)"},
	} {
		_, err := ParseAgents([]byte("agents:\n- name: a\n  concepts: [c]\n  "+file+"\n"), "/d")
		if got := mistakesOf(t, err); len(got) != 1 || !strings.HasPrefix(got[0], want[0]) {
			t.Errorf("%s: mistakes %q, want the one %q", file, got, want)
		}
	}
}

// TestWrittenAgentsReadBack: agents come back from both formats as they were, whatever their texts are.
func TestWrittenAgentsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringN(0, 20, 60), rapid.SampledFrom([]string{"1e400", "yes", "~", "null", "<<", "0x10", "2020-01-02", "- a", "a: b", "#c",
			"two\nlines\n", " \n x", "\ttab", "'", "\"", "1.10", "true", "!!str", "&a", "*a", "%", "|", "\u2028", "\x7f", "\u0085", "\ufeff", "=", "12_3", "1:30"}))
		texts := rapid.MapOfN(rapid.StringMatching("[A-Z_][A-Z0-9_]{0,5}"), text, 0, 3)
		var agents []myriad.Agent
		for i := range rapid.IntRange(0, 4).Draw(t, "agents") {
			a, wrong := myriad.CheckAgent(myriad.Agent{Name: fmt.Sprint("a", i), Concepts: []string{"c"}, Description: text.Draw(t, "description"), Version: text.Draw(t, "version"),
				Labels: texts.Draw(t, "labels"), MaxConcurrency: rapid.IntRange(0, 9).Draw(t, "slots"), Owner: myriad.OwnerFile,
				Template: &myriad.Template{Kind: "command", Dir: "/d", Command: []string{"x", text.Draw(t, "argument")}, Env: texts.Draw(t, "environment"),
					Limits: myriad.Limits{CPU: rapid.Float64Range(0, 1e9).Draw(t, "cpu"), MemoryBytes: rapid.Int64Range(0, 1<<60).Draw(t, "memory")}}})
			if len(wrong) > 0 {
				t.Skip(wrong)
			}
			agents = append(agents, a)
		}
		for _, format := range []string{FormatYAML, FormatJSON} {
			var out bytes.Buffer
			w := NewAgentsWriter(&out, format)
			for _, a := range agents {
				if err := w.Write(a); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			file, err := ParseAgents(out.Bytes(), "")
			if err != nil || len(file.Agents) != len(agents) {
				t.Fatalf("%s: %v\n%s", format, err, out.String())
			}
			for i, a := range file.Agents {
				if got, want := asJSON(t, a), asJSON(t, agents[i]); got != want {
					t.Fatalf("%s\n got %s\nwant %s\n%s", format, got, want, out.String())
				}
			}
		}
	})
}

func asJSON(t *rapid.T, v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
