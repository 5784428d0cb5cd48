package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/call"
	"github.com/myriad-mind/myriad/internal/config"
	"github.com/myriad-mind/myriad/internal/resilience"
	"github.com/myriad-mind/myriad/internal/telemetry"
)

// graphGuard is the breaker around the graph, in the shape that discovery asks for.
type graphGuard struct{ breaker *resilience.Breaker }

func newGraphGuard(cfg config.GraphBreaker, sink myriad.Sink) *graphGuard {
	return &graphGuard{resilience.NewBreaker(telemetry.GraphCircuit, resilience.BreakerConfig{ConsecutiveFailures: cfg.Failures, OpenFor: cfg.OpenFor,
		MaxOpenFor: cfg.OpenFor, Jitter: -1}, func(c resilience.Change) {
		sink.Emit(myriad.Event{Kind: myriad.KindBreaker, At: c.At, Circuit: c.Name, From: c.From.String(), To: c.To.String(), Reason: c.Reason, RetryAfter: c.RetryAfter})
	})}
}

// Acquire asks whether the graph may be asked; done must be told how it went.
func (g *graphGuard) Acquire() (done func(failed bool), err error) {
	permit, err := g.breaker.Acquire()
	if err != nil {
		_, wait := g.breaker.Ready()
		return nil, &myriad.Error{Code: myriad.CodeUnavailable, Message: err.Error(), RetryAfter: wait, Err: err}
	}
	return func(failed bool) {
		verdict := resilience.Success
		if failed {
			verdict = resilience.Failure
		}
		permit.Done(verdict)
	}, nil
}

// connections counts the open connections to agents.
type connections struct{ open atomic.Int64 }

func (c *connections) counting(dial call.DialFunc) call.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c.open.Add(1)
		return &countedConn{Conn: conn, closed: sync.OnceFunc(func() { c.open.Add(-1) })}, nil
	}
}

type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// gauges are read when metrics are asked for, by when every part is there.
func (s *server) gauges() telemetry.Gauges {
	var agents atomic.Int64 // the last count, for when the graph does not answer
	return telemetry.Gauges{
		ActiveAgents: func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if n, err := s.directory.CountAgents(ctx); err == nil {
				agents.Store(n)
			}
			return float64(agents.Load())
		},
		SlotsInUse:   func() float64 { return float64(s.dispatcher.InUse()) },
		SlotsTotal:   func() float64 { return float64(s.cfg.Slots.Total) },
		TasksWaiting: func() float64 { return float64(s.dispatcher.Waiting()) },
		Connections:  func() float64 { return float64(s.connections.open.Load()) },
		Writable: func() float64 {
			if s.degraded() != nil {
				return 0
			}
			return 1
		},
		Fleet: func() myriad.FleetStatus {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			return s.fleet.Status(ctx)
		},
	}
}

// keeper is where last good answers go.
type keeper interface {
	Good(ctx context.Context, key string) (myriad.GoodAnswer, bool)
	KeepGood(key string, a myriad.GoodAnswer)
}

// lastGood is the store, or nothing when the cache is switched off.
func (s *server) lastGood() keeper {
	if s.cfg.Cache.Enabled {
		return s.store
	}
	return forgetful{}
}

// forgetful keeps no answers.
type forgetful struct{}

func (forgetful) Good(context.Context, string) (myriad.GoodAnswer, bool) {
	return myriad.GoodAnswer{}, false
}
func (forgetful) KeepGood(string, myriad.GoodAnswer) {}

// ready says why the server should get no work.
func (s *server) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if s.orchestrator.Draining() {
		return myriad.Errorf(myriad.CodeDraining, "the server is shutting down")
	}
	if err := s.store.Graph().Ping(ctx); err != nil {
		return fmt.Errorf("the store does not answer: %w", err)
	}
	return nil
}

// degraded says what does not go although runs do.
func (s *server) degraded() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.store.Writable(ctx); err != nil {
		return fmt.Errorf("the store cannot be written: %w", err)
	}
	return nil
}

func tlsConfig(cfg config.Config) (*tls.Config, error) {
	if cfg.TLSCert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
	if err != nil {
		return nil, myriad.Errorf(myriad.CodeInvalid, "tls_cert, tls_key: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, nil
}

func tlsListener(l net.Listener, cfg *tls.Config) net.Listener { return tls.NewListener(l, cfg) }
