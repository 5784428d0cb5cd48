package dockerrt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

const patience = 30 * time.Second

var counter atomic.Int64

// fresh is a word that no other test has.
func fresh(prefix string) string {
	return fmt.Sprintf("%s-%d-%x-%d", prefix, os.Getpid(), time.Now().UnixNano(), counter.Add(1))
}

func newRuntime(t testing.TB, cfg Config) *Runtime {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, r) })
	return r
}

func mustClose(t testing.TB, r *Runtime) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Error(err)
	}
}

// bench is a runtime with an owner whose containers are gone at the end of the test.
type bench struct {
	*Runtime
	owner string
}

func newBench(t testing.TB, cfg Config) *bench {
	t.Helper()
	docker := daemon(t)
	b := &bench{owner: fresh("owner")}
	t.Cleanup(func() {
		if left := leftOf(t, docker, b.owner); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	b.Runtime = newRuntime(t, cfg)
	return b
}

func (b *bench) request(p myriad.Packet) myriad.StartRequest {
	return myriad.StartRequest{InstanceID: fresh("i"), OwnerID: b.owner, Packet: p, Nonce: fresh("nonce")}
}

// awake starts an instance, waits until it is ready, and stops it at the end of the test.
func (b *bench) awake(t testing.TB, req myriad.StartRequest) *instance {
	t.Helper()
	got, err := b.Start(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, got, patience) })
	if err := ready(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	return got.(*instance)
}

func ready(ctx context.Context, i myriad.Instance) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := i.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-i.Exited():
			return fmt.Errorf("ended: %w\n%s", i.Err(), i.LastLog())
		default:
		}
		if !pause(ctx, 2*time.Millisecond) {
			return fmt.Errorf("never ready: %w\n%s", err, i.LastLog())
		}
	}
}

func stop(t testing.TB, i myriad.Instance, grace time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := i.Stop(ctx); err != nil {
		t.Error(err)
	}
}

var callClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// ask posts a job with args, and decodes the answer's data.
func ask[T any](ctx context.Context, i myriad.Instance, args map[string]any) (data T, err error) {
	body, err := json.Marshal(map[string]any{"task_id": "t", "concept": i.(*instance).label.concept, "intent": "define", "args": args})
	if err != nil {
		return data, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.Endpoint(), bytes.NewReader(body))
	if err != nil {
		return data, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := callClient.Do(req)
	if err != nil {
		return data, err
	}
	raw, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return data, err
	}
	var answer struct {
		Status string `json:"status"`
		Data   *T     `json:"data"`
	}
	answer.Data = &data
	if err := json.Unmarshal(raw, &answer); err != nil || answer.Status != myriad.StatusSuccess {
		return data, fmt.Errorf("HTTP %d: %s (%w)", resp.StatusCode, raw, err)
	}
	return data, nil
}

// exited waits for the end of an instance.
func exited(t testing.TB, i myriad.Instance) {
	t.Helper()
	select {
	case <-i.Exited():
	case <-time.After(patience):
		t.Fatalf("not ended within %s", patience)
	}
}

func wantCode(t testing.TB, err error, code myriad.Code) {
	t.Helper()
	if err == nil || myriad.ErrorCode(err) != code {
		t.Errorf("code %q, want %q: %v", myriad.ErrorCode(err), code, err)
	}
}
