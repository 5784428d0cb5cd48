package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/config"
)

const wellDeclared = "agents:\n  - {name: Good, endpoint: 'http://127.0.0.1:1', concepts: [good]}\n"

// badlyDeclared are agents files, and the mistakes of each: more than the text of an error names, of one kind in each file.
var badlyDeclared = map[string]struct {
	text     string
	mistakes []string
}{
	"rules": {`agents:
  - {name: Good, endpoint: 'http://127.0.0.1:1', concepts: [good]}
  - {name: Nowhere, concepts: [a]}
  - {name: Lost, endpoint: 'ftp://x', concepts: []}
  - name: Wrong
    endpont: 'http://127.0.0.1:1'
  - {name: Good, endpoint: 'http://127.0.0.1:1', concepts: [b], max_concurrency: -1}
`, []string{
		"agents[3].endpont: is no field (line 6)",
		"agents[1].endpoint: an agent has an endpoint or a template (line 3)",
		"agents[2].endpoint: is an http or https URL with a host (line 4)",
		"agents[2].concepts: names at least one concept (line 4)",
		"agents[4].max_concurrency: is 1 to 10000 jobs under way, or 0 for the server's default (line 7)",
		`agents[4].name: "Good" is the name of agents[0] already (line 7)`,
	}},
	"networks": {`agents:
  - {name: A, endpoint: 'http://169.254.1.1/', concepts: [a]}
  - {name: B, endpoint: 'http://169.254.1.2/', concepts: [a]}
  - {name: Good, endpoint: 'http://127.0.0.1:1', concepts: [good]}
  - {name: C, endpoint: 'http://169.254.1.3/', concepts: [a]}
  - {name: D, endpoint: 'http://169.254.1.4/', concepts: [a]}
`, []string{"agents[0].endpoint: ", "agents[1].endpoint: ", "agents[3].endpoint: ", "agents[4].endpoint: "}},
}

// TestTheLogNamesEveryMistakeOfAnAgentsFile that is read again, in one line, and nothing changes.
func TestTheLogNamesEveryMistakeOfAnAgentsFile(t *testing.T) {
	var log bytes.Buffer // read when nobody writes any more
	cfg := config.Default()
	cfg.Data, cfg.Agents = t.TempDir(), filepath.Join(t.TempDir(), "agents.yaml")
	writeText(t, cfg.Agents, wellDeclared)
	s, err := newServer(t.Context(), cfg, slog.New(slog.NewJSONHandler(&log, nil)), options{noListen: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close(t.Context())
	if err := s.loadAgents(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, c := range badlyDeclared {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			writeText(t, cfg.Agents, c.text)
			rereads(t, s)
			var said struct {
				Level, File string
				Mistakes    []string
			}
			if err := json.Unmarshal(log.Bytes(), &said); err != nil {
				t.Fatalf("not one line: %v\n%s", err, &log)
			}
			if said.Level != "ERROR" || said.File != cfg.Agents || !slices.EqualFunc(said.Mistakes, c.mistakes, strings.HasPrefix) {
				t.Errorf("%s %s: got  %q\nwant %q", said.Level, said.File, said.Mistakes, c.mistakes)
			}
			if agents, _, err := s.fleet.Agents(t.Context(), myriad.Page{}); err != nil || len(agents) != 1 || agents[0].Name != "Good" {
				t.Errorf("agents are %v, %v", agents, err)
			}
		})
	}
}

// rereads asks the server to read its agents file again, as SIGHUP does, and waits until it has.
func rereads(t *testing.T, s *server) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	asked, done := make(chan os.Signal), make(chan struct{})
	go func() {
		defer close(done)
		s.reload(ctx, asked)
	}()
	asked <- os.Interrupt
	cancel()
	<-done
}

// TestAStartNamesEveryMistakeOfTheAgentsFile, and is none.
func TestAStartNamesEveryMistakeOfTheAgentsFile(t *testing.T) {
	for name, c := range badlyDeclared {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "agents.yaml")
			writeText(t, file, c.text)
			code, _, said := command(t, "", "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--agents", file)
			if code == exitOK {
				t.Error("the server started")
			}
			for _, m := range c.mistakes {
				if !strings.Contains(said, m) {
					t.Errorf("%q is not told:\n%s", m, said)
				}
			}
		})
	}
}
