package sqlitestore

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		childMain(dir) // until it is killed
	}
	goleak.VerifyTestMain(m)
}
