package orchestrator

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// opens has the breakers of these agents turn calls away for a while.
func (w *world) opens(wait time.Duration, names ...string) {
	w.caller.eligible = func(all []myriad.Candidate) (ok []myriad.Candidate, rejected []myriad.Rejection, retryAfter time.Duration) {
		for _, c := range all {
			if slices.Contains(names, c.Agent.Name) {
				rejected = append(rejected, myriad.Rejection{Agent: c.Agent.Name, Reason: myriad.RejectedOpen, RetryAfterMS: wait.Milliseconds()})
			} else {
				ok = append(ok, c)
			}
		}
		if len(ok) == 0 {
			retryAfter = wait
		}
		return ok, rejected, retryAfter
	}
}

// wakes brings every agent to life at once but those that cannot be; woken is who was asked for, in order.
func (w *world) wakes(cannot ...string) (woken *[]string) {
	woken = new([]string)
	w.cfg.Waker = wakerFunc(func(_ context.Context, req myriad.WakeRequest, done func(myriad.Woken)) {
		*woken = append(*woken, req.Agent.Name)
		if slices.Contains(cannot, req.Agent.Name) {
			done(myriad.Woken{Err: myriad.Errorf(myriad.TaskErrStart, "it is broken")})
			return
		}
		up := *req.Agent
		up.Endpoint, up.Dormant = "http://127.0.0.1:9/query", false
		done(myriad.Woken{Agent: &up, Cold: time.Millisecond, Release: func() {}})
	})
	return woken
}

// templated makes a candidate one whose slots, breaker and parking go by its name.
func templated(c myriad.Candidate) myriad.Candidate {
	c.Agent.Template = &myriad.Template{Kind: myriad.TemplateKnowledge}
	return c
}

// TestWhoWouldBeTurnedAwayIsNotWoken: an agent is not started for nothing. Others are woken in its place, and when there are none, the task fails over.
func TestWhoWouldBeTurnedAwayIsNotWoken(t *testing.T) {
	anyone := func(c myriad.Candidate) myriad.Candidate { c.Tier = myriad.TierAny; return c }
	for _, c := range []struct {
		name   string
		found  []myriad.Candidate
		open   []string                 // for 1.5 s
		parked map[string]time.Duration // the run lasts 30 s
		cannot []string
		woken  string
		agent  string // who answers; "" nobody
		code   string
		retry  int64
		turned string // who was turned away, and why
	}{
		{name: "another is woken", found: []myriad.Candidate{asleep("S1"), asleep("S2")}, open: []string{"S1"}, woken: "S2", agent: "S2", turned: "S1 circuit_open"},
		{name: "all are open", found: []myriad.Candidate{asleep("S1"), asleep("S2")}, open: []string{"S1", "S2"}, code: myriad.TaskErrCircuitOpen, retry: 1500,
			turned: "S1 circuit_open, S2 circuit_open"},
		{name: "awake ones are open, too", found: []myriad.Candidate{candidate("A"), asleep("S")}, open: []string{"A", "S"}, code: myriad.TaskErrCircuitOpen, retry: 1500,
			turned: "A circuit_open, S circuit_open"},
		{name: "who answers anything is asked", found: []myriad.Candidate{asleep("S"), anyone(candidate("Any"))}, open: []string{"S"}, agent: "Any", turned: "S circuit_open"},
		{name: "awake before asleep where both answer anything", found: []myriad.Candidate{asleep("S1"), anyone(candidate("Any")), anyone(asleep("S2"))},
			open: []string{"S1"}, agent: "Any", turned: "S1 circuit_open"},
		{name: "the same when one cannot be woken", found: []myriad.Candidate{asleep("S1"), anyone(candidate("Any")), anyone(asleep("S2"))}, cannot: []string{"S1"},
			woken: "S1", agent: "Any"},
		{name: "parked for too long", found: []myriad.Candidate{asleep("S1"), asleep("S2")}, parked: map[string]time.Duration{"S1": time.Minute}, woken: "S2", agent: "S2",
			turned: "S1 parked"},
		{name: "all are parked for too long", found: []myriad.Candidate{asleep("S1"), asleep("S2")}, parked: map[string]time.Duration{"S1": 2 * time.Minute, "S2": time.Minute},
			code: myriad.TaskErrParked, retry: 60_000, turned: "S1 parked, S2 parked"},
		{name: "parked or open", found: []myriad.Candidate{asleep("S1"), asleep("S2")}, open: []string{"S1"}, parked: map[string]time.Duration{"S2": time.Minute},
			code: myriad.TaskErrCircuitOpen, retry: 1500, turned: "S1 circuit_open, S2 parked"},
		{name: "parked for a while comes last", found: []myriad.Candidate{asleep("S1"), asleep("S2")}, parked: map[string]time.Duration{"S1": time.Second}, cannot: []string{"S2"},
			woken: "S2, S1", agent: "S1"},
		{name: "nobody waits for one that is parked when another is awake", found: []myriad.Candidate{asleep("S"), anyone(candidate("Any"))},
			parked: map[string]time.Duration{"S": time.Second}, agent: "Any", turned: "S parked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for i := range c.found {
					c.found[i] = templated(c.found[i])
				}
				w.finds(c.found...)
				w.opens(1500*time.Millisecond, c.open...)
				for name, wait := range c.parked {
					w.dispatcher.Park(name, wait)
				}
				woken := w.wakes(c.cannot...)
				r := w.do(task{}).Results[0]
				var turned []string
				for _, one := range r.Provenance.Rejections {
					turned = append(turned, one.Agent+" "+one.Reason)
					if one.RetryAfterMS <= 0 {
						t.Errorf("when to try %s again is not told", one.Agent)
					}
				}
				if strings.Join(*woken, ", ") != c.woken || strings.Join(turned, ", ") != c.turned {
					t.Errorf("woken: %v, turned away: %v", *woken, turned)
				}
				if r.Succeeded != (c.agent != "") || r.Provenance.Agent != c.agent || r.ErrorCode != c.code || r.Extra.RetryAfterMS != c.retry {
					t.Errorf("got %s", r.AppendJSON(nil))
				}
				if c.code != "" && (r.Status != myriad.StatusServiceUnavailable || r.Extra.Message == "") {
					t.Errorf("got %s", r.AppendJSON(nil))
				}
			})
		})
	}
}

// A task whose dormant agents are all turned away falls back like any other that nobody can answer.
func TestTurnedAwayFallsBack(t *testing.T) {
	w := newWorld(t)
	w.finds(templated(asleep("S")))
	w.opens(time.Second, "S")
	woken := w.wakes()
	r := w.do(task{"fallback": map[string]any{"value": 7}}).Results[0]
	if !r.Succeeded || r.Provenance.Source != myriad.SourceDefault || len(*woken) != 0 {
		t.Errorf("woken: %v; got %s", *woken, r.AppendJSON(nil))
	}
}
