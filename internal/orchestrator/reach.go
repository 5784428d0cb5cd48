package orchestrator

import (
	"fmt"
	"slices"
)

// references resolves every reference to its task, and checks that the task is a dependency, direct or not, of the one that refers to it.
func (d *decoder) references(p *plan, tasks []decoded, places map[string]int32, order []int32) {
	var distant []claim
	direct := make([]int32, len(tasks))
	for i := range tasks {
		if len(tasks[i].refs) == 0 {
			continue
		}
		for _, dep := range p.deps[i] {
			direct[dep] = int32(i) + 1
		}
		for _, ref := range tasks[i].refs {
			target, ok := places[ref.id]
			if !ok {
				d.found.add(tasks[i].place, ref.where, fmt.Sprintf("%s refers to a task that is not there", shorten(ref.text, 120)))
				continue
			}
			ref.task = target
			if direct[target] != int32(i)+1 {
				distant = append(distant, claim{int32(i), target, ref})
			}
		}
	}
	if len(distant) > 0 {
		d.prove(p, tasks, order, distant)
	}
}

// claim is that user depends on target in one or more steps.
type claim struct {
	user, target int32
	ref          written
}

// prove checks the claims, 64 targets at a time: each target is a bit, and one pass over the part of the order between the first target
// and the last user hands the bits on from dependencies to those who depend on them. Time is O(tasks + dependencies) per 64 targets,
// memory one word per task.
func (d *decoder) prove(p *plan, tasks []decoded, order []int32, claims []claim) {
	rank := make([]int32, len(p.tasks))
	for i := range rank {
		rank[i] = -1 // in or behind a cycle: there is a mistake already
	}
	for n, i := range order {
		rank[i] = int32(n)
	}
	claims = slices.DeleteFunc(claims, func(c claim) bool { return rank[c.user] < 0 || rank[c.target] < 0 })
	slices.SortStableFunc(claims, func(a, b claim) int { return int(rank[a.target] - rank[b.target]) })
	masks := reach{bit: make([]uint64, len(p.tasks)), reached: make([]uint64, len(p.tasks))}
	for len(claims) > 0 {
		group := nextGroup(claims)
		d.proveGroup(p, tasks, order, rank, claims[:group], masks)
		claims = claims[group:]
	}
}

const targetsAtOnce = 64

// reach is, per task, its own bit while it is a target, and the bits of the targets that it depends on.
type reach struct{ bit, reached []uint64 }

// nextGroup is how many of the claims, sorted by target, have the first 64 targets.
func nextGroup(claims []claim) int {
	targets := 1
	for n := 1; n < len(claims); n++ {
		if claims[n].target != claims[n-1].target {
			if targets++; targets > targetsAtOnce {
				return n
			}
		}
	}
	return len(claims)
}

func (d *decoder) proveGroup(p *plan, tasks []decoded, order, rank []int32, claims []claim, masks reach) {
	from, to := rank[claims[0].target], int32(0)
	for _, c := range claims {
		to = max(to, rank[c.user])
	}
	targets := 0
	for _, c := range claims {
		if masks.bit[c.target] == 0 {
			masks.bit[c.target] = 1 << targets
			targets++
		}
	}
	for n := from; n <= to; n++ {
		i := order[n]
		var mask uint64
		for _, dep := range p.deps[i] {
			if rank[dep] >= from {
				mask |= masks.reached[dep] | masks.bit[dep]
			}
		}
		masks.reached[i] = mask
	}
	for _, c := range claims {
		if rank[c.target] >= rank[c.user] || masks.reached[c.user]&masks.bit[c.target] == 0 {
			d.found.add(tasks[c.user].place, c.ref.where, fmt.Sprintf("%s refers to a task that is no dependency, direct or transitive, of %q",
				shorten(c.ref.text, 120), shorten(p.tasks[c.user].ID.Key, 80)))
		}
	}
	for _, c := range claims {
		masks.bit[c.target] = 0
	}
}
