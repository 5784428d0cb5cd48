package discovery_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/discovery"
)

// topology keeps nodes and relationships beside the agents of graph.
type topology struct {
	*graph
	late int // this many looks find nothing although it is there

	nodesMu sync.Mutex
	nodes   []myriad.Node
	edges   []string
}

func (g *topology) Nodes(ctx context.Context, label string, match myriad.Properties, _ myriad.Page) (found []myriad.Node, next string, err error) {
	g.nodesMu.Lock()
	defer g.nodesMu.Unlock()
	if g.late--; g.late >= 0 {
		return nil, "", g.err(ctx)
	}
	for _, n := range g.nodes {
		if n.Label == label && n.Properties["name"] == match["name"] {
			found = append(found, n)
		}
	}
	return found, "", g.err(ctx)
}

func (g *topology) CreateNode(ctx context.Context, label string, props myriad.Properties) (myriad.Node, error) {
	g.nodesMu.Lock()
	defer g.nodesMu.Unlock()
	for _, n := range g.nodes {
		if n.Label == label && n.Properties["name"] == props["name"] {
			return myriad.Node{}, myriad.Errorf(myriad.CodeConflict, "taken")
		}
	}
	n := myriad.Node{ID: fmt.Sprint(len(g.nodes)), Label: label, Properties: props}
	g.nodes = append(g.nodes, n)
	return n, g.err(ctx)
}

func (g *topology) UpdateNode(ctx context.Context, id string, props myriad.Properties) (myriad.Node, error) {
	g.nodesMu.Lock()
	defer g.nodesMu.Unlock()
	for _, n := range g.nodes {
		if n.ID == id {
			for k, v := range props {
				n.Properties[k] = v
			}
			return n, g.err(ctx)
		}
	}
	return myriad.Node{}, myriad.Errorf(myriad.CodeNotFound, "no node")
}

func (g *topology) Relate(ctx context.Context, r myriad.Relationship) (myriad.Relationship, error) {
	g.nodesMu.Lock()
	defer g.nodesMu.Unlock()
	if edge := r.From + " " + r.Type + " " + r.To; !slices.Contains(g.edges, edge) {
		g.edges = append(g.edges, edge)
	}
	return r, g.err(ctx)
}

func TestPutConcept(t *testing.T) {
	for late := range 3 { // somebody else may make each node between the look and the write
		g := &topology{graph: newGraph()}
		d := discovery.New(discovery.Config{Graph: g})
		t.Cleanup(d.Close)
		for round, props := range []myriad.Properties{{"display_name": "Smart Grid", "confidence_score": 0.1}, {"confidence_score": 0.9, "display_name": "SMART_GRID"}, nil} {
			if round > 0 {
				g.late = late
			}
			if err := d.PutConcept(t.Context(), "Smart Grid", props); err != nil {
				t.Fatal(err)
			}
		}
		if len(g.nodes) != 2 || g.nodes[0].Label != myriad.LabelConcept || g.nodes[1].Properties["name"] != "General" || !slices.Equal(g.edges, []string{"0 BELONGS_TO 1"}) {
			t.Errorf("nodes %v, edges %v", g.nodes, g.edges)
		}
		if p := g.nodes[0].Properties; p["name"] != "smart_grid" || p["display_name"] != "Smart Grid" || p["confidence_score"] != 0.9 || p["created_at"] == nil {
			t.Errorf("properties %v", p)
		}
	}
}

func TestPutConceptFails(t *testing.T) {
	g := &topology{graph: newGraph()}
	d := discovery.New(discovery.Config{Graph: g})
	t.Cleanup(d.Close)
	if err := d.PutConcept(t.Context(), " ", nil); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("no name: %v", err)
	}
	g.down.Store(true)
	if err := d.PutConcept(t.Context(), "x", nil); myriad.ErrorCode(err) != myriad.CodeUnavailable || !d.Stale() {
		t.Errorf("the graph is away: %v", err)
	}
}

func (g *graph) Researchers(ctx context.Context, limit int) ([]myriad.Agent, error) {
	return []myriad.Agent{{Name: fmt.Sprint("first of ", limit)}, {Name: "packet", Dormant: true, Template: &myriad.Template{}}}, g.err(ctx)
}

func TestResearchers(t *testing.T) {
	g := newGraph()
	var live *myriad.Agent
	d := discovery.New(discovery.Config{Graph: g, Awake: func(string) *myriad.Agent { return live }})
	t.Cleanup(d.Close)
	if found, err := d.Researchers(t.Context(), 7); err != nil || len(found) != 2 || found[0].Name != "first of 7" || !found[1].Dormant {
		t.Errorf("%v, %v", found, err)
	}
	live = &myriad.Agent{Name: "packet", Endpoint: "http://127.0.0.1:1/query"}
	if found, err := d.Researchers(t.Context(), 7); err != nil || len(found) != 2 || found[1].Endpoint != live.Endpoint || found[1].Dormant {
		t.Errorf("the packet is awake: %v, %v", found, err)
	}
	g.down.Store(true)
	if _, err := d.Researchers(t.Context(), 7); myriad.ErrorCode(err) != myriad.CodeUnavailable || !d.Stale() {
		t.Errorf("the graph is away: %v", err)
	}
}
