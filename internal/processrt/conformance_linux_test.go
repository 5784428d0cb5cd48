package processrt

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/conformance"
)

// TestConformance runs the suite of all runtimes in every mode, with cgroups and without.
func TestConformance(t *testing.T) {
	for _, mode := range []string{myriad.ModeStdio, myriad.ModeExec, myriad.ModeHTTP} {
		for name, off := range map[string]bool{"cgroups": false, "no cgroups": true} {
			t.Run(mode+" "+name, func(t *testing.T) {
				conformance.Runtime(t, func(t *testing.T) conformance.RuntimeUnderTest { return underTest(t, mode, off, t.TempDir()) })
			})
		}
	}
}

// behaving are the roles that behave as the suite asks for, by mode. A worker that crashes is replaced, so only in the mode http a crash
// ends the instance; only there an instance that lives may be not ready.
var behaving = map[string]map[conformance.Behaviour]string{
	myriad.ModeStdio: {
		conformance.Echo: "stdio", conformance.Slow: "stdio", conformance.Loud: "stdio", conformance.Deaf: "stdio deaf",
		conformance.DeadOnArrival: "dead on arrival",
	},
	myriad.ModeExec: {conformance.Echo: "exec", conformance.Slow: "exec", conformance.Loud: "exec", conformance.Deaf: "exec deaf"},
	myriad.ModeHTTP: {
		conformance.Echo: "http", conformance.Slow: "http", conformance.Loud: "http", conformance.Deaf: "http deaf", conformance.Crash: "http",
		conformance.DeadOnArrival: "dead on arrival", conformance.NeverReady: "never ready", conformance.Imposter: "imposter",
	},
}

func underTest(t *testing.T, mode string, off bool, dir string) conformance.RuntimeUnderTest {
	r, err := New(Config{Dir: dir, NoCgroups: off, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return conformance.RuntimeUnderTest{
		Runtime: r,
		Packet: func(b conformance.Behaviour) (myriad.Packet, bool) {
			if b == conformance.CannotBeStarted {
				p := command(mode, "")
				p.Agent.Template.Command = []string{"no-such-program-anywhere"}
				return p, true
			}
			role, ok := behaving[mode][b]
			return command(mode, role), ok
		},
		Reopen: func(t *testing.T) conformance.RuntimeUnderTest {
			die(t, r)
			return underTest(t, mode, off, dir)
		},
		Left: func(t *testing.T, owner string) []string {
			// The life before may not have reaped yet what this one killed; in truth it would be dead.
			left := slices.DeleteFunc(leftOf(t, owner), func(s string) bool { return strings.HasPrefix(s, "zombie") })
			notes, err := r.states.of(owner, r.log)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range notes {
				left = append(left, n.file)
			}
			return left
		},
		Limits: roomy,
	}
}

// die ends of a runtime what would die with its process: the listener, and with their pipes the workers. Processes that listen live on.
func die(t *testing.T, r *Runtime) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.gate.close(ctx); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	all := slices.Collect(maps.Values(r.instances))
	r.mu.Unlock()
	for _, i := range all {
		if i.template.Mode != myriad.ModeHTTP {
			i.begin(nil)
			exited(t, i)
		}
	}
}
