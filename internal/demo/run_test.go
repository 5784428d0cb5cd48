package demo

import (
	"os"
	"strings"
	"testing"
)

func TestRepo(t *testing.T) {
	var s reference
	var out strings.Builder
	_, err := Run(t.Context(), Options{Dir: os.Getenv("DEMO_DIR"), Server: s.start(t), Out: &out})
	t.Log(out.String(), err)
}
