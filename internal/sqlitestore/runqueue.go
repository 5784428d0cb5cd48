package sqlitestore

import (
	"container/list"
	"sync"

	"github.com/myriad-mind/myriad"
)

// runEntry is a run record that waits to be written.
type runEntry struct {
	rec  *myriad.RunRecord
	size int64 // about what it holds in memory
	at   *list.Element
	done bool
}

// runQueue holds the run records that wait to be written, one for each run, newest state wins. A finished run that is overtaken by as many
// newer ones as the store keeps is let go without being written: the store would drop it at once.
type runQueue struct {
	maxRuns  int
	maxBytes int64

	mu       sync.Mutex // guards what follows
	pending  map[string]*runEntry
	writing  map[string]*runEntry // taken by a flush that has not settled yet
	keys     map[string]*myriad.RunRecord
	finished list.List // of pending entries, oldest first
	running  list.List
	bytes    int64           // of pending
	open     map[string]bool // runs that have a row that says running, or soon will
	dead     []string        // runs of open that were let go: their rows must go too
	lost     int64
}

func newRunQueue(maxRuns int, maxBytes int64) *runQueue {
	return &runQueue{
		maxRuns: maxRuns, maxBytes: maxBytes,
		pending: map[string]*runEntry{}, writing: map[string]*runEntry{}, keys: map[string]*myriad.RunRecord{}, open: map[string]bool{},
	}
}

// add takes a record over; much says that it is time to write.
func (q *runQueue) add(rec *myriad.RunRecord) (much bool) {
	e := &runEntry{rec: rec, size: recordSize(rec), done: rec.Status.Done()}
	q.mu.Lock()
	defer q.mu.Unlock()
	if old := q.pending[rec.RunID]; old != nil {
		if old.done && !e.done {
			return false // late news of a finished run
		}
		q.remove(old)
	} else if old := q.writing[rec.RunID]; old != nil && old.done && !e.done {
		return false
	}
	q.pending[rec.RunID] = e
	if rec.IdempotencyKey != "" {
		q.keys[rec.IdempotencyKey] = rec
	}
	e.at = q.order(e).PushBack(e)
	q.bytes += e.size
	q.bound()
	return q.bytes > q.maxBytes/2
}

func (q *runQueue) order(e *runEntry) *list.List {
	if e.done {
		return &q.finished
	}
	return &q.running
}

// bound lets the oldest go until the queue is within its limits. One record alone may be larger than the limit: it is in memory anyway.
func (q *runQueue) bound() {
	for q.finished.Len() > q.maxRuns {
		q.letGo(q.finished.Front())
	}
	for q.running.Len() > q.maxRuns {
		q.letGo(q.running.Front())
		q.lost++ // the store will not know that this run was under way
	}
	for q.bytes > q.maxBytes && len(q.pending) > 1 {
		front := q.finished.Front()
		if front == nil || front == q.finished.Back() {
			if front = q.running.Front(); front == nil {
				return
			}
		}
		q.letGo(front)
		q.lost++
	}
}

func (q *runQueue) letGo(at *list.Element) {
	e := at.Value.(*runEntry)
	q.remove(e)
	if id := e.rec.RunID; e.done && q.open[id] {
		q.dead = append(q.dead, id)
		delete(q.open, id)
	}
}

// remove takes a pending entry out.
func (q *runQueue) remove(e *runEntry) {
	q.order(e).Remove(e.at)
	delete(q.pending, e.rec.RunID)
	q.forgetKey(e.rec)
	q.bytes -= e.size
}

func (q *runQueue) forgetKey(rec *myriad.RunRecord) {
	if key := rec.IdempotencyKey; key != "" && q.keys[key] == rec {
		delete(q.keys, key)
	}
}

// take hands the pending entries to a flush, running ones first, so that a run never finishes before it was under way. dead are runs whose
// rows are to be deleted. What was taken is still found until it is settled.
func (q *runQueue) take() (taken []*runEntry, dead []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range []*list.List{&q.running, &q.finished} {
		for at := l.Front(); at != nil; at = at.Next() {
			e := at.Value.(*runEntry)
			taken = append(taken, e)
			q.writing[e.rec.RunID] = e
			if e.done {
				delete(q.open, e.rec.RunID)
			} else {
				q.open[e.rec.RunID] = true
			}
		}
		l.Init()
	}
	clear(q.pending)
	q.bytes = 0
	dead, q.dead = q.dead, nil
	return taken, dead
}

// settle ends a flush of entries. What was not stored waits again, unless there is newer news of its run.
func (q *runQueue) settle(entries []*runEntry, stored bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := len(entries) - 1; i >= 0; i-- { // the last goes to the front first
		e := entries[i]
		delete(q.writing, e.rec.RunID)
		if newer := q.pending[e.rec.RunID]; stored || newer != nil {
			q.forgetKey(e.rec)
			continue
		}
		q.pending[e.rec.RunID] = e
		e.at = q.order(e).PushFront(e)
		q.bytes += e.size
	}
	if !stored {
		q.bound()
	}
}

// supersede takes out what waits of a run whose newer record has just been stored.
func (q *runQueue) supersede(rec *myriad.RunRecord) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.pending[rec.RunID]; e != nil && (!e.done || rec.Status.Done()) {
		q.remove(e)
	}
	if rec.Status.Done() {
		delete(q.open, rec.RunID)
	} else {
		q.open[rec.RunID] = true
	}
}

// find gives the newest record of a run that is not in the file yet.
func (q *runQueue) find(id string) *myriad.RunRecord {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range []map[string]*runEntry{q.pending, q.writing} {
		if e := m[id]; e != nil {
			return e.rec
		}
	}
	return nil
}

func (q *runQueue) findKey(key string) *myriad.RunRecord {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.keys[key]
}

// summaries lists what is not in the file yet.
func (q *runQueue) summaries() map[string]myriad.RunSummary {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make(map[string]myriad.RunSummary, len(q.writing)+len(q.pending))
	for _, m := range []map[string]*runEntry{q.writing, q.pending} {
		for id, e := range m {
			all[id] = e.rec.RunSummary
		}
	}
	return all
}

// lose counts records that cannot be stored.
func (q *runQueue) lose(n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lost += n
}

func (q *runQueue) takeLost() (n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, q.lost = q.lost, 0
	return n
}

// abandon counts what will never be written.
func (q *runQueue) abandon() int64 {
	taken, _ := q.take()
	q.settle(taken, true)
	return int64(len(taken)) + q.takeLost()
}

// recordSize is about what a record holds in memory, quickly told.
func recordSize(rec *myriad.RunRecord) int64 {
	const perRecord, perResult, perStep = 512, 640, 56
	n := int64(perRecord + len(rec.Plan) + len(rec.Results)*perResult + len(rec.Log)*perStep)
	for i := range rec.Results {
		r := &rec.Results[i]
		n += int64(len(r.Answer.Raw) + len(r.Extra.Data) + len(r.ErrorMessage))
	}
	return n
}
