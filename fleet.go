package myriad

import "time"

// The states of an instance. Legal moves: queued -> starting, stopped; starting -> ready, failed, draining; ready -> draining, failed;
// draining -> stopped, failed; failed -> starting (after its cool-down), stopped.
const (
	InstanceQueued   = "queued"
	InstanceStarting = "starting"
	InstanceReady    = "ready"
	InstanceDraining = "draining"
	InstanceStopped  = "stopped"
	InstanceFailed   = "failed"
)

// Why an instance ended or moved; the words of Event.Reason on instance events.
const (
	ReasonIdle     = "idle"
	ReasonAge      = "age"
	ReasonEvicted  = "evicted"
	ReasonOperator = "operator"
	ReasonShutdown = "shutdown"
	ReasonCrashed  = "crashed"
	ReasonFailed   = "failed"
	ReasonDeleted  = "deleted"
	ReasonAdopted  = "adopted" // it was alive already: an earlier life of the server had started it
)

// FleetLimits bound the fleet. A zero TotalCPU or TotalMemoryBytes is no budget.
type FleetLimits struct {
	MaxAgents        int     `json:"max_agents"`         // instances that hold resources, starting and draining ones included
	TotalCPU         float64 `json:"total_cpu"`          // cores, over all instances' limits
	TotalMemoryBytes int64   `json:"total_memory_bytes"` // over all instances' limits
	IdleTimeoutMS    int64   `json:"idle_timeout_ms"`    // then it is hibernated
	MaxAgeMS         int64   `json:"max_age_ms"`         // then it is replaced
	MinLifeMS        int64   `json:"min_life_ms"`        // younger instances are not evicted
	MaxQueue         int     `json:"max_queue"`
	QueueMaxAgeMS    int64   `json:"queue_max_age_ms"`
	Instance         Limits  `json:"instance"` // defaults of one instance
}

// InstanceStatus is one instance as /v1/fleet shows it.
type InstanceStatus struct {
	ID         string    `json:"id"`
	Agent      string    `json:"agent"`
	Concept    string    `json:"concept,omitempty"`
	Runtime    string    `json:"runtime"`
	State      string    `json:"state"`
	Reason     string    `json:"reason,omitempty"`
	Endpoint   string    `json:"endpoint,omitempty"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	AgeMS      int64     `json:"age_ms"`
	IdleMS     int64     `json:"idle_ms"`
	InFlight   int       `json:"in_flight"` // pins: jobs under way and askers that wait for their answer
	Restarts   int       `json:"restarts"`
	ColdMS     float64   `json:"cold_start_ms,omitempty"`
	Limits     Limits    `json:"limits"`
	Unenforced []string  `json:"unenforced,omitempty"` // names of limits that the platform could not put in force
	Usage      *Usage    `json:"usage,omitempty"`
	Error      string    `json:"error,omitempty"`    // why a failed instance failed
	LastLog    string    `json:"last_log,omitempty"` // of failed instances
}

// The kinds of queue entries.
const (
	QueueGrow = "grow" // one per concept
	QueueWake = "wake" // one per agent
)

// QueueEntry is a request that waits for room in the fleet. It is in the store before its asker is told.
type QueueEntry struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Concept  string    `json:"concept,omitempty"`
	Agent    string    `json:"agent,omitempty"`
	Intent   string    `json:"intent,omitempty"`
	Priority int       `json:"priority"`
	QueuedAt time.Time `json:"queued_at"`
	Position int       `json:"position"` // from 1
	AgeMS    int64     `json:"age_ms"`
}

// FleetStatus is the whole fleet at one moment.
type FleetStatus struct {
	Enabled   bool             `json:"enabled"`
	Limits    FleetLimits      `json:"limits"`
	InUse     int              `json:"in_use"` // instances that count against MaxAgents
	Instances []InstanceStatus `json:"instances"`
	Queue     []QueueEntry     `json:"queue"`
}

// WakeRequest asks for an agent to be awake: a packet that is in the store.
type WakeRequest struct {
	Agent    *Agent
	Kind     string // QueueWake, or QueueGrow for an agent that was just made
	Concept  string // canonical; what it is asked about, for the queue and people
	Intent   string
	Priority int       // 0..9, higher first in the queue
	Deadline time.Time // of the asker; zero is none but its ctx
	// Patience bounds the wait for room in the fleet, not the start itself; zero is until the deadline.
	Patience time.Duration
	// Passing is an asker that is served as well without the agent: when all who ask for it are of this kind, it leaves the queue with them, and once it
	// is awake and idle its room is for whoever needs it more, however young it is.
	Passing bool
}

// Woken is what a WakeRequest came to.
type Woken struct {
	Agent   *Agent         // awake, pinned until Release is called; nil on failure
	Cold    time.Duration  // from the decision to start until ready; 0 when it was awake
	Release func()         // not nil when Agent is set; must be called once, more is harmless
	Err     error          // a *Error whose Code is TaskErrFleetFull, TaskErrCoolingDown or TaskErrStart, or CodeDeadline, CodeCancelled, CodeDraining
	Queued  *QueuePosition // when Err is about room: where the agent waits on without its asker
}

// GrowRequest asks for an agent for a concept that nobody knows.
type GrowRequest struct {
	Concept  string // canonical
	Display  string // as the asker wrote it
	Intent   string // canonical
	Priority int    // 0..9
	Deadline time.Time
}

// InstanceRecord is what is kept of an instance while anything of it may be left, written before it is started: after a crash it tells
// what there was.
type InstanceRecord struct {
	ID        string
	Agent     string
	Runtime   string
	Revision  int64 // of the packet
	StartedAt time.Time
}

// PacketChange is a packet that the graph may not show yet.
type PacketChange struct {
	Packet  Packet
	Deleted bool // the packet is gone, the agent may still be in the graph
}

// Growth is what growing an agent for an unknown concept came to.
type Growth struct {
	Status     string // one of the StatusNeurogenesis words, StatusNoAgent when growth is off, "" when the concept got Agent without this request
	Agent      *Agent // awake and pinned until Release; nil when none could be made (yet)
	Release    func() // not nil when Agent is set; must be called once
	Cold       time.Duration
	Data       NeurogenesisData
	Definition string // the researched definition, for the result's data
	Queued     *QueuePosition
	RetryAfter time.Duration
	ErrorCode  string // a TaskErr word, when no agent came of it
	Message    string
}
