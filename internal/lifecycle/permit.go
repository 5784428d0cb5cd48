package lifecycle

import (
	"math"

	"github.com/myriad-mind/myriad"
)

// load is what instances count for: themselves, and their limits. CPU is in millionths of a core, so that sums are exact.
type load struct {
	agents int
	cpu    int64
	memory int64
}

// loadOf is what one instance with these limits counts for.
func loadOf(l myriad.Limits) load {
	return load{agents: 1, cpu: micros(l.CPU), memory: l.MemoryBytes}
}

func micros(cores float64) int64 { return int64(math.Round(min(cores, 1e9) * 1e6)) }

func (l load) plus(o load) load { return load{l.agents + o.agents, l.cpu + o.cpu, l.memory + o.memory} }
func (l load) minus(o load) load {
	return load{l.agents - o.agents, l.cpu - o.cpu, l.memory - o.memory}
}

// within says whether l exceeds nothing of the bounds; a bound of CPU or memory that is 0 is none.
func (l load) within(bounds load) bool {
	return l.agents <= bounds.agents && (bounds.cpu == 0 || l.cpu <= bounds.cpu) && (bounds.memory == 0 || l.memory <= bounds.memory)
}

// room counts what the fleet holds against what it may hold. It is guarded by Manager.mu.
type room struct {
	bounds  load
	used    load // permits that are out
	leaving load // the part of used that will be free when what is ending has ended
}

// set puts new bounds in place; what is out stays out.
func (r *room) set(l myriad.FleetLimits) {
	r.bounds = load{agents: l.MaxAgents, cpu: micros(l.TotalCPU), memory: l.TotalMemoryBytes}
}

// over says whether more is out than the bounds allow once what is ending has ended.
func (r *room) over() bool { return !r.used.minus(r.leaving).within(r.bounds) }

// take gives a permit for one instance, nil when there is no room.
func (r *room) take(l myriad.Limits) *permit {
	if !r.used.plus(loadOf(l)).within(r.bounds) {
		return nil
	}
	return r.force(l)
}

// force gives a permit in any case: for what runs already, left by an earlier life.
func (r *room) force(l myriad.Limits) *permit {
	p := &permit{room: r, load: loadOf(l)}
	r.used = r.used.plus(p.load)
	return p
}

// permit is the right of one instance to hold resources. It is given back once; more is harmless.
type permit struct {
	room     *room
	load     load
	leaving  bool
	returned bool
}

// leave says that the instance is ending: those who wait may count on its room.
func (p *permit) leave() {
	if p == nil || p.leaving || p.returned {
		return
	}
	p.leaving = true
	p.room.leaving = p.room.leaving.plus(p.load)
}

// giveBack frees the room.
func (p *permit) giveBack() {
	if p == nil || p.returned {
		return
	}
	p.returned = true
	p.room.used = p.room.used.minus(p.load)
	if p.leaving {
		p.room.leaving = p.room.leaving.minus(p.load)
	}
}
