package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// named says whether the nodes of a label are unique by their name.
func named(label string) bool {
	return label == myriad.LabelAgent || label == myriad.LabelConcept || label == myriad.LabelRegion
}

func (g graph) CreateNode(ctx context.Context, label string, props myriad.Properties) (node myriad.Node, err error) {
	if !validLabel(label) {
		return node, badName("label", label)
	}
	props = maps.Clone(props)
	name, err := identify(label, props)
	if err != nil {
		return node, err
	}
	if label == myriad.LabelAgent {
		if _, ok := props["concepts"]; ok {
			return node, conceptsFollow()
		}
		props["revision"] = 1
	}
	text, err := encodeProps(props)
	if err != nil {
		return node, err
	}
	err = g.write(ctx, "create a node", func(tx *sql.Tx) error {
		if err := g.vacant(ctx, tx, label, name); err != nil {
			return err
		}
		id, err := g.add(ctx, tx, label, name, text)
		if err == nil {
			node, err = row{id: id, label: label, props: text}.node()
		}
		return err
	})
	return node, err
}

// identify gives the unique name that properties carry, in its canonical form, and "" for labels without one.
func identify(label string, props myriad.Properties) (string, error) {
	if !named(label) {
		return "", nil
	}
	written, _ := props["name"].(string)
	name, err := strings.TrimSpace(written), error(nil)
	switch label {
	case myriad.LabelConcept:
		if name, err = myriad.CanonicalConcept(written); err != nil || name == myriad.AnyConcept {
			return "", myriad.Invalid([]myriad.Mistake{{Path: "properties.name", Rule: "is the name of a concept"}})
		}
		if _, ok := props["display_name"]; !ok {
			props["display_name"] = strings.TrimSpace(written)
		}
	case myriad.LabelAgent:
		if name, err = agentName(written); err != nil {
			return "", err
		}
	}
	if name == "" || len(name) > myriad.MaxNameLength {
		return "", myriad.Invalid([]myriad.Mistake{{Path: "properties.name", Rule: "is a text of 1 to 256 bytes"}})
	}
	props["name"] = name
	return name, nil
}

// agentName applies the rule of agents' names, which is CheckAgent's.
func agentName(written string) (string, error) {
	a, mistakes := myriad.CheckAgent(myriad.Agent{Name: written})
	for _, m := range mistakes {
		if m.Path == "name" {
			return "", myriad.Invalid([]myriad.Mistake{{Path: "properties.name", Rule: m.Rule}})
		}
	}
	return a.Name, nil
}

func (g graph) vacant(ctx context.Context, tx *sql.Tx, label, name string) error {
	if name == "" {
		return nil
	}
	_, found, err := g.find(ctx, tx, label, name)
	if err == nil && found {
		err = myriad.Errorf(myriad.CodeConflict, "there is a %s %q already", label, name)
	}
	return err
}

func badName(what, s string) error {
	return myriad.Errorf(myriad.CodeInvalid, "a %s holds letters, digits and _ only, at most %d bytes: %.40q", what, myriad.MaxNameLength, s)
}

func conceptsFollow() error {
	return myriad.Invalid([]myriad.Mistake{{Path: "properties.concepts", Rule: "follows the agent's HANDLES_CONCEPT relationships and is not set by itself"}})
}

func (g graph) UpdateNode(ctx context.Context, id string, props myriad.Properties) (node myriad.Node, err error) {
	err = g.write(ctx, "update node "+id, func(tx *sql.Tx) error {
		before, err := byID(ctx, tx, id)
		if err != nil {
			return err
		}
		if _, ok := props["concepts"]; ok && before.label == myriad.LabelAgent {
			return conceptsFollow()
		}
		after, err := g.update(ctx, tx, before, props)
		if err == nil {
			node, err = after.node()
		}
		return err
	})
	return node, err
}

// update writes changed properties of a node; an agent's revision counts up.
func (g graph) update(ctx context.Context, tx *sql.Tx, before row, changes myriad.Properties) (row, error) {
	props, err := myriad.RawProperties([]byte(before.props))
	if err != nil {
		return row{}, err
	}
	was, _ := props["name"].(string)
	merge(props, changes)
	name, err := identify(before.label, props)
	if err != nil {
		return row{}, err
	}
	if named(before.label) && name != was { // other nodes refer to it by its name
		return row{}, myriad.Invalid([]myriad.Mistake{{Path: "properties.name", Rule: "does not change"}})
	}
	if before.label == myriad.LabelAgent {
		old, err := decodeAgent([]byte(before.props))
		if err != nil {
			return row{}, err
		}
		props["revision"], props["updated_at"] = old.Revision+1, time.Now().UnixMilli()
	}
	if before.props, err = encodeProps(props); err != nil {
		return row{}, err
	}
	_, err = tx.StmtContext(ctx, g.stmts.setNode).ExecContext(ctx, nullable(name), before.props, before.id)
	return before, err
}

// merge sets changes in props; nil removes.
func merge(props, changes myriad.Properties) {
	for key, value := range changes {
		if value == nil {
			delete(props, key)
		} else {
			props[key] = value
		}
	}
}

// DeleteNode also takes a deleted concept out of the lists of the agents that handled it.
func (g graph) DeleteNode(ctx context.Context, id string) error {
	return g.write(ctx, "delete node "+id, func(tx *sql.Tx) error {
		r, err := byID(ctx, tx, id)
		if err != nil {
			return err
		}
		if r.label == myriad.LabelConcept {
			if err := g.forgetConcept(ctx, tx, r); err != nil {
				return err
			}
		}
		return remove(ctx, tx, r.id)
	})
}

func (g graph) forgetConcept(ctx context.Context, tx *sql.Tx, concept row) error {
	var c struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal([]byte(concept.props), &c); err != nil {
		return err
	}
	agents, err := collect(ctx, tx, scanRow, `SELECT a.id, a.label, a.props FROM relationships r JOIN nodes a ON a.id = r.src
		WHERE r.dst = ? AND r.type = 'HANDLES_CONCEPT'`, concept.id)
	if err != nil {
		return err
	}
	for _, r := range agents {
		a, err := decodeAgent([]byte(r.props))
		if err != nil {
			return err
		}
		left := slices.DeleteFunc(a.Concepts, func(written string) bool { key, _ := myriad.CanonicalConcept(written); return key == c.Name })
		if _, err := g.update(ctx, tx, r, myriad.Properties{"concepts": left}); err != nil {
			return err
		}
	}
	return nil
}

func scanRow(rows *sql.Rows) (r row, err error) {
	err = rows.Scan(&r.id, &r.label, &r.props)
	return r, err
}

func (g graph) Nodes(ctx context.Context, label string, match myriad.Properties, page myriad.Page) ([]myriad.Node, string, error) {
	var after int64
	n, err := start(page, &after)
	if err != nil {
		return nil, "", err
	}
	if !validLabel(label) {
		return nil, "", badName("label", label)
	}
	where, args, err := conditions(match)
	if err != nil {
		return nil, "", err
	}
	// A unique name is looked up by its index; everything else walks the label by id.
	text := `SELECT id, label, props FROM nodes WHERE label = ? AND id > ?` + where
	if name, ok := match["name"].(string); ok && named(label) {
		text, args = text+` AND name = ?`, append(args, name)
	}
	args = append(append([]any{label, after}, args...), n+1)
	nodes, err := collect(ctx, g.reader, func(rows *sql.Rows) (myriad.Node, error) {
		r, err := scanRow(rows)
		if err != nil {
			return myriad.Node{}, err
		}
		return r.node()
	}, text+` ORDER BY id LIMIT ?`, args...)
	if err != nil {
		return nil, "", coded(ctx, "list nodes of "+label, err)
	}
	nodes, next := cut(nodes, n, func(n myriad.Node) int64 { id, _ := strconv.ParseInt(n.ID, 10, 64); return id })
	return nodes, next, nil
}

// conditions turns an equality filter into SQL. Values are parameters; names are checked before they become a JSON path.
func conditions(match myriad.Properties) (where string, args []any, err error) {
	for _, key := range slices.Sorted(maps.Keys(match)) {
		if !validProp(key) {
			return "", nil, badName("property", key)
		}
		path := `$."` + key + `"`
		text, err := marshal(match[key])
		if err != nil {
			return "", nil, err
		}
		switch {
		case text == "null":
			where, args = where+` AND json_type(props, ?) IS NULL`, append(args, path)
		case text[0] == '{':
			return "", nil, myriad.Errorf(myriad.CodeInvalid, "property %s: nodes are not found by an object", key)
		case text[0] == '"' || text[0] == '[' || text == "true" || text == "false":
			where, args = where+` AND props -> ? = json(?)`, append(args, path, text)
		default: // 1 and 1.0 are the same number
			where += ` AND json_type(props, ?) IN ('integer', 'real') AND props ->> ? = CAST(? AS NUMERIC)`
			args = append(args, path, path, text)
		}
	}
	return where, args, nil
}
