package call

import (
	"sync"
	"time"

	"github.com/myriad-mind/myriad/internal/resilience"
)

const (
	maxBudgets  = 4096
	sweepBudget = 10 * time.Second // not oftener
)

// budgets holds the retry budget of every group of targets, a group being the agents of one concept: a storm at one concept's agents
// does not take the retries of the others'. The number of groups is bounded; when there are too many busy ones, the rest share one.
type budgets struct {
	cfg  resilience.BudgetConfig
	rest *resilience.RetryBudget

	mu     sync.RWMutex
	groups map[string]*resilience.RetryBudget // guarded by mu
	swept  time.Time                          // guarded by mu
}

func newBudgets(cfg resilience.BudgetConfig) *budgets {
	return &budgets{cfg: cfg, rest: resilience.NewRetryBudget(cfg), groups: map[string]*resilience.RetryBudget{}}
}

// of is the budget for the agents of a concept.
func (b *budgets) of(concept string) *resilience.RetryBudget {
	b.mu.RLock()
	found := b.groups[concept]
	b.mu.RUnlock()
	if found != nil {
		return found
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if found := b.groups[concept]; found != nil {
		return found
	}
	if len(b.groups) >= maxBudgets && !b.sweep() {
		return b.rest
	}
	added := resilience.NewRetryBudget(b.cfg)
	b.groups[concept] = added
	return added
}

// sweep drops the budgets whose window is empty, which are as good as new. Callers hold mu.
func (b *budgets) sweep() bool {
	if time.Since(b.swept) < sweepBudget {
		return false
	}
	b.swept = time.Now()
	for concept, budget := range b.groups {
		if s := budget.Snapshot(); s.Calls == 0 && s.Taken == 0 {
			delete(b.groups, concept)
		}
	}
	return len(b.groups) < maxBudgets
}
