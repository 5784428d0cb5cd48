package call

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// sleeping answers after a while, or stops when the client goes away.
func sleeping(d time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if pause(r.Context(), d) {
			answering(200, `{"status":"success"}`)(w, r)
		}
	}
}

// TestWhoEndsAnAttempt: the attempt's own time is the agent's fault, the task's and the run's when it had had a fair share, all else
// nobody's; and every wait ends exactly then.
func TestWhoEndsAnAttempt(t *testing.T) {
	for name, c := range map[string]struct {
		deadline time.Duration // of the call; 0 is none
		task     bool          // the deadline is the task's own
		cancel   time.Duration // when the caller leaves; 0 is never
		patience time.Duration // deadline of the caller's context; 0 is none
		p95      time.Duration // known of the agent
		outcome  myriad.Outcome
		code     string
		after    time.Duration
	}{
		"attempt timeout":             {0, false, 0, 0, 0, myriad.OutcomeTimeout, myriad.TaskErrTimeout, 10 * time.Second},
		"attempt before the deadline": {time.Minute, true, 0, 0, 0, myriad.OutcomeTimeout, myriad.TaskErrTimeout, 10 * time.Second},
		"task timeout":                {3 * time.Second, true, 0, 0, 0, myriad.OutcomeTimeout, myriad.TaskErrTimeout, 3 * time.Second},
		"task timeout, hurried":       {500 * time.Millisecond, true, 0, 0, 0, myriad.OutcomeTaskDeadline, myriad.TaskErrTimeout, 500 * time.Millisecond},
		"task timeout, slow agent":    {3 * time.Second, true, 0, 0, 2 * time.Second, myriad.OutcomeTaskDeadline, myriad.TaskErrTimeout, 3 * time.Second},
		"run deadline":                {3 * time.Second, false, 0, 0, 0, myriad.OutcomeTimeout, myriad.TaskErrRunDeadline, 3 * time.Second},
		"run deadline, hurried":       {time.Millisecond, false, 0, 0, 0, myriad.OutcomeTaskDeadline, myriad.TaskErrRunDeadline, time.Millisecond},
		"past already":                {-time.Second, false, 0, 0, 0, myriad.OutcomeTaskDeadline, myriad.TaskErrRunDeadline, 0},
		"caller leaves":               {time.Minute, false, 2 * time.Second, 0, 0, myriad.OutcomeCancelled, myriad.TaskErrCancelled, 2 * time.Second},
		"caller's context ends":       {time.Minute, false, 0, 2 * time.Second, 0, myriad.OutcomeTaskDeadline, myriad.TaskErrRunDeadline, 2 * time.Second},
		"both end at once":            {2 * time.Second, false, 0, 2 * time.Second, 0, myriad.OutcomeTimeout, myriad.TaskErrRunDeadline, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				a, stop := n.serve("a", sleeping(time.Hour))
				b, stopB := n.serve("b", nil)
				defer stop()
				defer stopB()
				r := newRig(t, n.dial)
				if c.p95 > 0 {
					for range 10 {
						r.stats.Series("a", "turn_on").Observe(c.p95, true)
					}
				}
				ctx := t.Context()
				if c.patience > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.patience)
					defer cancel()
				}
				if c.cancel > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithCancel(ctx)
					time.AfterFunc(c.cancel, cancel)
				}
				call := r.job("turn_on", a.Agent, b.Agent)
				if c.deadline != 0 {
					call.Deadline, call.TaskTimeout = call.RunStart.Add(c.deadline), c.task
				}
				reply := r.do(ctx, call)
				same(t, "attempts", outcomes(reply.Attempts), []myriad.Outcome{c.outcome})
				is(t, "code", reply.ErrorCode, c.code)
				is(t, "after", time.Since(call.RunStart), c.after)
				want := 0
				if c.outcome == myriad.OutcomeTimeout {
					want = 1
				}
				is(t, "failures", r.Breakers("a")[0].ConsecutiveFailures, want)
				r.Close()
				synctest.Wait()
			})
		})
	}
}

// TestTheAnswerIsReadWhole: the end of the attempt's context comes after the body was read, however slowly that comes in its time.
func TestTheAnswerIsReadWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, stop := n.serve("a", func(w http.ResponseWriter, r *http.Request) {
			for _, b := range []byte(`{"status":"success","data":"slow"}`) {
				time.Sleep(250 * time.Millisecond)
				_, _ = w.Write([]byte{b})
				w.(http.Flusher).Flush()
			}
		})
		defer stop()
		r := newRig(t, n.dial)
		reply := r.do(t.Context(), r.job("define", a.Agent))
		is(t, "outcome", reply.Outcome, myriad.OutcomeSuccess)
		is(t, "duration", reply.Attempts[0].DurationMS, 34*250)
		r.Close()
	})
}

// TestConnecting: a host that takes no connections costs the connect timeout, and nothing has reached it.
func TestConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b, stop := n.serve("b", nil)
		defer stop()
		a := &myriad.Agent{Name: "a", Endpoint: "http://a.test/query"}
		r := newRig(t, func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == "a.test:80" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return n.dial(ctx, network, address)
		}, func(c *Config) { c.ConnectTimeout = 2 * time.Second })
		reply := r.do(t.Context(), r.job("turn_on", a, b.Agent))
		same(t, "attempts", outcomes(reply.Attempts), []myriad.Outcome{myriad.OutcomeTimeout, myriad.OutcomeSuccess})
		is(t, "first took", reply.Attempts[0].DurationMS, 2000)
		is(t, "second began", reply.Attempts[1].StartMS, 2000)
		is(t, "message", reply.Attempts[0].Error, "connecting took too long")
		r.Close()
	})
}
