package dockerrt

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// lifeEnv makes the test binary another life of a server, which starts containers for the owner without end.
const (
	lifeEnv   = "MYRIAD_TEST_LIFE"
	imageEnv  = "MYRIAD_TEST_IMAGE"
	lifeReady = 2 // instances that are ready before it says so
)

// lifeMain starts containers until it is killed, and names those that are ready.
func lifeMain(owner string) {
	r, err := New(Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	ctx := context.Background()
	for n := 0; ; n++ {
		req := myriad.StartRequest{InstanceID: fresh("life"), OwnerID: owner, Packet: contained(os.Getenv(imageEnv), "echo"), Nonce: fresh("nonce"),
			Limits: myriad.Limits{CPU: 0.25, MemoryBytes: 32 << 20, PIDs: 32}}
		i, err := r.Start(ctx, req)
		if err == nil {
			err = ready(ctx, i)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if n < lifeReady {
			_ = json.NewEncoder(os.Stdout).Encode(req)
		}
	}
}

// TestRecoverAfterKill kills a server while it starts containers, at some moment of a start: those that run come back, the rest goes, and
// nobody else's is touched.
func TestRecoverAfterKill(t *testing.T) {
	image := built(t, agentMain, "program", agentImage)
	other := newBench(t, Config{})
	theirs := other.awake(t, other.request(contained(image, "echo")))
	for round := range 4 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			b := newBench(t, Config{})
			t.Cleanup(func() { recoverAndStop(t, b) })
			began := killedLife(t, b.owner, image, time.Duration(rand.Int64N(int64(250*time.Millisecond))))
			left, err := b.Recover(t.Context(), b.owner)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range left {
				adopted(t, l, began)
				delete(began, l.InstanceID)
				stop(t, l.Instance, patience)
			}
			if len(began) > 0 {
				t.Errorf("these were ready and are not found again: %v", began)
			}
			if err := theirs.Ready(t.Context()); err != nil {
				t.Errorf("another owner's: %v", err)
			}
		})
	}
}

// killedLife runs another life of a server until so long after some of its instances were ready, kills it, and says which those are.
func killedLife(t *testing.T, owner, image string, after time.Duration) map[string]myriad.StartRequest {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), lifeEnv+"="+owner, imageEnv+"="+image)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	began := map[string]myriad.StartRequest{}
	for lines := bufio.NewScanner(out); len(began) < lifeReady && lines.Scan(); {
		var req myriad.StartRequest
		if err := json.Unmarshal(lines.Bytes(), &req); err != nil {
			t.Errorf("%s: %v", lines.Text(), err)
			break
		}
		began[req.InstanceID] = req
	}
	pause(t.Context(), after) // any moment will do
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // killed
	return began
}

// adopted checks what came back: alive, proving itself, and as it was started.
func adopted(t *testing.T, l myriad.Left, began map[string]myriad.StartRequest) {
	t.Helper()
	if err := ready(t.Context(), l.Instance); err != nil {
		t.Errorf("what was left is not ready: %v", err)
	}
	if l.Instance.(*instance).nonce == "" {
		t.Error("the nonce is lost, so the instance proves nothing")
	}
	req, ok := began[l.InstanceID]
	if ok && (l.Agent != req.Packet.Agent.Name || l.Revision != req.Packet.Revision || l.Limits != req.Limits || l.StartedAt.IsZero()) {
		t.Errorf("%+v is not what was started: %+v", l, req)
	}
}

// recoverAndStop takes away what a failed test left.
func recoverAndStop(t *testing.T, b *bench) {
	next := newRuntime(t, Config{})
	left, err := next.Recover(context.Background(), b.owner)
	if err != nil {
		t.Error(err)
	}
	for _, l := range left {
		stop(t, l.Instance, 0)
	}
}
