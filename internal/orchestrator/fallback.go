package orchestrator

import (
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
)

// keep keeps a live answer as the last good one, when the task only read.
func (r *run) keep(i int32, reply *myriad.Reply) {
	if !r.reads(i, reply.Agent) {
		return
	}
	r.o.cfg.LastGood.KeepGood(r.question(i), myriad.GoodAnswer{Answer: reply.Answer, Agent: reply.Agent, Endpoint: reply.Endpoint, At: time.Now()})
}

// reads says whether the task's intent only reads: by the configured list, or by the word of the agent that answered.
func (r *run) reads(i int32, agent string) bool {
	intent := r.plan.tasks[i].IntentKey
	if r.o.reading[intent] {
		return true
	}
	return slices.ContainsFunc(r.tasks[i].candidates, func(c myriad.Candidate) bool {
		return c.Agent.Name == agent && slices.Contains(c.Agent.SafeIntents, intent)
	})
}

// fallBack is what stands in for an answer that nobody could give: the last good answer, else the task's default, else nil.
func (r *run) fallBack(i int32, f *failure) *myriad.Result {
	task := &r.plan.tasks[i]
	if f.mayFall == fallsNot || refuses(task.Fallback) || r.over.Load() {
		return nil
	}
	why := f.code + ": " + f.message
	if f.mayFall == fallsAll {
		if good, age, ok := r.remembered(i); ok {
			result := r.result(i)
			result.Status, result.Succeeded, result.Answer = myriad.StatusSuccess, true, good.Answer
			p := &result.Provenance
			p.Source, p.AgeMS, p.Agent, p.Endpoint, p.Fallback = myriad.SourceCache, age, good.Agent, good.Endpoint, why
			r.tellFallback(task, myriad.SourceCache)
			return &result
		}
	}
	if value := standIn(task.Fallback); value != nil {
		result := r.result(i)
		result.Status, result.Succeeded, result.Extra.Data = myriad.StatusSuccess, true, value
		result.Provenance.Source, result.Provenance.Fallback = myriad.SourceDefault, why
		r.tellFallback(task, myriad.SourceDefault)
		return &result
	}
	if f.mayFall == fallsAll {
		r.tellFallback(task, myriad.SourceNone)
	}
	return nil
}

func (r *run) tellFallback(task *myriad.Task, source string) {
	r.emit(myriad.Event{Kind: myriad.KindFallback, TaskID: task.ID.Key, Reason: source})
}

// remembered is the last good answer to the task's question, with its age in milliseconds, when it is young enough.
func (r *run) remembered(i int32) (good myriad.GoodAnswer, age int64, ok bool) {
	good, ok = r.o.cfg.LastGood.Good(r.ctx, r.question(i))
	if !ok {
		return good, 0, false
	}
	old := time.Since(good.At)
	oldest := r.o.limits.GoodMaxAge
	if ms := r.plan.tasks[i].MaxAgeMS; ms > 0 && ms < oldest.Milliseconds() {
		oldest = time.Duration(ms) * time.Millisecond
	}
	return good, max(1, old.Milliseconds()), old <= oldest
}

// refuses says that a task wants no stand-in: its fallback is "none".
func refuses(fallback []byte) bool { return len(fallback) > 0 && fallback[0] == '"' }

// standIn is the default that a task gives for its answer, nil when it gives none.
func standIn(fallback []byte) []byte {
	for name, value := range myriad.Fields(fallback) {
		if string(name) == "value" {
			return value
		}
	}
	return nil
}
