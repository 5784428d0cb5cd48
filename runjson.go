package myriad

import (
	"encoding/json"
	"slices"
)

// AppendJSON appends the summary as JSON.
func (s *RunSummary) AppendJSON(b []byte) []byte {
	o := begin(b)
	s.append(&o)
	return o.end()
}

func (s *RunSummary) append(o *object) {
	o.str("run_id", s.RunID)
	o.str("status", string(s.Status))
	o.int("tasks", int64(s.Tasks))
	o.int("succeeded", int64(s.Succeeded))
	o.time("started_at", s.StartedAt)
	if !s.FinishedAt.IsZero() {
		o.time("finished_at", s.FinishedAt)
	}
	o.num("duration_ms", s.DurationMS)
	o.num("critical_path_ms", s.CriticalPathMS)
	o.num("queued_ms", s.QueuedMS)
	o.num("orchestration_ms", s.OrchestrationMS)
	o.num("sequential_ms", s.SequentialMS)
	o.num("parallelism", s.Parallelism)
}

// AppendJSON appends the run as the API shows it: its summary and, keyed by task id in plan order, the results there are by now. What only
// the store keeps beside them (log, key, plan) is not among it.
func (r *RunRecord) AppendJSON(b []byte) []byte {
	return r.SpillJSON(b, func(b []byte) []byte { return b })
}

// SpillJSON is AppendJSON for runs of any length: after every result spill gets what was appended so far, and gives back what to append to.
func (r *RunRecord) SpillJSON(b []byte, spill func([]byte) []byte) []byte {
	o := begin(b)
	r.RunSummary.append(&o)
	o.key("results")
	results := begin(o.b)
	for i := range r.Results {
		if result := &r.Results[i]; result.Status != "" {
			results.anyKey(result.TaskID.Key)
			results.b = spill(result.AppendJSON(results.b))
		}
	}
	o.b = results.end()
	return o.end()
}

// MarshalJSON is AppendJSON.
func (r RunRecord) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }

// UnmarshalJSON reads a run as AppendJSON writes it; the results keep their order.
func (r *RunRecord) UnmarshalJSON(data []byte) error {
	*r = RunRecord{}
	if err := json.Unmarshal(data, &r.RunSummary); err != nil {
		return Errorf(CodeInvalid, "reading a run: %w", err)
	}
	for name, value := range Fields(data) {
		if string(name) != "results" {
			continue
		}
		r.Results = r.Results[:0]
		for key, raw := range Fields(value) {
			var result Result
			if err := result.read(slices.Clone(raw)); err != nil {
				return Errorf(CodeInvalid, "reading the result of task %q: %w", key, err)
			}
			result.TaskID.Key = string(key)
			r.Results = append(r.Results, result)
		}
	}
	return nil
}
