package resilience

import (
	"sync"
	"sync/atomic"
	"time"
)

// BudgetConfig says how many extra attempts (retries and hedges together) a group of targets may cost.
type BudgetConfig struct {
	Ratio  float64       // of the calls in the window; 0 means 0.20, negative means none
	Min    int           // extra attempts in the window whatever the calls; 0 means 3, negative means none
	Window time.Duration // 0 means 10 s
}

// RetryBudget keeps retries and hedges from multiplying a failure into a storm: over any window the extra attempts taken are at
// most the ratio of the calls made, or the minimum, whichever is more. Retries and hedges draw on the same budget.
type RetryBudget struct {
	ratio  float64
	least  float64
	window time.Duration
	clock  clock
	calls  *counter // over at most the window
	denied atomic.Uint64

	mu    sync.Mutex
	taken *counter // over at least the window; changed under mu
}

// NewRetryBudget returns a budget in which nothing was called or taken yet.
func NewRetryBudget(cfg BudgetConfig) *RetryBudget {
	if cfg.Ratio == 0 {
		cfg.Ratio = 0.20
	}
	if cfg.Min == 0 {
		cfg.Min = 3
	}
	w := positiveOr(cfg.Window, 10*time.Second)
	return &RetryBudget{ratio: max(cfg.Ratio, 0), least: float64(max(cfg.Min, 0)), window: w, clock: newClock(),
		calls: newCounter(w), taken: newCounter(w)}
}

// Call counts a call, once for all its attempts.
func (b *RetryBudget) Call() { b.calls.add(b.clock.now()) }

// Take asks for one extra attempt, and spends it when the answer is yes.
func (b *RetryBudget) Take() bool {
	now := b.clock.now()
	b.mu.Lock()
	ok := float64(b.taken.atLeastWindow(now))+1 <= b.allowed(now)
	if ok {
		b.taken.add(now)
	}
	b.mu.Unlock()
	if !ok {
		b.denied.Add(1)
	}
	return ok
}

// Refund gives back an extra attempt that was taken and then not made, the newest one. More refunds than attempts are ignored.
func (b *RetryBudget) Refund() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken.takeBack(b.clock.now())
}

func (b *RetryBudget) allowed(now int64) float64 {
	return max(b.least, b.ratio*float64(b.calls.atMostWindow(now)))
}

// BudgetSnapshot is what a budget shows of itself.
type BudgetSnapshot struct {
	Calls   uint64 // in the window
	Taken   uint64 // extra attempts in the window
	Allowed uint64 // extra attempts that the window's calls allow, those taken included
	Denied  uint64 // ever
}

// Snapshot returns the budget's state now.
func (b *RetryBudget) Snapshot() BudgetSnapshot {
	now := b.clock.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	return BudgetSnapshot{
		Calls: b.calls.atMostWindow(now), Taken: b.taken.atLeastWindow(now), Allowed: uint64(b.allowed(now)), Denied: b.denied.Load(),
	}
}
