package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/myriad-mind/myriad"
)

// compatMetrics are the orchestrator_* names that dashboards of the Python system read (wire facts 9.1), with their meanings mended where
// the original's were defects: the neurogenesis counter counts, and a task succeeds when its answer does.
type compatMetrics struct {
	queries          bounded
	discovery        bounded
	duration         prometheus.Histogram
	neurogenesis     prometheus.Counter
	success, failure prometheus.Counter
}

func newCompatMetrics(f promauto.Factory) compatMetrics {
	return compatMetrics{
		queries: newBounded(f, "orchestrator_queries_total", "Calls of /process: each counts as attempted and as how it ended.", "status",
			"attempted", "success", "invalid", "error"),
		discovery: newBounded(f, "orchestrator_agent_discovery_total", "Calls of /discover.", "status", "found", "not_found", "invalid", "error"),
		duration: f.NewHistogram(prometheus.HistogramOpts{Name: "orchestrator_query_duration_seconds",
			Help: "Time of whole /process calls.", Buckets: pythonBuckets}),
		neurogenesis: f.NewCounter(prometheus.CounterOpts{Name: "orchestrator_neurogenesis_total", Help: "Concepts that growth was tried for."}),
		success:      f.NewCounter(prometheus.CounterOpts{Name: "orchestrator_task_success_total", Help: "Tasks that succeeded."}),
		failure:      f.NewCounter(prometheus.CounterOpts{Name: "orchestrator_task_failure_total", Help: "Tasks that did not succeed."}),
	}
}

func (c *compatMetrics) task(succeeded bool) {
	if succeeded {
		c.success.Inc()
	} else {
		c.failure.Inc()
	}
}

func (c *compatMetrics) request(e myriad.Event) {
	if e.Kind == myriad.KindDiscover {
		c.discovery.add(e.Reason, 1)
		return
	}
	c.queries.add("attempted", 1)
	c.queries.add(e.Reason, 1)
	c.duration.Observe(e.Duration.Seconds())
}
