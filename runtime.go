package myriad

import (
	"context"
	"time"
)

// Packet is an agent as data: what has to be known to bring it to life. A dormant agent is only its packet.
type Packet struct {
	Agent    Agent     `json:"agent"` // with its Template; Endpoint is empty
	Revision int64     `json:"revision,omitempty"`
	Created  time.Time `json:"created_at,omitzero"`
	Updated  time.Time `json:"updated_at,omitzero"`
}

// StartRequest asks a Runtime for one instance of a packet.
type StartRequest struct {
	InstanceID string // unique, letters, digits and - ; labels everything the runtime makes
	OwnerID    string // of the data directory; a runtime never touches another owner's things
	Packet     Packet
	Limits     Limits // what holds for this instance, defaults applied; a zero value is no limit
	Nonce      string // an agent made with the SDK echoes it on /health to prove that it is this instance
}

// Instance is a packet that runs. Its methods are safe for concurrent use.
type Instance interface {
	// Endpoint is where jobs go, an http URL on loopback; what listens there is reachable from nowhere else. It never changes.
	Endpoint() string
	// Ready asks once whether the instance answers and is this instance; nil is ready. It returns soon, and at the latest when ctx ends.
	// It does not say that an instance is gone: Exited does.
	Ready(ctx context.Context) error
	// Exited is closed when the instance is gone, whoever ended it; then Err says why: nil after Stop, also when it had to be killed. Before,
	// Err is nil.
	Exited() <-chan struct{}
	Err() error
	// Stop ends the instance, ready or not. Nothing new is taken; jobs under way may finish while ctx lasts; when it ends, or has ended
	// already, what is left is killed. Stop returns when nothing of the instance is left, and nobody else answers at its endpoint for it: a
	// caller finds the connection refused, or 404, 410 or 503. Having killed is no error; an error says that something may be left, and
	// Exited is closed once it is gone. More than once, also at the same time, is harmless: the earliest end of their contexts counts, and each call
	// returns only when the instance is gone.
	Stop(ctx context.Context) error
	// LastLog is the end of what the instance wrote, at most 16 KiB. It may be asked for after the instance is gone.
	LastLog() string
	// Usage is what the instance uses now; ok is false where the runtime cannot know, and once the instance is gone.
	Usage(ctx context.Context) (u Usage, ok bool)
	// Unenforced names those of the instance's limits that this runtime could not put in force here: cpu, memory, pids.
	Unenforced() []string
}

// The names of limits, as Unenforced tells them.
const (
	LimitCPU    = "cpu"
	LimitMemory = "memory"
	LimitPIDs   = "pids"
)

// Usage is what an instance uses.
type Usage struct {
	CPUSeconds  float64 `json:"cpu_seconds"` // since its start
	MemoryBytes int64   `json:"memory_bytes"`
	PIDs        int64   `json:"pids"`
}

// Left is something of ours that an earlier life of the server left running.
type Left struct {
	InstanceID string
	Agent      string
	Revision   int64     // of the packet that it was started from
	StartedAt  time.Time //
	Limits     Limits    // what it was started with
	Instance   Instance  // alive and proven to be ours; whoever does not adopt it calls Stop
}

// Runtime starts and stops instances. Implementations are safe for concurrent use.
type Runtime interface {
	// Name is the word in API and metrics: inproc, process, docker.
	Name() string
	// Serves says whether the runtime can host the template. It does no I/O and may be asked at any time.
	Serves(t Template) bool
	// Start begins an instance and returns without waiting for readiness. ctx bounds the start alone: once Start has returned, its end does
	// nothing to the instance. After an error nothing is left. Errors carry a code: CodeInvalid for a packet that the runtime does not serve
	// or that cannot be started as it is (no such program or image), CodeConflict for an instance id that is in use, CodeDraining after Close,
	// CodeCancelled or CodeDeadline when ctx ended, CodeUnavailable when what the runtime needs does not answer. A program that starts and then
	// ends at once is no error of Start: its instance has Exited.
	Start(ctx context.Context, req StartRequest) (Instance, error)
	// Recover finds what an earlier life of this owner left: it returns what may be adopted and ends the rest, so that nothing is left that
	// was not returned. It is called before the first Start, and again after an error, which says that it cannot tell yet (CodeUnavailable).
	Recover(ctx context.Context, ownerID string) ([]Left, error)
	// Close ends everything the runtime itself holds (listeners, helpers), not adoptable instances; instances that could not live on without
	// it are stopped, killed when ctx ends. More than once is harmless.
	Close(ctx context.Context) error
}
