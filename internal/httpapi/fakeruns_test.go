package httpapi

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// fakeRuns answers every plan at once, task by task as lightbulbs do, unless a function says otherwise.
type fakeRuns struct {
	do       func(ctx context.Context, req myriad.RunRequest) (*myriad.RunRecord, error)
	doStream func(ctx context.Context, req myriad.RunRequest, fn func(myriad.RunEvent) error) error
	follow   func(ctx context.Context, id string, after int, fn func(myriad.RunEvent) error) error

	replayed bool // what Start says

	mu   sync.Mutex
	seen []myriad.RunRequest
}

func (f *fakeRuns) saw(req myriad.RunRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, req)
}

func (f *fakeRuns) last() myriad.RunRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[len(f.seen)-1]
}

func (f *fakeRuns) Do(ctx context.Context, req myriad.RunRequest) (*myriad.RunRecord, error) {
	f.saw(req)
	if f.do != nil {
		return f.do(ctx, req)
	}
	return answered(req)
}

// answered reads the plan as far as these tests need and answers its tasks.
func answered(req myriad.RunRequest) (*myriad.RunRecord, error) {
	var plan struct{ Tasks []myriad.Task }
	if err := json.Unmarshal(req.Body, &plan); err != nil {
		return nil, myriad.Errorf(myriad.CodeInvalid, "the body is malformed JSON: %w", err)
	}
	rec := &myriad.RunRecord{RunSummary: myriad.RunSummary{RunID: runUUID, Status: myriad.RunSuccess, Tasks: len(plan.Tasks), StartedAt: noon,
		FinishedAt: noon.Add(12 * time.Millisecond), DurationMS: 12, CriticalPathMS: 11.5, OrchestrationMS: 0.5, SequentialMS: 11.5, Parallelism: 0.958}}
	var mistakes []myriad.Mistake
	for i, task := range plan.Tasks {
		if task.Concept == "" {
			mistakes = append(mistakes, myriad.Mistake{Path: "tasks[" + string(rune('0'+i)) + "].concept", Rule: "must not be empty"})
		}
		rec.Results = append(rec.Results, resultOf(task))
		rec.Succeeded++
	}
	return rec, myriad.Invalid(mistakes)
}

func resultOf(task myriad.Task) myriad.Result {
	if task.Concept == "nobody" {
		return myriad.Result{TaskID: task.ID, Status: myriad.StatusNoAgent, ErrorCode: myriad.TaskErrNoAgent, ErrorMessage: "nobody knows nobody",
			Provenance: myriad.Provenance{Source: myriad.SourceNone, Graph: myriad.GraphFresh}}
	}
	return myriad.Result{TaskID: task.ID, Status: "success", Succeeded: true,
		Answer: myriad.ReadAnswer(json.RawMessage(`{"agent_name":"Lightbulb_Definition_AI","status":"success","data":"an electric device"}`)),
		Provenance: myriad.Provenance{Source: myriad.SourceLive, Agent: "Lightbulb_Definition_AI", Endpoint: "http://127.0.0.1:5001/query", DurationMS: 11.5,
			Attempts: []myriad.Attempt{{Agent: "Lightbulb_Definition_AI", Endpoint: "http://127.0.0.1:5001/query", Outcome: myriad.OutcomeSuccess, DurationMS: 11}},
			Ranking:  []myriad.Ranked{{Agent: "Lightbulb_Definition_AI", Score: 0.5, Tier: myriad.TierExact, Parts: myriad.ScoreParts{Weight: 0.5, Availability: 1, Load: 1, Latency: 1}}},
			Graph:    myriad.GraphFresh}}
}

// events are those of a run of one task.
func eventsOf(rec *myriad.RunRecord) []myriad.RunEvent {
	return []myriad.RunEvent{
		{ID: 1, Kind: myriad.EventRunStarted, Data: mustJSON(myriad.RunStarted{RunID: rec.RunID, StartedAt: noon, Tasks: []myriad.Planned{{TaskID: rec.Results[0].TaskID, Concept: "lightbulb", Intent: "define"}}})},
		{ID: 2, Kind: myriad.EventTaskStarted, Data: mustJSON(myriad.TaskStarted{RunID: rec.RunID, TaskID: rec.Results[0].TaskID, At: noon})},
		{ID: 3, Kind: myriad.EventTaskFinished, Data: mustJSON(rec.Results[0])},
		{ID: 4, Kind: myriad.EventRunFinished, Data: mustJSON(rec.RunSummary)},
	}
}

func (f *fakeRuns) DoStream(ctx context.Context, req myriad.RunRequest, fn func(myriad.RunEvent) error) error {
	f.saw(req)
	if f.doStream != nil {
		return f.doStream(ctx, req, fn)
	}
	rec, err := answered(req)
	if err != nil {
		return err
	}
	return tell(rec, 0, fn)
}

func tell(rec *myriad.RunRecord, after int, fn func(myriad.RunEvent) error) error {
	for _, e := range eventsOf(rec) {
		if e.ID > after {
			if err := fn(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fakeRuns) Start(_ context.Context, req myriad.RunRequest) (string, bool, error) {
	f.saw(req)
	_, err := answered(req)
	return runUUID, f.replayed, err
}

func (f *fakeRuns) Follow(ctx context.Context, id string, after int, fn func(myriad.RunEvent) error) error {
	if f.follow != nil {
		return f.follow(ctx, id, after, fn)
	}
	rec, err := f.Run(ctx, id)
	if err != nil {
		return err
	}
	return tell(rec, after, fn)
}

func (f *fakeRuns) Cancel(ctx context.Context, id string) error {
	_, err := f.Run(ctx, id)
	return err
}

func (f *fakeRuns) Run(_ context.Context, id string) (*myriad.RunRecord, error) {
	if id != runUUID {
		return nil, myriad.Errorf(myriad.CodeNotFound, "there is no run %s", id)
	}
	return answered(myriad.RunRequest{Body: []byte(`{"tasks":[{"task_id":1,"concept":"lightbulb","intent":"define"}]}`)})
}

func (f *fakeRuns) Runs(_ context.Context, page myriad.Page) ([]myriad.RunSummary, string, error) {
	switch page.Cursor {
	case "":
		return []myriad.RunSummary{{RunID: runUUID, Status: myriad.RunRunning, StartedAt: noon}}, "c1", nil
	case "c1":
		return nil, "", nil
	}
	return nil, "", myriad.Errorf(myriad.CodeInvalid, "no such cursor")
}
