package telemetry

import (
	"context"
	"log/slog"

	"github.com/myriad-mind/myriad"
)

// logSink writes one line for what an operator wants to know without asking (breakers, parking, a stale graph, losses, runs that did not
// succeed) and debug lines for every run, task and attempt. The fleet writes lines of its own about its instances, with causes that events
// do not have; here they are debug lines.
type logSink struct{ log *slog.Logger }

// Emit logs one event at the level that its kind deserves.
func (s *logSink) Emit(e myriad.Event) {
	level := levelOf(e)
	ctx := context.Background()
	if !s.log.Enabled(ctx, level) {
		return
	}
	s.log.LogAttrs(ctx, level, string(e.Kind), attributes(e)...)
}

func levelOf(e myriad.Event) slog.Level {
	switch e.Kind {
	case myriad.KindPanic:
		return slog.LevelError
	case myriad.KindLost, myriad.KindGraphStale:
		return slog.LevelWarn
	case myriad.KindBreaker, myriad.KindParked, myriad.KindGraphFresh, myriad.KindAgentPut, myriad.KindAgentGone,
		myriad.KindNeurogenesis:
		return slog.LevelInfo
	case myriad.KindRunFinished:
		if e.Run.Status != myriad.RunSuccess {
			return slog.LevelInfo
		}
	}
	return slog.LevelDebug
}

func attributes(e myriad.Event) []slog.Attr {
	attrs := make([]slog.Attr, 0, 8)
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("run_id", e.RunID)
	add("task_id", e.TaskID)
	add("agent", e.Agent)
	add("endpoint", e.Endpoint)
	add("concept", e.Concept)
	add("instance", e.Instance)
	add("runtime", e.Runtime)
	add("circuit", e.Circuit)
	add("old", e.From)
	add("new", e.To)
	add("reason", e.Reason)
	if e.Count != 0 {
		attrs = append(attrs, slog.Int64("count", e.Count))
	}
	if e.Kind == myriad.KindInstance && e.Duration > 0 {
		attrs = append(attrs, slog.Duration("cold_start", e.Duration))
	}
	if e.RetryAfter > 0 {
		attrs = append(attrs, slog.Duration("retry_after", e.RetryAfter))
	}
	if r := e.Run; r != nil && e.Kind == myriad.KindRunFinished {
		attrs = append(attrs, slog.String("status", string(r.Status)), slog.Int("tasks", r.Tasks), slog.Int("succeeded", r.Succeeded),
			slog.Float64("duration_ms", r.DurationMS))
	}
	if r := e.Result; r != nil {
		attrs = append(attrs, slog.String("status", r.Status), slog.Bool("succeeded", r.Succeeded))
		add("error_code", r.ErrorCode)
		add("error_message", r.ErrorMessage)
	}
	if a := e.Attempt; a != nil {
		attrs = append(attrs, slog.String("outcome", string(a.Outcome)), slog.Float64("duration_ms", a.DurationMS))
		add("error", a.Error)
	}
	add("stack", e.Stack)
	return attrs
}
