package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/myriad-mind/myriad"
)

// afterGrace is how long handlers that were cut off may take to return.
const afterGrace = time.Second

// ListenAndServe serves the agent at addr until ctx ends, then stops gracefully and returns nil. An empty addr is what the environment says, as
// a fleet sets it: the port of PORT at the address of MYRIAD_BIND, 127.0.0.1 where that is not set.
func (a *Agent) ListenAndServe(ctx context.Context, addr string) error {
	if addr == "" {
		port := os.Getenv("PORT")
		if port == "" {
			return myriad.Errorf(myriad.CodeInvalid, "agent %s: give an address to listen at, or set PORT", a.name)
		}
		addr = net.JoinHostPort(cmp.Or(os.Getenv("MYRIAD_BIND"), "127.0.0.1"), port)
	}
	if err := a.check(); err != nil {
		return fmt.Errorf("agent %s: %w", a.name, err)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("agent %s: listen: %w", a.name, err)
	}
	return a.Serve(ctx, ln)
}

// Serve serves the agent on ln, which it closes, until ctx ends. Then the agent leaves the server it was registered with (when asked to),
// says on /health that it drains, lets the jobs under way finish within its grace, and cuts off the rest, which is an error.
func (a *Agent) Serve(ctx context.Context, ln net.Listener) error {
	if err := a.check(); err != nil {
		_ = ln.Close() // the mistake is what counts
		return fmt.Errorf("agent %s: %w", a.name, err)
	}
	srv := &http.Server{
		Handler:           a,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.opts.Logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	leave := a.announce(ctx, ln.Addr())
	select {
	case err := <-served:
		leave()
		return errors.Join(fmt.Errorf("agent %s: serve: %w", a.name, err), a.stop(srv))
	case <-ctx.Done():
	}
	a.draining.Store(true)
	leave()
	err := a.stop(srv)
	<-served
	return err
}

// stop ends srv: gracefully while the grace lasts, then not.
func (a *Agent) stop(srv *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), a.opts.Grace)
	defer cancel()
	if srv.Shutdown(ctx) == nil {
		return nil
	}
	_ = srv.Close() // cancels the contexts of the jobs under way
	done := make(chan struct{})
	go func() { a.inFlight.Wait(); close(done) }()
	select {
	case <-done:
		return fmt.Errorf("agent %s: jobs were cut off after a grace of %s", a.name, a.opts.Grace)
	case <-time.After(afterGrace):
		return fmt.Errorf("agent %s: jobs still run %s after they were cut off", a.name, afterGrace)
	}
}
