package sqlitestore

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// ensureConcept gives the id of the concept's node, and makes the node when it is not there.
func (g graph) ensureConcept(ctx context.Context, tx *sql.Tx, written string) (int64, error) {
	key, err := myriad.CanonicalConcept(written)
	if err != nil {
		return 0, err
	}
	r, found, err := g.find(ctx, tx, myriad.LabelConcept, key)
	if err != nil || found {
		return r.id, err
	}
	props, err := marshal(struct {
		CreatedAt   int64  `json:"created_at"`
		DisplayName string `json:"display_name"`
		Name        string `json:"name"`
	}{time.Now().UnixMilli(), strings.TrimSpace(written), key})
	if err != nil {
		return 0, err
	}
	return g.add(ctx, tx, myriad.LabelConcept, key, props)
}

// conceptColumns come from nodes c.
const conceptColumns = `c.name, c.props, (SELECT COUNT(*) FROM relationships r WHERE r.dst = c.id AND r.type = 'HANDLES_CONCEPT')`

func scanConcept(rows *sql.Rows) (c myriad.Concept, err error) {
	var props []byte
	if err := rows.Scan(&c.Name, &props, &c.Agents); err != nil {
		return c, err
	}
	if c.Properties, err = myriad.RawProperties(props); err != nil {
		return c, err
	}
	c.DisplayName = takeString(c.Properties, "display_name")
	c.Definition = takeString(c.Properties, "primary_definition")
	delete(c.Properties, "name")
	return c, nil
}

// takeString moves a text out of properties; one of another type stays where it is.
func takeString(p myriad.Properties, key string) string {
	s, ok := p[key].(string)
	if ok {
		delete(p, key)
	}
	return s
}

func (g graph) Concepts(ctx context.Context, page myriad.Page) ([]myriad.Concept, string, error) {
	var after string
	n, err := start(page, &after)
	if err != nil {
		return nil, "", err
	}
	concepts, err := collect(ctx, g.reader, scanConcept, `SELECT `+conceptColumns+` FROM nodes c
		WHERE c.label = 'Concept' AND c.name > ? AND c.name <> '*' ORDER BY c.name LIMIT ?`, after, n+1)
	if err != nil {
		return nil, "", coded(ctx, "list concepts", err)
	}
	concepts, next := cut(concepts, n, func(c myriad.Concept) string { return c.Name })
	return concepts, next, nil
}

func (g graph) Concept(ctx context.Context, name string) (myriad.Concept, error) {
	key, err := myriad.CanonicalConcept(name)
	if err != nil {
		return myriad.Concept{}, err
	}
	found, err := collect(ctx, g.reader, scanConcept, `SELECT `+conceptColumns+` FROM nodes c
		WHERE c.label = 'Concept' AND c.name = ? AND c.name <> '*'`, key)
	if err != nil {
		return myriad.Concept{}, coded(ctx, "read concept "+key, err)
	}
	if len(found) == 0 {
		return myriad.Concept{}, myriad.Errorf(myriad.CodeNotFound, "there is no concept %s", key)
	}
	return found[0], nil
}
