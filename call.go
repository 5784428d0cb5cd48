package myriad

import "time"

// Slot is the right to have one exchange with one endpoint under way. Release gives it back; more than once is harmless.
type Slot interface{ Release() }

// Turn is one task's wait for a slot: it waits in the queues of all its candidates and goes where a slot frees first.
type Turn struct {
	Run        string      // runs are served in turn
	Priority   int         // 0..9, higher first, inside the run only
	Candidates []Candidate // at least one; earlier ones are preferred when several have a slot
	// Grant is called exactly once, from a goroutine of the dispatcher's choosing and under no lock, unless cancelling came first. It
	// must not block: whoever needs time starts a goroutine. chosen indexes Candidates; waited is the time since Submit.
	Grant func(chosen int, slot Slot, waited time.Duration)

	// Ticket belongs to the dispatcher.
	Ticket any
}

// Call asks for one task to be carried out by one of its candidates, the first attempt at Candidates[First] with Slot.
type Call struct {
	RunID       string
	Task        *Task
	Job         Job
	Candidates  []Candidate // best first; those that may be tried
	First       int
	Slot        Slot // given back by the callee
	RunStart    time.Time
	Deadline    time.Time // of the task: the earlier of its own timeout and the run's end
	TaskTimeout bool      // Deadline is the task's own
	Attempt     int       // attempts made before, over earlier calls of the same task
	TraceParent string
	Key         string // Idempotency-Key: the same for every attempt of the task
}

// Reply is what a Call came to.
type Reply struct {
	Outcome    Outcome
	Answer     Answer // on ClassSuccess and where an agent gave an object with its failure
	Agent      string // who answered, or was tried last
	Endpoint   string
	Attempts   []Attempt
	Rejections []Rejection
	ErrorCode  string        // a TaskErr word, on failure
	Error      string        // for people, on failure
	RetryAfter time.Duration // when the task may be tried again; 0 when unknown
	// Requeue: nothing more can be tried now, but waiting for a slot again makes sense (the slot's endpoint was parked, or its breaker
	// opened while the task waited and others remain). The caller submits a new Turn with what is still eligible; after OutcomeAsleep
	// it looks for the agent again first.
	Requeue bool
}
