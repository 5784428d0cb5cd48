package sqlitestore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/myriad-mind/myriad"
)

// place orders neighbours: by node, and under one node by type and direction.
type place struct {
	Node int64
	Type string
	In   bool
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.Node, q.Node), strings.Compare(p.Type, q.Type), cmp.Compare(p.side(), q.side()))
}

func (p place) side() int {
	if p.In {
		return 1
	}
	return 0
}

// neighbor is one row of a Neighbors listing.
type neighbor struct {
	place
	row
	edge string
}

func (g graph) Neighbors(ctx context.Context, id string, types []string, d myriad.Direction, label string, page myriad.Page) (
	found []myriad.Neighbor, next string, err error,
) {
	var after place
	n, err := start(page, &after)
	if err != nil {
		return nil, "", err
	}
	err = g.read(ctx, "list neighbours of "+id, func(tx *sql.Tx) error {
		node, err := byID(ctx, tx, id)
		if err != nil {
			return err
		}
		var all []neighbor
		for _, side := range sides(d) {
			more, err := side.list(ctx, tx, node.id, types, label, after, n+1)
			if err != nil {
				return err
			}
			all = append(all, more...)
		}
		slices.SortFunc(all, func(a, b neighbor) int { return a.compare(b.place) })
		all, next = cut(all, n, func(n neighbor) place { return n.place })
		found, err = neighbors(node.id, all)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return found, next, nil
}

// side is one direction of a node's relationships. Each type of a side is read by its own index range, as far as the page needs, so that a
// concept with a million agents costs no more than one with ten.
type side struct {
	in    bool
	here  string // the column of the node asked about
	there string
	loops bool // whether relationships of the node with itself are told on this side
}

func sides(d myriad.Direction) []side {
	out, in := side{here: "src", there: "dst", loops: true}, side{in: true, here: "dst", there: "src", loops: d == myriad.In}
	switch d {
	case myriad.Out:
		return []side{out}
	case myriad.In:
		return []side{in}
	}
	return []side{out, in}
}

func (s side) list(ctx context.Context, tx *sql.Tx, node int64, types []string, label string, after place, n int) ([]neighbor, error) {
	if len(types) == 0 {
		var err error
		if types, err = s.types(ctx, tx, node); err != nil {
			return nil, err
		}
	}
	var all []neighbor
	for _, kind := range slices.Compact(slices.Sorted(slices.Values(types))) {
		text := `SELECT r.` + s.there + `, r.props, n.id, n.label, n.props FROM relationships r JOIN nodes n ON n.id = r.` + s.there +
			` WHERE r.` + s.here + ` = ? AND r.type = ? AND r.` + s.there + ` >= ?`
		args := []any{node, kind, s.from(kind, after)}
		if label != "" {
			text, args = text+` AND n.label = ?`, append(args, label)
		}
		if !s.loops {
			text += ` AND r.src <> r.dst`
		}
		more, err := collect(ctx, tx, func(rows *sql.Rows) (neighbor, error) {
			e := neighbor{place: place{Type: kind, In: s.in}}
			err := rows.Scan(&e.Node, &e.edge, &e.id, &e.label, &e.props)
			return e, err
		}, text+` ORDER BY r.`+s.there+` LIMIT ?`, append(args, n)...)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// from is the first node that may still come after the cursor in this side's range of a type.
func (s side) from(kind string, after place) int64 {
	if (place{Node: after.Node, Type: kind, In: s.in}).compare(after) > 0 {
		return after.Node
	}
	return after.Node + 1
}

// types are the types of a node's relationships on this side, found by leaping from one to the next.
func (s side) types(ctx context.Context, tx *sql.Tx, node int64) ([]string, error) {
	var types []string
	for last := ""; ; {
		err := tx.QueryRowContext(ctx, `SELECT type FROM relationships WHERE `+s.here+` = ? AND type > ? ORDER BY type LIMIT 1`, node, last).Scan(&last)
		if errors.Is(err, sql.ErrNoRows) {
			return types, nil
		}
		if err != nil {
			return nil, err
		}
		types = append(types, last)
	}
}

func neighbors(node int64, listed []neighbor) ([]myriad.Neighbor, error) {
	all := make([]myriad.Neighbor, 0, len(listed))
	for _, e := range listed {
		far, err := e.row.node()
		if err != nil {
			return nil, err
		}
		props, err := myriad.RawProperties([]byte(e.edge))
		if err != nil {
			return nil, err
		}
		from, to := node, e.Node
		if e.In {
			from, to = to, from
		}
		all = append(all, myriad.Neighbor{Node: far, Relationship: myriad.Relationship{
			ID: relationshipID(from, e.Type, to), Type: e.Type, From: strconv.FormatInt(from, 10), To: strconv.FormatInt(to, 10), Properties: props,
		}})
	}
	return all, nil
}
