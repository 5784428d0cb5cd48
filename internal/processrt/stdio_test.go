package processrt

import (
	"testing"

	"github.com/myriad-mind/myriad"
)

func TestModesAnswer(t *testing.T) {
	for _, mode := range []string{myriad.ModeStdio, myriad.ModeExec, myriad.ModeHTTP} {
		for _, off := range []bool{false, true} {
			t.Run(mode, func(t *testing.T) {
				r := newRig(t, Config{NoCgroups: off})
				i := r.awake(command(mode, mode))
				works(t, i)
				works(t, i)
				t.Log(i.Unenforced())
				u, ok := i.Usage(t.Context())
				t.Logf("%+v %v", u, ok)
			})
		}
	}
}
