package call

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/egress"
)

func ended(by ending, at stage) exchanged {
	return exchanged{stage: at, err: context.Canceled, ending: by, limit: 1500 * time.Millisecond}
}

func failed(at stage, err error) exchanged { return exchanged{stage: at, err: err} }

func answered(status int, body string) exchanged {
	x := exchanged{stage: stageBody, status: status}
	a, err := decodeAnswer([]byte(body))
	if err != nil {
		x.err = err
	}
	x.answer = a
	return x
}

// rows has one case for every row of the table, by name: what brings it about, the class that must follow, and words of its message.
var rows = map[string]struct {
	x     exchanged
	class myriad.Class
	code  string
	words string
}{
	"success":                             {answered(200, `{"status":"no_expertise","data":1}`), myriad.ClassSuccess, "", ""},
	"agent says it is the caller's fault": {answered(200, `{"status":"error","fault":"caller","data":"no such lamp"}`), myriad.ClassCaller, myriad.TaskErrRejected, "no such lamp"},
	"agent says error":                    {answered(201, `{"status":"error","data":"fuse blown"}`), myriad.ClassAgent, myriad.TaskErrAgent, "fuse blown"},
	"lost hedge":                          {ended(endedLost, stageSent), myriad.ClassNobody, myriad.TaskErrCancelled, "other attempt"},
	"cancelled":                           {ended(endedCancelled, stageSent), myriad.ClassNobody, myriad.TaskErrCancelled, "cancelled"},
	"our side":                            {failed(stageLocal, &fault{code: myriad.TaskErrCredentials, text: "no credential"}), myriad.ClassNobody, "", "no credential"},
	"network policy":                      {failed(stageConnect, fmt.Errorf("dial: %w", &egress.Error{Rule: egress.RuleMetadata})), myriad.ClassNobody, myriad.TaskErrDenied, "metadata"},
	"request that cannot be sent":         {failed(stageLocal, errors.New("bad header")), myriad.ClassNobody, myriad.TaskErrInternal, "could not be made"},
	"told to wait":                        {exchanged{stage: stageBody, status: 429, err: io.ErrUnexpectedEOF}, myriad.ClassWait, myriad.TaskErrParked, "for 1s"},
	"unavailable until":                   {exchanged{stage: stageBody, status: 503, retryAfter: "7", err: bad("html")}, myriad.ClassWait, myriad.TaskErrParked, "for 7s"},
	"server error":                        {exchanged{stage: stageBody, status: 500, contentType: "text/html", err: bad("html")}, myriad.ClassAgent, myriad.TaskErrAgent, "HTTP 500 Internal Server Error with text/html"},
	"endpoint error":                      {exchanged{stage: stageBody, status: 404, excerpt: "404 page not found", err: bad("text")}, myriad.ClassAgent, myriad.TaskErrEndpoint, "page not found"},
	"redirect":                            {exchanged{stage: stageBody, status: 302, location: "http://169.254.169.254/", err: bad("html")}, myriad.ClassAgent, myriad.TaskErrEndpoint, `HTTP 302 to "http://169.254.169.254/": redirects are not followed`},
	"client error":                        {answered(422, `{"status":"error","data":"brightness must be between 0 and 100"}`), myriad.ClassCaller, myriad.TaskErrRejected, "HTTP 422 Unprocessable Entity: brightness must be between"},
	"attempt timeout while connecting":    {ended(endedAttempt, stageConnect), myriad.ClassAgent, myriad.TaskErrTimeout, "no connection within 1.5s"},
	"attempt timeout":                     {ended(endedAttempt, stageBody), myriad.ClassAgent, myriad.TaskErrTimeout, "no complete answer within 1.5s"},
	"task timeout":                        {ended(endedTaskFair, stageSent), myriad.ClassAgent, myriad.TaskErrTimeout, "1.5s that the task's timeout left"},
	"task timeout, hurried":               {ended(endedTaskHurried, stageSent), myriad.ClassNobody, myriad.TaskErrTimeout, "left only 1.5s"},
	"run deadline":                        {ended(endedRunFair, stageSent), myriad.ClassAgent, myriad.TaskErrRunDeadline, "run's deadline left"},
	"run deadline, hurried":               {ended(endedRunHurried, stageSent), myriad.ClassNobody, myriad.TaskErrRunDeadline, "left only 1.5s"},
	"no such host":                        {failed(stageConnect, &net.DNSError{Name: "lamp.invalid", IsNotFound: true}), myriad.ClassAgent, myriad.TaskErrDNS, `no such host "lamp.invalid"`},
	"no secure connection":                {failed(stageTLS, errors.New("bad certificate")), myriad.ClassAgent, myriad.TaskErrTLS, "no secure connection: bad certificate"},
	"connecting took too long":            {failed(stageConnect, context.DeadlineExceeded), myriad.ClassAgent, myriad.TaskErrTimeout, "connecting took too long"},
	"refused":                             {failed(stageConnect, &net.OpError{Op: "dial", Err: errnoRefused}), myriad.ClassAgent, myriad.TaskErrRefused, "connection refused"},
	"no connection":                       {failed(stageConnect, errors.New("network is unreachable")), myriad.ClassAgent, myriad.TaskErrRefused, "could not connect: network is unreachable"},
	"dead connection":                     {exchanged{stage: stageConnected, reused: true, err: io.EOF}, myriad.ClassAgent, myriad.TaskErrReset, "kept connection"},
	"closed before the request":           {failed(stageConnected, io.EOF), myriad.ClassAgent, myriad.TaskErrReset, "before the request was sent"},
	"too large":                           {exchanged{stage: stageBody, status: 200, err: errTooLarge}, myriad.ClassAgent, myriad.TaskErrTooLarge, "larger than the limit"},
	"garbage":                             {answered(200, `[1]`), myriad.ClassAgent, myriad.TaskErrGarbage, "a JSON array, an object was expected"},
	"truncated":                           {exchanged{stage: stageBody, status: 200, read: 12, err: io.ErrUnexpectedEOF}, myriad.ClassAgent, myriad.TaskErrReset, "cut after 12 bytes"},
	"broken body":                         {exchanged{stage: stageBody, status: 200, err: errors.New("invalid byte in chunk length")}, myriad.ClassAgent, myriad.TaskErrGarbage, "rules of HTTP"},
	"truncated head":                      {failed(stageAnswering, io.ErrUnexpectedEOF), myriad.ClassAgent, myriad.TaskErrReset, "in the head"},
	"not HTTP":                            {failed(stageAnswering, errors.New("malformed")), myriad.ClassAgent, myriad.TaskErrGarbage, "not an HTTP answer"},
	"reset":                               {failed(stageSent, &net.OpError{Op: "read", Err: errnoReset}), myriad.ClassAgent, myriad.TaskErrReset, "before an answer came"},
}

func TestOneRowOneCase(t *testing.T) {
	if len(rows) != len(table) {
		t.Errorf("%d cases for %d rows", len(rows), len(table))
	}
	for _, r := range table {
		c, ok := rows[r.name]
		if !ok {
			t.Errorf("row %q has no case", r.name)
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			got := judge(&c.x)
			is(t, "row", got.name, r.name)
			is(t, "class", got.outcome.Class(), c.class)
			is(t, "code", got.code, c.code)
			if words := got.say(&c.x); !strings.Contains(words, c.words) {
				t.Errorf("message %q does not say %q", words, c.words)
			}
		})
	}
}

// What may be carried out again by anyone is what by its nature did nothing.
func TestNothingThatMayHaveBeenDoneIsCalledUndone(t *testing.T) {
	undone := map[string]bool{
		"our side": true, "network policy": true, "request that cannot be sent": true, "told to wait": true, "unavailable until": true,
		"endpoint error": true, "attempt timeout while connecting": true, "no such host": true, "no secure connection": true,
		"connecting took too long": true, "refused": true, "no connection": true, "dead connection": true, "closed before the request": true,
	}
	for _, r := range table {
		is(t, r.name+": reached", r.reached, !undone[r.name])
	}
}

func TestStatuses(t *testing.T) {
	for status := 200; status < 1000; status++ {
		body := `{"status":"success"}`
		want := myriad.ClassSuccess
		switch {
		case status == 429:
			want = myriad.ClassWait
		case status >= 500, status >= 300 && status < 400, status == 401, status == 403, status == 404, status == 405, status == 410:
			want = myriad.ClassAgent
		case status >= 400:
			want = myriad.ClassCaller
		}
		x := answered(status, body)
		if got := judge(&x).outcome.Class(); got != want {
			t.Errorf("HTTP %d: class %v, want %v", status, got, want)
		}
	}
	for status := range 200 {
		x := exchanged{stage: stageBody, status: status, err: bad("no final answer")}
		is(t, fmt.Sprint("HTTP ", status), judge(&x).outcome, myriad.OutcomeGarbage)
	}
}

func Test503NeedsAReadableRetryAfter(t *testing.T) {
	for header, want := range map[string]myriad.Outcome{
		"": myriad.OutcomeServerError, "soon": myriad.OutcomeServerError, "-1": myriad.OutcomeServerError, "1.5": myriad.OutcomeServerError,
		"2": myriad.OutcomeToldToWait, "Sun, 06 Nov 1994 08:49:37 GMT": myriad.OutcomeToldToWait,
	} {
		x := exchanged{stage: stageBody, status: 503, retryAfter: header, err: bad("")}
		is(t, "Retry-After: "+header, judge(&x).outcome, want)
	}
}

func TestForeignTextIsClipped(t *testing.T) {
	x := answered(200, `{"status":"error","data":"`+strings.Repeat("ä", 1000)+`\nSECOND"}`)
	words := judge(&x).say(&x)
	if strings.Contains(words, "SECOND") || len(words) > 3*maxWords {
		t.Errorf("message of %d bytes", len(words))
	}
	if got := clip("a\nb\x7fc"); got != "a b c" {
		t.Errorf("clip: %q", got)
	}
}
