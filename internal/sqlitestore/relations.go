package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/myriad-mind/myriad"
)

// relationshipID is opaque to callers; the three parts are the relationship's key.
func relationshipID(src int64, kind string, dst int64) string {
	return fmt.Sprintf("%d:%s:%d", src, kind, dst)
}

// Relate keeps the properties that a relationship already has and sets the given ones over them; nil removes one.
func (g graph) Relate(ctx context.Context, r myriad.Relationship) (made myriad.Relationship, err error) {
	if !validLabel(r.Type) {
		return made, badName("relationship type", r.Type)
	}
	err = g.write(ctx, "relate "+r.From+" to "+r.To, func(tx *sql.Tx) error {
		from, err := byID(ctx, tx, r.From)
		if err != nil {
			return err
		}
		to, err := byID(ctx, tx, r.To)
		if err != nil {
			return err
		}
		made, err = g.relate(ctx, tx, from, to, r)
		return err
	})
	return made, err
}

func (g graph) relate(ctx context.Context, tx *sql.Tx, from, to row, r myriad.Relationship) (myriad.Relationship, error) {
	var before string
	err := tx.StmtContext(ctx, g.stmts.relation).QueryRowContext(ctx, to.id, r.Type, from.id).Scan(&before)
	fresh := errors.Is(err, sql.ErrNoRows)
	if err != nil && !fresh {
		return r, err
	}
	props, err := myriad.RawProperties([]byte(before))
	if err != nil {
		return r, err
	}
	merge(props, r.Properties)
	if r.Type == myriad.RelHandles {
		if err := g.handling(ctx, tx, from, to, props, fresh); err != nil {
			return r, err
		}
	}
	text, err := encodeProps(props)
	if err != nil {
		return r, err
	}
	if _, err := tx.StmtContext(ctx, g.stmts.relate).ExecContext(ctx, to.id, r.Type, from.id, text); err != nil {
		return r, err
	}
	r.ID = relationshipID(from.id, r.Type, to.id)
	r.Properties, err = myriad.RawProperties([]byte(text))
	return r, err
}

// handling keeps what discovery relies on: HANDLES_CONCEPT goes from an agent to a concept, has a weight, and the agent names the concept.
func (g graph) handling(ctx context.Context, tx *sql.Tx, agent, concept row, props myriad.Properties, fresh bool) error {
	if agent.label != myriad.LabelAgent || concept.label != myriad.LabelConcept {
		return myriad.Errorf(myriad.CodeInvalid, "%s goes from an %s to a %s", myriad.RelHandles, myriad.LabelAgent, myriad.LabelConcept)
	}
	if _, ok := props["weight"]; !ok {
		props["weight"] = newWeight
	}
	if w, ok := number(props["weight"]); !ok || !(w >= 0 && w <= 1) {
		return myriad.Invalid([]myriad.Mistake{{Path: "properties.weight", Rule: "is a number from 0 to 1"}})
	}
	if !fresh {
		return nil
	}
	a, err := decodeAgent([]byte(agent.props))
	if err != nil {
		return err
	}
	c, err := concept.node()
	if err != nil {
		return err
	}
	written, ok := c.Properties["display_name"].(string)
	if key, err := myriad.CanonicalConcept(written); !ok || err != nil || key != c.Properties["name"] {
		written, _ = c.Properties["name"].(string)
	}
	if name, _ := c.Properties["name"].(string); slices.Contains(a.ConceptKeys(), name) {
		return nil
	}
	_, err = g.update(ctx, tx, agent, myriad.Properties{"concepts": append(a.Concepts, written)})
	return err
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}
