package orchestrator

import (
	"time"

	"github.com/myriad-mind/myriad"
)

// plan is the validated graph of one request's tasks. It does not change once it is made.
type plan struct {
	tasks     []myriad.Task
	deps      [][]int32     // of each task, the places of its direct dependencies
	users     [][]int32     // of each task, the places of those that depend on it directly
	templates []*template   // of each task, its args when they refer to results; nil else
	timeout   time.Duration // of the run
	body      int           // bytes of the request
}

// newPlan reads and checks a request whole. The error, of CodeInvalid, holds every mistake found, in reading order.
func newPlan(req *myriad.RunRequest, l *Limits) (*plan, error) {
	d := &decoder{limits: l, compat: req.Dialect == myriad.Compat}
	p := &plan{body: len(req.Body), timeout: l.RunTimeout}
	tasks, ok := d.request(req.Body, p)
	if req.Timeout != 0 {
		p.timeout = req.Timeout
		if req.Timeout < 0 || req.Timeout > l.MaxRunTimeout {
			d.found.add(wholeRequest, "timeout_ms", d.timeoutRule())
		}
	}
	if !ok {
		return nil, d.found.err()
	}
	tasks, places := d.unique(tasks)
	p.adopt(tasks)
	d.link(p, tasks, places)
	order := p.order()
	if len(order) < len(p.tasks) {
		d.cycles(p, tasks, order)
	}
	d.references(p, tasks, places, order)
	if err := d.found.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// adopt takes the decoded tasks over.
func (p *plan) adopt(tasks []decoded) {
	p.tasks = make([]myriad.Task, len(tasks))
	p.deps = make([][]int32, len(tasks))
	p.users = make([][]int32, len(tasks))
	for i := range tasks {
		p.tasks[i] = tasks[i].task
		if tasks[i].template != nil {
			if p.templates == nil {
				p.templates = make([]*template, len(tasks))
			}
			p.templates[i] = tasks[i].template
		}
	}
}

// template is the i-th task's, nil when its args refer to nothing.
func (p *plan) template(i int) *template {
	if p.templates == nil {
		return nil
	}
	return p.templates[i]
}

// order is the tasks in an order that their dependencies allow; members of cycles, and what depends on them, are missing.
func (p *plan) order() []int32 {
	order := make([]int32, 0, len(p.tasks))
	left := make([]int32, len(p.tasks))
	for i, deps := range p.deps {
		left[i] = int32(len(deps))
		if len(deps) == 0 {
			order = append(order, int32(i))
		}
	}
	for next := 0; next < len(order); next++ {
		for _, user := range p.users[order[next]] {
			if left[user]--; left[user] == 0 {
				order = append(order, user)
			}
		}
	}
	return order
}
