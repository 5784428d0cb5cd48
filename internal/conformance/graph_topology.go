package conformance

import (
	"fmt"
	"slices"
	"testing"

	"github.com/myriad-mind/myriad"
)

func create(t *testing.T, g myriad.Graph, label string, props myriad.Properties) myriad.Node {
	t.Helper()
	n, err := g.CreateNode(t.Context(), label, props)
	if err != nil {
		t.Fatalf("create %s %v: %v", label, props, err)
	}
	return n
}

func join(t *testing.T, g myriad.Graph, kind string, from, to myriad.Node, props myriad.Properties) myriad.Relationship {
	t.Helper()
	r, err := g.Relate(t.Context(), myriad.Relationship{Type: kind, From: from.ID, To: to.ID, Properties: props})
	if err != nil {
		t.Fatalf("relate %s: %v", kind, err)
	}
	return r
}

func createNode(t *testing.T, g myriad.Graph) {
	props := myriad.Properties{
		"name": "x", "n": 12345678901234567, "f": 1.5, "b": true, "none": nil, "list": []any{"a", "b"}, "deep": map[string]any{"k": []any{1, nil}},
		"html": "<&>",
	}
	a := create(t, g, "Thing", props)
	b := create(t, g, "Thing", props)
	if a.ID == "" || a.ID == b.ID || a.Label != "Thing" {
		t.Errorf("nodes %+v, %+v", a, b)
	}
	if len(props) != 8 {
		t.Errorf("the caller's properties were changed: %v", props)
	}
	if _, ok := a.Properties["none"]; ok || fmt.Sprint(a.Properties["n"]) != "12345678901234567" || a.Properties["html"] != "<&>" {
		t.Errorf("properties %v", a.Properties)
	}
	if got := fmt.Sprint(a.Properties["deep"]); got != "map[k:[1 <nil>]]" {
		t.Errorf("nested JSON is kept as it is: %s", got)
	}
	for _, label := range []string{"", "a b", "a-b", "x`) DETACH DELETE (n"} {
		_, err := g.CreateNode(t.Context(), label, nil)
		wantCode(t, "label "+label, err, myriad.CodeInvalid)
		_, _, err = g.Nodes(t.Context(), label, nil, myriad.Page{})
		wantCode(t, "list label "+label, err, myriad.CodeInvalid)
	}
	for _, key := range []string{"", `a"b`, "a\x00"} {
		_, err := g.CreateNode(t.Context(), "Thing", myriad.Properties{key: 1})
		wantCode(t, fmt.Sprintf("property %q", key), err, myriad.CodeInvalid)
	}
}

func createNamed(t *testing.T, g myriad.Graph) {
	for _, label := range []string{myriad.LabelAgent, myriad.LabelConcept, myriad.LabelRegion} {
		n := create(t, g, label, myriad.Properties{"name": "One"})
		if label == myriad.LabelConcept && (n.Properties["name"] != "one" || n.Properties["display_name"] != "One") {
			t.Errorf("a concept's name is canonical: %v", n.Properties)
		}
		_, err := g.CreateNode(t.Context(), label, myriad.Properties{"name": "One"})
		wantCode(t, "a second "+label, err, myriad.CodeConflict)
		for _, props := range []myriad.Properties{nil, {"name": ""}, {"name": 7}} {
			_, err := g.CreateNode(t.Context(), label, props)
			wantCode(t, fmt.Sprintf("%s %v", label, props), err, myriad.CodeInvalid)
		}
	}
	_, err := g.CreateNode(t.Context(), myriad.LabelConcept, myriad.Properties{"name": " ONE "})
	wantCode(t, "the same concept, written in another way", err, myriad.CodeConflict)
	_, err = g.CreateNode(t.Context(), myriad.LabelConcept, myriad.Properties{"name": "*"})
	wantCode(t, "the concept *", err, myriad.CodeInvalid)
	if c, err := g.Concept(t.Context(), "one"); err != nil || c.Agents != 0 {
		t.Errorf("a concept made as a node is listed: %+v, %v", c, err)
	}
}

func updateNode(t *testing.T, g myriad.Graph) {
	n := create(t, g, "Thing", myriad.Properties{"a": 1, "b": 2})
	got, err := g.UpdateNode(t.Context(), n.ID, myriad.Properties{"a": "x", "b": nil, "c": 3})
	if err != nil || got.Properties["a"] != "x" || got.Properties["b"] != nil || fmt.Sprint(got.Properties["c"]) != "3" {
		t.Errorf("updated %+v, %v", got, err)
	}
	for _, id := range []string{"", "no-such-node", "999999999", "99999999999999999999"} {
		_, err := g.UpdateNode(t.Context(), id, myriad.Properties{"a": 1})
		wantCode(t, "update node "+id, err, myriad.CodeNotFound)
	}
	region := create(t, g, myriad.LabelRegion, myriad.Properties{"name": "R"})
	_, err = g.UpdateNode(t.Context(), region.ID, myriad.Properties{"name": "S"})
	wantCode(t, "a unique name does not change", err, myriad.CodeInvalid)
	_, err = g.UpdateNode(t.Context(), region.ID, myriad.Properties{"name": nil})
	wantCode(t, "a unique name does not go", err, myriad.CodeInvalid)
}

func deleteNode(t *testing.T, g myriad.Graph) {
	a, b := create(t, g, "Thing", nil), create(t, g, "Thing", nil)
	join(t, g, "KNOWS", a, b, nil)
	join(t, g, "KNOWS", b, a, nil)
	mustNot(t, g.DeleteNode(t.Context(), a.ID))
	wantCode(t, "deleted twice", g.DeleteNode(t.Context(), a.ID), myriad.CodeNotFound)
	if far, _, err := g.Neighbors(t.Context(), b.ID, nil, myriad.Both, "", myriad.Page{}); err != nil || len(far) != 0 {
		t.Errorf("relationships go with the node: %v, %v", far, err)
	}
	if c := create(t, g, "Thing", nil); c.ID == a.ID {
		t.Error("an id is used again")
	}
}

func nodes(t *testing.T, g myriad.Graph) {
	create(t, g, "Thing", myriad.Properties{"k": "a", "n": 1, "t": true, "l": []any{"x", "y"}})
	create(t, g, "Thing", myriad.Properties{"k": "b", "n": 2.0, "t": 1})
	create(t, g, "Thing", myriad.Properties{"k": "1", "n": "1"})
	create(t, g, "Other", myriad.Properties{"k": "a"})
	for _, c := range []struct {
		match myriad.Properties
		want  int
	}{
		{nil, 3}, {myriad.Properties{"k": "a"}, 1}, {myriad.Properties{"k": 1}, 0}, {myriad.Properties{"n": 1}, 1}, {myriad.Properties{"n": 1.0}, 1},
		{myriad.Properties{"n": 2}, 1}, {myriad.Properties{"n": "1"}, 1}, {myriad.Properties{"t": true}, 1}, {myriad.Properties{"t": 1}, 1},
		{myriad.Properties{"t": nil}, 1}, {myriad.Properties{"l": []any{"x", "y"}}, 1}, {myriad.Properties{"l": []any{"y", "x"}}, 0},
		{myriad.Properties{"k": "a", "n": 2}, 0}, {myriad.Properties{"k": "a' OR '1'='1"}, 0}, {myriad.Properties{"missing": "a"}, 0},
	} {
		got, _, err := g.Nodes(t.Context(), "Thing", c.match, myriad.Page{})
		if err != nil || len(got) != c.want {
			t.Errorf("match %v: %d nodes, want %d, %v", c.match, len(got), c.want, err)
		}
	}
	_, _, err := g.Nodes(t.Context(), "Thing", myriad.Properties{`a"`: 1}, myriad.Page{})
	wantCode(t, "a property's name that cannot be", err, myriad.CodeInvalid)
	create(t, g, myriad.LabelRegion, myriad.Properties{"name": "R"})
	if got, _, err := g.Nodes(t.Context(), myriad.LabelRegion, myriad.Properties{"name": "R"}, myriad.Page{}); err != nil || len(got) != 1 {
		t.Errorf("by unique name: %v, %v", got, err)
	}
}

func nodesPages(t *testing.T, g myriad.Graph) {
	var want []string
	for i := range 25 {
		want = append(want, create(t, g, "Thing", myriad.Properties{"even": i%2 == 0}).ID)
		create(t, g, "Other", nil)
	}
	for _, n := range []int{1, 6, 25} {
		all := every(t, n, func(p myriad.Page) ([]myriad.Node, string, error) { return g.Nodes(t.Context(), "Thing", nil, p) })
		var got []string
		for _, node := range all {
			got = append(got, node.ID)
		}
		if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
			t.Errorf("pages of %d: %q", n, got)
		}
	}
	even := every(t, 4, func(p myriad.Page) ([]myriad.Node, string, error) {
		return g.Nodes(t.Context(), "Thing", myriad.Properties{"even": true}, p)
	})
	if len(even) != 13 {
		t.Errorf("%d even ones", len(even))
	}
	_, _, err := g.Nodes(t.Context(), "Thing", nil, myriad.Page{Cursor: "?"})
	wantCode(t, "a cursor of nobody's", err, myriad.CodeInvalid)
}

func relate(t *testing.T, g myriad.Graph) {
	a, b := create(t, g, "Thing", nil), create(t, g, "Thing", nil)
	first := join(t, g, "KNOWS", a, b, myriad.Properties{"since": 1, "how": "well"})
	second := join(t, g, "KNOWS", a, b, myriad.Properties{"since": 2, "how": nil})
	if first.ID == "" || first.ID != second.ID || first.From != a.ID || first.To != b.ID {
		t.Errorf("there is one relationship of a type: %+v, %+v", first, second)
	}
	if fmt.Sprint(second.Properties["since"]) != "2" || second.Properties["how"] != nil {
		t.Errorf("updated properties %v", second.Properties)
	}
	if back := join(t, g, "KNOWS", b, a, nil); back.ID == first.ID {
		t.Error("the other direction is another relationship")
	}
	if other := join(t, g, "LIKES", a, b, nil); other.ID == first.ID {
		t.Error("another type is another relationship")
	}
	for _, r := range []myriad.Relationship{{Type: "KNOWS", From: a.ID, To: "none"}, {Type: "KNOWS", From: "", To: b.ID}} {
		_, err := g.Relate(t.Context(), r)
		wantCode(t, fmt.Sprintf("%+v", r), err, myriad.CodeNotFound)
	}
	_, err := g.Relate(t.Context(), myriad.Relationship{Type: "NOT A TYPE", From: a.ID, To: b.ID})
	wantCode(t, "a type that cannot be", err, myriad.CodeInvalid)
}

// relateHandles: HANDLES_CONCEPT is what discovery follows, however it was made.
func relateHandles(t *testing.T, g myriad.Graph) {
	a := create(t, g, myriad.LabelAgent, myriad.Properties{"name": "A", "endpoint": "http://h/", "created_at": 1700000000123, "template": "factbase_basic"})
	c := create(t, g, myriad.LabelConcept, myriad.Properties{"name": "Smart Grid"})
	join(t, g, myriad.RelHandles, a, c, nil)
	h := handlers(t, g, "smart_grid")
	if names(h.Exact) != "[A]" || h.Exact[0].Weight != .5 || h.Exact[0].Agent.Endpoint != "http://h/" {
		t.Fatalf("handlers %+v", h)
	}
	if got := h.Exact[0].Agent; !slices.Equal(got.ConceptKeys(), []string{"smart_grid"}) || got.Revision != 2 || got.Status != myriad.AgentActive {
		t.Errorf("the agent names what it handles: %+v", got)
	}
	join(t, g, myriad.RelHandles, a, c, myriad.Properties{"weight": .75, "usage_count": 3})
	if h := handlers(t, g, "smart_grid"); h.Exact[0].Weight != .75 {
		t.Errorf("weight %v", h.Exact[0].Weight)
	}
	for _, w := range []any{-.1, 1.1, "heavy"} {
		_, err := g.Relate(t.Context(), myriad.Relationship{Type: myriad.RelHandles, From: a.ID, To: c.ID, Properties: myriad.Properties{"weight": w}})
		wantCode(t, fmt.Sprint("weight ", w), err, myriad.CodeInvalid)
	}
	_, err := g.Relate(t.Context(), myriad.Relationship{Type: myriad.RelHandles, From: c.ID, To: a.ID})
	wantCode(t, "from a concept to an agent", err, myriad.CodeInvalid)
}
