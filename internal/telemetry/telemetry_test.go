package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func scrape(t *testing.T, tel *Telemetry) string {
	t.Helper()
	rec := httptest.NewRecorder()
	tel.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if rec.Code != 200 {
		t.Fatalf("GET /metrics: %d", rec.Code)
	}
	return rec.Body.String()
}

func has(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if !strings.Contains(text, l+"\n") {
			t.Errorf("metrics lack %q", l)
		}
	}
}

func newTelemetry(t *testing.T, cfg Config) *Telemetry {
	t.Helper()
	tel, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

func TestNamesOfThePythonDashboard(t *testing.T) {
	tel := newTelemetry(t, Config{Gauges: Gauges{ActiveAgents: func() float64 { return 4 }}})
	tel.Emit(myriad.Event{Kind: myriad.KindQuery, Reason: "success", Duration: 20 * time.Millisecond})
	tel.Emit(myriad.Event{Kind: myriad.KindDiscover, Reason: "not_found"})
	tel.Emit(myriad.Event{Kind: myriad.KindNeurogenesis, Reason: myriad.StatusNeurogenesisSuccess})
	tel.Emit(taskFinished("success", true))
	tel.Emit(taskFinished("error", false))
	has(t, scrape(t, tel),
		`orchestrator_queries_total{status="attempted"} 1`, `orchestrator_queries_total{status="success"} 1`,
		`orchestrator_query_duration_seconds_bucket{le="0.025"} 1`, `orchestrator_active_agents 4`, `orchestrator_neurogenesis_total 1`,
		`orchestrator_task_success_total 1`, `orchestrator_task_failure_total 1`, `orchestrator_agent_discovery_total{status="not_found"} 1`)
}

func taskFinished(status string, succeeded bool) myriad.Event {
	return myriad.Event{Kind: myriad.KindTaskFinished, RunID: "r", TaskID: "1", Task: &myriad.Task{},
		Result: &myriad.Result{Status: status, Succeeded: succeeded}}
}

func TestAgentsWordsMakeNoSeries(t *testing.T) {
	tel := newTelemetry(t, Config{})
	tel.Emit(taskFinished("purple", true))
	tel.Emit(taskFinished("skipped", true)) // an agent's word that equals one of ours
	tel.Emit(myriad.Event{Kind: myriad.KindAttempt, Attempt: &myriad.Attempt{Outcome: "invented"}})
	text := scrape(t, tel)
	has(t, text, `myriad_tasks_total{status="other"} 2`, `myriad_tasks_total{status="skipped"} 0`, `myriad_attempts_total{outcome="other"} 1`)
	if strings.Contains(text, "purple") || strings.Contains(text, "invented") {
		t.Error("a word from outside became a label value")
	}
}

func TestBreakerSeries(t *testing.T) {
	tel := newTelemetry(t, Config{})
	has(t, scrape(t, tel), `myriad_circuit_breaker_state{circuit_name="GraphDB Manager"} 0`, `myriad_circuit_breaker_state{circuit_name="Agent Communication"} 0`)
	change := func(circuit, agent, from, to string) {
		tel.Emit(myriad.Event{Kind: myriad.KindBreaker, Circuit: circuit, Agent: agent, Endpoint: "http://" + agent, From: from, To: to})
	}
	change("A", "A", "closed", "open")
	change("B", "B", "closed", "open")
	change("B", "B", "open", "half_open")
	has(t, scrape(t, tel), `myriad_circuit_breaker_state{circuit_name="A"} 1`, `myriad_circuit_breaker_state{circuit_name="B"} 2`,
		`myriad_circuit_breaker_state{circuit_name="Agent Communication"} 1`, `myriad_circuit_breaker_transitions_total{circuit_name="B",to="half_open"} 1`)
	tel.Emit(myriad.Event{Kind: myriad.KindAgentGone, Agent: "A"})
	text := scrape(t, tel)
	has(t, text, `myriad_circuit_breaker_state{circuit_name="Agent Communication"} 2`)
	if strings.Contains(text, `circuit_name="A"`) {
		t.Error("the series of an agent that is gone stayed")
	}
	change("B", "B", "half_open", "closed")
	change("GraphDB Manager", "", "closed", "open")
	has(t, scrape(t, tel), `myriad_circuit_breaker_state{circuit_name="Agent Communication"} 0`, `myriad_circuit_breaker_state{circuit_name="GraphDB Manager"} 1`)
}

func TestInstanceGaugesFollowStates(t *testing.T) {
	tel := newTelemetry(t, Config{})
	move := func(id, from, to, reason string) {
		tel.Emit(myriad.Event{Kind: myriad.KindInstance, Instance: id, From: from, To: to, Reason: reason, Runtime: "process", Duration: time.Millisecond})
	}
	move("1", "", "starting", "")
	move("2", "", "starting", "")
	move("1", "starting", "ready", "")
	has(t, scrape(t, tel), `myriad_instances{state="starting"} 1`, `myriad_instances{state="ready"} 1`, `myriad_cold_start_seconds_count{runtime="process"} 1`)
	move("1", "ready", "draining", "idle")
	move("1", "draining", "stopped", "idle")
	move("2", "starting", "failed", "exit 1")
	has(t, scrape(t, tel), `myriad_instances{state="ready"} 0`, `myriad_instances{state="failed"} 1`, `myriad_instance_reaps_total{reason="idle"} 1`)
}

func TestBreakerIsOneInfoLine(t *testing.T) {
	var out bytes.Buffer
	tel := newTelemetry(t, Config{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	tel.Emit(myriad.Event{Kind: myriad.KindBreaker, Circuit: "A", From: "closed", To: "open", Reason: "3 failures in a row"})
	tel.Emit(taskFinished("success", true))
	got := out.String()
	for _, want := range []string{"level=INFO", "circuit=A", "old=closed", "new=open", `reason="3 failures in a row"`} {
		if !strings.Contains(got, want) {
			t.Errorf("log line lacks %s: %s", want, got)
		}
	}
	if strings.Count(got, "\n") != 1 {
		t.Errorf("want one line, got:\n%s", got)
	}
}

func TestSpansHaveDerivedIDs(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	tr := tracerTo(recorder, "test")
	client := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	runID, now := "01890a5d-ac96-774b-bcce-b302099a8057", time.Now()
	tr.Emit(myriad.Event{Kind: myriad.KindAttempt, At: now, RunID: runID, TaskID: "a", TraceParent: client, Count: 1, Duration: time.Second,
		Attempt: &myriad.Attempt{Outcome: myriad.OutcomeReset, Error: "reset"}})
	e := taskFinished("success", true)
	e.RunID, e.TaskID, e.TraceParent, e.At = runID, "a", client, now
	tr.Emit(e)
	tr.Emit(myriad.Event{Kind: myriad.KindRunFinished, RunID: runID, TraceParent: client, Run: &myriad.RunSummary{Status: myriad.RunSuccess, StartedAt: now, FinishedAt: now}})
	spans := recorder.Ended()
	if len(spans) != 3 {
		t.Fatalf("want 3 spans, got %d", len(spans))
	}
	attempt, task, run := spans[0], spans[1], spans[2]
	self := myriad.RunSpan(runID, client)
	if got := attempt.SpanContext(); got.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || got.SpanID() != self.AttemptSpan(runID, "a", 1).SpanID {
		t.Errorf("the attempt's ids are not those that were sent: %v", got)
	}
	if attempt.Parent().SpanID() != task.SpanContext().SpanID() || task.Parent().SpanID() != run.SpanContext().SpanID() {
		t.Error("attempt -> task -> run is not the chain of parents")
	}
	if run.Parent().SpanID().String() != "b7ad6b7169203331" {
		t.Error("the run is not the child of the client's span")
	}
	if got := attempt.EndTime().Sub(attempt.StartTime()); got != time.Second {
		t.Errorf("attempt lasted %v", got)
	}
	if err := tr.close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestBadCollectorURL(t *testing.T) {
	if _, err := New(t.Context(), Config{OTLPEndpoint: "localhost:4318"}); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("want invalid_request, got %v", err)
	}
}

type failing struct{ sdktrace.SpanExporter }

func (failing) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return errors.New("down") }

func TestLostSpansAreTold(t *testing.T) {
	var out bytes.Buffer
	l := &loud{SpanExporter: failing{}, log: slog.New(slog.NewTextHandler(&out, nil))}
	if l.ExportSpans(t.Context(), make([]sdktrace.ReadOnlySpan, 2)) == nil || !strings.Contains(out.String(), "count=2") {
		t.Errorf("the loss was not told: %q", out.String())
	}
}

func BenchmarkEmitTask(b *testing.B) {
	tel, err := New(b.Context(), Config{})
	if err != nil {
		b.Fatal(err)
	}
	e := taskFinished("success", true)
	b.ReportAllocs()
	for b.Loop() {
		tel.Emit(e)
	}
}
