package sqlitestore

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/myriad-mind/myriad"
)

// handlersSQL reads everything that discovery needs of a concept at one moment: its agents and those of every concept.
const handlersSQL = `SELECT c.name = '*', a.props, r.props
	FROM nodes c
	JOIN relationships r ON r.dst = c.id AND r.type = 'HANDLES_CONCEPT'
	JOIN nodes a ON a.id = r.src
	WHERE c.label = 'Concept' AND c.name IN (?, '*')`

func (g graph) Handlers(ctx context.Context, concept string) (myriad.Handlers, error) {
	found := myriad.Handlers{Concept: concept}
	if err := g.lookUp(ctx, func(quiet context.Context) error { return g.handlers(ctx, quiet, concept, &found) }); err != nil {
		return myriad.Handlers{}, coded(ctx, "look up concept "+concept, err)
	}
	byName := func(a, b myriad.Handler) int { return cmp.Compare(a.Agent.Name, b.Agent.Name) }
	slices.SortFunc(found.Exact, byName)
	slices.SortFunc(found.Any, byName)
	return found, nil
}

// askerEvery is after how many rows it is looked at whether the asker has left.
const askerEvery = 256

// handlers reads under the context quiet, which has no end, for an asker whose has.
func (g graph) handlers(asker, quiet context.Context, concept string, found *myriad.Handlers) error {
	rows, err := g.stmts.handlers.QueryContext(quiet, concept)
	if err != nil {
		return err
	}
	defer rows.Close()
	for n := 1; rows.Next(); n++ {
		if n%askerEvery == 0 && asker.Err() != nil {
			return asker.Err()
		}
		var (
			ofAny       bool
			agent, edge []byte
		)
		if err := rows.Scan(&ofAny, &agent, &edge); err != nil {
			return err
		}
		a, err := decodeAgent(agent)
		if err != nil {
			return err
		}
		h := myriad.Handler{Agent: a, Weight: weightOf(edge)}
		if ofAny {
			found.Any = append(found.Any, h)
		} else {
			found.Exact = append(found.Exact, h)
		}
	}
	return rows.Err()
}

// newEdge are the properties of an edge that PutAgent makes.
const newEdge = `{"weight":0.5}`

// weightOf reads an edge's weight; one that has none, or no number from 0 to 1, counts as new.
func weightOf(edge []byte) float64 {
	if string(edge) == newEdge {
		return newWeight
	}
	var p struct {
		Weight *float64 `json:"weight"`
	}
	if json.Unmarshal(edge, &p) != nil || p.Weight == nil || !(*p.Weight >= 0 && *p.Weight <= 1) {
		return newWeight
	}
	return *p.Weight
}
