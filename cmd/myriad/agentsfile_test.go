package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/config"
)

// A bug: an agents file that was read again while an editor or a full disk had left it empty removed every agent that it declared.
func TestAnEmptyAgentsFileRemovesNobody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "agents.yaml")
	s, c := startServer(t, func(cfg *config.Config) { cfg.Agents = file })
	for _, step := range []struct {
		text   string
		want   myriad.Code
		agents int
	}{
		{"", "", 0}, // nothing is lost by it yet
		{"agents:\n  - {name: A, endpoint: 'http://127.0.0.1:1', concepts: [a]}\n", "", 1},
		{"", myriad.CodeInvalid, 1},
		{"# agents:\n", myriad.CodeInvalid, 1},
		{"agents:\n", myriad.CodeInvalid, 1},
		{"agents: []\n", "", 0},
	} {
		if err := os.WriteFile(file, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := s.loadAgents(t.Context())
		agents, _, listErr := c.Agents(t.Context(), myriad.Page{})
		if listErr != nil {
			t.Fatal(listErr)
		}
		if myriad.ErrorCode(err) != step.want || len(agents) != step.agents {
			t.Errorf("%q: %v, %d agents", step.text, err, len(agents))
		}
	}
}
