package myriad

import (
	"encoding/json"
	"time"
)

// The statuses that Myriad itself sets on a result. An agent's own status passes through unchanged.
const (
	StatusSuccess             = "success"
	StatusError               = "error"
	StatusTimeout             = "timeout"
	StatusServiceUnavailable  = "service_unavailable"
	StatusNoAgent             = "no_agent_available"
	StatusNeurogenesisSuccess = "neurogenesis_success"
	StatusNeurogenesisAgent   = "neurogenesis_with_agent_creation"
	StatusNeurogenesisPartial = "neurogenesis_partial"
	StatusNeurogenesisFailed  = "neurogenesis_failed"
	StatusSkipped             = "skipped"
	StatusCancelled           = "cancelled"
)

// The stable error_code words of results.
const (
	TaskErrAgent         = "agent_error"         // a 2xx answer whose own status is error, or a 5xx
	TaskErrEndpoint      = "endpoint_error"      // 401, 403, 404, 405, 410: the endpoint, not the request, is at fault
	TaskErrRejected      = "rejected_by_agent"   // another 4xx: the caller's fault, handed back as it is
	TaskErrTimeout       = "attempt_timeout"     // the attempt's or the task's time ran out
	TaskErrRunDeadline   = "run_deadline"        // the run's deadline passed first
	TaskErrRefused       = "connection_refused"  //
	TaskErrReset         = "connection_reset"    // reset or closed before the whole answer was read
	TaskErrDNS           = "dns_error"           //
	TaskErrTLS           = "tls_error"           //
	TaskErrGarbage       = "bad_answer"          // not JSON, not an object, or no answer at all
	TaskErrTooLarge      = "too_large"           // answer, job or results over their limit
	TaskErrDenied        = "network_denied"      // the network policy forbids the agent's address
	TaskErrParked        = "agent_busy"          // the agent told us to wait and nobody else could answer
	TaskErrCircuitOpen   = "circuit_open"        // every candidate's breaker is open
	TaskErrGraph         = "graph_unavailable"   // the graph does not answer and no view of the concept is at hand
	TaskErrNoAgent       = "no_agent_available"  // nobody knows the concept, or nobody the intent
	TaskErrDependency    = "dependency_failed"   // a dependency did not succeed; culprit in error_message
	TaskErrReference     = "reference_not_found" // a ${tasks...} path is not in the answer it refers to
	TaskErrCancelled     = "cancelled"           //
	TaskErrInternal      = "internal"            // a panic or defect of ours; the log has the stack
	TaskErrAsleep        = "agent_asleep"        // the agent was put to sleep again and again before it could be asked
	TaskErrStart         = "start_failed"        // a dormant agent could not be started
	TaskErrFleetFull     = "fleet_full"          // no room to start an agent in time
	TaskErrCoolingDown   = "cooling_down"        // a failed growth or agent is not tried again yet
	TaskErrGrowthRefused = "growth_refused"      // growth is at one of its bounds
	TaskErrCredentials   = "credentials_missing" // the reference in the agent's auth leads to nothing
)

// Where an answer came from.
const (
	SourceLive    = "live"
	SourceCache   = "cache"
	SourceDefault = "default"
	SourceNone    = "none"
)

// Whether the view of the graph behind an answer was up to date.
const (
	GraphFresh = "fresh"
	GraphStale = "stale"
)

// Result is what a task came to: the agent's own fields, and ours beside them, which win over fields of the same name.
type Result struct {
	TaskID       TaskID
	Status       string // ours, or the agent's own word
	Succeeded    bool   // decided from our outcome, never from an agent's word that equals one of ours
	Answer       Answer // the agent's own fields; zero when no agent answered
	ErrorCode    string // set when not Succeeded
	ErrorMessage string // set when not Succeeded
	Extra        Extra
	Provenance   Provenance
}

// Answer is an agent's JSON object, read once: Raw is the whole of it, the rest are fields that Myriad needs.
type Answer struct {
	Raw       json.RawMessage // the object as it came; nil when there is none
	Status    string          // its status when that is a string, else ""
	AgentName string          // its agent_name when that is a string, else ""
	Data      json.RawMessage // its data; nil when it has none
	Fault     string          // its fault when that is a string, else ""
}

// Extra are fields of ours that only some statuses carry.
type Extra struct {
	AgentName        string            // agent_name, when no agent's answer gives one
	Data             json.RawMessage   // data, when no agent's answer gives it
	Message          string            // message: service_unavailable
	AgentURL         string            // agent_url: timeout
	RetryAfterMS     int64             // retry_after_ms: when trying again may help
	SkippedBecause   string            // skipped_because: key of the dependency that is the culprit
	NeurogenesisData *NeurogenesisData // neurogenesis_data
	NewAgent         *NewAgent         // dynamic_agent_created, new_agent_*
	Queued           *QueuePosition    // queued
}

// NeurogenesisData tells what research found about a concept (wire facts 1.4).
type NeurogenesisData struct {
	Concept         string   `json:"concept"`
	ExpansionMethod string   `json:"expansion_method"`
	ResearchSummary string   `json:"research_summary"`
	Confidence      float64  `json:"confidence"`
	Sources         []string `json:"sources"`

	// Inside neurogenesis_data too, only when an agent was created.
	DynamicAgentCreated  bool     `json:"dynamic_agent_created,omitempty"`
	NewAgentName         string   `json:"new_agent_name,omitempty"`
	NewAgentEndpoint     string   `json:"new_agent_endpoint,omitempty"`
	NewAgentCapabilities []string `json:"new_agent_capabilities,omitempty"`
}

// NewAgent announces an agent that was grown for the task.
type NewAgent struct {
	Name, Endpoint string
	Capabilities   []string
}

// QueuePosition says where a request waits that could not be served at once. Position counts from 1.
type QueuePosition struct {
	Position   int   `json:"position"`
	EstimateMS int64 `json:"estimate_ms,omitempty"`
}

// Provenance says how a result came about. Parts that do not apply are absent on the wire.
type Provenance struct {
	Source      string      `json:"source"` // SourceLive, SourceCache, SourceDefault or SourceNone
	AgeMS       int64       `json:"age_ms,omitempty"`
	Agent       string      `json:"agent,omitempty"`
	Endpoint    string      `json:"endpoint,omitempty"`
	Attempts    []Attempt   `json:"attempts,omitempty"`
	Rejections  []Rejection `json:"rejections,omitempty"` // candidates that were not called, and why
	Fallback    string      `json:"fallback,omitempty"`   // why the answer is not live
	QueuedMS    float64     `json:"queued_ms"`            // waiting for slots, all waits together
	ColdStartMS float64     `json:"cold_start_ms,omitempty"`
	StartMS     float64     `json:"start_ms"`    // since the start of the run, when the task became ready
	DurationMS  float64     `json:"duration_ms"` // in exchanges with agents, waking and growing; without queued_ms
	Ranking     []Ranked    `json:"ranking,omitempty"`
	Graph       string      `json:"graph,omitempty"`        // GraphFresh or GraphStale
	GraphAgeMS  int64       `json:"graph_age_ms,omitempty"` // age of a stale view
}

// Attempt is one exchange with one endpoint. Times are milliseconds; StartMS counts from the start of the run.
type Attempt struct {
	Agent      string  `json:"agent"`
	Endpoint   string  `json:"endpoint"`
	Outcome    Outcome `json:"outcome"`
	HTTPStatus int     `json:"http_status,omitempty"`
	StartMS    float64 `json:"start_ms"`
	DurationMS float64 `json:"duration_ms"`
	Error      string  `json:"error,omitempty"`
	Hedge      bool    `json:"hedge,omitempty"`
}

// Rejection is a candidate that was passed over without a call.
type Rejection struct {
	Agent        string `json:"agent"`
	Reason       string `json:"reason"` // circuit_open, parked, no_slot, retry_budget, not_repeatable, asleep
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
}

// The words of Rejection.Reason.
const (
	RejectedOpen       = "circuit_open"
	RejectedParked     = "parked"
	RejectedNoSlot     = "no_slot"
	RejectedBudget     = "retry_budget"
	RejectedRepeatable = "not_repeatable"
	RejectedAsleep     = "asleep"
)

// Ranked is a candidate with its score and the parts of the score.
type Ranked struct {
	Agent string     `json:"agent"`
	Score float64    `json:"score"`
	Tier  string     `json:"tier,omitempty"` // TierExact, TierDormant or TierAny
	Parts ScoreParts `json:"parts"`
}

// Millis is d in milliseconds as results and summaries give it: whole microseconds, the rest cut off.
func Millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
