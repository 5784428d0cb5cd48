package lifecycle

import (
	"maps"
	"sync/atomic"
)

// shards is how many maps the board is split into: a change copies one of them, so it must be small where thousands are awake.
const shards = 32

// board shows who is awake. Reading takes no lock; changes are made under Manager.mu.
type board [shards]atomic.Pointer[map[string]*live]

func (b *board) shard(name string) *atomic.Pointer[map[string]*live] {
	var h uint32
	for i := max(0, len(name)-4); i < len(name); i++ { // names that were counted up differ at their end
		h = h*31 + uint32(name[i])
	}
	return &b[(h+uint32(len(name)))%shards]
}

// get is the awake agent of that name, nil when there is none.
func (b *board) get(name string) *live {
	shown := b.shard(name).Load()
	if shown == nil {
		return nil
	}
	return (*shown)[name]
}

// put shows an agent, in place of an earlier instance of it.
func (b *board) put(name string, l *live) {
	at := b.shard(name)
	next := map[string]*live{}
	if shown := at.Load(); shown != nil {
		next = maps.Clone(*shown)
	}
	next[name] = l
	at.Store(&next)
}

// remove takes l off the board; another instance of the agent stays.
func (b *board) remove(name string, l *live) {
	at := b.shard(name)
	shown := at.Load()
	if shown == nil || (*shown)[name] != l {
		return
	}
	next := maps.Clone(*shown)
	delete(next, name)
	at.Store(&next)
}
