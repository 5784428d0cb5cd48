package neurogenesis

import (
	"container/list"
	"time"

	"github.com/myriad-mind/myriad"
)

// cooldowns remembers what concepts came to that are not tried again yet, at most max of them. Its owner guards it.
type cooldowns struct {
	max      int
	concepts map[string]*list.Element
	order    list.List // of cooldown, in the order in which they began
}

type cooldown struct {
	concept string
	growth  myriad.Growth
	until   time.Time
}

func newCooldowns(max int) *cooldowns {
	return &cooldowns{max: max, concepts: map[string]*list.Element{}}
}

// put remembers an outcome.
func (c *cooldowns) put(concept string, growth myriad.Growth, until time.Time) {
	if e := c.concepts[concept]; e != nil {
		c.forget(e)
	}
	c.concepts[concept] = c.order.PushBack(cooldown{concept, growth, until})
	if c.order.Len() > c.max {
		c.forget(c.order.Front())
	}
}

// get gives the last outcome of a concept and how long it is not tried again; 0 when it may be tried.
func (c *cooldowns) get(concept string, now time.Time) (growth myriad.Growth, left time.Duration) {
	for e := c.order.Front(); e != nil && !e.Value.(cooldown).until.After(now); e = c.order.Front() {
		c.forget(e)
	}
	e := c.concepts[concept]
	if e == nil {
		return growth, 0
	}
	last := e.Value.(cooldown)
	if !last.until.After(now) { // a short one behind longer ones
		c.forget(e)
		return growth, 0
	}
	return last.growth, last.until.Sub(now)
}

func (c *cooldowns) forget(e *list.Element) {
	delete(c.concepts, c.order.Remove(e).(cooldown).concept)
}
