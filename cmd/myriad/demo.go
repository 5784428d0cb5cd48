package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
	"github.com/myriad-mind/myriad/internal/demo"
)

func demoCommand() *cobra.Command {
	var flags demoFlags
	cmd := &cobra.Command{Use: "demo [DIR]", Short: "Audit the documents of a folder with a fleet of small agents, again while some of them fail, and grow agents for what nobody knows",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts := demo.Options{Out: cmd.OutOrStdout(), OnlyFirst: flags.first, Grow: !flags.first}
			if len(args) == 1 {
				opts.Dir = args[0]
			}
			return runDemo(cmd.Context(), opts, flags, cmd.ErrOrStderr())
		}}
	cmd.Flags().BoolVar(&flags.keep, "keep", false, "keep serving when the report is done")
	cmd.Flags().BoolVar(&flags.first, "first", false, "leave out the second act, in which agents fail, and the third, in which agents are grown")
	cmd.Flags().StringVar(&flags.listen, "listen", "127.0.0.1:0", "address of the demo's server")
	cmd.Flags().IntVar(&flags.maxAgents, "max-agents", config.Default().Fleet.MaxAgents, "grown agents that may be awake at once; with 3, agents make room for each other")
	return cmd
}

type demoFlags struct {
	keep, first bool
	listen      string
	maxAgents   int
}

// demoMinLife lets agents of the demo make room for each other at once.
const demoMinLife = 20 * time.Millisecond

// runDemo carries the demo out through a server of its own, whose data is gone afterwards.
func runDemo(ctx context.Context, opts demo.Options, flags demoFlags, errOut io.Writer) error {
	if flags.maxAgents < 1 {
		return usageError(fmt.Errorf("--max-agents must be more than 0, not %d", flags.maxAgents))
	}
	dir, err := os.MkdirTemp("", "myriad-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cfg := config.Default()
	cfg.Data, cfg.Listen = dir, flags.listen
	cfg.Fleet.MaxAgents, cfg.Fleet.MinLife, cfg.Fleet.Docker = flags.maxAgents, demoMinLife, config.DockerOff
	log := slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: slog.LevelError}))
	defer takeLibraryLog(log)()
	var door *door
	s, err := newServer(ctx, cfg, log, options{wrapGraph: func(g myriad.Graph) myriad.Graph {
		door = newDoor(g)
		return door
	}})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan error, 1)
	go func() { stopped <- s.run(serving) }()
	c, err := client.New(client.Config{Server: s.url(), UserAgent: "myriad-demo/" + version()})
	if err != nil {
		stop()
		return errors.Join(err, <-stopped)
	}
	opts.Server, opts.Chaos.CloseGraph = c, door.closeFor
	if flags.keep {
		opts.Hold = func(ctx context.Context) {
			fmt.Fprintf(errOut, "serving at %s until you press Ctrl-C\n", s.url())
			<-ctx.Done()
		}
	}
	view := newDemoView(errOut)
	opts.Progress = view.step
	_, err = demo.Run(ctx, opts)
	view.close()
	c.Close()
	stop()
	return errors.Join(err, <-stopped)
}

// door stands before the graph and can be closed for a while: every question fails as it does when a database is away.
type door struct {
	myriad.Graph
	closed atomic.Int64 // until when, in Unix nanoseconds
}

func newDoor(g myriad.Graph) *door { return &door{Graph: g} }

func (d *door) closeFor(t time.Duration) { d.closed.Store(time.Now().Add(t).UnixNano()) }

func (d *door) open() error {
	if time.Now().UnixNano() < d.closed.Load() {
		return myriad.Errorf(myriad.CodeUnavailable, "the demo has closed the graph for a moment")
	}
	return nil
}

func (d *door) Handlers(ctx context.Context, concept string) (myriad.Handlers, error) {
	if err := d.open(); err != nil {
		return myriad.Handlers{}, err
	}
	return d.Graph.Handlers(ctx, concept)
}

func (d *door) Ping(ctx context.Context) error {
	if err := d.open(); err != nil {
		return err
	}
	return d.Graph.Ping(ctx)
}

// demoView shows the steps of the demo on a terminal, one line that is written over; elsewhere a line for each fifth of an act.
type demoView struct {
	mu    sync.Mutex
	out   io.Writer
	live  bool
	shown map[int]int // by act: fifths shown
}

func newDemoView(w io.Writer) *demoView {
	f, ok := w.(*os.File)
	return &demoView{out: w, live: ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb", shown: map[int]int{}}
}

func (v *demoView) step(s demo.Step) {
	if s.Kind != myriad.EventTaskFinished {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.live {
		fmt.Fprintf(v.out, "\r\x1b[Kact %d: %d of %d tasks, %s by %s", s.Act, s.Done, s.Total, oneLine(s.Task), s.Agent)
		return
	}
	if fifth := s.Done * 5 / max(s.Total, 1); fifth > v.shown[s.Act] {
		v.shown[s.Act] = fifth
		fmt.Fprintf(v.out, "act %d: %d of %d tasks\n", s.Act, s.Done, s.Total)
	}
}

func (v *demoView) close() {
	if v.live {
		fmt.Fprint(v.out, "\r\x1b[K")
	}
}
