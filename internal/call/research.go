package call

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/resilience"
)

// Research has one plain exchange with an agent beside its jobs, like POST /collaborate: path goes in place of the endpoint's /query, or
// after its path. It passes breaker, timeout and transport, but neither slots nor retries, and returns the body of a 2xx, which may be
// anything. Errors are *myriad.Error: CodeUnavailable for the agent's fault, CodeInvalid for a request that it refuses, CodeDeadline and CodeCancelled
// at the end of ctx. When it was not asked at all they have a TaskErr word: TaskErrCircuitOpen, with RetryAfter, TaskErrAsleep when its instance is gone,
// and what keeps the request here; so has TaskErrParked, with RetryAfter, for one that is told to wait.
func (c *Caller) Research(ctx context.Context, a *myriad.Agent, path string, body []byte) ([]byte, error) {
	release, awake := c.lease(a)
	if !awake {
		return nil, myriad.Errorf(myriad.TaskErrAsleep, "ask agent %s: its instance was stopped before it could be asked", a.Name)
	}
	defer release()
	e := c.ends.of(a)
	permit, err := e.breaker.Acquire()
	if err != nil {
		failed := myriad.Errorf(myriad.TaskErrCircuitOpen, "ask agent %s: %w", a.Name, err)
		if open, ok := errors.AsType[*resilience.OpenError](err); ok {
			failed.RetryAfter = open.RetryAfter
		}
		return nil, failed
	}
	defer permit.Done(resilience.Ignored)
	raw, x := c.plain(ctx, a, e, path, body)
	if x.err == nil && x.status < 300 {
		permit.Done(resilience.Success)
		return raw, nil
	}
	row := judge(&x)
	permit.Done(verdict(row.outcome))
	failed := &myriad.Error{Code: researchCode(row, x.err), Message: "ask agent " + a.Name + ": " + row.say(&x), Err: x.err}
	if row.outcome == myriad.OutcomeToldToWait {
		failed.RetryAfter = x.wait()
		c.cfg.Slots.Park(e.key, failed.RetryAfter)
	}
	return nil, failed
}

func researchCode(r *row, err error) myriad.Code {
	switch r.outcome {
	case myriad.OutcomeCallerFault:
		return myriad.CodeInvalid
	case myriad.OutcomeTaskDeadline:
		return myriad.CodeDeadline
	case myriad.OutcomeCancelled:
		return myriad.CodeCancelled
	case myriad.OutcomeToldToWait:
		return myriad.TaskErrParked
	case myriad.OutcomeLocal:
		if own, ok := errors.AsType[*fault](err); ok {
			return myriad.Code(own.code)
		}
		return myriad.Code(r.code)
	}
	return myriad.CodeUnavailable
}

// plain is the exchange; the body's meaning is the caller's affair.
func (c *Caller) plain(ctx context.Context, a *myriad.Agent, e *endpoint, path string, body []byte) ([]byte, exchanged) {
	to := e.leadsTo(a.Endpoint)
	if to.wrong != nil {
		return nil, exchanged{err: to.wrong}
	}
	url := *to.url
	url.RawPath, url.Path = "", strings.TrimSuffix(strings.TrimSuffix(to.url.Path, "/"), "/query")+"/"+strings.TrimPrefix(path, "/")
	header := http.Header{"Content-Type": jsonType, "Accept": jsonType, "User-Agent": {"myriad/" + c.cfg.Version}}
	if err := authorise(header, a.Auth); err != nil {
		return nil, exchanged{err: err}
	}
	var x exchanged
	started := time.Now()
	own, cancel := context.WithTimeout(ctx, c.cfg.AttemptTimeout)
	defer cancel()
	raw, err := c.carrier.post(own, &url, header, body, c.cfg.MaxAnswer, &x)
	x.err = err
	if err != nil && own.Err() != nil {
		x.limit = time.Since(started)
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			x.ending = endedRunHurried
		case ctx.Err() != nil:
			x.ending = endedCancelled
		default:
			x.ending = endedAttempt
		}
	}
	return raw, x
}
