package resilience

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoffCeilingDoublesToTheMaximum(t *testing.T) {
	for _, tc := range []struct {
		b    Backoff
		want []time.Duration // in ms
	}{
		{Backoff{}, []time.Duration{50, 100, 200, 400, 800, 1600, 2000, 2000}},
		{Backoff{Base: 3 * time.Second}, []time.Duration{2000, 2000}},
		{Backoff{Base: time.Millisecond, Max: 5 * time.Millisecond}, []time.Duration{1, 2, 4, 5, 5}},
		{Backoff{Max: 10 * time.Millisecond}, []time.Duration{10, 10}},
	} {
		for retry, want := range tc.want {
			if got := tc.b.ceiling(retry); got != want*time.Millisecond {
				t.Errorf("%+v retry %d: ceiling %s, want %d ms", tc.b, retry, got, want)
			}
		}
	}
	longest := Backoff{Base: 1, Max: math.MaxInt64}
	for retry := range 200 {
		if d := longest.ceiling(retry); d <= 0 {
			t.Fatalf("retry %d: ceiling %d", retry, d)
		}
	}
}

// Full jitter: anything from nothing to the ceiling, evenly.
func TestBackoffIsSpreadEvenly(t *testing.T) {
	b := Backoff{Base: time.Second, Max: time.Second}
	var tenths [10]int
	const n = 20_000
	for range n {
		d, ok := b.Next(0, time.Time{})
		if !ok || d < 0 || d > time.Second {
			t.Fatalf("waits %s, %v", d, ok)
		}
		tenths[min(d*10/time.Second, 9)]++
	}
	for i, got := range tenths {
		if got < n/10*8/10 || got > n/10*12/10 {
			t.Fatalf("%d of %d waits in tenth %d, want about %d", got, n, i, n/10)
		}
	}
}

func TestBackoffNeverPassesTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Backoff{Base: time.Second, Max: time.Second}
		deadline := time.Now().Add(300 * time.Millisecond)
		refused := 0
		for range 1000 {
			d, ok := b.Next(3, deadline)
			if !ok {
				refused++
			} else if d >= 300*time.Millisecond {
				t.Fatalf("waits %s with 300 ms left", d)
			}
		}
		if refused < 500 || refused > 900 {
			t.Fatalf("%d of 1000 waits refused, want about 700", refused)
		}
		time.Sleep(300 * time.Millisecond)
		if _, ok := b.Next(0, deadline); ok {
			t.Fatal("a wait at the deadline")
		}
	})
}
