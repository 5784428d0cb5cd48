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
	InstanceID string // unique; labels everything the runtime makes
	OwnerID    string // of the data directory; a runtime never touches another owner's things
	Packet     Packet
	Limits     Limits // what holds for this instance, defaults applied
	Nonce      string // an agent made with the SDK echoes it on /health to prove that it is this instance
}

// Instance is a packet that runs.
type Instance interface {
	// Endpoint is where jobs go, an http URL on loopback.
	Endpoint() string
	// Ready asks once whether the instance answers and is this instance; nil is ready.
	Ready(ctx context.Context) error
	// Exited is closed when the instance is gone, whoever ended it; then Err says why (nil after Stop).
	Exited() <-chan struct{}
	Err() error
	// Stop ends the instance: asks first, kills when ctx ends. It returns when nothing of it is left; more than once is harmless.
	Stop(ctx context.Context) error
	// LastLog is the end of what the instance wrote, at most some KiB.
	LastLog() string
	// Usage is what the instance uses now; ok is false where the runtime cannot know.
	Usage(ctx context.Context) (u Usage, ok bool)
	// Unenforced names the limits that this runtime could not put in force here, like "memory".
	Unenforced() []string
}

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
	// Serves says whether the runtime can host the template.
	Serves(t Template) bool
	// Start begins an instance and returns without waiting for readiness. After an error nothing is left.
	Start(ctx context.Context, req StartRequest) (Instance, error)
	// Recover finds what an earlier life of this owner left: it returns what may be adopted and ends the rest, so that nothing is left that
	// was not returned. It is called once, before the first Start.
	Recover(ctx context.Context, ownerID string) ([]Left, error)
	// Close ends everything the runtime itself holds (listeners, helpers), not adoptable instances.
	Close(ctx context.Context) error
}
