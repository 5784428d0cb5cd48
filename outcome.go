package myriad

// Outcome is how one attempt ended. Its Class decides what follows: breaker, statistics, retry, parking.
type Outcome string

// The outcomes.
const (
	OutcomeSuccess      Outcome = "success"
	OutcomeAgentError   Outcome = "agent_error"    // a 2xx whose own status is error
	OutcomeServerError  Outcome = "http_5xx"       // 5xx, but for 503 with Retry-After
	OutcomeEndpoint     Outcome = "endpoint_error" // 401, 403, 404, 405, 410 and answers that redirect
	OutcomeTimeout      Outcome = "timeout"
	OutcomeRefused      Outcome = "refused"
	OutcomeReset        Outcome = "reset"     // reset or closed after the request may have reached the agent
	OutcomeDeadConn     Outcome = "dead_conn" // a reused connection found dead before a byte was written
	OutcomeDNS          Outcome = "dns"
	OutcomeTLS          Outcome = "tls"
	OutcomeGarbage      Outcome = "garbage"
	OutcomeTooLarge     Outcome = "too_large"
	OutcomeCallerFault  Outcome = "caller_fault"  // another 4xx, or "fault": "caller"
	OutcomeToldToWait   Outcome = "told_to_wait"  // 429, or 503 with Retry-After
	OutcomeCancelled    Outcome = "cancelled"     // client gone, run cancelled, drain, run deadline
	OutcomeLostHedge    Outcome = "lost_hedge"    // the other attempt answered first
	OutcomeLocal        Outcome = "local"         // rejected here: network policy, oversized job, missing credentials
	OutcomeCircuitOpen  Outcome = "circuit_open"  // rejected by the breaker when the slot had been got
	OutcomeAsleep       Outcome = "asleep"        // the agent's instance was stopped before the attempt began: the task looks for the agent again
	OutcomePanic        Outcome = "panic"         // a defect of ours
	OutcomeTaskDeadline Outcome = "task_deadline" // the run's deadline, not the agent, ended the attempt
)

// Class is whose doing an outcome was.
type Class int

// The classes (design, "Outcomes").
const (
	ClassSuccess Class = iota
	ClassAgent         // the agent's fault: feeds its breaker and statistics, the next candidate is tried
	ClassCaller        // the caller's fault: goes back as it is, trips nothing
	ClassWait          // told to wait: the endpoint is parked, nothing trips
	ClassNobody        // client gone, cancelled, drain, local rejection, cold start: counts for nothing
)

// Class sorts o; an unknown outcome is nobody's.
func (o Outcome) Class() Class {
	switch o {
	case OutcomeSuccess:
		return ClassSuccess
	case OutcomeAgentError, OutcomeServerError, OutcomeEndpoint, OutcomeTimeout, OutcomeRefused, OutcomeReset, OutcomeDeadConn,
		OutcomeDNS, OutcomeTLS, OutcomeGarbage, OutcomeTooLarge:
		return ClassAgent
	case OutcomeCallerFault:
		return ClassCaller
	case OutcomeToldToWait:
		return ClassWait
	}
	return ClassNobody
}
