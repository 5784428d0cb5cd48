package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
)

// attempted is an attempt in the time of the clock, by the moments that are in order however long the machine stands still between them: the breaker was asked
// for it after earliest and before begun, and was told how it ended after ended and before known. When exactly, nothing tells: a goroutine that has the breaker's
// leave may have to wait for a processor before it says that it begins.
type attempted struct {
	earliest, begun, ended, known time.Time
	outcome                       myriad.Outcome
}

// resolution is how far the times of results fall behind: they are cut off to whole microseconds, and two of them may be added up.
const resolution = 2 * time.Microsecond

// attemptsAt are those at one agent, in the order in which they began.
func (w *ward) attemptsAt(agent string) (all []attempted) {
	for _, a := range w.runs {
		if a.err != nil {
			continue
		}
		skew := a.skew()
		at := func(ms float64) time.Time {
			return a.record.StartedAt.Add(time.Duration(ms * float64(time.Millisecond)))
		}
		for i := range a.record.Results {
			r := &a.record.Results[i]
			for n, x := range r.Provenance.Attempts {
				if x.Agent == agent {
					all = append(all, attempted{
						earliest: at(askedAfter(&r.Provenance, n)).Add(-skew), begun: at(x.StartMS).Add(skew + resolution),
						ended: at(x.StartMS + x.DurationMS).Add(-skew), known: a.knownAt(r.TaskID.Key), outcome: x.Outcome,
					})
				}
			}
		}
	}
	slices.SortFunc(all, func(x, y attempted) int { return x.begun.Compare(y.begun) })
	return all
}

// skew is by how much the times of a run may be off: its begin and its end were read from the clock of the day, and all between them is counted from the begin by
// a clock that nobody sets.
func (a *asked) skew() time.Duration {
	counted := time.Duration(a.record.DurationMS * float64(time.Millisecond))
	return (a.record.FinishedAt.Sub(a.record.StartedAt) - counted).Abs()
}

// knownAt is when the client had the result of a task.
func (a *asked) knownAt(task string) time.Time {
	if at, followed := a.heard[task]; followed {
		return at
	}
	return a.begin.Add(a.took)
}

// askedAfter is the last moment in the account of a task, in milliseconds of its run, that is surely before the breaker was asked for its nth attempt. A further
// attempt follows the end of the one before it, unless it is a hedge. The first one follows the wait for a slot, which is known when there was one wait only.
func askedAfter(p *myriad.Provenance, n int) float64 {
	after := p.StartMS
	waitedAgain := slices.ContainsFunc(p.Attempts, func(a myriad.Attempt) bool { return a.Outcome.Class() == myriad.ClassWait }) ||
		slices.ContainsFunc(p.Rejections, func(r myriad.Rejection) bool {
			return r.Reason == myriad.RejectedOpen || r.Reason == myriad.RejectedParked || r.Reason == myriad.RejectedAsleep
		})
	if !waitedAgain {
		after += p.QueuedMS
	}
	for _, a := range p.Attempts[:n] {
		if !a.Hedge && !p.Attempts[n].Hedge {
			after = max(after, a.StartMS+a.DurationMS)
		}
	}
	return after
}

// spell is the time of a breaker between two transitions.
type spell struct {
	state    string
	from, to time.Time
	probes   []attempted // that can have been admitted in no other spell
}

// spells are the times of one breaker without a gap, from before the first transition to after the last one.
func (b *breakerLog) spells(circuit string) []*spell {
	last := &spell{state: "closed"}
	all := []*spell{last}
	for _, c := range b.of(circuit) {
		last.to = c.At
		last = &spell{state: c.To, from: c.At}
		all = append(all, last)
	}
	last.to = time.Unix(math.MaxInt32, 0)
	return all
}

// mayAdmit says that the spell may be the one in which the breaker gave leave for the attempt.
func (s *spell) mayAdmit(a attempted) bool {
	return s.state != "open" && !s.to.Before(a.earliest) && !s.from.After(a.begun)
}

// checkBreaker: every attempt had its leave while the breaker was not open, and while it was half-open there was one probe at a time.
func (w *ward) checkBreaker(p *patient) {
	w.t.Helper()
	for i, changes := 1, w.changes.of(p.name); i < len(changes); i++ {
		if c := changes[i]; c.From != changes[i-1].To {
			w.t.Errorf("%s: a transition from %s after one to %s", p.name, c.From, changes[i-1].To)
		}
	}
	for _, wrong := range judge(w.changes.spells(p.name), w.attemptsAt(p.name)) {
		w.t.Errorf("%s was called %s", p.name, wrong)
	}
}

// judge says which attempts no spell can have admitted, and which probes were not alone. It accuses nobody who may have been held up.
func judge(spells []*spell, attempts []attempted) (wrong []string) {
	for _, a := range attempts {
		by := slices.DeleteFunc(slices.Clone(spells), func(s *spell) bool { return !s.mayAdmit(a) })
		switch {
		case len(by) == 0:
			s := spells[slices.IndexFunc(spells, func(s *spell) bool { return s.to.After(a.begun) })]
			wrong = append(wrong, fmt.Sprintf("(%s) while its breaker was open: asked for after %v and begun before %v of %v", a.outcome,
				a.earliest.Sub(s.from), a.begun.Sub(s.from), s.to.Sub(s.from)))
		case len(by) == 1 && by[0].state == "half_open":
			by[0].probes = append(by[0].probes, a)
		}
	}
	for _, s := range spells {
		for i := 1; i < len(s.probes); i++ {
			if first, second := s.probes[i-1], s.probes[i]; !first.cameToNothing() || first.ended.After(second.begun) {
				wrong = append(wrong, fmt.Sprintf("(%s) beside another probe (%s) that ended %v before", second.outcome, first.outcome, second.begun.Sub(first.ended)))
			}
		}
	}
	return wrong
}

// cameToNothing says that a probe told nothing about its agent, so that another one may follow it.
func (a attempted) cameToNothing() bool {
	class := a.outcome.Class()
	return class != myriad.ClassAgent && class != myriad.ClassSuccess || a.outcome == myriad.OutcomeDeadConn
}

// checkThreshold: the breaker of an agent that only ever fails opened at the threshold, and from then on there were probes alone.
func (w *ward) checkThreshold(p *patient) {
	w.t.Helper()
	changes := w.changes.of(p.name)
	opened := slices.IndexFunc(changes, func(c breakerChange) bool { return c.To == "open" })
	if opened < 0 {
		w.t.Fatalf("the breaker of %s did not open", p.name)
	}
	healed := slices.IndexFunc(changes, func(c breakerChange) bool { return c.To == "closed" })
	before, calls := 0, 0
	for _, a := range w.attemptsAt(p.name) {
		if a.outcome.Class() != myriad.ClassAgent || a.outcome == myriad.OutcomeDeadConn || healed >= 0 && a.begun.After(changes[healed].At) {
			continue
		}
		calls++
		if a.known.Before(changes[opened].At) {
			before++
		}
	}
	if before >= tripsAfter {
		w.t.Errorf("%s failed %d times before its breaker opened", p.name, before)
	}
	probes := w.changes.count(p.name, "half_open")
	if most := tripsAfter - 1 + sickSlots + probes; calls > most {
		w.t.Errorf("%s was called %d times, more than %d: threshold, calls under way and %d probes", p.name, calls, most, probes)
	}
	w.t.Logf("%s failed %d times, %d of them known before its breaker opened, %d probes", p.name, calls, before, probes)
}
