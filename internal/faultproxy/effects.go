package faultproxy

import (
	"cmp"
	"maps"
	"slices"
)

// maxEffects bounds the ledger of an Agent; what is beyond is counted as untracked.
const maxEffects = 1 << 20

// Effect counts the executions of one task. Key is its Idempotency-Key; a job without one is kept under its task id alone.
type Effect struct {
	Key, TaskID string
	Begun       int // executions that read the job and set to work
	Completed   int // executions that came to their end, whether or not the answer arrived
}

type effectKey struct{ key, task string }

type ledger struct {
	effects   map[effectKey]*Effect
	limit     int // of effects
	untracked int64
}

func newLedger(limit int) ledger { return ledger{effects: map[effectKey]*Effect{}, limit: limit} }

func (l *ledger) note(key, task string, completed bool) {
	k := effectKey{key, task}
	e := l.effects[k]
	switch {
	case e == nil && len(l.effects) >= l.limit:
		if !completed {
			l.untracked++
		}
		return
	case e == nil:
		e = &Effect{Key: key, TaskID: task}
		l.effects[k] = e
	}
	if completed {
		e.Completed++
	} else {
		e.Begun++
	}
}

// AgentStats counts what an Agent did since NewAgent or Forget.
type AgentStats struct {
	Jobs      int64 // well-formed jobs that arrived, those turned away included
	Running   int   // being handled now
	Peak      int   // most that were handled at once
	Begun     int   // executions of all tasks
	Completed int
	Untracked int64 // executions past the bound of the ledger; 0 or no claim about repetition holds
}

// Stats is a snapshot of the counters.
func (a *Agent) Stats() AgentStats {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := AgentStats{Jobs: a.jobs, Running: a.running, Peak: a.peak, Untracked: a.ledger.untracked}
	for _, e := range a.ledger.effects {
		s.Begun += e.Begun
		s.Completed += e.Completed
	}
	return s
}

// Effects are the counts of every task, by task id and key.
func (a *Agent) Effects() []Effect {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]Effect, 0, len(a.ledger.effects))
	for e := range maps.Values(a.ledger.effects) {
		out = append(out, *e)
	}
	slices.SortFunc(out, func(x, y Effect) int { return cmp.Or(cmp.Compare(x.TaskID, y.TaskID), cmp.Compare(x.Key, y.Key)) })
	return out
}

// Repeated are the tasks that were begun more than once.
func (a *Agent) Repeated() []Effect {
	return slices.DeleteFunc(a.Effects(), func(e Effect) bool { return e.Begun < 2 })
}

// Forget sets all counts back, but for the jobs that are being handled now.
func (a *Agent) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.jobs, a.peak, a.ledger = 0, a.running, newLedger(maxEffects)
}

// arrive counts a job and gives the behaviour for it.
func (a *Agent) arrive() Behaviour {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.jobs++
	a.running++
	a.peak = max(a.peak, a.running)
	a.since++
	if b := a.behaviour; b.First == 0 || a.since <= b.First {
		return b
	}
	return Behaviour{}
}

func (a *Agent) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
}

func (a *Agent) note(key, task string, completed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ledger.note(key, task, completed)
}
