package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/config"
)

// section is the part of a page under a heading.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(raw), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", page, heading)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// fenced are the blocks of code of a language in a text.
func fenced(text, language string) (blocks []string) {
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		if m[1] == language {
			blocks = append(blocks, m[2])
		}
	}
	return blocks
}

// needPython skips a test where there is no Python, and fails it where there must be one.
func needPython(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3 is not installed; .ci/tools should have brought it")
		}
		t.Skip("NOT CHECKED: python3 is not installed, so the README's script was not run")
	}
}

// TestScriptOfTheReadme does what the README says: the script, its one line, its YAML, and what comes of them.
func TestScriptOfTheReadme(t *testing.T) {
	needPython(t)
	text := section(t, "README.md", "A script as an agent")
	python, yaml, shell := fenced(text, "python"), fenced(text, "yaml"), fenced(text, "")
	if len(python) != 1 || len(yaml) != 2 || len(shell) != 1 {
		t.Fatalf("the README has %d scripts, %d pieces of YAML and %d of shell", len(python), len(yaml), len(shell))
	}
	example, err := os.ReadFile(filepath.Join("..", "..", "examples", "summarize", "summarize.py"))
	if err != nil || string(example) != python[0] {
		t.Errorf("examples/summarize/summarize.py is not the README's script: %v", err)
	}
	examples, err := filepath.Abs(filepath.Join("..", "..", "examples", "summarize"))
	if err != nil {
		t.Fatal(err)
	}
	s, _ := startServer(t)
	t.Setenv("MYRIAD_SERVER", s.url())
	t.Setenv("MYRIAD_DATA", s.cfg.Data)
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{"summarize.py": python[0], "agents.yaml": yaml[0], "template.yaml": "agents:\n" + yaml[1]} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do := func(stdin string, args ...string) string {
		t.Helper()
		code, out, errOut := command(t, stdin, args...)
		if code != 0 {
			t.Fatalf("%q: exit code %d\n%s%s", args, code, out, errOut)
		}
		return out
	}
	plan := ""
	for line := range strings.Lines(shell[0]) {
		if m := regexp.MustCompile(`^echo '(.*)' \| \./myriad run -\n$`).FindStringSubmatch(line); m != nil {
			plan = m[1]
			if out := do(plan, "run", "-"); !strings.Contains(out, `{"summary": "This one is longer", "sentences": 3, "words": 6}`) {
				t.Errorf("%s gave\n%s", line, out)
			}
			continue
		}
		args := strings.Fields(line)
		if len(args) < 2 || args[0] != "./myriad" {
			t.Fatalf("the README has a line that nobody checks: %s", line)
		}
		do("", args[1:]...)
	}
	do("", "agents", "import", "agents.yaml") // the same agent, so nothing changes
	do("", "agents", "import", "template.yaml", "--replace")
	if out := do(plan, "run", "-"); !strings.Contains(out, "This one is longer") {
		t.Errorf("as a template: %s", out)
	}
	do("", "agents", "import", filepath.Join(examples, "agents.yaml"), "--replace")
	for _, intent := range []string{"summarize", "summarize_once", "summarize_http"} {
		if out := do(strings.Replace(plan, `"summarize"`, `"`+intent+`"`, 1), "run", "-"); !strings.Contains(out, "This one is longer") {
			t.Errorf("%s: %s", intent, out)
		}
	}
	steerForReal(t, do)
}

// steerForReal: what "myriad fleet" shows is what there is.
func steerForReal(t *testing.T, do func(stdin string, args ...string) string) {
	t.Helper()
	fleet := func() (status myriad.FleetStatus, of map[string]myriad.InstanceStatus) {
		if err := json.Unmarshal([]byte(do("", "fleet", "-o", "json")), &status); err != nil {
			t.Fatal(err)
		}
		of = map[string]myriad.InstanceStatus{}
		for _, i := range status.Instances {
			of[i.Agent] = i
		}
		return status, of
	}
	status, of := fleet()
	if status.InUse != 3 || of["summarize_http"].Runtime != "process" || of["summarize_http"].State != myriad.InstanceReady || of["summarize_http"].Limits.MemoryBytes != 64<<20 {
		t.Errorf("three agents were asked, there are %+v", status)
	}
	do("", "fleet", "stop", "summarize_http")
	if status, of = fleet(); status.InUse != 2 || of["summarize_http"].State == myriad.InstanceReady {
		t.Errorf("after a stop there are %+v", status)
	}
	before := of["summarize"].ID
	do("", "fleet", "restart", "summarize")
	do("", "fleet", "limits", "max_agents=7", "memory=128MiB")
	if status, of = fleet(); status.Limits.MaxAgents != 7 || status.Limits.Instance.MemoryBytes != 128<<20 {
		t.Errorf("limits are %+v", status.Limits)
	}
	plan := `{"tasks": [{"task_id": 1, "concept": "text", "intent": "summarize", "args": {"text": "Again."}}]}`
	if out := do(plan, "run", "-"); !strings.Contains(out, "Again") {
		t.Errorf("after a restart: %s", out)
	}
	for of["summarize"].ID == before { // until the new instance has taken over; a restart that does nothing runs into the test's time limit
		_, of = fleet()
	}
}

// TestScriptOfAnAgentsFile: the agents file starts its scripts where it lies.
func TestScriptOfAnAgentsFile(t *testing.T) {
	needPython(t)
	file, err := filepath.Abs(filepath.Join("..", "..", "examples", "summarize", "agents.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s, _ := startServer(t, func(cfg *config.Config) { cfg.Agents = file })
	if err := s.loadAgents(t.Context()); err != nil {
		t.Fatal(err)
	}
	plan := `{"tasks": [{"task_id": 1, "concept": "text", "intent": "summarize", "args": {"text": "One. Two three."}}]}`
	if code, out, errOut := command(t, plan, "run", "-", "--server", s.url()); code != 0 || !strings.Contains(out, "Two three") {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
}
