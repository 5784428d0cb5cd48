package conformance

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/myriad-mind/myriad"
)

// Lookup is the part of a Graph that discovery uses.
type Lookup interface {
	myriad.Registry
	Handlers(ctx context.Context, concept string) (myriad.Handlers, error)
	Ping(ctx context.Context) error
}

// Reopener is a graph that a process can come back to: Reopen closes it and opens what it had stored.
type Reopener interface {
	Reopen(t *testing.T) myriad.Graph
}

// Graph checks every promise of myriad.Graph. open gives an empty graph; it is called once for each subtest, which may run beside others. A
// graph that is also a Reopener is asked to come back.
func Graph(t *testing.T, open func(t *testing.T) myriad.Graph) {
	Registry(t, func(t *testing.T) Lookup { return open(t) })
	for name, check := range map[string]func(t *testing.T, g myriad.Graph){
		"CreateNode":         createNode,
		"CreateNamed":        createNamed,
		"UpdateNode":         updateNode,
		"DeleteNode":         deleteNode,
		"Nodes":              nodes,
		"NodesPages":         nodesPages,
		"Relate":             relate,
		"RelateHandles":      relateHandles,
		"Neighbors":          neighbors,
		"NeighborsPages":     neighborsPages,
		"AgentsAreNodes":     agentsAreNodes,
		"NodesAreAgents":     nodesAreAgents,
		"DeleteConcept":      deleteConcept,
		"ReadersBesideWrite": readersBesideWriter,
		"WeightsStay":        weightsStay,
	} {
		t.Run(name, func(t *testing.T) { check(t, open(t)) })
	}
	t.Run("Reopened", func(t *testing.T) {
		g := open(t)
		r, ok := g.(Reopener)
		if !ok {
			t.Skip("this graph keeps nothing")
		}
		reopened(t, g, func() myriad.Graph { return r.Reopen(t) })
	})
}

// agent makes a small agent.
func agent(name string, concepts ...string) myriad.Agent {
	return myriad.Agent{Name: name, Endpoint: "http://127.0.0.1:9000/" + name, Concepts: concepts}
}

func put(t *testing.T, g Lookup, a myriad.Agent) myriad.Agent {
	t.Helper()
	stored, err := g.PutAgent(t.Context(), a, myriad.Guard{})
	if err != nil {
		t.Fatalf("put %s: %v", a.Name, err)
	}
	return stored
}

func handlers(t *testing.T, g Lookup, concept string) myriad.Handlers {
	t.Helper()
	h, err := g.Handlers(t.Context(), concept)
	if err != nil {
		t.Fatalf("handlers of %s: %v", concept, err)
	}
	return h
}

func names(handlers []myriad.Handler) string {
	all := make([]string, len(handlers))
	for i, h := range handlers {
		all[i] = h.Agent.Name
	}
	return fmt.Sprint(all)
}

func wantCode(t *testing.T, what string, err error, code myriad.Code) {
	t.Helper()
	if got := myriad.ErrorCode(err); got != code {
		t.Errorf("%s: want code %q, got %q (%v)", what, code, got, err)
	}
}

// mustNot says that an error of a call that cannot fail here ends the test.
func mustNot(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ended says whether err tells that the caller's context ended.
func ended(err error) bool {
	code := myriad.ErrorCode(err)
	return code == myriad.CodeCancelled || code == myriad.CodeDeadline || errors.Is(err, context.Canceled)
}

// every reads all pages of a listing, n entries at a time.
func every[E any](t *testing.T, n int, list func(page myriad.Page) ([]E, string, error)) []E {
	t.Helper()
	var all []E
	for page := (myriad.Page{Limit: n}); ; {
		entries, next, err := list(page)
		mustNot(t, err)
		if len(entries) > n {
			t.Fatalf("a page of %d entries, asked for %d", len(entries), n)
		}
		all = append(all, entries...)
		if next == "" {
			return all
		}
		if len(entries) == 0 {
			t.Fatal("an empty page that is not the last")
		}
		page.Cursor = next
	}
}
