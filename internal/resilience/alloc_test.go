package resilience

import (
	"testing"
	"time"
)

var everyRule = BreakerConfig{FailureRatio: 0.5, SlowCall: time.Second, SlowRatio: 0.5}

// Nothing allocates while things go well.
func TestNothingAllocates(t *testing.T) {
	plain, ruled := NewBreaker("x", BreakerConfig{}, nil), NewBreaker("x", everyRule, nil)
	budget := NewRetryBudget(BudgetConfig{})
	for _, tc := range []struct {
		name string
		f    func()
	}{
		{"permit and report", func() { p, _ := plain.Acquire(); p.Done(Success) }},
		{"permit and report, deferred net", func() {
			p, _ := plain.Acquire()
			defer p.Done(Ignored)
			p.Done(Success)
		}},
		{"permit and report, every rule", func() { p, _ := ruled.Acquire(); p.Done(Success) }},
		{"failure and success", func() {
			p, _ := ruled.Acquire()
			p.Done(Ignored)
			p, _ = plain.Acquire()
			p.Done(Failure)
			p, _ = plain.Acquire()
			p.Done(Success)
		}},
		{"ready", func() { plain.Ready() }},
		{"budget", func() { budget.Call(); budget.Take(); budget.Refund() }},
	} {
		if n := testing.AllocsPerRun(1000, tc.f); n != 0 {
			t.Errorf("%s: %g allocations, want none", tc.name, n)
		}
	}
}

func TestStatisticsAllocateNothing(t *testing.T) {
	stats, limit := NewStats(0), NewAdaptiveLimit(LimitConfig{})
	stats.Series("a", "define").Observe(time.Millisecond, true)
	known := stats.Summary("a", "define")
	deadline := time.Now().Add(time.Hour)
	for name, f := range map[string]func(){
		"observe": func() { stats.Series("a", "define").Observe(time.Millisecond, true) },
		"summary": func() { stats.Summary("a", "define") },
		"limit":   func() { limit.Update(time.Millisecond, 5, false) },
		"hedge":   func() { Hedge{}.Delay(known, known) },
		"backoff": func() { Backoff{}.Next(1, deadline) },
		"unknown": func() { stats.Summary("b", "define") },
	} {
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s: %g allocations, want none", name, n)
		}
	}
}
