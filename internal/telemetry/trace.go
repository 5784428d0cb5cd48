package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/myriad-mind/myriad"
)

// tracer is the sink that makes spans. Events come when things have ended, so each span is made whole, with the ids that the root
// package derives; agents that got the same ids in their traceparent header are its children.
type tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

func newTracer(ctx context.Context, endpoint, version string, log *slog.Logger) (*tracer, error) {
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, myriad.Errorf(myriad.CodeInvalid, "otlp_endpoint: %q is not an http or https URL", endpoint)
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint), otlptracehttp.WithTimeout(5*time.Second))
	if err != nil {
		return nil, fmt.Errorf("set up the OTLP exporter: %w", err)
	}
	return tracerTo(sdktrace.NewBatchSpanProcessor(&loud{SpanExporter: exporter, log: log}, sdktrace.WithMaxQueueSize(8192)), version), nil
}

func tracerTo(processor sdktrace.SpanProcessor, version string) *tracer {
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(processor),
		sdktrace.WithIDGenerator(givenIDs{}),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "myriad"), attribute.String("service.version", version))),
	)
	return &tracer{provider: provider, tracer: provider.Tracer("github.com/myriad-mind/myriad")}
}

func (t *tracer) close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last spans: %w", err)
	}
	return nil
}

// Emit makes the span that a finished run, task or attempt is.
func (t *tracer) Emit(e myriad.Event) {
	run := myriad.RunSpan(e.RunID, e.TraceParent)
	switch e.Kind {
	case myriad.KindRunFinished:
		parent, _ := myriad.ParseTraceParent(e.TraceParent)
		t.span(span{name: "run", self: run, parent: parent, start: e.Run.StartedAt, end: e.Run.FinishedAt,
			failed: failure(e.Run.Status != myriad.RunSuccess, string(e.Run.Status)),
			attrs: []attribute.KeyValue{attribute.String("myriad.run_id", e.RunID), attribute.String("myriad.status", string(e.Run.Status)),
				attribute.Int("myriad.tasks", e.Run.Tasks), attribute.Int("myriad.succeeded", e.Run.Succeeded)}})
	case myriad.KindTaskFinished:
		t.span(span{name: "task", self: run.TaskSpan(e.RunID, e.TaskID), parent: run, start: e.At.Add(-e.Duration), end: e.At,
			failed: failure(!e.Result.Succeeded, e.Result.ErrorCode),
			attrs: []attribute.KeyValue{attribute.String("myriad.run_id", e.RunID), attribute.String("myriad.task_id", e.TaskID),
				attribute.String("myriad.concept", e.Task.Concept), attribute.String("myriad.intent", e.Task.Intent),
				attribute.String("myriad.status", e.Result.Status), attribute.String("myriad.source", e.Result.Provenance.Source),
				attribute.Float64("myriad.queued_ms", e.Result.Provenance.QueuedMS)}})
	case myriad.KindAttempt:
		t.span(span{name: "attempt", kind: trace.SpanKindClient, self: run.AttemptSpan(e.RunID, e.TaskID, int(e.Count)),
			parent: run.TaskSpan(e.RunID, e.TaskID), start: e.At.Add(-e.Duration), end: e.At,
			failed: failure(e.Attempt.Outcome.Class() != myriad.ClassSuccess, e.Attempt.Error),
			attrs: []attribute.KeyValue{attribute.String("myriad.run_id", e.RunID), attribute.String("myriad.task_id", e.TaskID),
				attribute.String("myriad.agent", e.Agent), attribute.String("server.address", e.Endpoint),
				attribute.String("myriad.outcome", string(e.Attempt.Outcome)), attribute.Bool("myriad.hedge", e.Attempt.Hedge)}})
	}
}

type span struct {
	name         string
	kind         trace.SpanKind
	self, parent myriad.TraceParent
	start, end   time.Time
	failed       error
	attrs        []attribute.KeyValue
}

func (t *tracer) span(s span) {
	ctx := context.WithValue(context.Background(), idsKey{}, s.self)
	if s.parent.SpanID != [8]byte{} {
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: s.parent.TraceID, SpanID: s.parent.SpanID, TraceFlags: trace.TraceFlags(s.parent.Flags), Remote: true}))
	}
	_, sp := t.tracer.Start(ctx, s.name, trace.WithTimestamp(s.start), trace.WithSpanKind(s.kind), trace.WithAttributes(s.attrs...))
	if s.failed != nil {
		sp.SetStatus(codes.Error, s.failed.Error())
	}
	sp.End(trace.WithTimestamp(s.end))
}

func failure(failed bool, why string) error {
	if !failed {
		return nil
	}
	return errors.New(why)
}

type idsKey struct{}

// givenIDs takes a span's ids from its context, where span put them.
type givenIDs struct{}

func (givenIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	tp, _ := ctx.Value(idsKey{}).(myriad.TraceParent)
	return tp.TraceID, tp.SpanID
}

func (givenIDs) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	tp, _ := ctx.Value(idsKey{}).(myriad.TraceParent)
	return tp.SpanID
}

// loud logs what the collector refuses, since the batch processor only tells a process-wide handler.
type loud struct {
	sdktrace.SpanExporter
	log *slog.Logger
}

func (l *loud) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := l.SpanExporter.ExportSpans(ctx, spans)
	if err != nil {
		l.log.Warn("spans lost", "count", len(spans), "error", err)
	}
	return err
}
