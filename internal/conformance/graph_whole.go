package conformance

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/myriad-mind/myriad"
)

func neighbors(t *testing.T, g myriad.Graph) {
	a, b, c := create(t, g, "Thing", nil), create(t, g, "Thing", nil), create(t, g, "Other", nil)
	join(t, g, "KNOWS", a, b, myriad.Properties{"w": 1})
	join(t, g, "LIKES", a, b, nil)
	join(t, g, "KNOWS", c, a, nil)
	join(t, g, "SELF", a, a, nil)
	for _, q := range []struct {
		types []string
		d     myriad.Direction
		label string
		want  int
	}{
		{nil, myriad.Out, "", 3}, {nil, myriad.In, "", 2}, {nil, myriad.Both, "", 4}, {[]string{"KNOWS"}, myriad.Both, "", 2},
		{[]string{"KNOWS", "LIKES", "KNOWS"}, myriad.Out, "", 2}, {nil, myriad.Both, "Other", 1}, {[]string{"NONE"}, myriad.Both, "", 0},
		{[]string{"SELF"}, myriad.Both, "", 1}, {[]string{"SELF"}, myriad.In, "", 1},
	} {
		got, _, err := g.Neighbors(t.Context(), a.ID, q.types, q.d, q.label, myriad.Page{})
		if err != nil || len(got) != q.want {
			t.Errorf("%+v: %d, %v", q, len(got), err)
		}
		for _, n := range got {
			if far := n.Relationship.To; far != n.Node.ID && n.Relationship.From != n.Node.ID || n.Relationship.ID == "" {
				t.Errorf("the relationship leads to the node: %+v", n)
			}
		}
	}
	_, _, err := g.Neighbors(t.Context(), "none", nil, myriad.Both, "", myriad.Page{})
	wantCode(t, "neighbours of nobody", err, myriad.CodeNotFound)
	far, _, err := g.Neighbors(t.Context(), a.ID, []string{"KNOWS"}, myriad.In, "", myriad.Page{})
	if err != nil || len(far) != 1 || far[0].Relationship.From != c.ID || far[0].Relationship.To != a.ID || far[0].Node.Label != "Other" {
		t.Errorf("an incoming one: %+v, %v", far, err)
	}
}

func neighborsPages(t *testing.T, g myriad.Graph) {
	hub := create(t, g, "Thing", nil)
	var want []string
	for i := range 12 {
		n := create(t, g, "Thing", nil)
		for _, kind := range []string{"A", "B"}[:1+i%2] {
			want = append(want, join(t, g, kind, hub, n, nil).ID, join(t, g, kind, n, hub, nil).ID)
		}
	}
	slices.Sort(want)
	for _, n := range []int{1, 3, 7, 36, 100} {
		all := every(t, n, func(p myriad.Page) ([]myriad.Neighbor, string, error) {
			return g.Neighbors(t.Context(), hub.ID, nil, myriad.Both, "", p)
		})
		var got []string
		for _, e := range all {
			got = append(got, e.Relationship.ID)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("pages of %d: %d of %d relationships", n, len(got), len(want))
		}
	}
}

// agentsAreNodes: what PutAgent writes is there as nodes and edges.
func agentsAreNodes(t *testing.T, g myriad.Graph) {
	put(t, g, agent("a", "Led Lamp"))
	found, _, err := g.Nodes(t.Context(), myriad.LabelAgent, myriad.Properties{"name": "a"}, myriad.Page{})
	if err != nil || len(found) != 1 || found[0].Properties["endpoint"] != "http://127.0.0.1:9000/a" {
		t.Fatalf("node %+v, %v", found, err)
	}
	far, _, err := g.Neighbors(t.Context(), found[0].ID, []string{myriad.RelHandles}, myriad.Out, myriad.LabelConcept, myriad.Page{})
	if err != nil || len(far) != 1 || far[0].Node.Properties["name"] != "led_lamp" {
		t.Errorf("concepts %+v, %v", far, err)
	}
	if _, err := g.UpdateNode(t.Context(), found[0].ID, myriad.Properties{"expertise": "lamps", "status": myriad.AgentInactive}); err != nil {
		t.Fatal(err)
	}
	if a, err := g.Agent(t.Context(), "a"); err != nil || a.Status != myriad.AgentInactive || a.Revision != 2 {
		t.Errorf("an update of the node is one of the agent: %+v, %v", a, err)
	}
	put(t, g, agent("a", "Led Lamp"))
	found, _, err = g.Nodes(t.Context(), myriad.LabelAgent, nil, myriad.Page{})
	if err != nil || found[0].Properties["expertise"] != "lamps" || found[0].Properties["status"] != myriad.AgentActive {
		t.Errorf("an agent's write leaves properties of others: %+v, %v", found, err)
	}
	_, err = g.UpdateNode(t.Context(), found[0].ID, myriad.Properties{"concepts": []any{"other"}})
	wantCode(t, "concepts follow the edges", err, myriad.CodeInvalid)
	mustNot(t, g.DeleteNode(t.Context(), found[0].ID))
	_, err = g.Agent(t.Context(), "a")
	wantCode(t, "the node of an agent is the agent", err, myriad.CodeNotFound)
	if n, err := g.CountAgents(t.Context()); err != nil || n != 0 {
		t.Errorf("count %d, %v", n, err)
	}
}

// nodesAreAgents: an agent that another client made as a node, with fields of other types, can be read and put.
func nodesAreAgents(t *testing.T, g myriad.Graph) {
	create(t, g, myriad.LabelAgent, myriad.Properties{
		"name": "A", "endpoint": "http://h/", "type": "dynamic", "capabilities": `["x"]`, "created_at": 1700000000123.0, "max_concurrency": "many",
	})
	a, err := g.Agent(t.Context(), "A")
	if err != nil || a.Endpoint != "http://h/" || a.Type != myriad.AgentDynamic || a.CreatedAt.UnixMilli() != 1700000000123 || a.Revision != 1 {
		t.Errorf("agent %+v, %v", a, err)
	}
	if stored := put(t, g, agent("A", "x")); stored.Revision != 2 || stored.CreatedAt.UnixMilli() != 1700000000123 {
		t.Errorf("put over it: %+v", stored)
	}
	_, err = g.CreateNode(t.Context(), myriad.LabelAgent, myriad.Properties{"name": "B", "concepts": []any{"x"}})
	wantCode(t, "concepts follow the edges", err, myriad.CodeInvalid)
}

func deleteConcept(t *testing.T, g myriad.Graph) {
	put(t, g, agent("a", "x", "y"))
	found, _, err := g.Nodes(t.Context(), myriad.LabelConcept, myriad.Properties{"name": "x"}, myriad.Page{})
	if err != nil || len(found) != 1 {
		t.Fatalf("concept %v, %v", found, err)
	}
	mustNot(t, g.DeleteNode(t.Context(), found[0].ID))
	if h := handlers(t, g, "x"); len(h.Exact) != 0 {
		t.Errorf("handlers %+v", h)
	}
	if a, err := g.Agent(t.Context(), "a"); err != nil || !slices.Equal(a.Concepts, []string{"y"}) || a.Revision != 2 {
		t.Errorf("the agent names it no more: %+v, %v", a, err)
	}
}

// weightsStay: what an edge has learned survives writes of its agent as long as the concept stays.
func weightsStay(t *testing.T, g myriad.Graph) {
	put(t, g, agent("a", "x", "y"))
	ids := map[string]string{}
	for _, label := range []string{myriad.LabelAgent, myriad.LabelConcept} {
		found, _, err := g.Nodes(t.Context(), label, nil, myriad.Page{})
		mustNot(t, err)
		for _, n := range found {
			ids[fmt.Sprint(n.Properties["name"])] = n.ID
		}
	}
	for _, c := range []string{"x", "y"} {
		_, err := g.Relate(t.Context(), myriad.Relationship{
			Type: myriad.RelHandles, From: ids["a"], To: ids[c], Properties: myriad.Properties{"weight": .9, "usage_count": 8},
		})
		mustNot(t, err)
	}
	put(t, g, agent("a", "Y", "z"))
	put(t, g, agent("a", "x", "y", "z"))
	for concept, want := range map[string]float64{"x": .5, "y": .9, "z": .5} {
		if h := handlers(t, g, concept); len(h.Exact) != 1 || h.Exact[0].Weight != want {
			t.Errorf("%s: %+v, want the weight %v", concept, h.Exact, want)
		}
	}
}

// readersBesideWriter: readers never wait for a writer, and never see half of a write.
func readersBesideWriter(t *testing.T, g myriad.Graph) {
	put(t, g, agent("flip", "left", "both"))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				h, err := g.Handlers(t.Context(), "both")
				if err != nil || len(h.Exact) != 1 || len(h.Exact[0].Agent.Concepts) != 2 {
					t.Errorf("in the middle of a write: %+v, %v", h, err)
					return
				}
				if all, _, err := g.Agents(t.Context(), myriad.Page{}); err != nil || len(all) != 1 {
					t.Errorf("in the middle of a write: %+v, %v", all, err)
					return
				}
			}
		})
	}
	for i := range 60 {
		put(t, g, agent("flip", []string{"left", "right"}[i%2], "both"))
	}
	close(stop)
	wg.Wait()
}

func reopened(t *testing.T, g myriad.Graph, reopen func() myriad.Graph) {
	stored := put(t, g, agent("a", "X Ray", "*"))
	put(t, g, agent("gone", "x-ray"))
	_, err := g.DeleteAgent(t.Context(), "gone", myriad.Guard{})
	mustNot(t, err)
	thing := create(t, g, "Thing", myriad.Properties{"k": "v"})
	g = reopen()
	if a, err := g.Agent(t.Context(), "a"); err != nil || a.Revision != stored.Revision || !a.CreatedAt.Equal(stored.CreatedAt) {
		t.Errorf("agent %+v, %v", a, err)
	}
	if h := handlers(t, g, "x_ray"); names(h.Exact) != "[a]" || names(h.Any) != "[a]" {
		t.Errorf("handlers %+v", h)
	}
	if n, err := g.CountAgents(t.Context()); err != nil || n != 1 {
		t.Errorf("count %d, %v", n, err)
	}
	if n, err := g.UpdateNode(t.Context(), thing.ID, nil); err != nil || n.Properties["k"] != "v" {
		t.Errorf("ids are stable: %+v, %v", n, err)
	}
	if a := put(t, g, agent("a", "x ray")); a.Revision != 2 {
		t.Errorf("revisions go on: %+v", a)
	}
}
