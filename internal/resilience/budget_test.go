package resilience

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func takeAll(b *RetryBudget) (n int) {
	for b.Take() {
		n++
	}
	return n
}

func TestBudgetGivesTheMinimumWithoutCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewRetryBudget(BudgetConfig{})
		if n := takeAll(b); n != 3 {
			t.Fatalf("%d taken, want 3", n)
		}
		time.Sleep(10*time.Second - 1)
		if b.Take() {
			t.Fatal("taken again inside the window")
		}
		time.Sleep(time.Second)
		if n := takeAll(b); n != 3 {
			t.Fatalf("%d taken in the next window, want 3", n)
		}
	})
}

func TestBudgetGivesAShareOfTheCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewRetryBudget(BudgetConfig{})
		for range 1000 {
			b.Call()
		}
		if n := takeAll(b); n != 200 {
			t.Fatalf("%d taken of 1000 calls, want 200", n)
		}
		want := BudgetSnapshot{Calls: 1000, Taken: 200, Allowed: 200, Denied: 1}
		if s := b.Snapshot(); s != want {
			t.Fatalf("snapshot %+v, want %+v", s, want)
		}
		time.Sleep(11 * time.Second)
		if s := b.Snapshot(); s.Calls != 0 || s.Taken != 0 || s.Allowed != 3 {
			t.Fatalf("snapshot %+v, want what is old forgotten", s)
		}
	})
}

func TestBudgetRefund(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewRetryBudget(BudgetConfig{})
		b.Refund() // nothing to give back
		takeAll(b)
		time.Sleep(3 * time.Second)
		b.Refund()
		b.Refund()
		if n := takeAll(b); n != 2 {
			t.Fatalf("%d taken after two refunds, want 2", n)
		}
		time.Sleep(time.Minute)
		b.Refund() // too old to be given back
		if n := takeAll(b); n != 3 {
			t.Fatalf("%d taken, want 3", n)
		}
	})
}

func TestBudgetRulesCanBeSwitchedOff(t *testing.T) {
	for _, tc := range []struct {
		cfg  BudgetConfig
		want int
	}{
		{BudgetConfig{Ratio: -1}, 3}, {BudgetConfig{Min: -1}, 20}, {BudgetConfig{Ratio: -1, Min: -1}, 0}, {BudgetConfig{Ratio: 0.5, Min: 7}, 50},
	} {
		b := NewRetryBudget(tc.cfg)
		for range 100 {
			b.Call()
		}
		if n := takeAll(b); n != tc.want {
			t.Errorf("%+v: %d taken of 100 calls, want %d", tc.cfg, n, tc.want)
		}
	}
}

// At no moment of a random life have more extra attempts been taken in the last window than its calls allow.
func TestBudgetHoldsOverEveryWindow(t *testing.T) {
	eachSeed(t, 30, func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			cfg := BudgetConfig{Ratio: 0.05 + r.Float64()/2, Min: 1 + r.IntN(5), Window: time.Duration(1+r.IntN(10)) * time.Second}
			b := NewRetryBudget(cfg)
			var calls, taken []time.Time
			recent := func(log []time.Time) (n int) {
				for _, at := range log {
					if time.Since(at) < cfg.Window {
						n++
					}
				}
				return n
			}
			given := 0
			for range 600 {
				switch r.IntN(3) {
				case 0:
					for range r.IntN(20) {
						b.Call()
						calls = append(calls, time.Now())
					}
				case 1:
					if b.Take() {
						given++
						taken = append(taken, time.Now())
						if n, most := recent(taken), max(float64(cfg.Min), cfg.Ratio*float64(recent(calls))); float64(n) > most {
							t.Fatalf("%d taken in a window that allows %g", n, most)
						}
						if r.IntN(10) == 0 {
							b.Refund()
							taken = taken[:len(taken)-1]
						}
					}
				case 2:
					time.Sleep(time.Duration(r.Int64N(int64(cfg.Window / 5))))
				}
			}
			if given < 20 {
				t.Fatalf("only %d taken: the budget starves its callers", given)
			}
		})
	})
}

func TestBudgetIsNeverOverspentUnderConcurrency(t *testing.T) {
	b := NewRetryBudget(BudgetConfig{Window: time.Hour})
	var wg sync.WaitGroup
	var taken atomic.Int64
	for range 50 {
		wg.Go(func() {
			for range 100 {
				b.Call()
				for range 2 {
					if b.Take() {
						taken.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	for b.Take() {
		taken.Add(1)
	}
	if n := taken.Load(); n != 1000 {
		t.Fatalf("%d taken of 5000 calls, want 1000", n)
	}
}
