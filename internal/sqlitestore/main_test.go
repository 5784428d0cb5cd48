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
	if dir := os.Getenv(measureEnv); dir != "" {
		measureMain(dir)
	}
	goleak.VerifyTestMain(m)
}
