package orchestrator

import (
	"fmt"
	"slices"
	"strconv"
)

// unique deals with equal ids, a mistake natively, while on the compatible routes the later one wins, and finds places by the key of the id.
func (d *decoder) unique(tasks []decoded) (kept []decoded, places map[string]int32) {
	places = make(map[string]int32, len(tasks))
	kept = tasks[:0]
	for _, t := range tasks {
		if !t.hasID || t.task.ID.Raw == nil {
			kept = append(kept, t) // its mistake is noted; its dependencies are still checked
			continue
		}
		old, again := places[t.task.ID.Key]
		switch {
		case !again:
			places[t.task.ID.Key] = int32(len(kept))
			kept = append(kept, t)
		case d.compat:
			kept[old] = t
		default:
			d.found.add(t.place, "task_id", fmt.Sprintf("%q is the id of tasks[%d] already", shorten(t.task.ID.Key, 80), kept[old].place))
			kept = append(kept, t)
		}
	}
	return kept, places
}

// link resolves the dependencies to places.
func (d *decoder) link(p *plan, tasks []decoded, places map[string]int32) {
	seen := make([]int32, len(tasks)) // seen[dep] == i+1: the i-th task has named it
	for i := range tasks {
		ids := p.tasks[i].Dependencies
		if len(ids) == 0 {
			continue
		}
		p.deps[i] = make([]int32, 0, len(ids))
		for n := range ids {
			id := &ids[n]
			if id.Raw == nil {
				continue
			}
			dep, ok := places[id.Key]
			switch {
			case !ok:
				d.found.add(tasks[i].place, "dependencies["+strconv.Itoa(n)+"]", fmt.Sprintf("%q is the id of no task", shorten(id.Key, 80)))
			case seen[dep] != int32(i)+1:
				seen[dep] = int32(i) + 1
				p.deps[i] = append(p.deps[i], dep)
				p.users[dep] = append(p.users[dep], int32(i))
			case !d.compat:
				d.found.add(tasks[i].place, "dependencies["+strconv.Itoa(n)+"]", fmt.Sprintf("%q is named more than once", shorten(id.Key, 80)))
			}
		}
		if len(p.deps[i]) < len(ids) {
			d.dropRepeated(p, i)
		}
	}
}

// dropRepeated keeps the announced dependencies in step with the resolved ones.
func (d *decoder) dropRepeated(p *plan, i int) {
	p.tasks[i].Dependencies = slices.Clone(p.tasks[i].Dependencies[:0])
	for _, dep := range p.deps[i] {
		p.tasks[i].Dependencies = append(p.tasks[i].Dependencies, p.tasks[dep].ID)
	}
}

// maxCycleNames bounds how many members of a cycle its mistake names.
const maxCycleNames = 50

// cycles names a cycle out of every knot of them. order is what can be ordered; each other task depends on another one such, so that
// following those leads round a cycle.
func (d *decoder) cycles(p *plan, tasks []decoded, order []int32) {
	const ordered = -1
	visit := make([]int32, len(p.tasks)) // 0 not yet, ordered, else the walk that came by
	for _, i := range order {
		visit[i] = ordered
	}
	knotted := func(i int32) int32 {
		for _, dep := range p.deps[i] {
			if visit[dep] != ordered {
				return dep
			}
		}
		return i // cannot be: it would have been ordered
	}
	for start := range p.tasks {
		walk := int32(start) + 1
		i := int32(start)
		for visit[i] == 0 {
			visit[i] = walk
			i = knotted(i)
		}
		if visit[i] == walk {
			d.cycle(p, tasks, i, knotted)
		}
	}
}

// cycle notes the cycle through the task at from, starting at its member that comes first in the plan.
func (d *decoder) cycle(p *plan, tasks []decoded, from int32, next func(int32) int32) {
	members := []int32{from}
	for i := next(from); i != from; i = next(i) {
		members = append(members, i)
	}
	at := slices.Index(members, slices.Min(members))
	members = append(members[at:len(members):len(members)], members[:at]...)
	rule := []byte("is in a cycle of dependencies: ")
	for n, i := range members {
		if n == maxCycleNames {
			rule = fmt.Appendf(rule, "... (%d tasks) -> ", len(members))
			break
		}
		rule = append(append(rule, shorten(p.tasks[i].ID.Key, 80)...), " -> "...)
	}
	rule = append(rule, shorten(p.tasks[members[0]].ID.Key, 80)...)
	d.found.add(tasks[members[0]].place, "dependencies", string(rule))
}
