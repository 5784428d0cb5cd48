package orchestrator

import (
	"context"
	"encoding/json"
	"time"

	"github.com/myriad-mind/myriad"
)

// Follow gives fn the events of a run after the after-th, in order, each once, at fn's own pace: followers read the run's log, so that none
// is dropped and none holds the run up. It returns nil after run.finished, or when there is nothing after that; fn's error ends it.
func (o *Orchestrator) Follow(ctx context.Context, id string, after int, fn func(myriad.RunEvent) error) error {
	if r := o.live(id); r != nil {
		return r.follow(ctx, after, fn)
	}
	rec, err := o.cfg.Recorder.LoadRun(ctx, id)
	if err != nil {
		return err
	}
	return replay(ctx, rec, after, fn)
}

// DoStream carries a run out and gives fn its events. When ctx ends or fn fails the run is cancelled.
func (o *Orchestrator) DoStream(ctx context.Context, req myriad.RunRequest, fn func(myriad.RunEvent) error) error {
	if req.IdempotencyKey != "" {
		return o.streamKeyed(ctx, &req, fn)
	}
	r, err := o.admit(&req)
	if err != nil {
		return err
	}
	r.begin(ctx)
	r.launchAway(r.initial())
	err = r.follow(ctx, 0, fn)
	if err != nil {
		r.end(cutLeft)
	}
	<-r.done
	return err
}

// followChunk is how many steps a follower takes out of the log at a time.
const followChunk = 64

func (r *run) follow(ctx context.Context, after int, fn func(myriad.RunEvent) error) error {
	after = max(after, 0)
	for {
		steps, changed := r.steps(after)
		for _, step := range steps {
			after++
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			if err := fn(myriad.RunEvent{ID: after, Kind: step.Kind, Data: r.data(step)}); err != nil {
				return err
			}
			if step.Kind == myriad.EventRunFinished {
				return nil
			}
		}
		if changed == nil && len(steps) == 0 {
			return nil
		}
		if len(steps) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// steps are the next ones of the log. When there are none yet, changed is closed as soon as there are; nil: there will be none.
func (r *run) steps(after int) (steps []myriad.RunStep, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if after < len(r.log) {
		end := min(len(r.log), after+followChunk)
		return append(steps, r.log[after:end]...), nil
	}
	if r.record != nil {
		return nil, nil
	}
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return nil, r.changed
}

// data is what an event of the run carries.
func (r *run) data(step myriad.RunStep) json.RawMessage {
	switch step.Kind {
	case myriad.EventRunStarted:
		return r.plan.started(r.id, step.At)
	case myriad.EventTaskStarted:
		r.mu.Lock()
		w := &r.tasks[step.Task]
		started := myriad.TaskStarted{RunID: r.id, TaskID: r.plan.tasks[step.Task].ID, Agent: w.firstAgent, QueuedMS: myriad.Millis(w.firstWait), At: step.At.UTC()}
		r.mu.Unlock()
		return encode(started)
	case myriad.EventTaskFinished:
		return r.results[step.Task].AppendJSON(nil) // settled: it does not change any more
	}
	s := r.summaryNow()
	return s.AppendJSON(nil)
}

// replay gives the events of a run that is over, out of its record.
func replay(ctx context.Context, rec *myriad.RunRecord, after int, fn func(myriad.RunEvent) error) error {
	log := rec.Log
	if n := len(log); rec.Status.Done() && (n == 0 || log[n-1].Kind != myriad.EventRunFinished) { // interrupted: nobody was there to tell
		log = append(log[:n:n], myriad.RunStep{Kind: myriad.EventRunFinished, Task: -1, At: rec.FinishedAt})
	}
	for n := max(after, 0); n < len(log); n++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := fn(myriad.RunEvent{ID: n + 1, Kind: log[n].Kind, Data: recorded(rec, log[n])}); err != nil {
			return err
		}
	}
	return nil
}

// recorded is what an event of a record carries.
func recorded(rec *myriad.RunRecord, step myriad.RunStep) json.RawMessage {
	switch {
	case step.Kind == myriad.EventRunStarted:
		return appendStarted(rec.RunID, rec.StartedAt, rec.Plan)
	case step.Kind == myriad.EventRunFinished || step.Task < 0 || step.Task >= len(rec.Results):
		return rec.RunSummary.AppendJSON(nil)
	case step.Kind == myriad.EventTaskStarted:
		result := &rec.Results[step.Task]
		started := myriad.TaskStarted{RunID: rec.RunID, TaskID: result.TaskID, QueuedMS: result.Provenance.QueuedMS, At: step.At.UTC()}
		if started.Agent = result.Provenance.Agent; len(result.Provenance.Attempts) > 0 {
			started.Agent = result.Provenance.Attempts[0].Agent
		}
		return encode(started)
	}
	return rec.Results[step.Task].AppendJSON(nil)
}

// started is the data of run.started.
func (p *plan) started(id string, at time.Time) json.RawMessage {
	return appendStarted(id, at, p.announcement())
}

func appendStarted(id string, at time.Time, tasks json.RawMessage) json.RawMessage {
	if len(tasks) == 0 {
		tasks = json.RawMessage("[]")
	}
	return encode(struct {
		RunID     string          `json:"run_id"`
		StartedAt time.Time       `json:"started_at"`
		Tasks     json.RawMessage `json:"tasks"`
	}{id, at.UTC(), tasks})
}

// announcement is the plan as JSON, a list of myriad.Planned: what a record keeps of it, so that a run that is over can still be followed
// from its start.
func (p *plan) announcement() json.RawMessage {
	b := make([]byte, 0, 2+96*len(p.tasks))
	b = append(b, '[')
	for i := range p.tasks {
		t := &p.tasks[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, `{"task_id":`...), t.ID.Raw...)
		b = myriad.AppendJSONString(append(b, `,"concept":`...), t.Concept)
		b = myriad.AppendJSONString(append(b, `,"intent":`...), t.Intent)
		if len(t.Dependencies) > 0 {
			b = append(b, `,"dependencies":[`...)
			for n := range t.Dependencies {
				if n > 0 {
					b = append(b, ',')
				}
				b = append(b, t.Dependencies[n].Raw...)
			}
			b = append(b, ']')
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// encode writes types of ours, which always can be written.
func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return raw
}
