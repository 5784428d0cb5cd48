package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
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

const declaration = `agents:
  - {name: Tide, concepts: [tide], description: %s, template: {kind: knowledge, knowledge: {concept: tide, primary_definition: %s, confidence_score: 0.5}}}
  - {name: Far, endpoint: 'http://127.0.0.1:1', concepts: [Far Away], intents: [Define], description: %s, labels: {tide: %s}}
`

// fileServer is a server with an agents file, and what writes and loads that file.
func fileServer(t *testing.T, data string, opts options) (s *server, c *client.Client, load func(description, definition string) error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "agents.yaml")
	s, c = startServerWith(t, opts, func(cfg *config.Config) { cfg.Agents, cfg.Data = file, data })
	return s, c, func(description, definition string) error {
		declares(t, s, description, definition)
		return s.loadAgents(t.Context())
	}
}

// declares writes the server's agents file.
func declares(t *testing.T, s *server, description, definition string) {
	t.Helper()
	mustLoad(t, os.WriteFile(s.cfg.Agents, fmt.Appendf(nil, declaration, description, definition, description, definition), 0o600))
}

func mustLoad(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tell gives the agent Tide a lesson.
func tell(t *testing.T, c *client.Client, lesson string) {
	t.Helper()
	i := mustBeReady(t, c, "Tide")
	body := fmt.Sprintf(`{"knowledge_type":"dangers","content":%q,"confidence":0.7}`, lesson)
	if reply := fetched(t, http.MethodPost, strings.TrimSuffix(i.Endpoint, "query")+"update_knowledge", body); !strings.Contains(reply, `"status":"success"`) {
		t.Fatal(reply)
	}
}

// A bug: an agents file that was read again as it was, at SIGHUP and at every start, took from its agents what they had learned.
func TestAnAgentsFileThatStaysLeavesItsAgentsAlone(t *testing.T) {
	data := t.TempDir()
	knows := func(t *testing.T, c *client.Client, lesson string) {
		t.Helper()
		if r := mustOne(t, c, "tide", "dangers", nil); !strings.Contains(string(r.Answer.Data), lesson) {
			t.Errorf("%q is forgotten: %s", lesson, r.AppendJSON(nil))
		}
	}
	t.Run("life", func(t *testing.T) {
		_, c, load := fileServer(t, data, options{})
		mustLoad(t, load("d", "w"))
		mustOne(t, c, "tide", "define", nil)
		was := mustBeReady(t, c, "Tide").ID
		far, err := c.Agent(t.Context(), "Far")
		mustLoad(t, err)
		tell(t, c, "quicksand")
		mustLoad(t, load("d", "w")) // before the lesson is in the row
		knows(t, c, "quicksand")
		eventually(t, func() (bool, string) {
			a, err := c.Agent(t.Context(), "Tide")
			mustLoad(t, err)
			return a.Template.Knowledge.Learned["dangers"].Content == "quicksand", "the lesson is not in the packet"
		})
		tide, err := c.Agent(t.Context(), "Tide")
		mustLoad(t, err)
		mustLoad(t, load("d", "w"))
		knows(t, c, "quicksand")
		for _, old := range []myriad.Agent{tide, far} {
			if now, err := c.Agent(t.Context(), old.Name); err != nil || now.Revision != old.Revision {
				t.Errorf("%s was written again: revision %d after %d, %v", old.Name, now.Revision, old.Revision, err)
			}
		}
		if is := mustBeReady(t, c, "Tide").ID; is != was {
			t.Errorf("instance %s instead of %s", is, was)
		}
	})
	t.Run("next life", func(t *testing.T) {
		_, c, load := fileServer(t, data, options{})
		mustLoad(t, load("d", "w"))
		knows(t, c, "quicksand")
		mustLoad(t, load("d", "'other water'")) // what changes is as the file has it
		if a, err := c.Agent(t.Context(), "Tide"); err != nil || a.Template.Knowledge.PrimaryDefinition != "other water" || len(a.Template.Knowledge.Learned) > 0 {
			t.Errorf("after a change: %+v, %v", a.Template.Knowledge, err)
		}
	})
}

// What somebody else changed or removed meanwhile is declared again although the file is as it was.
func TestAnAgentsFileWinsOverOtherHands(t *testing.T) {
	s, c, load := fileServer(t, t.TempDir(), options{})
	mustLoad(t, load("d", "w"))
	for _, name := range []string{"Tide", "Far"} {
		is := func(what string) {
			t.Helper()
			mustLoad(t, load("d", "w"))
			if a, err := c.Agent(t.Context(), name); err != nil || a.Description != "d" || a.Owner != myriad.OwnerFile {
				t.Errorf("%s, %s: %+v, %v", name, what, a, err)
			}
		}
		a, err := s.fleet.Agent(t.Context(), name)
		mustLoad(t, err)
		a.Description = "another"
		_, err = s.fleet.PutAgent(t.Context(), a, myriad.Guard{})
		mustLoad(t, err)
		is("changed")
		a.Description, a.Owner = "d", myriad.OwnerAPI
		_, err = s.fleet.PutAgent(t.Context(), a, myriad.Guard{})
		mustLoad(t, err)
		is("taken over")
		_, err = s.fleet.DeleteAgent(t.Context(), name, myriad.Guard{})
		mustLoad(t, err)
		is("removed")
	}
}

// refusing is a graph that refuses one agent while it is told to.
type refusing struct {
	myriad.Graph
	name atomic.Pointer[string]
	then func() // called when it does; nil is nothing
}

func (g *refusing) PutAgent(ctx context.Context, a myriad.Agent, guard myriad.Guard) (myriad.Agent, error) {
	if name := g.name.Load(); name != nil && *name == a.Name {
		if g.then != nil {
			g.then()
		}
		return myriad.Agent{}, myriad.Errorf(myriad.CodeInvalid, "refused for the test")
	}
	return g.Graph.PutAgent(ctx, a, guard)
}

// A file that was taken in part, and then is again what was taken whole before, is not mistaken for what is there.
func TestAnAgentsFileThatWasTakenInPart(t *testing.T) {
	graph := &refusing{}
	s, c, load := fileServer(t, t.TempDir(), options{wrapGraph: func(g myriad.Graph) myriad.Graph { graph.Graph = g; return graph }})
	mustLoad(t, load("d", "old"))
	far := "Far"
	graph.name.Store(&far)
	if err := load("d", "new"); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Fatalf("the refusal is not told: %v", err)
	}
	tide := func() (definition string, revision int64) {
		t.Helper()
		a, err := c.Agent(t.Context(), "Tide")
		mustLoad(t, err)
		return a.Template.Knowledge.PrimaryDefinition, a.Revision
	}
	d, before := tide()
	if d != "new" {
		t.Fatalf("Tide was not taken: %s", d)
	}
	if err := load("d", "new"); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Fatalf("the refusal is not told again: %v", err)
	}
	if _, now := tide(); now != before {
		t.Errorf("what was taken is written again: revision %d after %d", now, before)
	}
	ctx, die := context.WithCancel(t.Context())
	graph.then = die // then nothing more is written, as when the process dies
	declares(t, s, "d", "newer")
	if err := s.loadAgents(ctx); err == nil || ctx.Err() == nil {
		t.Fatalf("nothing died: %v", err)
	}
	if d, _ := tide(); d != "newer" {
		t.Fatalf("Tide was not taken: %s", d)
	}
	graph.name.Store(nil)
	mustLoad(t, load("d", "new"))
	if d, _ := tide(); d != "new" {
		t.Errorf("Tide stayed as the file had it when the process died: %s", d)
	}
	mustLoad(t, load("d", "old"))
	if d, _ := tide(); d != "old" {
		t.Errorf("Tide stayed as the file has it no more: %s", d)
	}
}
