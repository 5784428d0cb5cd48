package resilience

import (
	"fmt"
	"testing"
	"time"
)

func BenchmarkBreaker(b *testing.B) {
	for _, tc := range []struct {
		name string
		cfg  BreakerConfig
	}{{"consecutive", BreakerConfig{}}, {"every_rule", everyRule}} {
		br := NewBreaker("x", tc.cfg, nil)
		b.Run(tc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p, _ := br.Acquire()
				p.Done(Success)
			}
		})
		b.Run(tc.name+"_100", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(50)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					p, _ := br.Acquire()
					p.Done(Success)
				}
			})
		})
	}
	b.Run("mixed_results_100", func(b *testing.B) { // one failure in two: every report takes the lock
		br := NewBreaker("x", BreakerConfig{}, nil)
		b.SetParallelism(50)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			br.Force(ForcedClosed)
			for v := Success; pb.Next(); v ^= Success ^ Failure {
				p, _ := br.Acquire()
				p.Done(v)
			}
		})
	})
	b.Run("rejected", func(b *testing.B) {
		br := NewBreaker("x", BreakerConfig{}, nil)
		br.Force(ForcedOpen)
		b.ReportAllocs()
		for b.Loop() {
			_, _ = br.Acquire()
		}
	})
	b.Run("ready", func(b *testing.B) {
		br := NewBreaker("x", BreakerConfig{}, nil)
		for b.Loop() {
			br.Ready()
		}
	})
}

func BenchmarkRetryBudget(b *testing.B) {
	for name, f := range map[string]func(*RetryBudget){"call": (*RetryBudget).Call, "take": func(r *RetryBudget) { r.Take() }} {
		b.Run(name, func(b *testing.B) {
			r := NewRetryBudget(BudgetConfig{})
			b.ReportAllocs()
			b.SetParallelism(50)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					f(r)
				}
			})
		})
	}
}

func BenchmarkStats(b *testing.B) {
	s := NewStats(0)
	for i := range 300 {
		s.Series("a", "define").Observe(time.Duration(i)*time.Millisecond, true)
	}
	b.Run("observe", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			s.Series("a", "define").Observe(time.Duration(i&1023)*time.Millisecond, true)
		}
	})
	b.Run("summary", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Summary("a", "define")
		}
	})
	b.Run("new_series_when_full", func(b *testing.B) {
		full := NewStats(1000)
		names := make([]string, 4096)
		for i := range names {
			names[i] = fmt.Sprint(i)
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			full.Series(names[i%len(names)], "define")
		}
	})
}

func BenchmarkAdaptiveLimit(b *testing.B) {
	l := NewAdaptiveLimit(LimitConfig{})
	b.ReportAllocs()
	for b.Loop() {
		l.Update(time.Millisecond, 10, false)
	}
}
