package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
)

// queue is who waits for room, by priority, then age, then id; those asked for only in passing come after all others. It is guarded by Manager.mu.
type queue struct {
	waiting  []*instance
	shown    int           // of them, those that wait for all to see
	passing  int           // of them, those asked for only in passing, which are not shown
	turnover time.Duration // between two who left for a start, lately; 0 when unknown
	lastTurn time.Time
}

func inOrder(a, b *instance) int {
	if a.passing != b.passing {
		if a.passing {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(b.entry.Priority, a.entry.Priority), a.entry.QueuedAt.Compare(b.entry.QueuedAt), cmp.Compare(a.id, b.id))
}

func (q *queue) add(i *instance) {
	at, _ := slices.BinarySearchFunc(q.waiting, i, inOrder)
	q.waiting = slices.Insert(q.waiting, at, i)
	if i.waits {
		q.shown++
	}
	if i.passing {
		q.passing++
	}
}

func (q *queue) remove(i *instance) bool {
	at := slices.Index(q.waiting, i)
	if at < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, at, at+1)
	if i.waits {
		q.shown--
	}
	if i.passing {
		q.passing--
	}
	return true
}

// raise gives an entry that waits a higher priority.
func (q *queue) raise(i *instance, priority int) {
	if priority <= i.entry.Priority {
		return
	}
	lined := q.remove(i)
	i.entry.Priority = priority
	if lined {
		q.add(i)
	}
}

// need has an entry that waits be one of an asker that needs it, not one asked for only in passing.
func (q *queue) need(i *instance) {
	lined := q.remove(i)
	i.passing = false
	if lined {
		q.add(i)
	}
}

// needed says whether anybody waits who was not only asked for in passing.
func (q *queue) needed() bool { return len(q.waiting) > q.passing }

// order is who goes first. Whoever has waited longer than patience goes before all who have not, whatever their priority: a stream of
// urgent entries must not starve the others. Those asked for only in passing stay last, however long they wait. Patience 0 is endless.
func (q *queue) order(patience time.Duration) []*instance {
	order := slices.Clone(q.waiting)
	if patience <= 0 {
		return order
	}
	limit := time.Now().Add(-patience)
	overdue := func(i *instance) bool { return !i.passing && i.entry.QueuedAt.Before(limit) }
	slices.SortStableFunc(order, func(a, b *instance) int {
		switch x, y := overdue(a), overdue(b); {
		case x && y:
			return a.entry.QueuedAt.Compare(b.entry.QueuedAt)
		case x:
			return -1
		case y:
			return 1
		}
		return 0
	})
	return order
}

// deserted is the last of those in line to be woken whom nobody waits for any more; nil when all are wanted. Creations are: nobody asks for them again.
func (q *queue) deserted() *instance {
	for _, i := range slices.Backward(q.waiting) {
		if i.waits && i.kept && i.entry.Kind == myriad.QueueWake && len(i.askers) == 0 {
			return i
		}
	}
	return nil
}

// turned notes that one who had waited got its turn, for estimates.
func (q *queue) turned(i *instance) {
	now := time.Now()
	from := q.lastTurn
	if i.entry.QueuedAt.After(from) {
		from = i.entry.QueuedAt
	}
	took := max(0, now.Sub(from))
	if q.turnover == 0 {
		q.turnover = took
	} else {
		q.turnover += (took - q.turnover) * 3 / 10
	}
	q.lastTurn = now
}

// crowded says whether there is no place in the queue for one more, not even that of one whom nobody waits for. mu is held.
func (m *Manager) crowded() bool {
	return m.queue.shown > 0 && m.queue.shown >= m.limits.MaxQueue && m.queue.deserted() == nil
}

// makePlace finds a place in the queue for one more: who was woken for askers that have all left gives theirs to who is asked for now. It is false when
// there is none. mu is held.
func (m *Manager) makePlace() bool {
	if m.queue.shown < m.limits.MaxQueue {
		return true
	}
	i := m.queue.deserted()
	if i == nil {
		return false
	}
	m.halt(i, myriad.ReasonEvicted, nil)
	return true
}

// crowdedInPassing says whether as many wait that were only asked for in passing as may wait in the queue beside them. mu is held.
func (m *Manager) crowdedInPassing() bool {
	return m.queue.passing > 0 && m.queue.passing >= m.limits.MaxQueue
}

// patience is how long an entry waits before it goes before those of higher priority. mu is held.
func (m *Manager) patience() time.Duration { return millis(m.limits.QueueMaxAgeMS) / 2 }

// place says where an instance waits, and for how long presumably. mu is held.
func (m *Manager) place(i *instance) *myriad.QueuePosition {
	at := slices.Index(m.queue.order(m.patience()), i) + 1
	if at == 0 {
		return nil
	}
	return &myriad.QueuePosition{Position: at, EstimateMS: m.estimate(at).Milliseconds()}
}

// Place is where the agent of that name waits for room, as Status shows it; nil when it does not.
func (m *Manager) Place(agent string) *myriad.QueuePosition {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.residents[agent]
	if r == nil || r.now == nil || !r.now.kept || r.now.machine.state() != queued {
		return nil
	}
	return m.place(r.now)
}

// The bounds of an estimate: below the one nobody needs to be told, above the other nobody would believe it.
const (
	leastEstimate = time.Second
	mostEstimate  = 10 * time.Minute
)

// estimate is how long whoever is at that place will wait: what recent turns took, or, when there were none, until the next idle instance
// may be put to sleep. mu is held.
func (m *Manager) estimate(position int) time.Duration {
	one := m.queue.turnover
	if one == 0 {
		for _, i := range m.instances {
			if i.machine.state() != ready {
				continue
			}
			if left := millis(m.limits.MinLifeMS) - i.aliveFor(); one == 0 || left < one {
				one = left
			}
		}
	}
	one = max(one, leastEstimate)
	if one > mostEstimate/time.Duration(position) {
		return mostEstimate
	}
	return one * time.Duration(position)
}
