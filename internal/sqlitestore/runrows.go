package sqlitestore

import (
	"context"
	"database/sql"
	"maps"
	"slices"
)

// runRow is what is remembered of a stored run.
type runRow struct {
	seq  int64
	size int64
	done bool
}

// runRows are the rows of the runs table, so that what must go is known without asking. It belongs to whoever holds the store's turn.
type runRows struct {
	rows  map[string]runRow // by run id
	order []runOf           // finished ones, oldest first; an entry whose row has another seq by now is passed over
	done  int
	bytes int64 // of finished ones
}

type runOf struct {
	id  string
	seq int64
}

func loadRunRows(ctx context.Context, db *sql.DB) (*runRows, error) {
	type stored struct {
		id string
		runRow
	}
	found, err := collect(ctx, db, func(rows *sql.Rows) (r stored, err error) {
		err = rows.Scan(&r.id, &r.seq, &r.size)
		return r, err
	}, `SELECT id, seq, size FROM runs ORDER BY seq`)
	if err != nil {
		return nil, err
	}
	all := &runRows{rows: map[string]runRow{}}
	change := all.begin()
	for _, r := range found { // none is running any more
		change.add(r.id, runRow{seq: r.seq, size: r.size, done: true})
	}
	all.commit(change)
	return all, nil
}

// runChange is what a transaction does to the rows; nil rows are gone. It counts only once it is committed.
type runChange struct {
	base  *runRows
	rows  map[string]*runRow
	added []runOf
	done  int
	bytes int64
	next  int // of base.order followed by added: those before are passed
}

func (r *runRows) begin() *runChange {
	return &runChange{base: r, rows: map[string]*runRow{}, done: r.done, bytes: r.bytes}
}

func (c *runChange) row(id string) (runRow, bool) {
	if r, ok := c.rows[id]; ok {
		if r == nil {
			return runRow{}, false
		}
		return *r, true
	}
	r, ok := c.base.rows[id]
	return r, ok
}

func (c *runChange) remove(id string) {
	if r, ok := c.row(id); ok && r.done {
		c.done--
		c.bytes -= r.size
	}
	c.rows[id] = nil
}

func (c *runChange) add(id string, r runRow) {
	c.remove(id)
	c.rows[id] = &r
	if r.done {
		c.done++
		c.bytes += r.size
		c.added = append(c.added, runOf{id, r.seq})
	}
}

// evict names the rows that must go, oldest first, until at most runs finished ones of at most bytes are left.
func (c *runChange) evict(runs int, bytes int64) (gone []int64) {
	for ; c.done > runs || c.bytes > bytes; c.next++ {
		oldest := c.at(c.next)
		if r, ok := c.row(oldest.id); ok && r.seq == oldest.seq {
			gone = append(gone, r.seq)
			c.remove(oldest.id)
		}
	}
	return gone
}

func (c *runChange) at(i int) runOf {
	if n := len(c.base.order); i >= n {
		return c.added[i-n]
	}
	return c.base.order[i]
}

func (r *runRows) commit(c *runChange) {
	maps.Copy(r.rows, live(c.rows))
	for id, row := range c.rows {
		if row == nil {
			delete(r.rows, id)
		}
	}
	r.order = append(r.order, c.added...)[c.next:]
	if cap(r.order) > 4*len(r.order)+1024 {
		r.order = slices.Clone(r.order) // let the passed part go
	}
	r.done, r.bytes = c.done, c.bytes
}

func live(rows map[string]*runRow) map[string]runRow {
	kept := make(map[string]runRow, len(rows))
	for id, r := range rows {
		if r != nil {
			kept[id] = *r
		}
	}
	return kept
}
