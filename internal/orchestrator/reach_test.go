package orchestrator

import (
	"fmt"
	"slices"
	"testing"

	"github.com/myriad-mind/myriad"
)

// TestReachAgreesWithSearch compares prove with a search of its own over random graphs.
func TestReachAgreesWithSearch(t *testing.T) {
	for seed := range uint64(30) {
		g := randomGraph(seed, 200)
		claims := []claim{}
		p := &plan{tasks: make([]myriad.Task, len(g)), deps: make([][]int32, len(g)), users: make([][]int32, len(g))}
		tasks := make([]decoded, len(g))
		for i, deps := range g {
			tasks[i].place = i
			for _, dep := range deps {
				p.deps[i] = append(p.deps[i], int32(dep))
				p.users[dep] = append(p.users[dep], int32(i))
			}
		}
		for i := range g {
			for j := range g {
				if (i*7+j*3+int(seed))%5 == 0 {
					claims = append(claims, claim{int32(i), int32(j), written{&reference{}, fmt.Sprintf("%d->%d", i, j)}})
				}
			}
		}
		d := &decoder{limits: &Limits{}}
		d.prove(p, tasks, p.order(), slices.Clone(claims))
		wrong := map[string]bool{}
		for _, m := range d.found.list {
			wrong[m.Path] = true
		}
		missed := d.found.more > 0
		for _, c := range claims {
			reaches := search(g, int(c.user), int(c.target))
			path := fmt.Sprintf("tasks[%d].%s", c.user, c.ref.where)
			if reaches && wrong[path] || !reaches && !wrong[path] && !missed {
				t.Fatalf("seed %d: %s: reaches %v, told wrong %v", seed, path, reaches, wrong[path])
			}
		}
	}
}

func search(g [][]int, from, to int) bool {
	seen := make([]bool, len(g))
	stack := slices.Clone(g[from])
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if i == to {
			return true
		}
		if !seen[i] {
			seen[i] = true
			stack = append(stack, g[i]...)
		}
	}
	return false
}
