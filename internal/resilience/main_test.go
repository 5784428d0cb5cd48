package resilience

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// seed replays one run of the random tests; 0 means the fixed series of seeds that every run tries.
var seed = flag.Uint64("resilience.seed", 0, "replay this seed in the model tests")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eachSeed runs f with n seeds, or with the one that was asked for.
func eachSeed(t *testing.T, n uint64, f func(t *testing.T, seed uint64)) {
	t.Helper()
	if *seed != 0 {
		f(t, *seed)
		return
	}
	for s := range n {
		f(t, s+1)
		if t.Failed() {
			t.Fatalf("failed with -resilience.seed=%d", s+1)
		}
	}
}
