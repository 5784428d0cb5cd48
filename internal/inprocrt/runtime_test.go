package inprocrt_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/agent"
	"github.com/myriad-mind/myriad/internal/conformance"
	"github.com/myriad-mind/myriad/internal/inprocrt"
)

var quiet = slog.New(slog.DiscardHandler)

// echo answers with the job's args, after args.sleep_ms milliseconds.
func echo(name string, opts agent.Options) *agent.Agent {
	return agent.New(name).With(opts).Handle(agent.Any, agent.Any, func(ctx context.Context, job agent.Job) (any, error) {
		var args struct {
			Sleep int64 `json:"sleep_ms"`
		}
		if err := job.Bind(&args); err != nil {
			return nil, err
		}
		if args.Sleep > 0 {
			select {
			case <-time.After(time.Duration(args.Sleep) * time.Millisecond):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return json.RawMessage(job.Args), nil
	})
}

// handled is a packet of a registered handler.
func handled(name, handler string) myriad.Packet {
	return myriad.Packet{Agent: myriad.Agent{Name: name, Concepts: []string{"text"}, MaxConcurrency: 16,
		Template: &myriad.Template{Kind: myriad.TemplateHandler, ID: handler}}}
}

func TestConformance(t *testing.T) {
	conformance.Runtime(t, func(t *testing.T) conformance.RuntimeUnderTest {
		r, err := inprocrt.New(inprocrt.Config{Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		plain := echo("Echo", agent.Options{MaxConcurrency: 16, Logger: quiet})
		young := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
		if err := errors.Join(r.Register("echo", plain), r.Register("young", young)); err != nil {
			t.Fatal(err)
		}
		// Not here: what ends by itself (Crash, DeadOnArrival), what has a log of its own (Loud), what can only be killed (Deaf: see
		// TestAHandlerThatHeedsNothing), and another's identity (Imposter): an instance is what was put there by hand.
		handlers := map[conformance.Behaviour]string{
			conformance.Echo: "echo", conformance.Slow: "echo", conformance.NeverReady: "young", conformance.CannotBeStarted: "missing",
		}
		return conformance.RuntimeUnderTest{
			Runtime: r,
			Packet: func(b conformance.Behaviour) (myriad.Packet, bool) {
				handler, ok := handlers[b]
				return handled("Agent", handler), ok
			},
			Limits: myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 64},
		}
	})
}
