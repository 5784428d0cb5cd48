package call

import (
	"context"
	"time"

	"github.com/myriad-mind/myriad"
)

// protocol turns a job into one exchange with one endpoint. It decides nothing: whether, where and how often there is an exchange is
// for the chain to say, and what the exchange came to for the outcome table. Implementations are safe for concurrent use.
type protocol interface {
	// encode makes what is sent, the same for every attempt of a task. The error is a *fault.
	encode(job *myriad.Job) ([]byte, error)
	// exchange sends m and reads the whole answer. It never repeats by itself, and returns soon after ctx is done.
	exchange(ctx context.Context, m message) exchanged
}

// protocols is the one place where a protocol becomes known: by the word in Agent.Protocol, "" being the default.
func protocols(cfg Config, to carrier) map[string]protocol {
	job := &jobProtocol{to: to, maxJob: cfg.MaxJob, maxAnswer: cfg.MaxAnswer, userAgent: []string{"myriad/" + cfg.Version}}
	return map[string]protocol{
		"":                  job,
		myriad.ProtocolHTTP: job,
	}
}

// message is one attempt's request.
type message struct {
	agent  *myriad.Agent
	target *target // where the agent's endpoint leads
	body   []byte  // from encode; shared with other attempts, not to be changed
	key    string  // Idempotency-Key, the same for every attempt
	trace  string  // traceparent of this attempt
	until  time.Time
}

// exchanged is what one exchange came to, before the outcome table has judged it.
type exchanged struct {
	stage       stage
	reused      bool // the connection had served another exchange before
	status      int  // of HTTP; 0 when no head of an answer was read
	contentType string
	location    string // of a redirect
	retryAfter  string // the header as it came
	answer      myriad.Answer
	excerpt     string // the beginning of a failed answer's body that is no JSON object
	read        int    // bytes of the body that were read
	err         error  // nil when the whole answer was read and is a JSON object
	ending      ending // set by the chain: who ended the exchange before its time
	limit       time.Duration
}

// stage is how far an exchange came.
type stage uint8

const (
	stageLocal     stage = iota // nothing left this process
	stageConnect                // looking the host up and connecting
	stageTLS                    // connected, shaking hands
	stageConnected              // there is a connection, no byte of the request was written
	stageSent                   // some of the request was written
	stageAnswering              // the first byte of an answer came
	stageBody                   // the head of the answer was read
)

// ending says who ended an exchange that did not end by itself.
type ending uint8

const (
	endedNot         ending = iota
	endedLost               // the other attempt of a hedge answered first
	endedCancelled          // the caller left, the run was cancelled, or we shut down
	endedAttempt            // the attempt's own time ran out
	endedTaskFair           // the task's timeout, after the agent had had a fair share of time
	endedTaskHurried        // the task's timeout, before it had
	endedRunFair            // the run's deadline, after the agent had had a fair share of time
	endedRunHurried         // the run's deadline, before it had
)

// fault is what is wrong on our side before anything was sent, with the error code that tells it.
type fault struct {
	code  string // a TaskErr word
	text  string
	final bool // no other candidate would do better
}

func (f *fault) Error() string { return f.text }
