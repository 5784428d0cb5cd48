package myriad

import "time"

// GoodAnswer is the last good answer to one question, kept for when nobody can answer.
type GoodAnswer struct {
	Answer   Answer
	Agent    string
	Endpoint string
	At       time.Time // when the agent gave it
}

// BreakerState is a circuit breaker as API and events show it.
type BreakerState struct {
	Circuit             string    `json:"circuit"` // the name in metrics
	Agent               string    `json:"agent,omitempty"`
	Endpoint            string    `json:"endpoint,omitempty"`
	State               string    `json:"state"` // closed, open, half_open
	Mode                string    `json:"mode"`  // auto, forced_open, forced_closed
	ConsecutiveFailures int       `json:"consecutive_failures"`
	Reason              string    `json:"reason,omitempty"` // of the last transition
	ChangedAt           time.Time `json:"changed_at,omitzero"`
	NextProbeAt         time.Time `json:"next_probe_at,omitzero"` // while open
	RetryAfterMS        int64     `json:"retry_after_ms,omitempty"`
}
