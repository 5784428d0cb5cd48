package myriad

import (
	"encoding/json"
	"time"
)

// RunStatus is the state of a run.
type RunStatus string

// The run statuses.
const (
	RunRunning     RunStatus = "running"
	RunSuccess     RunStatus = "success" // every task succeeded
	RunPartial     RunStatus = "partial" // some did
	RunFailed      RunStatus = "failed"  // none did
	RunTimeout     RunStatus = "timeout"
	RunCancelled   RunStatus = "cancelled"
	RunInterrupted RunStatus = "interrupted" // the process did not live to finish it
)

// Done says that the run will not change any more.
func (s RunStatus) Done() bool { return s != RunRunning && s != "" }

// RunSummary is a run without its results. Durations are milliseconds.
type RunSummary struct {
	RunID           string    `json:"run_id"`
	Status          RunStatus `json:"status"`
	Tasks           int       `json:"tasks"`
	Succeeded       int       `json:"succeeded"`
	StartedAt       time.Time `json:"started_at"`
	FinishedAt      time.Time `json:"finished_at,omitzero"`
	DurationMS      float64   `json:"duration_ms"`
	CriticalPathMS  float64   `json:"critical_path_ms"` // task durations along the critical path
	QueuedMS        float64   `json:"queued_ms"`        // waiting for slots along the critical path
	OrchestrationMS float64   `json:"orchestration_ms"` // duration_ms - critical_path_ms - queued_ms: our own share
	SequentialMS    float64   `json:"sequential_ms"`    // all task durations added up
	Parallelism     float64   `json:"parallelism"`      // sequential_ms / duration_ms
}

// RunRecord is a run with its results, as it is kept. Results are in plan order; results of unfinished tasks have no Status.
type RunRecord struct {
	RunSummary
	Results        []Result
	Log            []RunStep // what happened in order; event n of the run is Log[n-1]
	IdempotencyKey string
	BodyHash       string          // of the request's body, to tell a reused key; hex SHA-256
	Plan           json.RawMessage // the announced tasks, a JSON list of Planned
}

// RunStep is one event of a run: a RunEventKind, and the task's place in the plan where it is about one, else -1.
type RunStep struct {
	Kind string    `json:"kind"`
	Task int       `json:"task"`
	At   time.Time `json:"at"`
}

// The events of a run, in the names of its stream.
const (
	EventRunStarted   = "run.started"
	EventTaskStarted  = "task.started"
	EventTaskFinished = "task.finished"
	EventRunFinished  = "run.finished"
)

// RunEvent is one event of a run as its followers get it. IDs count from 1 without gaps; Data is the JSON of RunStarted, TaskStarted,
// Result or RunSummary, by Kind.
type RunEvent struct {
	ID   int
	Kind string
	Data json.RawMessage
}

// RunStarted is the data of EventRunStarted.
type RunStarted struct {
	RunID     string    `json:"run_id"`
	StartedAt time.Time `json:"started_at"`
	Tasks     []Planned `json:"tasks"`
}

// Planned is one task of a run as RunStarted announces it.
type Planned struct {
	TaskID       TaskID   `json:"task_id"`
	Concept      string   `json:"concept"`
	Intent       string   `json:"intent"`
	Dependencies []TaskID `json:"dependencies,omitempty"`
}

// TaskStarted is the data of EventTaskStarted: the task got a slot for the first time.
type TaskStarted struct {
	RunID    string    `json:"run_id"`
	TaskID   TaskID    `json:"task_id"`
	Agent    string    `json:"agent"`
	QueuedMS float64   `json:"queued_ms"`
	At       time.Time `json:"at"`
}
