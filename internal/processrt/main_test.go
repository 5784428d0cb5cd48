package processrt

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the test's executable three things: the shim, the programs that the tests run as agents, and the tests.
func TestMain(m *testing.M) {
	if Shim(os.Args) {
		return
	}
	if role := os.Getenv(roleVariable); role != "" {
		play(role)
		return
	}
	goleak.VerifyTestMain(m)
}
