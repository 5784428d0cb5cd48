package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
)

func TestPortInUseNamesTheOption(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	code, _, errOut := command(t, "", "serve", "--data", t.TempDir(), "--listen", l.Addr().String())
	if code == 0 || !strings.Contains(errOut, "--listen") {
		t.Errorf("exit code %d: %s", code, errOut)
	}
}

func TestSecondServerOnADataDirectory(t *testing.T) {
	s, _ := startServer(t)
	code, _, errOut := command(t, "", "serve", "--data", s.cfg.Data, "--listen", "127.0.0.1:0")
	if code == 0 || !strings.Contains(errOut, s.cfg.Data) {
		t.Errorf("exit code %d: %s", code, errOut)
	}
}

func TestTokenIsMadeOnceForItsOwnerOnly(t *testing.T) {
	cfg := config.Default()
	cfg.Data = t.TempDir()
	first, err := ensureToken(cfg)
	if err != nil || len(first) < 32 {
		t.Fatalf("%q, %v", first, err)
	}
	again, err := ensureToken(cfg)
	if err != nil || again != first {
		t.Errorf("another token: %v", err)
	}
	info, err := os.Stat(filepath.Join(cfg.Data, config.TokenName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	cfg.TokenFile = filepath.Join(cfg.Data, "none")
	if _, err := ensureToken(cfg); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("a token file that is not there: %v", err)
	}
}

func TestDrainRefusesNewRunsAndFinishesOldOnes(t *testing.T) {
	s, c := startServer(t)
	begun, release := make(chan struct{}), make(chan struct{})
	url := startAgent(t, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-release
		say(w, "late")
	})
	put(t, c, myriad.Agent{Name: "A", Endpoint: url, Concepts: []string{"a"}})
	plan := client.Plan{Tasks: []client.Task{{ID: "1", Concept: "a", Intent: "do"}}}
	got := make(chan error, 1)
	go func() {
		record, err := c.Run(context.Background(), plan)
		if err == nil && record.Status != myriad.RunSuccess {
			err = fmt.Errorf("status %s", record.Status)
		}
		got <- err
	}()
	<-begun
	drained := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		drained <- s.orchestrator.Drain(ctx)
	}()
	for !s.orchestrator.Draining() {
		time.Sleep(time.Millisecond)
	}
	if _, err := c.Run(t.Context(), plan); myriad.ErrorCode(err) != myriad.CodeDraining {
		t.Errorf("a server that drains takes a run: %v", err)
	}
	if err := c.Ready(t.Context()); err == nil {
		t.Error("a server that drains says that it is ready")
	}
	close(release)
	if err := <-got; err != nil {
		t.Errorf("the running run: %v", err)
	}
	if err := <-drained; err != nil {
		t.Errorf("drain: %v", err)
	}
}
