package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/call"
	"github.com/myriad-mind/myriad/internal/config"
	"github.com/myriad-mind/myriad/internal/discovery"
	"github.com/myriad-mind/myriad/internal/dispatch"
	"github.com/myriad-mind/myriad/internal/egress"
	"github.com/myriad-mind/myriad/internal/httpapi"
	"github.com/myriad-mind/myriad/internal/inprocrt"
	"github.com/myriad-mind/myriad/internal/lifecycle"
	"github.com/myriad-mind/myriad/internal/neurogenesis"
	"github.com/myriad-mind/myriad/internal/orchestrator"
	"github.com/myriad-mind/myriad/internal/resilience"
	"github.com/myriad-mind/myriad/internal/sqlitestore"
	"github.com/myriad-mind/myriad/internal/telemetry"
)

// server is every part of a Myriad server. Make it with newServer; run it with run, once.
type server struct {
	cfg config.Config
	log *slog.Logger

	hub          *httpapi.Hub
	telemetry    *telemetry.Telemetry
	store        *sqlitestore.Store
	graph        myriad.Graph
	graphGuard   *graphGuard
	dialer       *egress.Dialer
	connections  connections
	dispatcher   *dispatch.Dispatcher
	caller       *call.Caller
	directory    *discovery.Directory
	inproc       *inprocrt.Runtime // nil when knowledge agents are in containers
	fleet        *lifecycle.Manager
	grower       *neurogenesis.Grower
	orchestrator *orchestrator.Orchestrator
	api          *httpapi.API
	http         *http.Server
	listener     net.Listener
}

// options change a server for the commands that run one of their own.
type options struct {
	wrapGraph func(myriad.Graph) myriad.Graph // for the demo, which takes the graph away for a moment
	noListen  bool                            // for run --local
}

// newServer wires the system, from the store up to the listener. When a part fails, the parts before it are closed.
func newServer(ctx context.Context, cfg config.Config, log *slog.Logger, opts options) (_ *server, err error) {
	s := &server{cfg: cfg, log: log, hub: httpapi.NewHub()}
	defer func() {
		if err != nil {
			s.close(ctx)
		}
	}()
	if s.telemetry, err = telemetry.New(ctx, telemetry.Config{Logger: log, OTLPEndpoint: cfg.OTLPEndpoint, Version: version(), Gauges: s.gauges()}); err != nil {
		return nil, err
	}
	sink := myriad.Sinks{s.telemetry, s.hub}

	if s.store, err = sqlitestore.Open(ctx, cfg.Data, sqlitestore.Options{Sink: sink, Logger: log, FlushEvery: cfg.Store.FlushInterval * 9 / 10,
		MaxRuns: cfg.Store.MaxRuns, MaxRunBytes: int64(cfg.Store.MaxRunBytes), MaxGoodBytes: int64(cfg.Cache.MaxBytes),
		GoodMemoryBytes: int64(cfg.Cache.MaxBytes) / 2, MaxGoodAge: cfg.Cache.MaxAge}); err != nil {
		return nil, err
	}
	s.graph = s.store.Graph()
	if opts.wrapGraph != nil {
		s.graph = opts.wrapGraph(s.graph)
	}
	token, err := ensureToken(cfg)
	if err != nil {
		return nil, err
	}

	policy, err := egress.Parse(cfg.Call.NetworksAllow, cfg.Call.NetworksDeny)
	if err != nil {
		return nil, myriad.Errorf(myriad.CodeInvalid, "call.networks_allow, call.networks_deny: %w", err)
	}
	s.dialer = egress.NewDialer(policy, egress.Options{ConnectTimeout: cfg.Call.ConnectTimeout})
	s.dispatcher = dispatch.New(cfg.Slots.Total, cfg.Slots.PerAgent)
	s.dispatcher.OnPanic(func(value any, stack []byte) {
		sink.Emit(myriad.Event{Kind: myriad.KindPanic, At: time.Now(), Reason: fmt.Sprint(value), Stack: string(stack)})
	})
	callConfig, err := s.callConfig(sink)
	if err != nil {
		return nil, err
	}
	if s.caller, err = call.New(callConfig); err != nil {
		return nil, err
	}
	s.graphGuard = newGraphGuard(cfg.GraphBreaker, sink)
	s.directory = discovery.New(discovery.Config{Graph: s.graph, Guard: s.graphGuard, Signals: s.signals, Awake: s.awake, Sink: sink, Gone: s.forget})
	if err := s.newFleet(sink); err != nil {
		return nil, err
	}
	if s.orchestrator, err = orchestrator.New(orchestrator.Config{Finder: s.directory, Dispatcher: s.dispatcher, Caller: s.caller, Recorder: s.store,
		Waker: s.fleet, Grower: s.grower, LastGood: s.lastGood(), Sink: sink, Logger: log, Limits: s.runLimits(), ReadingIntents: cfg.Call.ReadingIntents}); err != nil {
		return nil, err
	}
	if s.api, err = httpapi.New(httpapi.Config{Runs: s.orchestrator, Agents: registry{s.fleet, s.directory}, Fleet: s.fleet, DynamicAgents: cfg.Fleet.Grow, Discover: s.directory, Breakers: s.caller, Checker: s.dialer,
		Metrics: s.telemetry.Handler(), Ready: s.ready, Degraded: s.degraded, Graph: httpapi.GraphStatus{URL: "sqlite:" + cfg.Data, Ping: s.directory.Ping},
		Sink: sink, Hub: s.hub, Logger: log, Listen: cfg.Listen, Hosts: cfg.AllowedHosts, Origins: cfg.Origins, Token: token, Insecure: cfg.Insecure,
		Version: version(), MaxBody: int64(cfg.HTTP.MaxBody)}); err != nil {
		return nil, err
	}
	if err := s.fleet.Start(ctx); err != nil {
		return nil, err
	}
	if opts.noListen {
		return s, nil
	}
	return s, s.listen(ctx)
}

// run carries the server until ctx ends, and then stops it in order: no new runs; running ones finish, or are cancelled after the grace; records
// are written; everything is closed. It returns nil after an orderly stop.
func (s *server) run(ctx context.Context) error {
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	storing, stopStoring := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStoring()
	var parts, stores sync.WaitGroup
	failed := make(chan error, 4)
	start := func(group *sync.WaitGroup, ctx context.Context, what string, f func(context.Context) error) {
		group.Go(func() {
			if err := f(ctx); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("%s: %w", what, err)
			}
		})
	}
	start(&stores, storing, "write to the store", s.store.Run)
	start(&parts, background, "watch the graph", s.directory.Run)
	start(&parts, background, "govern the fleet", s.fleet.Run)
	if s.listener != nil {
		start(&parts, background, "serve", func(context.Context) error { return s.http.Serve(s.listener) })
	}
	var err error
	select {
	case <-ctx.Done():
		s.log.Info("stopping", "grace", s.cfg.Grace)
	case err = <-failed:
		s.log.Error("stopping because a part failed", "error", err)
	}

	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Grace)
	defer cancel()
	err = errors.Join(err, s.drain(grace))
	stopBackground()
	parts.Wait()
	stopStoring()
	stores.Wait()
	s.close(context.WithoutCancel(ctx))
	return err
}

// drain ends what clients see: runs first, because requests wait for them, then the agents that were brought to life, then the listener.
func (s *server) drain(grace context.Context) error {
	err := s.orchestrator.Drain(grace)
	s.grower.Close()
	err = errors.Join(err, s.drainFleet(context.WithoutCancel(grace)))
	if s.listener == nil {
		return err
	}
	s.api.Close()
	last, cancel := context.WithTimeout(context.WithoutCancel(grace), 5*time.Second)
	defer cancel()
	if e := s.http.Shutdown(last); e != nil {
		err = errors.Join(err, fmt.Errorf("close the last connections: %w", errors.Join(e, s.http.Close())))
	}
	return err
}

// close frees what newServer made, in the opposite order. Parts that were not made are passed over.
func (s *server) close(ctx context.Context) {
	if s.listener != nil {
		s.listener.Close()
	}
	if s.api != nil {
		s.api.Close()
	}
	if s.grower != nil {
		s.grower.Close()
	}
	if s.fleet != nil {
		if err := s.drainFleet(ctx); err != nil {
			s.log.Error("end the fleet", "error", err)
		}
	}
	if s.directory != nil {
		s.directory.Close()
	}
	if s.caller != nil {
		s.caller.Close()
	}
	if s.dispatcher != nil {
		s.dispatcher.Close()
	}
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			s.log.Error("close the store", "error", err)
		}
	}
	if s.telemetry != nil {
		flush, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := s.telemetry.Close(flush); err != nil {
			s.log.Warn("close telemetry", "error", err)
		}
	}
}

func (s *server) listen(ctx context.Context) error {
	tls, err := tlsConfig(s.cfg)
	if err != nil {
		return err
	}
	s.http = httpapi.Server(httpapi.ServerConfig{API: s.api, TLS: tls, Logger: s.log})
	s.http.ReadHeaderTimeout, s.http.IdleTimeout = s.cfg.HTTP.ReadHeaderTimeout, s.cfg.HTTP.IdleTimeout
	s.http.MaxHeaderBytes = int(s.cfg.HTTP.MaxHeader)
	var lc net.ListenConfig
	if s.listener, err = lc.Listen(ctx, "tcp", s.cfg.Listen); err != nil {
		return fmt.Errorf("cannot listen on %s: %w (--listen chooses another address)", s.cfg.Listen, err)
	}
	if tls != nil {
		s.listener = tlsListener(s.listener, tls)
	}
	return nil
}

// url is where the server can be reached.
func (s *server) url() string {
	scheme := "http"
	if s.cfg.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + s.listener.Addr().String()
}

func (s *server) callConfig(sink myriad.Sink) (call.Config, error) {
	c := s.cfg
	cfg := call.Config{Slots: s.dispatcher, Sink: sink, Version: version(), Dial: s.connections.counting(s.dialer.DialContext),
		MaxConns: cmp.Or(c.Call.MaxConnections, c.Slots.Total), MaxPerHost: max(c.Call.MaxConnections, c.Slots.Total),
		ConnectTimeout: c.Call.ConnectTimeout, AttemptTimeout: c.Call.AttemptTimeout, Lease: s.lease, Local: s.local, MaxJob: int(c.Call.MaxJob), MaxAnswer: int(c.Call.MaxAnswer),
		ReadingIntents: c.Call.ReadingIntents, MaxAttempts: c.Retry.MaxAttempts,
		Backoff: resilience.Backoff{Base: c.Retry.BackoffBase, Max: c.Retry.BackoffMax},
		Budget:  resilience.BudgetConfig{Ratio: offWhenZero(c.Retry.BudgetRatio), Min: offWhenZero(c.Retry.BudgetMin)},
		Hedge:   resilience.Hedge{Min: c.Hedge.MinDelay, Max: c.Hedge.MaxDelay}, NoHedge: !c.Hedge.Enabled,
		Breaker: resilience.BreakerConfig{ConsecutiveFailures: c.Breaker.Failures, OpenFor: c.Breaker.OpenFor, MaxOpenFor: c.Breaker.MaxOpenFor,
			FailureRatio: c.Breaker.FailureRatio, SlowCall: c.Breaker.SlowCall, SlowRatio: c.Breaker.SlowRatio, Window: c.Breaker.Window, MinCalls: c.Breaker.MinCalls}}
	if c.Slots.Adaptive {
		cfg.Adaptive = &resilience.LimitConfig{Max: c.Slots.Total, Initial: c.Slots.PerAgent}
	}
	if c.Call.Proxy != "" {
		proxy, err := url.Parse(c.Call.Proxy)
		if err != nil || proxy.Host == "" {
			return cfg, myriad.Errorf(myriad.CodeInvalid, "call.proxy: %q is not a URL", c.Call.Proxy)
		}
		cfg.Proxy = http.ProxyURL(proxy)
	}
	return cfg, nil
}

// offWhenZero turns our 0, which is none, into the policies' word for it.
func offWhenZero[T int | int64 | float64](n T) T {
	if n == 0 {
		return -1
	}
	return n
}

func (s *server) runLimits() orchestrator.Limits {
	r := s.cfg.Run
	return orchestrator.Limits{RunTimeout: r.Timeout, MaxRunTimeout: r.MaxTimeout, MaxTasks: r.MaxTasks, MaxArgsBytes: int(r.MaxArgs), MaxArgsDepth: r.MaxArgsDepth,
		MaxResultBytes: int64(r.MaxResults), MaxRuns: r.MaxRuns, MaxWaiting: r.MaxWaiting, GoodMaxAge: s.cfg.Cache.MaxAge, MaxJobBytes: int(s.cfg.Call.MaxJob)}
}

// signals are the parts of an agent's rank that change from moment to moment.
func (s *server) signals(a *myriad.Agent, intent string) (availability, load, latency float64) {
	availability, latency = s.caller.Signals(a, intent)
	return availability, 1 - s.dispatcher.Load(a), latency
}

// forget drops what is kept of an agent that is gone.
func (s *server) forget(a myriad.Agent) {
	s.caller.Forget(a)
	s.dispatcher.Forget(a.SlotKey())
}
