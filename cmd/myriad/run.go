package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
)

type runFlags struct {
	remote  remote
	out     output
	local   bool
	agents  string
	timeout time.Duration
	key     string
	quiet   bool
}

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{Use: "run FILE|-", Short: "Run a graph of tasks, YAML or JSON", Args: cobra.ExactArgs(1),
		Long: "Run a graph of tasks, YAML or JSON, from a file or standard input, on a server or, with --local, in this process.\n" +
			"Exits with 0 when every task succeeded, 1 when some did not, 2 for bad usage or a bad plan.",
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) }}
	f.remote.bind(cmd)
	f.out.bind(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.local, "local", false, "run in this process, with the agents of --agents")
	flags.StringVar(&f.agents, "agents", "", "agents file for --local")
	flags.DurationVar(&f.timeout, "timeout", 0, "deadline of the run, over the one in the plan")
	flags.StringVar(&f.key, "key", "", "idempotency key: the same key gives the same run")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "show no progress")
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, file string) error {
	if err := f.out.check(); err != nil {
		return err
	}
	if f.local != (f.agents != "") {
		return usageError(errors.New("--local and --agents FILE go together"))
	}
	body, err := readPlan(cmd.InOrStdin(), file, f.timeout)
	if err != nil {
		return err
	}
	p := newProgress(cmd.ErrOrStderr())
	if f.quiet {
		p = newProgress(io.Discard)
	}
	record, err := f.carryOut(cmd.Context(), body, p.event)
	p.close()
	if err != nil {
		if cmd.Context().Err() != nil {
			return errInterrupted
		}
		return err
	}
	if err := f.out.record(cmd.OutOrStdout(), record); err != nil {
		return err
	}
	if record.Status != myriad.RunSuccess {
		return &exitError{code: exitFailed}
	}
	return nil
}

func (f *runFlags) carryOut(ctx context.Context, body json.RawMessage, follow func(myriad.RunEvent) error) (*myriad.RunRecord, error) {
	if f.local {
		return runLocal(ctx, f.agents, myriad.RunRequest{Body: body, IdempotencyKey: f.key}, follow)
	}
	c, err := f.remote.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var opts []client.Option
	if f.key != "" {
		opts = append(opts, client.WithKey(f.key))
	}
	id := ""
	err = c.Stream(ctx, body, func(e myriad.RunEvent) error {
		if e.Kind == myriad.EventRunStarted {
			id = runID(e)
		}
		return follow(e)
	}, opts...)
	if err != nil {
		return nil, err
	}
	return c.Get(ctx, id)
}

func runID(e myriad.RunEvent) string {
	var started myriad.RunStarted
	_ = json.Unmarshal(e.Data, &started)
	return started.RunID
}

// runLocal carries a run out by a server of its own, which listens nowhere and keeps nothing.
func runLocal(ctx context.Context, agents string, req myriad.RunRequest, follow func(myriad.RunEvent) error) (*myriad.RunRecord, error) {
	dir, err := os.MkdirTemp("", "myriad-run-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cfg := config.Default()
	cfg.Data, cfg.Agents = dir, agents
	log := slog.New(slog.DiscardHandler)
	defer takeLibraryLog(log)()
	s, err := newServer(ctx, cfg, log, options{noListen: true})
	if err != nil {
		return nil, err
	}
	if err := s.loadAgents(ctx); err != nil {
		s.close(ctx)
		return nil, err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan error, 1)
	go func() { stopped <- s.run(serving) }()
	defer func() {
		stop()
		<-stopped
	}()
	id := ""
	err = s.orchestrator.DoStream(ctx, req, func(e myriad.RunEvent) error {
		if e.Kind == myriad.EventRunStarted {
			id = runID(e)
		}
		return follow(e)
	})
	if err != nil {
		return nil, err
	}
	return s.orchestrator.Run(ctx, id)
}

// readPlan reads a plan, YAML or JSON, as JSON; a timeout replaces the plan's own.
func readPlan(in io.Reader, file string, timeout time.Duration) (json.RawMessage, error) {
	var raw []byte
	var err error
	if file == "-" {
		raw, err = io.ReadAll(in)
	} else {
		raw, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, usageError(fmt.Errorf("read the plan: %w", err))
	}
	if !json.Valid(raw) {
		if raw, err = config.YAMLToJSON(raw); err != nil {
			return nil, usageError(fmt.Errorf("read the plan: %w", err))
		}
	}
	if timeout <= 0 {
		return raw, nil
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, usageError(fmt.Errorf("a plan is an object with tasks: %w", err))
	}
	fields["timeout_ms"] = json.RawMessage(fmt.Sprint(timeout.Milliseconds()))
	out, err := json.Marshal(fields)
	return bytes.TrimSpace(out), err
}
