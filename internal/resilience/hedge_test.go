package resilience

import (
	"testing"
	"time"
)

func TestHedgeDelay(t *testing.T) {
	const ms = time.Millisecond
	known := func(p95 time.Duration) Summary { return Summary{Samples: 20, P95: p95} }
	for _, tc := range []struct {
		name          string
		h             Hedge
		called, other Summary
		want          time.Duration // 0 for no hedge
	}{
		{"its own p95", Hedge{}, known(80 * ms), Summary{}, 80 * ms},
		{"too little is known", Hedge{}, Summary{Samples: 19, P95: 80 * ms}, known(80 * ms), 0},
		{"nothing is known", Hedge{}, Summary{}, Summary{}, 0},
		{"never sooner than the least", Hedge{}, known(ms), Summary{}, 10 * ms},
		{"never later than the most", Hedge{}, known(time.Minute), Summary{}, 2 * time.Second},
		{"a slow agent beside a fast one", Hedge{}, known(200 * ms), known(20 * ms), 40 * ms},
		{"a fast agent beside a slow one", Hedge{}, known(20 * ms), known(200 * ms), 20 * ms},
		{"two alike", Hedge{}, known(50 * ms), known(45 * ms), 50 * ms},
		{"little is known of the other", Hedge{}, known(200 * ms), Summary{Samples: 19, P95: ms}, 200 * ms},
		{"peers do not count", Hedge{PeerFactor: -1}, known(200 * ms), known(20 * ms), 200 * ms},
		{"a patient factor", Hedge{PeerFactor: 5}, known(200 * ms), known(20 * ms), 100 * ms},
		{"own bounds", Hedge{Min: 5 * ms, Max: 30 * ms, MinSamples: 3}, Summary{Samples: 3, P95: 40 * ms}, Summary{}, 30 * ms},
		{"the least wins over the most", Hedge{Min: 50 * ms, Max: 30 * ms}, known(ms), Summary{}, 50 * ms},
	} {
		got, ok := tc.h.Delay(tc.called, tc.other)
		if got != tc.want || ok != (tc.want > 0) {
			t.Errorf("%s: %s, %v; want %s", tc.name, got, ok, tc.want)
		}
	}
}
