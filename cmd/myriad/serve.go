package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/config"
)

func serveCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "serve", Short: "Serve the API", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := loadConfig(cmd.Flags(), file)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), loaded.Config, cmd.ErrOrStderr())
		}}
	bindConfig(cmd.Flags(), &file)
	return cmd
}

// bindConfig adds the flags of every key of the configuration, and the one that names its file.
func bindConfig(flags *pflag.FlagSet, file *string) {
	config.Bind(flags)
	flags.StringVar(file, "config", os.Getenv("MYRIAD_CONFIG"), "configuration file, YAML (MYRIAD_CONFIG)")
}

func loadConfig(flags *pflag.FlagSet, file string) (*config.Loaded, error) {
	loaded, err := config.Load(flags, os.Environ(), file)
	return loaded, usageError(err)
}

func serve(ctx context.Context, cfg config.Config, errOut io.Writer) error {
	began := time.Now()
	log := newLogger(errOut, cfg)
	defer takeLibraryLog(log)()
	defer easeCollector()()
	s, err := newServer(ctx, cfg, log, options{})
	if err != nil {
		return err
	}
	if err := s.loadAgents(ctx); err != nil {
		s.close(ctx)
		return err
	}
	if !loopback(cfg.Listen) && cfg.TLSCert == "" {
		log.Warn("listening off loopback without TLS: tokens and answers can be read on the way", "listen", cfg.Listen)
	}
	reloads := make(chan os.Signal, 1)
	stopNotify := notifyReload(reloads)
	defer stopNotify()
	reloading, stopReloading := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.reload(reloading, reloads)
	}()
	log.Info("ready", "url", s.url(), "data", cfg.Data, "took", time.Since(began).Round(time.Millisecond), "version", version())
	err = s.run(ctx)
	stopReloading()
	<-done
	if err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}

// reload reads the agents file again whenever it is asked to. A file with mistakes changes nothing.
func (s *server) reload(ctx context.Context, asked <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
			if err := s.loadAgents(ctx); err != nil {
				s.log.Error("the agents file was not taken", "file", s.cfg.Agents, "error", err, "mistakes", mistakesOf(err))
			} else {
				s.log.Info("agents file read again", "file", s.cfg.Agents)
			}
		}
	}
}

// mistakesOf is everything that is wrong with a file, of which an error's text names the first.
func mistakesOf(err error) (all []string) {
	if e, ok := errors.AsType[*myriad.Error](err); ok {
		for _, m := range e.Mistakes {
			all = append(all, m.Path+": "+m.Rule)
		}
	}
	return all
}

func newLogger(w io.Writer, cfg config.Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		panic(fmt.Sprintf("log_level was checked before: %v", err))
	}
	opts := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// loopback says whether a listen address takes only callers of this machine.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func configCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "config", Short: "Print the effective configuration, and where each value comes from", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := loadConfig(cmd.Flags(), file)
			if err != nil {
				return err
			}
			return loaded.Print(cmd.OutOrStdout())
		}}
	bindConfig(cmd.Flags(), &file)
	return cmd
}

var errInterrupted = &exitError{code: exitFailed, err: errors.New("interrupted")}
