package lifecycle

import "sync"

// board shows who is awake. Reading takes no lock; changes are made under Manager.mu.
type board struct{ shown sync.Map } // name -> *live

// get is the awake agent of that name, nil when there is none.
func (b *board) get(name string) *live {
	l, ok := b.shown.Load(name)
	if !ok {
		return nil
	}
	return l.(*live)
}

// put shows an agent, in place of an earlier instance of it.
func (b *board) put(name string, l *live) { b.shown.Store(name, l) }

// remove takes l off the board; another instance of the agent stays.
func (b *board) remove(name string, l *live) { b.shown.CompareAndDelete(name, l) }
