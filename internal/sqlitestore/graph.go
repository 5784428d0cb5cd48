package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"

	"github.com/myriad-mind/myriad"
)

// graph is the store's knowledge graph.
type graph struct{ *Store }

var _ myriad.Graph = graph{}

// Graph is the knowledge graph in this store.
func (s *Store) Graph() myriad.Graph { return graph{s} }

// Ping reads a row.
func (g graph) Ping(ctx context.Context) error {
	var id int64
	err := g.reader.QueryRowContext(ctx, `SELECT id FROM nodes LIMIT 1`).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return coded(ctx, "read the graph", err)
}

// row is a stored node.
type row struct {
	id    int64
	label string
	props string
}

func (r row) node() (myriad.Node, error) {
	props, err := myriad.RawProperties([]byte(r.props))
	return myriad.Node{ID: strconv.FormatInt(r.id, 10), Label: r.label, Properties: props}, err
}

// find looks a node up by its unique name; found is false when there is none.
func (g graph) find(ctx context.Context, tx *sql.Tx, label, name string) (r row, found bool, err error) {
	r.label = label
	err = tx.StmtContext(ctx, g.stmts.findNode).QueryRowContext(ctx, label, name).Scan(&r.id, &r.props)
	if errors.Is(err, sql.ErrNoRows) {
		return row{}, false, nil
	}
	return r, err == nil, err
}

// byID looks a node up; CodeNotFound when there is none, or when id is not one of ours.
func byID(ctx context.Context, tx *sql.Tx, id string) (r row, err error) {
	if r.id, err = strconv.ParseInt(id, 10, 64); err == nil {
		err = tx.QueryRowContext(ctx, `SELECT label, props FROM nodes WHERE id = ?`, r.id).Scan(&r.label, &r.props)
	}
	if err != nil && (r.id == 0 || errors.Is(err, sql.ErrNoRows) || errors.Is(err, strconv.ErrSyntax) || errors.Is(err, strconv.ErrRange)) {
		return row{}, myriad.Errorf(myriad.CodeNotFound, "there is no node %.40q", id)
	}
	return r, err
}

// add inserts a node; name is "" for labels whose names are not unique.
func (g graph) add(ctx context.Context, tx *sql.Tx, label, name, props string) (int64, error) {
	res, err := tx.StmtContext(ctx, g.stmts.addNode).ExecContext(ctx, label, nullable(name), props)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// CountAgents reads the label's counter.
func (g graph) CountAgents(ctx context.Context) (int64, error) {
	var n int64
	err := g.reader.QueryRowContext(ctx, `SELECT COALESCE(SUM(n), 0) FROM counts WHERE label = 'Agent'`).Scan(&n)
	return n, coded(ctx, "count the agents", err)
}
