package dispatch

import (
	"cmp"
	"slices"
)

// oracle is the policy of the package comment written down as plainly as possible: lists and linear searches. The property test
// compares every grant of the Dispatcher with its.
type oracle struct {
	total, fallback int
	inUse           int
	places          map[string]*oraclePlace
	waiting         []*oracleTicket // by arrival
	runs            map[string]int
	lanes           map[[2]string]int // by run and endpoint
	stamps          int
	grants          []oracleGrant
}

type oraclePlace struct {
	stated, override, inUse int
	parked, forgotten       bool
}

type oracleTicket struct {
	id, priority int
	run          string
	keys         []string // by candidate
}

type oracleGrant struct {
	id, chosen int
	key        string
}

func newOracle(total, fallback int) *oracle {
	return &oracle{total: total, fallback: fallback, places: map[string]*oraclePlace{}, runs: map[string]int{}, lanes: map[[2]string]int{}}
}

func (o *oracle) place(key string) *oraclePlace {
	if o.places[key] == nil {
		o.places[key] = &oraclePlace{}
	}
	return o.places[key]
}

func (o *oracle) limit(p *oraclePlace) int {
	return cmp.Or(p.override, p.stated, o.fallback)
}

func (o *oracle) free(key string) bool {
	p := o.place(key)
	return !p.parked && p.inUse < o.limit(p)
}

// see notes the limit of a candidate and serves who can be served by it.
func (o *oracle) see(key string, stated int) {
	p := o.place(key)
	p.stated, p.forgotten = stated, false
	o.match()
}

// tidy drops what is set for forgotten endpoints once they are idle.
func (o *oracle) tidy() {
	for key, p := range o.places {
		idle := p.inUse == 0 && !p.parked && !slices.ContainsFunc(o.waiting, func(t *oracleTicket) bool { return slices.Contains(t.keys, key) })
		if p.forgotten && idle {
			delete(o.places, key)
		}
	}
}

func (o *oracle) submit(t *oracleTicket, limits []int) {
	for i, key := range t.keys {
		o.see(key, limits[i])
		if o.inUse < o.total && o.free(key) {
			o.take(t.id, i, key)
			return
		}
	}
	o.waiting = append(o.waiting, t)
	for _, key := range t.keys {
		if _, ok := o.runs[t.run]; !ok {
			o.stamps++
			o.runs[t.run] = o.stamps
		}
		if _, ok := o.lanes[[2]string{t.run, key}]; !ok {
			o.stamps++
			o.lanes[[2]string{t.run, key}] = o.stamps
		}
	}
}

func (o *oracle) take(id, chosen int, key string) {
	o.inUse++
	o.place(key).inUse++
	o.grants = append(o.grants, oracleGrant{id, chosen, key})
}

func (o *oracle) release(key string) {
	o.inUse--
	o.place(key).inUse--
	o.match()
}

func (o *oracle) cancel(id int) bool {
	i := slices.IndexFunc(o.waiting, func(t *oracleTicket) bool { return t.id == id })
	if i < 0 {
		return false
	}
	o.leave(i)
	return true
}

// leave takes the ticket at i out and forgets lanes and runs that nobody waits in.
func (o *oracle) leave(i int) {
	o.waiting = slices.Delete(o.waiting, i, i+1)
	for lane := range o.lanes {
		if !slices.ContainsFunc(o.waiting, func(t *oracleTicket) bool { return t.run == lane[0] && slices.Contains(t.keys, lane[1]) }) {
			delete(o.lanes, lane)
		}
	}
	for run := range o.runs {
		if !slices.ContainsFunc(o.waiting, func(t *oracleTicket) bool { return t.run == run }) {
			delete(o.runs, run)
		}
	}
}

func (o *oracle) match() {
	for o.inUse < o.total {
		bestKey, bestRun, bestClaim, bestFront := "", "", 0, 0
		for key := range o.places {
			if !o.free(key) {
				continue
			}
			run, claim, front := "", 0, 0
			for lane, stamp := range o.lanes {
				if lane[1] != key {
					continue
				}
				if front == 0 || stamp < front {
					run, front = lane[0], stamp
				}
				if s := o.runs[lane[0]]; claim == 0 || s < claim {
					claim = s
				}
			}
			if front > 0 && (bestKey == "" || claim < bestClaim || claim == bestClaim && front < bestFront) {
				bestKey, bestRun, bestClaim, bestFront = key, run, claim, front
			}
		}
		if bestKey == "" {
			return
		}
		o.serve(bestRun, bestKey)
	}
}

func (o *oracle) serve(run, key string) {
	next := -1
	for i, t := range o.waiting {
		if t.run == run && slices.Contains(t.keys, key) && (next < 0 || t.priority > o.waiting[next].priority) {
			next = i
		}
	}
	t := o.waiting[next]
	o.stamps++
	o.runs[run], o.lanes[[2]string{run, key}] = o.stamps, o.stamps
	o.leave(next)
	o.take(t.id, slices.Index(t.keys, key), key)
}

func (o *oracle) load(key string) float64 {
	p := o.place(key)
	if p.parked {
		return 1
	}
	wanted := p.inUse
	for _, t := range o.waiting {
		if slices.Contains(t.keys, key) {
			wanted++
		}
	}
	return float64(wanted) / float64(o.limit(p)+wanted)
}
