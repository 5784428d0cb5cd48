package call

import (
	"sync/atomic"
	"testing"

	"github.com/myriad-mind/myriad"
)

// TestLease: an attempt at an agent that has an instance holds it, and one whose instance is gone goes to nobody, for nobody's fault.
func TestLease(t *testing.T) {
	var held, taken atomic.Int64
	gone := map[string]bool{}
	r := newRig(t, nil, func(c *Config) {
		c.Lease = func(a *myriad.Agent) (func(), bool) {
			if gone[a.Name] {
				return nil, false
			}
			held.Add(1)
			taken.Add(1)
			return func() { held.Add(-1) }, true
		}
	})
	packet := &myriad.Template{Kind: myriad.TemplateKnowledge}
	a, b, plain := agentAt(t, "A", answering(200, `{"data": 1}`)), agentAt(t, "B", answering(500, "")), agentAt(t, "P", nil)
	a.Template, b.Template = packet, packet

	is(t, "live", r.do(t.Context(), r.job("define", a.Agent)).Outcome, myriad.OutcomeSuccess)
	is(t, "without a template", r.do(t.Context(), r.job("define", plain.Agent)).Outcome, myriad.OutcomeSuccess)
	is(t, "leases taken", taken.Load(), 1)
	if _, err := r.Research(t.Context(), a.Agent, "/collaborate", []byte("{}")); err != nil {
		t.Error(err)
	}
	is(t, "leases taken, one for research", taken.Load(), 2)

	gone["A"] = true
	reply := r.do(t.Context(), r.job("define", a.Agent))
	is(t, "gone", reply.Outcome, myriad.OutcomeAsleep)
	is(t, "looked for again", reply.Requeue, true)
	is(t, "attempts", len(reply.Attempts), 0)
	same(t, "rejections", reply.Rejections, []myriad.Rejection{{Agent: "A", Reason: myriad.RejectedAsleep}})
	is(t, "failures counted", r.Breakers("A")[0].ConsecutiveFailures, 0)
	_, err := r.Research(t.Context(), a.Agent, "/collaborate", []byte("{}"))
	is(t, "research", myriad.ErrorCode(err), myriad.TaskErrAsleep)

	reply = r.do(t.Context(), r.job("define", b.Agent, a.Agent)) // the retry finds nobody there: the failure before it tells more
	is(t, "after a failure", reply.Outcome, myriad.OutcomeServerError)
	is(t, "leases held", held.Load(), 0)
}
