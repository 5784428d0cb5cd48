package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/myriad-mind/myriad"
)

// pythonBuckets are the bounds that dashboards of the Python system were drawn for (wire facts 9.1).
var pythonBuckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

// fineBuckets reach from our own microseconds to a run's minutes.
var fineBuckets = []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// metrics is the sink that counts. Label values are drawn from closed sets, but for circuits, which are as many as agents were called and
// go when their agent goes.
type metrics struct {
	compat   compatMetrics
	runs     bounded
	tasks    bounded
	attempts bounded
	rejected bounded
	fallback bounded
	lost     bounded
	refused  bounded

	runSeconds, orchestration, queueWait, attemptSeconds, parallelism prometheus.Histogram
	retries, hedges, parks, panics                                    prometheus.Counter
	graphStale, runsActive                                            prometheus.Gauge
	circuits                                                          *circuits
	fleet                                                             *fleetMetrics
}

func newMetrics(r prometheus.Registerer, version string) *metrics {
	f := promauto.With(r)
	f.NewGaugeVec(prometheus.GaugeOpts{Name: "myriad_build_info", Help: "Always 1; the version is the label."}, []string{"version"}).
		WithLabelValues(version).Set(1)
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return f.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	}
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &metrics{
		compat: newCompatMetrics(f),
		runs: newBounded(f, "myriad_runs_total", "Runs by status.", "status", string(myriad.RunSuccess), string(myriad.RunPartial),
			string(myriad.RunFailed), string(myriad.RunTimeout), string(myriad.RunCancelled)),
		tasks: newBounded(f, "myriad_tasks_total", "Tasks by status; an agent's own word that is none of ours counts as other.", "status",
			myriad.StatusSuccess, myriad.StatusError, myriad.StatusTimeout, myriad.StatusServiceUnavailable, myriad.StatusNoAgent,
			myriad.StatusNeurogenesisSuccess, myriad.StatusNeurogenesisAgent, myriad.StatusNeurogenesisPartial,
			myriad.StatusNeurogenesisFailed, myriad.StatusSkipped, myriad.StatusCancelled),
		attempts: newBounded(f, "myriad_attempts_total", "Exchanges with agents by outcome.", "outcome", outcomeWords()...),
		rejected: newBounded(f, "myriad_rejections_total", "Candidates passed over without a call, by reason; retry_budget means that the budget was exhausted.",
			"reason", myriad.RejectedOpen, myriad.RejectedParked, myriad.RejectedNoSlot, myriad.RejectedBudget, myriad.RejectedRepeatable, myriad.RejectedAsleep),
		fallback: newBounded(f, "myriad_fallbacks_total", "Tasks that nobody could answer live, by the source of what was answered instead.", "source",
			myriad.SourceCache, myriad.SourceDefault, myriad.SourceNone),
		lost:           newBounded(f, "myriad_records_lost_total", "Records dropped because something bounded was full.", "what", "runs", "last_good", "agents", "events", "knowledge"),
		refused:        newBounded(f, "myriad_runs_refused_total", "Runs not taken, by reason.", "reason", string(myriad.CodeOverloaded), string(myriad.CodeDraining)),
		runSeconds:     histogram("myriad_run_duration_seconds", "Time of whole runs.", fineBuckets),
		orchestration:  histogram("myriad_orchestration_seconds", "Our own share of a run: duration less critical path less queueing on it.", fineBuckets),
		queueWait:      histogram("myriad_queue_wait_seconds", "Time that tasks waited for a slot.", fineBuckets),
		attemptSeconds: histogram("myriad_attempt_duration_seconds", "Time of exchanges with agents.", fineBuckets),
		parallelism:    histogram("myriad_run_parallelism", "Sequential time over duration of runs.", []float64{.5, .9, 1, 1.5, 2, 3, 5, 10, 20, 50, 100}),
		retries:        counter("myriad_retries_total", "Attempts made because an earlier one of the same task failed."),
		hedges:         counter("myriad_hedges_total", "Second attempts made because the first one was slow."),
		parks:          counter("myriad_parks_total", "Times that an agent told us to wait."),
		panics:         counter("myriad_panics_total", "Panics that were contained; each has its stack in the log."),
		runsActive:     f.NewGauge(prometheus.GaugeOpts{Name: "myriad_runs_active", Help: "Runs under way."}),
		graphStale: f.NewGauge(prometheus.GaugeOpts{Name: "myriad_graph_stale",
			Help: "1 while the graph does not answer and its last good view serves."}),
		circuits: newCircuits(f),
		fleet:    newFleetMetrics(f),
	}
}

// Emit counts one event.
func (m *metrics) Emit(e myriad.Event) {
	switch e.Kind {
	case myriad.KindRunStarted:
		m.runsActive.Inc()
	case myriad.KindRunFinished:
		m.runsActive.Dec()
		m.runs.add(string(e.Run.Status), 1)
		m.runSeconds.Observe(e.Run.DurationMS / 1000)
		m.orchestration.Observe(e.Run.OrchestrationMS / 1000)
		m.parallelism.Observe(e.Run.Parallelism)
	case myriad.KindRunRejected:
		m.refused.add(e.Reason, 1)
	case myriad.KindTaskFinished:
		m.tasks.add(taskStatus(e.Result), 1)
		m.queueWait.Observe(e.Result.Provenance.QueuedMS / 1000)
		m.compat.task(e.Result.Succeeded)
	case myriad.KindAttempt:
		m.attempts.add(string(e.Attempt.Outcome), 1)
		m.attemptSeconds.Observe(e.Duration.Seconds())
	case myriad.KindBreaker:
		m.circuits.change(e)
	case myriad.KindAgentGone:
		m.circuits.forget(e.Agent, e.Endpoint)
	case myriad.KindRetry:
		m.retries.Inc()
	case myriad.KindHedge:
		m.hedges.Inc()
	case myriad.KindRejected:
		m.rejected.add(e.Reason, 1)
	case myriad.KindFallback:
		m.fallback.add(e.Reason, 1)
	case myriad.KindParked:
		m.parks.Inc()
	case myriad.KindPanic:
		m.panics.Inc()
	case myriad.KindLost:
		m.lost.add(e.Reason, max(e.Count, 1))
	case myriad.KindGraphStale:
		m.graphStale.Set(1)
	case myriad.KindGraphFresh:
		m.graphStale.Set(0)
	case myriad.KindDiscover, myriad.KindQuery:
		m.compat.request(e)
	default:
		m.fleet.emit(e)
		if e.Kind == myriad.KindNeurogenesis {
			m.compat.neurogenesis.Inc()
		}
	}
}

// taskStatus is the status of a result when Myriad set it or the agent spoke one of the common words for what really happened.
func taskStatus(r *myriad.Result) string {
	if r.Succeeded == (r.Status == myriad.StatusSuccess || r.Status == myriad.StatusNeurogenesisAgent) {
		return r.Status
	}
	return other
}

func outcomeWords() []string {
	outcomes := []myriad.Outcome{myriad.OutcomeSuccess, myriad.OutcomeAgentError, myriad.OutcomeServerError, myriad.OutcomeEndpoint,
		myriad.OutcomeTimeout, myriad.OutcomeRefused, myriad.OutcomeReset, myriad.OutcomeDeadConn, myriad.OutcomeDNS, myriad.OutcomeTLS,
		myriad.OutcomeGarbage, myriad.OutcomeTooLarge, myriad.OutcomeCallerFault, myriad.OutcomeToldToWait, myriad.OutcomeCancelled,
		myriad.OutcomeLostHedge, myriad.OutcomeLocal, myriad.OutcomeCircuitOpen, myriad.OutcomeAsleep, myriad.OutcomePanic, myriad.OutcomeTaskDeadline}
	words := make([]string, len(outcomes))
	for i, o := range outcomes {
		words[i] = string(o)
	}
	return words
}
