package telemetry

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/myriad-mind/myriad"
)

// Config says where telemetry goes.
type Config struct {
	Logger       *slog.Logger // nil discards logs
	OTLPEndpoint string       // URL of an OTLP/HTTP collector; "" turns traces off
	Version      string
	Gauges       Gauges
}

// Telemetry is every sink together. It is a myriad.Sink; Close flushes what is still to be sent.
type Telemetry struct {
	myriad.Sinks
	registry *prometheus.Registry
	metrics  *metrics
	tracer   *tracer
}

// New builds the sinks. It returns an error when the OTLP endpoint is no usable URL; it does not wait for the collector to answer.
func New(ctx context.Context, cfg Config) (*Telemetry, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	t := &Telemetry{registry: prometheus.NewRegistry()}
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	t.metrics = newMetrics(t.registry, cfg.Version)
	cfg.Gauges.register(t.registry)
	t.Sinks = myriad.Sinks{t.metrics, &logSink{log: cfg.Logger}}
	if cfg.OTLPEndpoint != "" {
		tr, err := newTracer(ctx, cfg.OTLPEndpoint, cfg.Version, cfg.Logger)
		if err != nil {
			return nil, err
		}
		t.tracer = tr
		t.Sinks = append(t.Sinks, tr)
	}
	return t, nil
}

// Handler serves the metrics in the Prometheus text format.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// Close sends the spans that are still held; ctx bounds the wait.
func (t *Telemetry) Close(ctx context.Context) error {
	if t.tracer == nil {
		return nil
	}
	return t.tracer.close(ctx)
}
