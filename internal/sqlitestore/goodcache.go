package sqlitestore

import (
	"container/list"
	"sync"

	"github.com/myriad-mind/myriad"
)

// goodEntry is a last good answer in memory. Apart from its place in the lists it never changes.
type goodEntry struct {
	key    string
	answer myriad.GoodAnswer
	size   int64
}

// goodCache holds recently used answers, and those that wait to be written, each bounded by bytes.
type goodCache struct {
	maxRecent, maxPending int64

	mu      sync.Mutex // guards what follows
	recent  lru
	pending lru // by age of the key's first waiting answer; never reordered
	writing map[string]*goodEntry
	lost    int64
}

func newGoodCache(o Options) *goodCache {
	return &goodCache{
		maxRecent: o.GoodMemoryBytes, maxPending: o.MaxPendingBytes, recent: newLRU(), pending: newLRU(), writing: map[string]*goodEntry{},
	}
}

// keep takes an answer over; much says that it is time to write. An answer that is older than the one at hand is nobody's last.
func (c *goodCache) keep(key string, a myriad.GoodAnswer) (much bool) {
	const perEntry = 512
	e := &goodEntry{key: key, answer: a, size: int64(perEntry + len(key) + len(a.Answer.Raw) + len(a.Agent) + len(a.Endpoint))}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.recent.get(key); old != nil && old.answer.At.After(a.At) {
		return false
	}
	c.recent.put(e, true)
	c.recent.shrink(c.maxRecent)
	c.pending.put(e, false)
	c.lost += c.pending.shrink(c.maxPending)
	return c.pending.bytes > c.maxPending/2
}

// find looks an answer up in memory.
func (c *goodCache) find(key string) (myriad.GoodAnswer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.recent.get(key)
	if e != nil {
		c.recent.touch(key)
	} else if e = c.pending.get(key); e == nil {
		e = c.writing[key]
	}
	if e == nil {
		return myriad.GoodAnswer{}, false
	}
	return e.answer, true
}

// remember holds an answer that was read from the file, unless a newer one came meanwhile.
func (c *goodCache) remember(key string, a myriad.GoodAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.recent.get(key) != nil || c.pending.get(key) != nil || c.writing[key] != nil {
		return
	}
	c.recent.put(&goodEntry{key: key, answer: a, size: int64(len(key) + len(a.Answer.Raw))}, true)
	c.recent.shrink(c.maxRecent)
}

// take hands the waiting answers to a flush, oldest first.
func (c *goodCache) take() []*goodEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.pending.drain()
	for _, e := range taken {
		c.writing[e.key] = e
	}
	return taken
}

// settle ends a flush of entries. What was not stored waits again, unless there is a newer answer.
func (c *goodCache) settle(entries []*goodEntry, stored bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range entries {
		delete(c.writing, e.key)
		if !stored && c.pending.get(e.key) == nil {
			c.pending.put(e, false)
		}
	}
	c.lost += c.pending.shrink(c.maxPending)
}

func (c *goodCache) lose(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost += n
}

func (c *goodCache) takeLost() (n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, c.lost = c.lost, 0
	return n
}

// abandon counts what will never be written.
func (c *goodCache) abandon() int64 {
	taken := c.take()
	c.settle(taken, true)
	return int64(len(taken)) + c.takeLost()
}

// lru is a map of answers in an order, with their bytes counted. The front goes first.
type lru struct {
	at    map[string]*list.Element
	order list.List
	bytes int64
}

func newLRU() lru { return lru{at: map[string]*list.Element{}} }

func (l *lru) get(key string) *goodEntry {
	if at := l.at[key]; at != nil {
		return at.Value.(*goodEntry)
	}
	return nil
}

func (l *lru) touch(key string) { l.order.MoveToBack(l.at[key]) }

// put sets an entry; one that was there keeps its place unless it is to move to the back.
func (l *lru) put(e *goodEntry, toBack bool) {
	at := l.at[e.key]
	if at == nil {
		l.at[e.key] = l.order.PushBack(e)
		l.bytes += e.size
		return
	}
	l.bytes += e.size - at.Value.(*goodEntry).size
	at.Value = e
	if toBack {
		l.order.MoveToBack(at)
	}
}

// shrink drops entries from the front until the rest is within max, and says how many. One entry alone may be larger.
func (l *lru) shrink(max int64) (dropped int64) {
	for l.bytes > max && l.order.Len() > 1 {
		e := l.order.Remove(l.order.Front()).(*goodEntry)
		delete(l.at, e.key)
		l.bytes -= e.size
		dropped++
	}
	return dropped
}

func (l *lru) drain() []*goodEntry {
	all := make([]*goodEntry, 0, l.order.Len())
	for at := l.order.Front(); at != nil; at = at.Next() {
		all = append(all, at.Value.(*goodEntry))
	}
	l.order.Init()
	clear(l.at)
	l.bytes = 0
	return all
}
