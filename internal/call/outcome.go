package call

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/egress"
)

// row is one line of the table of outcomes. The first row whose is holds decides.
type row struct {
	name    string
	is      func(x *exchanged) bool
	outcome myriad.Outcome
	code    string                    // TaskErr word; "" on success, and where a fault brings its own
	say     func(x *exchanged) string // for people
	// reached: the agent may have carried the job out, or may be doing so now. Then only what may be repeated goes to another candidate.
	// False where nothing arrived, and where the agent's answer means by its definition that it did nothing (429, 503 with Retry-After,
	// 401, 403, 404, 405, 410).
	reached bool
}

// table is what every way an exchange can end comes to: one row, one test. Who is at fault follows from the outcome's class.
var table = []row{
	// The agent answered.
	{"success", func(x *exchanged) bool { return x.good() && x.answer.Status != myriad.StatusError },
		myriad.OutcomeSuccess, "", silent, true},
	{"agent says it is the caller's fault", func(x *exchanged) bool { return x.good() && x.answer.Fault == "caller" },
		myriad.OutcomeCallerFault, myriad.TaskErrRejected, sayOwnWords("the agent refuses the job"), true},
	{"agent says error", func(x *exchanged) bool { return x.good() },
		myriad.OutcomeAgentError, myriad.TaskErrAgent, sayOwnWords("the agent answered with status error"), true},

	// Nobody waits for the answer any more, or nothing was sent: nobody's fault.
	{"lost hedge", func(x *exchanged) bool { return x.ending == endedLost },
		myriad.OutcomeLostHedge, myriad.TaskErrCancelled, says("the other attempt answered first"), true},
	{"cancelled", func(x *exchanged) bool { return x.ending == endedCancelled },
		myriad.OutcomeCancelled, myriad.TaskErrCancelled, says("cancelled while the agent worked"), true},
	{"our side", func(x *exchanged) bool { return as[*fault](x.err) },
		myriad.OutcomeLocal, "", sayError, false},
	{"network policy", func(x *exchanged) bool { return as[*egress.Error](x.err) },
		myriad.OutcomeLocal, myriad.TaskErrDenied, sayError, false},
	{"request that cannot be sent", func(x *exchanged) bool { return x.stage == stageLocal && x.ending == endedNot },
		myriad.OutcomeLocal, myriad.TaskErrInternal, says("the request could not be made"), false},

	// The head of an answer came; what it says counts even when the rest did not come.
	{"told to wait", func(x *exchanged) bool { return x.status == http.StatusTooManyRequests },
		myriad.OutcomeToldToWait, myriad.TaskErrParked, sayWait, false},
	{"unavailable until", func(x *exchanged) bool { return x.status == http.StatusServiceUnavailable && x.saysWhen() },
		myriad.OutcomeToldToWait, myriad.TaskErrParked, sayWait, false},
	{"server error", func(x *exchanged) bool { return x.status >= 500 },
		myriad.OutcomeServerError, myriad.TaskErrAgent, sayStatus, true},
	{"endpoint error", func(x *exchanged) bool { return slices.Contains(endpointStatuses, x.status) },
		myriad.OutcomeEndpoint, myriad.TaskErrEndpoint, sayStatus, false},
	{"redirect", func(x *exchanged) bool { return x.status >= 300 && x.status < 400 },
		myriad.OutcomeEndpoint, myriad.TaskErrEndpoint, sayRedirect, true},
	{"client error", func(x *exchanged) bool { return x.status >= 400 },
		myriad.OutcomeCallerFault, myriad.TaskErrRejected, sayStatus, true},

	// Time ran out. Whether that is the agent's fault is a matter of its fair share (see fairShare).
	{"attempt timeout while connecting", func(x *exchanged) bool { return x.ending == endedAttempt && x.unsent() },
		myriad.OutcomeTimeout, myriad.TaskErrTimeout, sayTime("no connection within %s"), false},
	{"attempt timeout", func(x *exchanged) bool { return x.ending == endedAttempt },
		myriad.OutcomeTimeout, myriad.TaskErrTimeout, sayTime("no complete answer within %s"), true},
	{"task timeout", func(x *exchanged) bool { return x.ending == endedTaskFair },
		myriad.OutcomeTimeout, myriad.TaskErrTimeout, sayTime("no complete answer within the %s that the task's timeout left"), true},
	{"task timeout, hurried", func(x *exchanged) bool { return x.ending == endedTaskHurried },
		myriad.OutcomeTaskDeadline, myriad.TaskErrTimeout, sayTime("the task's timeout left only %s for this attempt"), true},
	{"run deadline", func(x *exchanged) bool { return x.ending == endedRunFair },
		myriad.OutcomeTimeout, myriad.TaskErrRunDeadline, sayTime("no complete answer within the %s that the run's deadline left"), true},
	{"run deadline, hurried", func(x *exchanged) bool { return x.ending == endedRunHurried },
		myriad.OutcomeTaskDeadline, myriad.TaskErrRunDeadline, sayTime("the run's deadline left only %s for this attempt"), true},

	// No connection, or a dead one.
	{"no such host", func(x *exchanged) bool { return as[*net.DNSError](x.err) && x.stage <= stageConnect },
		myriad.OutcomeDNS, myriad.TaskErrDNS, sayDNS, false},
	{"no secure connection", func(x *exchanged) bool { return x.stage == stageTLS },
		myriad.OutcomeTLS, myriad.TaskErrTLS, sayTLS, false},
	{"connecting took too long", func(x *exchanged) bool { return x.stage == stageConnect && isTimeout(x.err) },
		myriad.OutcomeTimeout, myriad.TaskErrTimeout, says("connecting took too long"), false},
	{"refused", func(x *exchanged) bool { return x.stage == stageConnect && errors.Is(x.err, errnoRefused) },
		myriad.OutcomeRefused, myriad.TaskErrRefused, says("connection refused: nothing listens at the endpoint"), false},
	{"no connection", func(x *exchanged) bool { return x.stage == stageConnect },
		myriad.OutcomeRefused, myriad.TaskErrRefused, sayConnect, false},
	{"dead connection", func(x *exchanged) bool { return x.stage == stageConnected && x.reused },
		myriad.OutcomeDeadConn, myriad.TaskErrReset, says("the kept connection was closed before the request was sent"), false},
	{"closed before the request", func(x *exchanged) bool { return x.stage == stageConnected },
		myriad.OutcomeReset, myriad.TaskErrReset, says("the connection was closed before the request was sent"), false},

	// The request went out, the answer is not one.
	{"too large", func(x *exchanged) bool { return errors.Is(x.err, errTooLarge) },
		myriad.OutcomeTooLarge, myriad.TaskErrTooLarge, says("the answer is larger than the limit"), true},
	{"garbage", func(x *exchanged) bool { return as[*badAnswer](x.err) },
		myriad.OutcomeGarbage, myriad.TaskErrGarbage, sayError, true},
	{"truncated", func(x *exchanged) bool { return x.stage == stageBody && isCut(x.err) },
		myriad.OutcomeReset, myriad.TaskErrReset, sayTruncated, true},
	{"broken body", func(x *exchanged) bool { return x.stage == stageBody },
		myriad.OutcomeGarbage, myriad.TaskErrGarbage, says("the body breaks the rules of HTTP"), true},
	{"truncated head", func(x *exchanged) bool { return x.stage == stageAnswering && isCut(x.err) },
		myriad.OutcomeReset, myriad.TaskErrReset, says("the connection was cut in the head of the answer"), true},
	{"not HTTP", func(x *exchanged) bool { return x.stage == stageAnswering },
		myriad.OutcomeGarbage, myriad.TaskErrGarbage, says("what came back is not an HTTP answer"), true},
	{"reset", func(*exchanged) bool { return true },
		myriad.OutcomeReset, myriad.TaskErrReset, says("the connection was cut before an answer came"), true},
}

// endpointStatuses say that the endpoint, not the job, is at fault.
var endpointStatuses = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone}

// judge finds the row of an exchange. It always does: the last row holds for all.
func judge(x *exchanged) *row {
	for i := range table {
		if table[i].is(x) {
			return &table[i]
		}
	}
	return &table[len(table)-1]
}

// good says that the agent answered with a 2xx and a JSON object.
func (x *exchanged) good() bool { return x.err == nil && x.status >= 200 && x.status < 300 }

// unsent says that no byte of the request was written.
func (x *exchanged) unsent() bool { return x.stage <= stageConnected }

func (x *exchanged) saysWhen() bool {
	_, ok := retryAfter(x.retryAfter, time.Now())
	return ok
}

// wait is how long the endpoint wants to be left alone.
func (x *exchanged) wait() time.Duration {
	if d, ok := retryAfter(x.retryAfter, time.Now()); ok {
		return d
	}
	return defaultWait
}

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// isCut says that a connection ended too early, rather than that it carried nonsense.
func isCut(err error) bool {
	for _, cut := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, errnoReset, errnoAborted, errnoPipe} {
		if errors.Is(err, cut) {
			return true
		}
	}
	return as[net.Error](err)
}

func silent(*exchanged) string { return "" }

func says(s string) func(*exchanged) string { return func(*exchanged) string { return s } }

func sayError(x *exchanged) string { return x.err.Error() }

func sayTime(format string) func(*exchanged) string {
	return func(x *exchanged) string { return fmt.Sprintf(format, x.limit.Round(time.Millisecond)) }
}

func sayWait(x *exchanged) string {
	return fmt.Sprintf("HTTP %d: the agent wants to be left alone for %s", x.status, x.wait().Round(time.Millisecond))
}

// sayOwnWords adds the agent's data when that is text.
func sayOwnWords(what string) func(*exchanged) string {
	return func(x *exchanged) string {
		if len(x.answer.Data) == 0 {
			return what
		}
		if words := text(x.answer.Data); words != "" {
			return what + ": " + clip(words)
		}
		return what
	}
}

func sayStatus(x *exchanged) string {
	s := fmt.Sprintf("HTTP %d", x.status)
	if name := http.StatusText(x.status); name != "" {
		s += " " + name
	}
	switch words := ownWords(x.answer); {
	case words != "":
		return s + ": " + clip(words)
	case x.excerpt != "":
		return s + ": " + clip(x.excerpt)
	case x.answer.Raw == nil && x.contentType != "":
		return s + " with " + clip(x.contentType)
	}
	return s
}

func ownWords(a myriad.Answer) string {
	if len(a.Data) == 0 {
		return ""
	}
	return text(a.Data)
}

func sayRedirect(x *exchanged) string {
	if x.location == "" {
		return fmt.Sprintf("HTTP %d: redirects are not followed", x.status)
	}
	return fmt.Sprintf("HTTP %d to %q: redirects are not followed", x.status, clip(x.location))
}

func sayDNS(x *exchanged) string {
	e, _ := errors.AsType[*net.DNSError](x.err)
	if e.IsNotFound {
		return fmt.Sprintf("no such host %q", clip(e.Name))
	}
	return fmt.Sprintf("the host %q could not be looked up", clip(e.Name))
}

func sayTLS(x *exchanged) string { return "no secure connection: " + clip(x.err.Error()) }

func sayConnect(x *exchanged) string { return "could not connect: " + clip(x.err.Error()) }

func sayTruncated(x *exchanged) string {
	return fmt.Sprintf("the connection was cut after %d bytes of the answer's body", x.read)
}

const maxWords = 300 // bytes of foreign text in an error message

// clip keeps foreign text in an error message short and on one line.
func clip(s string) string {
	b := make([]rune, 0, min(len(s), maxWords))
	for _, r := range s {
		if len(b) == maxWords {
			return string(b) + "..."
		}
		if r < ' ' || r == 0x7f {
			r = ' '
		}
		b = append(b, r)
	}
	return string(b)
}
