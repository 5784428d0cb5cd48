package dispatch

import (
	"time"

	"github.com/myriad-mind/myriad"
)

// match serves tickets until the server has no slot left or nobody can be served. Afterwards no ticket waits that could have a slot;
// every method leaves the Dispatcher so.
func (d *Dispatcher) match() {
	for d.inUse < d.total && len(d.ready) > 0 {
		d.serve(d.nextEndpoint().front)
	}
}

// nextEndpoint is the ready endpoint where the run waits that was served longest ago; between equals, the one whose front lane was.
func (d *Dispatcher) nextEndpoint() *endpoint {
	best := d.ready[0]
	if len(d.ready) == 1 {
		return best
	}
	claim := best.claims.oldest()
	for _, e := range d.ready[1:] {
		c := e.claims.oldest()
		if c < claim || c == claim && e.front.stamp < best.front.stamp {
			best, claim = e, c
		}
	}
	return best
}

// serve gives the first ticket of l a slot of l's endpoint, and l's run its place at the back.
func (d *Dispatcher) serve(l *lane) {
	p := l.first()
	t := p.ticket
	t.d, t.at, t.chosen = d, l.at, p.chosen
	d.stamps++
	l.run.stamp = d.stamps
	l.part()
	l.join(d.stamps)
	d.take(l.at)
	d.leave(t)
	d.served.push(t)
}

// take counts a slot of e and of the server.
func (d *Dispatcher) take(e *endpoint) {
	d.inUse++
	e.inUse++
	d.list(e)
}

// enqueue makes a ticket for t and puts it into the lane of each of its candidates, once where they share an endpoint.
func (d *Dispatcher) enqueue(t *myriad.Turn) {
	d.tickets++
	d.waiting++
	tk := &ticket{turn: t, since: time.Now(), priority: min(max(t.Priority, 0), topPriority)}
	t.Ticket = tk
	tk.places = tk.few[:0]
	if len(t.Candidates) > len(tk.few) {
		tk.places = make([]place, 0, len(t.Candidates)) // places are linked by address: never grown
	}
	for i := range t.Candidates {
		e := d.endpoint(t.Candidates[i].SlotKey())
		if e.marked == d.tickets {
			continue
		}
		e.marked = d.tickets
		l := d.lane(t.Run, e)
		tk.places = append(tk.places, place{lane: l, ticket: tk, chosen: i})
		l.push(&tk.places[len(tk.places)-1], tk.priority)
		e.waiting++
		d.list(e)
	}
}

// leave takes a waiting ticket out of all its lanes; what has become empty is dropped.
func (d *Dispatcher) leave(t *ticket) {
	for i := range t.places {
		p := &t.places[i]
		l := p.lane
		l.remove(p, t.priority)
		l.at.waiting--
		if l.filled == 0 {
			d.drop(l)
		}
		d.list(l.at)
	}
	d.waiting--
	t.turn.Ticket = nil
	t.places = nil
}

// lane finds or makes the lane of the run at e; a new one joins at the back.
func (d *Dispatcher) lane(id string, e *endpoint) *lane {
	r, ok := d.runs[id]
	if !ok {
		d.stamps++
		r = &run{id: id, stamp: d.stamps}
		d.runs[id] = r
	}
	l, ok := d.lanes[laneKey{r, e}]
	if !ok {
		d.stamps++
		l = &lane{run: r, at: e}
		l.join(d.stamps)
		e.claims.add(l)
		d.lanes[laneKey{r, e}] = l
		r.lanes++
	}
	return l
}

// drop takes an empty lane out of the line, and its run out of the books when it was the last one.
func (d *Dispatcher) drop(l *lane) {
	l.part()
	l.at.claims.remove(l)
	delete(d.lanes, laneKey{l.run, l.at})
	if l.run.lanes--; l.run.lanes == 0 {
		delete(d.runs, l.run.id)
	}
}
