package discovery

import (
	"time"

	"github.com/myriad-mind/myriad"
)

// view is what the graph knew of one concept. Its fields are guarded by the directory's lock; the lists of handlers are never changed, only replaced,
// so a copy of handlers may be read without it.
type view struct {
	handlers myriad.Handlers
	at       time.Time // when the graph said so
	retryAt  time.Time // when an old view may be read again
	dirty    bool      // something was written: to be read again before use, and used only when that fails
}

// cache holds at most limit views, those that were used last. It keeps two generations: when the young one is full it becomes the old one,
// and what nobody asked for meanwhile is gone. The directory's lock guards it.
type cache struct {
	limit      int
	young, old map[string]*view
}

func newCache(limit int) cache {
	return cache{limit: max(limit/2, 1), young: make(map[string]*view), old: make(map[string]*view)}
}

func (c *cache) get(concept string) *view {
	if v, ok := c.young[concept]; ok {
		return v
	}
	v, ok := c.old[concept]
	if ok {
		delete(c.old, concept)
		c.put(concept, v)
	}
	return v
}

func (c *cache) put(concept string, v *view) {
	delete(c.old, concept)
	if _, ok := c.young[concept]; !ok && len(c.young) >= c.limit {
		c.old, c.young = c.young, make(map[string]*view)
	}
	c.young[concept] = v
}

func (c *cache) each(f func(*view)) {
	for _, generation := range []map[string]*view{c.young, c.old} {
		for _, v := range generation {
			f(v)
		}
	}
}
