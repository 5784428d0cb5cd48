package agent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// CallerError says that the job itself is wrong: it goes back to the caller as it is, is not tried elsewhere and counts against nobody.
type CallerError struct {
	Message string
	// Status is the HTTP status, 400..499; 400 when 0. Those that a server reads as another's fault (401, 403, 404, 405, 410, 429)
	// become 400 too.
	Status int
}

func (e CallerError) httpStatus() int {
	switch s := e.Status; {
	case s < 400 || s > 499:
	case s == 401 || s == 403 || s == 404 || s == 405 || s == 410 || s == 429:
	default:
		return s
	}
	return http.StatusBadRequest
}

// Callerf makes a CallerError.
func Callerf(format string, args ...any) error {
	return CallerError{Message: fmt.Sprintf(format, args...)}
}

func (e CallerError) Error() string { return e.Message }

// Busy says that the agent takes no more work for a while: it is left alone until then, and counted against for nothing.
type Busy struct {
	RetryAfter time.Duration // sent in whole seconds, at least one
}

func (b Busy) Error() string { return "busy, try again in " + b.RetryAfter.String() }

// failed gives a handler's error its HTTP status and body.
func (a *Agent) failed(w http.ResponseWriter, err error) {
	body := map[string]any{"agent_name": a.name, "status": "error", "data": err.Error()}
	status := http.StatusInternalServerError
	if e, ok := errors.AsType[CallerError](err); ok {
		status = e.httpStatus()
	} else if e, ok := errors.AsType[Busy](err); ok {
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.RetryAfter.Seconds())))))
	} else if errors.Is(err, context.DeadlineExceeded) {
		status = http.StatusGatewayTimeout
	}
	a.write(w, status, body)
}
