package lifecycle

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad/internal/processrt"
)

func TestMain(m *testing.M) {
	if processrt.Shim(os.Args) { // this binary begins the processes of real_test.go too
		return
	}
	goleak.VerifyTestMain(m)
}
