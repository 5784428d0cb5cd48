package processrt

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the test's executable both the tests and the programs that they run as agents.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		play(role)
		return
	}
	goleak.VerifyTestMain(m)
}
