package orchestrator

import (
	"fmt"
	"slices"

	"github.com/myriad-mind/myriad"
)

// wholeRequest is the place of mistakes that are about no single task.
const wholeRequest = -1

// maxMistakes bounds what one reply tells; more than that helps nobody.
const maxMistakes = 1000

// mistakes collects the broken rules of one request.
type mistakes struct {
	list []placed
	more int // found beyond maxMistakes
}

type placed struct {
	task int // place in the request's list, or wholeRequest
	myriad.Mistake
}

// add notes that the rule is broken at field of the task-th task. The path is put together here, so that right requests pay nothing for it.
func (m *mistakes) add(task int, field, rule string) {
	if len(m.list) == maxMistakes {
		m.more++
		return
	}
	path := field
	if task != wholeRequest {
		path = fmt.Sprintf("tasks[%d]", task)
		if field != "" && field[0] != '[' {
			path += "."
		}
		path += field
	}
	m.list = append(m.list, placed{task, myriad.Mistake{Path: path, Rule: rule}})
}

// err is everything found as one error, in reading order; nil when nothing was.
func (m *mistakes) err() error {
	slices.SortStableFunc(m.list, func(a, b placed) int { return a.task - b.task })
	all := make([]myriad.Mistake, len(m.list), len(m.list)+1)
	for i := range m.list {
		all[i] = m.list[i].Mistake
	}
	if m.more > 0 {
		all = append(all, myriad.Mistake{Rule: fmt.Sprintf("%d more mistakes are not listed", m.more)})
	}
	return myriad.Invalid(all)
}
