package dockerrt

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if owner := os.Getenv(lifeEnv); owner != "" {
		lifeMain(owner) // until it is killed
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		removeImages()
		os.Exit(code)
	}))
}
