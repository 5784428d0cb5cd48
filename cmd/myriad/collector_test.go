package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
)

func TestGrowthOfTheHeap(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{{0, 1200}, {1 << 20, 1200}, {4 << 20, 1200}, {16 << 20, 300}, {48 << 20, 100}, {1 << 30, 100}} {
		if got := growth(c.live); got != c.want {
			t.Errorf("%d bytes live: %d %%, not %d", c.live, got, c.want)
		}
	}
}

// percentNow is what the collector is set to, without changing it.
func percentNow() int {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}

func TestTheCollectorFollowsWhatLives(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	was := debug.SetGCPercent(100)
	defer debug.SetGCPercent(was)
	runtime.GC() // what other tests left
	stop := easeCollector()
	if got := percentNow(); got < 200 {
		t.Errorf("a small heap may grow by %d %%", got)
	}
	much := make([][]byte, 100)
	for i := range much {
		much[i] = make([]byte, 1<<20)
	}
	eventually(t, func() (bool, string) {
		runtime.GC() // the thing that is watched is finalized some time after
		return percentNow() <= 112, "a heap in which 100 MiB live may double, not much more"
	})
	runtime.KeepAlive(much)
	much = nil
	eventually(t, func() (bool, string) { runtime.GC(); return percentNow() > 200, "what was let go is room again" })
	stop()
	if got := percentNow(); got != 100 {
		t.Errorf("after the stop: %d %%", got)
	}
	runtime.GC()
	runtime.GC()
	if got := percentNow(); got != 100 {
		t.Errorf("some time after the stop: %d %%", got)
	}
}

func TestTheCollectorIsLeftAloneWhereItIsTold(t *testing.T) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		t.Setenv("GOGC", "")
		t.Setenv("GOMEMLIMIT", "")
		t.Setenv(name, "300")
		before := percentNow()
		stop := easeCollector()
		if got := percentNow(); got != before {
			t.Errorf("%s is set, and yet %d %% became %d", name, before, got)
		}
		stop()
		if got := percentNow(); got != before {
			t.Errorf("%s is set: %d %% after the stop, not %d", name, got, before)
		}
	}
}
