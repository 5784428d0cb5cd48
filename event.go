package myriad

import "time"

// EventKind says what an Event tells, and with it which of the Event's fields are set.
type EventKind string

// The kinds of events.
const (
	KindRunStarted   EventKind = "run.started"       // Run
	KindRunFinished  EventKind = "run.finished"      // Run
	KindRunRejected  EventKind = "run.rejected"      // Reason: overloaded, draining
	KindTaskReady    EventKind = "task.ready"        // TaskID; not told for every task, only when someone listens
	KindTaskStarted  EventKind = "task.started"      // TaskID, Agent
	KindTaskFinished EventKind = "task.finished"     // TaskID, Task, Result, Duration
	KindAttempt      EventKind = "attempt.finished"  // TaskID, Agent, Endpoint, Attempt, Duration
	KindBreaker      EventKind = "breaker.changed"   // Circuit, From, To, Reason, RetryAfter
	KindParked       EventKind = "agent.parked"      // Agent, Endpoint, RetryAfter
	KindAgentPut     EventKind = "agent.put"         // Agent
	KindAgentGone    EventKind = "agent.gone"        // Agent, Endpoint
	KindGraphStale   EventKind = "graph.stale"       // Reason
	KindGraphFresh   EventKind = "graph.fresh"       //
	KindRetry        EventKind = "call.retry"        // Agent
	KindHedge        EventKind = "call.hedge"        // Agent
	KindRejected     EventKind = "call.rejected"     // Agent, Reason: a Rejected word
	KindFallback     EventKind = "task.fallback"     // TaskID, Reason: SourceCache, SourceDefault or SourceNone
	KindPanic        EventKind = "panic"             // Reason, Stack
	KindLost         EventKind = "record.lost"       // Reason, Count: something bounded was full and this much was dropped
	KindInstance     EventKind = "instance.changed"  // Agent, Instance, From, To, Reason, Duration (cold start when To is ready)
	KindQueue        EventKind = "fleet.queue"       // Count: depth now
	KindNeurogenesis EventKind = "neurogenesis"      // Concept, Reason: the outcome's status
	KindEvicted      EventKind = "instance.evicted"  // Agent, Reason
	KindUnenforced   EventKind = "limits.unenforced" // Agent, Reason
	KindDiscover     EventKind = "discover"          // Reason: found, not_found, invalid, error (compat route only)
	KindQuery        EventKind = "query"             // Reason: success, invalid, error; Duration (compat route only)
)

// Event is one thing that happened. The sink must not keep pointers past its return unless it copies; values are never changed after Emit.
type Event struct {
	Kind        EventKind
	At          time.Time
	RunID       string
	TaskID      string
	Agent       string
	Endpoint    string
	Concept     string
	Instance    string
	Runtime     string // inproc, process, docker: on instance events
	Circuit     string
	From, To    string
	Reason      string
	Stack       string
	Count       int64
	Duration    time.Duration
	RetryAfter  time.Duration
	Run         *RunSummary
	Task        *Task
	Result      *Result
	Attempt     *Attempt
	TraceParent string // of the run, on run and task events
}

// Sink takes events. Emit is called on hot paths by many goroutines: it must be quick, must not block, and must not call back.
type Sink interface{ Emit(Event) }

// SinkFunc is a function as a Sink.
type SinkFunc func(Event)

// Emit calls f.
func (f SinkFunc) Emit(e Event) { f(e) }

// Discard is the sink that forgets.
var Discard Sink = SinkFunc(func(Event) {})

// Sinks tells each of several sinks in turn.
type Sinks []Sink

// Emit tells every sink.
func (s Sinks) Emit(e Event) {
	for _, sink := range s {
		sink.Emit(e)
	}
}
