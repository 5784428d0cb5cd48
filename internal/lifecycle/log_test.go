package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// curious is a handler that asks the fleet whenever it is asked itself.
type curious struct {
	slog.Handler
	fleet *Manager
}

func (c *curious) Enabled(ctx context.Context, level slog.Level) bool {
	if c.fleet != nil {
		c.fleet.Place("a")
	}
	return c.Handler.Enabled(ctx, level)
}

// A handler is code of others: nothing of it is called while the books are locked.
func TestHandlersMayAskTheFleet(t *testing.T) {
	h := &curious{Handler: slog.DiscardHandler}
	r := newRig(t, quick, func(c *Config) { c.Logger = slog.New(h) })
	h.fleet = r.Manager
	r.begin()
	over := make(chan struct{})
	go func() {
		defer close(over)
		r.packets("a")
		w := <-r.ask(context.Background(), wakeOf("a"))
		w.Release()
		r.close()
	}()
	select {
	case <-over:
	case <-time.After(30 * time.Second):
		t.Fatal("a handler that asks the fleet stops it")
	}
}

// What is logged of a move is what held then, whatever has become of the instance when it is told.
func TestMovesAreLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var out bytes.Buffer // the outbox tells one at a time
		r := newRig(t, quick, func(c *Config) {
			c.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey || a.Key == "instance" {
					return slog.Attr{}
				}
				return a
			}}))
		})
		var broken bool
		r.rt.conduct = func(myriad.StartRequest) conduct {
			if broken {
				return conduct{startErr: errors.New("refused")}
			}
			return conduct{log: strings.Repeat("x", 600) + "last words"}
		}
		r.begin()
		r.packets("a", "b")
		r.use("a")
		r.rt.instanceOf("a").crash()
		synctest.Wait()
		broken = true
		wantCode(t, "b", (<-r.ask(t.Context(), wakeOf("b"))).Err, myriad.TaskErrStart)
		r.close()
		for _, line := range []string{
			"level=INFO msg=\"instance changed\" agent=a from=queued to=starting runtime=inproc\n",
			"level=INFO msg=\"instance changed\" agent=a from=starting to=ready runtime=inproc cold_start=0s\n",
			"level=WARN msg=\"instance changed\" agent=a from=ready to=failed runtime=inproc reason=crashed error=\"it crashed: exit status 3\" last_log=\"..." +
				strings.Repeat("x", 502) + "last words\"\n",
			"level=WARN msg=\"instance changed\" agent=b from=starting to=failed runtime=inproc reason=failed error=refused last_log=\"\"\n",
		} {
			if !strings.Contains(out.String(), line) {
				t.Errorf("not logged: %s", line)
			}
		}
		if t.Failed() {
			t.Log(out.String())
		}
	})
}

// What no instance of this process can have in force is a warning once, and an event for each of them; for other runtimes each is a warning.
func TestMissingLimitsAreAWarningOnceInThisProcess(t *testing.T) {
	for name, c := range map[string]struct {
		way      func(*Config)
		warnings int
	}{"this process": {inProcess, 1}, "others": {func(*Config) {}, 2}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var out bytes.Buffer
				r := newRig(t, quick, c.way, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&out, nil)) })
				r.rt.conduct = func(myriad.StartRequest) conduct { return conduct{unenforced: []string{"cpu"}} }
				r.begin()
				r.packets("a", "b")
				r.use("a")
				r.use("b")
				r.close()
				if got := strings.Count(out.String(), "limits are not in force"); got != c.warnings {
					t.Errorf("%d warnings, not %d", got, c.warnings)
				}
				wantSame(t, "told", r.told(myriad.KindUnenforced), []string{"a > cpu", "b > cpu"})
			})
		})
	}
}
