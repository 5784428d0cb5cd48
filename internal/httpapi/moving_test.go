package httpapi

import (
	"context"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

// moving is a registry in which somebody else writes an agent, or removes it, between a read of it and the write that follows.
type moving struct {
	*fakeAgents
	moves  int  // writes to come, one after each read
	goes   bool // the last of them removes it
	writes int
}

func (m *moving) Agent(ctx context.Context, name string) (myriad.Agent, error) {
	a, err := m.fakeAgents.Agent(ctx, name)
	if err != nil || m.moves == 0 {
		return a, err
	}
	if m.moves--; m.moves == 0 && m.goes {
		_, err = m.fakeAgents.DeleteAgent(ctx, name, myriad.Guard{})
	} else {
		_, err = m.fakeAgents.PutAgent(ctx, a, myriad.Guard{})
	}
	return a, err
}

func (m *moving) PutAgent(ctx context.Context, a myriad.Agent, g myriad.Guard) (myriad.Agent, error) {
	m.writes++
	return m.fakeAgents.PutAgent(ctx, a, g)
}

func (m *moving) DeleteAgent(ctx context.Context, name string, g myriad.Guard) (myriad.Agent, error) {
	m.writes++
	return m.fakeAgents.DeleteAgent(ctx, name, g)
}

// TestAConditionIsJudgedByTheRevisionThatIsThere: a bug was that If-Match: * named the one revision that was read before the write, so that it was refused
// whenever the agent moved on in between, as one does that was told something a moment ago. The agent is at revision 1 before it moves.
func TestAConditionIsJudgedByTheRevisionThatIsThere(t *testing.T) {
	for _, tc := range []struct {
		name, match string
		moves       int
		goes        bool
		put, remove int // statuses
		writes      int
		detail      string // of a 412
	}{
		{"any, at rest", `*`, 0, false, 200, 204, 1, ""},
		{"any, moved once", `*`, 1, false, 200, 204, 2, ""},
		{"any, moved as often as it is tried again", `*`, 4, false, 200, 204, 5, ""},
		{"any, moves for ever", `*`, 100, false, 412, 412, 5, "another revision"},
		{"any, gone", `*`, 1, true, 412, 404, 1, "there is no agent"},
		{"list, moved within it", `"1", "2"`, 1, false, 200, 204, 2, ""},
		{"list, moved beyond it", `"1", "2"`, 2, false, 412, 412, 2, `"3"`},
		{"list, moves for ever", `"1","2","3","4","5","6","7"`, 100, false, 412, 412, 5, "another revision"},
		{"list with a weak tag, moved within it", `"2",W/"1","1"`, 1, false, 200, 204, 2, ""},
		{"one tag, at rest", `"1"`, 0, false, 200, 204, 1, ""},
		{"one tag, moved", `"1"`, 1, false, 412, 412, 1, "another revision"},
	} {
		for _, method := range []string{"PUT", "DELETE"} {
			t.Run(tc.name+" "+method, func(t *testing.T) {
				m := &moving{moves: tc.moves, goes: tc.goes}
				w := newWorld(t, func(c *Config) {
					m.fakeAgents = c.Agents.(*fakeAgents)
					c.Agents = m
				})
				w.do("POST", "/v1/agents", newAgent)
				m.writes = 0
				body, want := newAgent, tc.put
				if method == "DELETE" {
					body, want = "", tc.remove
				}
				got := w.do(method, "/v1/agents/New", body, "If-Match", tc.match)
				if got.status != want || m.writes != tc.writes {
					t.Errorf("got %d by %d writes, want %d by %d: %s", got.status, m.writes, want, tc.writes, got.body)
				}
				if want == 412 {
					if p := got.problem(t, 412, myriad.CodePrecondition); !strings.Contains(p.Detail, tc.detail) {
						t.Errorf("it says %q", p.Detail)
					}
				}
			})
		}
	}
}
