package dockerrt

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

// failure is err of the daemon with a code, and what was being done. ctx is the caller's: only its end is a cancellation or a deadline, that
// of our own bound on one exchange is a daemon that does not answer.
func (r *Runtime) failure(ctx context.Context, err error, doing string, args ...any) error {
	doing = fmt.Sprintf(doing, args...)
	if _, coded := errors.AsType[*myriad.Error](err); coded {
		return fmt.Errorf("%s: %w", doing, err)
	}
	code := myriad.CodeUnavailable
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		code = myriad.CodeDeadline
	case ctx.Err() != nil:
		code = myriad.CodeCancelled
	case unreachable(err):
		return myriad.Errorf(code, "%s: no docker daemon answers at %s: %w", doing, r.address, err)
	case errdefs.IsConflict(err):
		code = myriad.CodeConflict
	case errdefs.IsNotFound(err), errdefs.IsInvalidArgument(err):
		code = myriad.CodeInvalid
	}
	return myriad.Errorf(code, "%s: %w", doing, err)
}

// unreachable says that the daemon gave no answer at all, so what was asked of it may or may not have been done.
func unreachable(err error) bool {
	return client.IsErrConnectionFailed(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// refusal says that the daemon answered, and what it was asked for was not done.
func refusal(err error) bool {
	return errdefs.IsConflict(err) || errdefs.IsNotFound(err) || errdefs.IsInvalidArgument(err)
}

// call bounds one exchange with the daemon, and lets it go on when the caller leaves: a daemon does what it has begun, so how it ended must
// be known.
func (r *Runtime) call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), r.cfg.CallTimeout)
}
