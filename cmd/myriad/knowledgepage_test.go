package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
)

const knowledgePage = "docs/KNOWLEDGE.md"

// pageServer is a server that the commands of a page find, in a directory of their own.
func pageServer(t *testing.T) *client.Client {
	t.Helper()
	s, c := startServer(t)
	t.Setenv("MYRIAD_SERVER", s.url())
	t.Setenv("MYRIAD_DATA", s.cfg.Data)
	t.Chdir(t.TempDir())
	return c
}

func writeText(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// followPage does what a piece of shell says, line by line: commands of ours, and plans that are piped into one. It returns what they wrote.
func followPage(t *testing.T, shell string) (outs []string) {
	t.Helper()
	for line := range strings.Lines(shell) {
		stdin, args := "", strings.Fields(line)
		if m := regexp.MustCompile(`^echo '(.*)' \| (\./myriad run -)\n$`).FindStringSubmatch(line); m != nil {
			stdin, args = m[1], strings.Fields(m[2])
		}
		if len(args) < 2 || args[0] != "./myriad" {
			t.Fatalf("the page has a line that nobody checks: %s", line)
		}
		code, out, errOut := command(t, stdin, args[1:]...)
		if code != 0 {
			t.Fatalf("%s: exit code %d\n%s%s", line, code, out, errOut)
		}
		outs = append(outs, out)
	}
	return outs
}

// TestKnowledgeOfTheReadme registers and asks the README's agent.
func TestKnowledgeOfTheReadme(t *testing.T) {
	text := section(t, "README.md", "An agent that only knows something")
	pageServer(t)
	writeText(t, "agents.yaml", fenced(text, "yaml")[0])
	outs := followPage(t, fenced(text, "")[0])
	if len(outs) != 2 || !strings.Contains(outs[1], "Energy that is taken from the tides.") {
		t.Errorf("got %q", outs)
	}
}

// TestKnowledgePage does what docs/KNOWLEDGE.md says of the file and of telling an agent more.
func TestKnowledgePage(t *testing.T) {
	file, telling := section(t, knowledgePage, "In a file"), section(t, knowledgePage, "Telling it more")
	c := pageServer(t)
	writeText(t, "agents.yaml", fenced(file, "yaml")[0])
	outs := followPage(t, fenced(file, "")[0])
	if len(outs) != 3 || !strings.Contains(outs[1], "Energy that is taken from the tides.") || !strings.Contains(outs[2], "electricity, pumping") {
		t.Fatalf("got %q", outs)
	}
	curl := regexp.MustCompile(`^curl -s http://127\.0\.0\.1:37731/INSTANCE(/\S+) -H 'Content-Type: application/json' -d '(.*)'\n$`).FindStringSubmatch(fenced(telling, "")[0])
	if curl == nil {
		t.Fatalf("the page has a line that nobody checks: %s", fenced(telling, "")[0])
	}
	base := strings.TrimSuffix(mustBeReady(t, c, "Tidal_AI").Endpoint, "/query")
	sameJSON(t, fetched(t, http.MethodPost, base+curl[1], curl[2]), fenced(telling, "json")[0])
	const lesson = "Tide mills ground corn in the middle ages."
	if r := mustOne(t, c, "tidal power", "explain_history", nil); !strings.Contains(string(r.Answer.Data), lesson) {
		t.Errorf("what it was told it does not tell: %s", r.AppendJSON(nil))
	}
	eventually(t, func() (bool, string) {
		a, err := c.Agent(t.Context(), "Tidal_AI")
		return err == nil && a.Template.Knowledge.Learned["history"] == myriad.Learn{Content: lesson, Confidence: 0.9}, "the packet does not follow"
	})
	if code, out, _ := command(t, "", "agents", "export"); code != 0 || !strings.Contains(out, "learned_knowledge") || !strings.Contains(out, "definition_confidence") {
		t.Errorf("the export: %s", out)
	}
}

// TestKnowledgePageAsAnAgentsFile: the server itself reads the page's file, as --agents has it.
func TestKnowledgePageAsAnAgentsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "agents.yaml")
	writeText(t, file, fenced(section(t, knowledgePage, "In a file"), "yaml")[0])
	s, c := startServer(t, func(cfg *config.Config) { cfg.Agents = file })
	if err := s.loadAgents(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := mustOne(t, c, "tidal power", "define", nil); !strings.Contains(string(r.Answer.Data), "taken from the tides") {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
}

func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestKnowledgePageInAContainer hosts the page's packets, the written one and the one of an agent that a server has, by the page's last line.
func TestKnowledgePageInAContainer(t *testing.T) {
	text, file := section(t, knowledgePage, "In a container of its own"), section(t, knowledgePage, "In a file")
	shell := fenced(text, "")
	fromServer := regexp.MustCompile(`^printf '(.*)%s(.*)' "\$\(\./myriad (agents show Tidal_AI)\)" > packet\.json\n$`).FindStringSubmatch(shell[1])
	if fromServer == nil || !strings.HasSuffix(shell[2], "\nMYRIAD_PACKET_FILE=packet.json ./myriad host --listen 127.0.0.1:5001\n") {
		t.Fatalf("the page has lines that nobody checks: %s%s", shell[1], shell[2])
	}
	pageServer(t)
	writeText(t, "agents.yaml", fenced(file, "yaml")[0])
	shown := followPage(t, "./myriad agents import agents.yaml\n./myriad "+fromServer[3]+"\n")[1]
	for _, packet := range []string{fenced(text, "json")[0], fromServer[1] + shown + fromServer[2]} {
		writeText(t, "packet.json", packet)
		t.Setenv("MYRIAD_PACKET_FILE", "packet.json")
		base, end := runHost(t, "agent Tidal_AI, revision 0,")
		if got := fetched(t, http.MethodPost, base+"/query", `{"intent": "define"}`); !strings.Contains(got, "Energy that is taken from the tides.") {
			t.Errorf("got %s", got)
		}
		end()
	}
}
