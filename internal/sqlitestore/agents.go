package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/myriad-mind/myriad"
)

// newWeight is the weight of an edge that has learned nothing yet.
const newWeight = 0.5

func (g graph) PutAgent(ctx context.Context, a myriad.Agent, guard myriad.Guard) (myriad.Agent, error) {
	a, mistakes := myriad.CheckKept(a)
	if err := myriad.Invalid(mistakes); err != nil {
		return myriad.Agent{}, err
	}
	err := g.write(ctx, "put agent "+a.Name, func(tx *sql.Tx) error {
		before, found, err := g.find(ctx, tx, myriad.LabelAgent, a.Name)
		if err != nil {
			return err
		}
		id, err := g.putNode(ctx, tx, &a, before, found, guard)
		if err != nil {
			return err
		}
		return g.handle(ctx, tx, id, a)
	})
	if err != nil {
		return myriad.Agent{}, err
	}
	return a, nil
}

// putNode writes the agent's node and gives a its revision and times.
func (g graph) putNode(ctx context.Context, tx *sql.Tx, a *myriad.Agent, before row, found bool, guard myriad.Guard) (int64, error) {
	var old myriad.Agent
	if found {
		var err error
		if old, err = decodeAgent([]byte(before.props)); err != nil {
			return 0, err
		}
	}
	if err := obey(guard, a.Name, old, found); err != nil {
		return 0, err
	}
	a.UpdatedAt = time.UnixMilli(time.Now().UnixMilli()).UTC()
	a.CreatedAt, a.Revision = old.CreatedAt, old.Revision+1
	if a.CreatedAt.IsZero() {
		a.CreatedAt = a.UpdatedAt
	}
	props, err := encodeAgent(*a, before.props)
	if err != nil {
		return 0, err
	}
	if !found {
		return g.add(ctx, tx, myriad.LabelAgent, a.Name, props)
	}
	_, err = tx.StmtContext(ctx, g.stmts.setNode).ExecContext(ctx, a.Name, props, before.id)
	return before.id, err
}

// obey evaluates a guard against the agent that is stored.
func obey(guard myriad.Guard, name string, old myriad.Agent, found bool) error {
	switch {
	case found && guard.MustNotExist:
		return myriad.Errorf(myriad.CodeConflict, "there is an agent %s already", name)
	case found && guard.Owner != "" && old.Owner != guard.Owner:
		return myriad.Errorf(myriad.CodeConflict, "agent %s belongs to %q, not to %q", name, old.Owner, guard.Owner)
	case guard.Revision > 0 && !found:
		return myriad.Errorf(myriad.CodePrecondition, "there is no agent %s", name)
	case guard.Revision > 0 && old.Revision != guard.Revision:
		return myriad.Errorf(myriad.CodePrecondition, "agent %s is at revision %d, not %d", name, old.Revision, guard.Revision)
	}
	return nil
}

// handle makes the agent's HANDLES_CONCEPT edges those of its concepts; edges that stay keep what they have learned.
func (g graph) handle(ctx context.Context, tx *sql.Tx, agent int64, a myriad.Agent) error {
	gone, err := g.handles(ctx, tx, agent)
	if err != nil {
		return err
	}
	for _, written := range a.Concepts {
		concept, err := g.ensureConcept(ctx, tx, written)
		if err != nil {
			return err
		}
		if gone[concept] {
			delete(gone, concept)
			continue
		}
		if _, err := tx.StmtContext(ctx, g.stmts.relate).ExecContext(ctx, concept, myriad.RelHandles, agent, newEdge); err != nil {
			return err
		}
	}
	for concept := range gone {
		if _, err := tx.StmtContext(ctx, g.stmts.unrelate).ExecContext(ctx, concept, myriad.RelHandles, agent); err != nil {
			return err
		}
	}
	return nil
}

// handles are the concepts that the agent's edges reach now.
func (g graph) handles(ctx context.Context, tx *sql.Tx, agent int64) (map[int64]bool, error) {
	rows, err := tx.StmtContext(ctx, g.stmts.handled).QueryContext(ctx, agent)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	ids := map[int64]bool{}
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids[id] = true
	}
	return ids, rows.Err()
}

func (g graph) DeleteAgent(ctx context.Context, name string, guard myriad.Guard) (a myriad.Agent, err error) {
	err = g.write(ctx, "delete agent "+name, func(tx *sql.Tx) error {
		before, found, err := g.find(ctx, tx, myriad.LabelAgent, name)
		if err != nil {
			return err
		}
		if !found {
			return noAgent(name)
		}
		if a, err = decodeAgent([]byte(before.props)); err != nil {
			return err
		}
		if err := obey(guard, name, a, true); err != nil {
			return err
		}
		return remove(ctx, tx, before.id)
	})
	if err != nil {
		return myriad.Agent{}, err
	}
	return a, nil
}

// remove deletes a node and its relationships.
func remove(ctx context.Context, tx *sql.Tx, id int64) error {
	for _, text := range []string{
		`DELETE FROM relationships WHERE dst = ?`, `DELETE FROM relationships WHERE src = ?`, `DELETE FROM nodes WHERE id = ?`,
	} {
		if _, err := tx.ExecContext(ctx, text, id); err != nil {
			return err
		}
	}
	return nil
}

func noAgent(name string) error {
	return myriad.Errorf(myriad.CodeNotFound, "there is no agent %.80q", name)
}

func (g graph) Agent(ctx context.Context, name string) (myriad.Agent, error) {
	var props []byte
	err := g.lookUp(ctx, func(ctx context.Context) error { return g.stmts.agent.QueryRowContext(ctx, name).Scan(&props) })
	if errors.Is(err, sql.ErrNoRows) {
		return myriad.Agent{}, noAgent(name)
	}
	if err != nil {
		return myriad.Agent{}, coded(ctx, "read agent "+name, err)
	}
	a, err := decodeAgent(props)
	return a, coded(ctx, "read agent "+name, err)
}

func (g graph) Agents(ctx context.Context, page myriad.Page) ([]myriad.Agent, string, error) {
	var after string
	n, err := start(page, &after)
	if err != nil {
		return nil, "", err
	}
	agents, err := collect(ctx, g.reader, func(rows *sql.Rows) (myriad.Agent, error) {
		var props []byte
		if err := rows.Scan(&props); err != nil {
			return myriad.Agent{}, err
		}
		return decodeAgent(props)
	}, `SELECT props FROM nodes WHERE label = 'Agent' AND name > ? ORDER BY name LIMIT ?`, after, n+1)
	if err != nil {
		return nil, "", coded(ctx, "list agents", err)
	}
	agents, next := cut(agents, n, func(a myriad.Agent) string { return a.Name })
	return agents, next, nil
}

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// collect runs a query and scans each of its rows.
func collect[T any](ctx context.Context, q querier, scan func(rows *sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		entry, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, entry)
	}
	return all, rows.Err()
}
