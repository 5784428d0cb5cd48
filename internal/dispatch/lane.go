package dispatch

import (
	"math/bits"
	"time"

	"github.com/myriad-mind/myriad"
)

// topPriority is the highest priority of a turn; 0 is the lowest.
const topPriority = 9

// run is a run that has tickets waiting.
type run struct {
	id    string
	stamp uint64 // renewed when one of its tickets is served anywhere
	lanes int
}

type laneKey struct {
	run *run
	at  *endpoint
}

// lane is one run's wait at one endpoint. A lane without tickets does not exist.
type lane struct {
	run        *run
	at         *endpoint
	prev, next *lane // neighbours in the endpoint's line

	stamp uint64 // when it joined the line or was served last
	claim uint64 // the run's stamp as claims last saw it
	heap  int    // place in claims

	filled uint16               // bit p: tickets of priority p wait
	usual  places               // priority 0
	raised *[topPriority]places // priorities 1 to 9, at [p-1]; made when needed
}

// place is a ticket's place in one lane.
type place struct {
	prev, next *place
	lane       *lane
	ticket     *ticket
	chosen     int // index of the candidate
}

// places is a first-in first-out line of places.
type places struct{ front, back *place }

// ticket is a turn that waits, then the slot it got.
type ticket struct {
	lease
	turn     *myriad.Turn
	since    time.Time
	chosen   int     // once served
	priority int     // 0..topPriority
	next     *ticket // in tickets
	places   []place
	few      [3]place // room for places
}

// tickets is a first-in first-out line of served tickets.
type tickets struct{ front, back *ticket }

func (l *lane) level(priority int) *places {
	if priority == 0 {
		return &l.usual
	}
	if l.raised == nil {
		l.raised = new([topPriority]places)
	}
	return &l.raised[priority-1]
}

// first is the place that the lane serves next.
func (l *lane) first() *place { return l.level(bits.Len16(l.filled) - 1).front }

func (l *lane) push(p *place, priority int) {
	q := l.level(priority)
	if p.prev = q.back; p.prev == nil {
		q.front = p
		l.filled |= 1 << priority
	} else {
		p.prev.next = p
	}
	q.back = p
}

func (l *lane) remove(p *place, priority int) {
	q := l.level(priority)
	if p.prev == nil {
		q.front = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		q.back = p.prev
	} else {
		p.next.prev = p.prev
	}
	if q.front == nil {
		l.filled &^= 1 << priority
	}
	p.prev, p.next = nil, nil
}

// join puts l at the back of its endpoint's line with a new stamp.
func (l *lane) join(stamp uint64) {
	e := l.at
	l.stamp = stamp
	if l.prev = e.back; l.prev == nil {
		e.front = l
	} else {
		l.prev.next = l
	}
	e.back = l
}

// part takes l out of its endpoint's line.
func (l *lane) part() {
	e := l.at
	if l.prev == nil {
		e.front = l.next
	} else {
		l.prev.next = l.next
	}
	if l.next == nil {
		e.back = l.prev
	} else {
		l.next.prev = l.prev
	}
	l.prev, l.next = nil, nil
}

func (q *tickets) push(t *ticket) {
	if q.back == nil {
		q.front = t
	} else {
		q.back.next = t
	}
	q.back = t
}

// pop takes the first ticket, nil when there is none.
func (q *tickets) pop() *ticket {
	t := q.front
	if t == nil {
		return nil
	}
	if q.front = t.next; q.front == nil {
		q.back = nil
	}
	t.next = nil
	return t
}
