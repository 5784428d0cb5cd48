package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// eventsOf follows a run to its end.
func (w *world) eventsOf(ctx context.Context, id string, after int) (events []myriad.RunEvent, err error) {
	err = w.Follow(ctx, id, after, func(e myriad.RunEvent) error {
		events = append(events, e)
		return nil
	})
	return events, err
}

func TestFollowersSeeTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Second) }
		id, _, err := w.Start(t.Context(), myriad.RunRequest{Body: body(task{"task_id": 1, "concept": "Lamp"}, task{"task_id": "b", "dependencies": []int{1}}, task{})})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var early, late []myriad.RunEvent
		wg.Go(func() { early, _ = w.eventsOf(t.Context(), id, 0) })
		time.Sleep(1500 * time.Millisecond)
		if rec, err := w.Run(t.Context(), id); err != nil || rec.Status != myriad.RunRunning || rec.Succeeded != 2 || len(rec.Results) != 3 || rec.Results[1].Status != "" {
			t.Errorf("in mid-run: %s, %v", rec.AppendJSON(nil), err)
		}
		wg.Go(func() { late, _ = w.eventsOf(t.Context(), id, 3) })
		wg.Wait()
		after, err := w.eventsOf(t.Context(), id, 0)
		if err != nil || len(early) != 8 || len(after) != 8 || len(late) != 5 {
			t.Fatalf("%d, %d and %d events, %v", len(early), len(late), len(after), err)
		}
		for n, e := range early {
			if e.ID != n+1 || after[n].ID != n+1 || after[n].Kind != e.Kind {
				t.Errorf("event %d: live %s %s, stored %s %s", n+1, e.Kind, e.Data, after[n].Kind, after[n].Data)
			}
			if e.Kind != myriad.EventTaskStarted && string(after[n].Data) != string(e.Data) {
				t.Errorf("event %d: live %s, stored %s", n+1, e.Data, after[n].Data)
			}
			if n >= 3 && string(late[n-3].Data) != string(e.Data) {
				t.Errorf("event %d of the late follower: %s, want %s", n+1, late[n-3].Data, e.Data)
			}
		}
		var started myriad.RunStarted
		if err := json.Unmarshal(early[0].Data, &started); err != nil || started.RunID != id || len(started.Tasks) != 3 || started.Tasks[0].Concept != "Lamp" ||
			string(started.Tasks[1].Dependencies[0].Raw) != "1" {
			t.Errorf("%s: %v", early[0].Data, err)
		}
		var begun myriad.TaskStarted
		if err := json.Unmarshal(early[1].Data, &begun); err != nil || begun.Agent != "A" || begun.RunID != id {
			t.Errorf("%s: %v", early[1].Data, err)
		}
		var result myriad.Result
		if err := json.Unmarshal(early[3].Data, &result); err != nil || !result.Succeeded {
			t.Errorf("%s: %v", early[3].Data, err)
		}
		var summary myriad.RunSummary
		if err := json.Unmarshal(early[7].Data, &summary); err != nil || summary.Status != myriad.RunSuccess || summary.DurationMS != 2000 {
			t.Errorf("%s: %v", early[7].Data, err)
		}
		if rest, err := w.eventsOf(t.Context(), id, 8); err != nil || rest != nil {
			t.Errorf("after the end: %v, %v", rest, err)
		}
		if _, err := w.eventsOf(t.Context(), "nobody", 0); myriad.ErrorCode(err) != myriad.CodeNotFound {
			t.Errorf("nobody's events: %v", err)
		}
	})
}

func TestFollowEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Second) }
		id, _, _ := w.Start(t.Context(), myriad.RunRequest{Body: body(task{})})
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		if _, err := w.eventsOf(ctx, id, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if rec, _ := w.Run(t.Context(), id); rec.Status != myriad.RunRunning {
			t.Errorf("a follower's leaving made the run %s", rec.Status)
		}
	})
}

// An interrupted run, of which the store has only the start, can be followed to an end.
func TestFollowInterruptedRun(t *testing.T) {
	w := newWorld(t)
	rec := w.do(task{})
	cut := *rec
	cut.RunID, cut.Status, cut.Results, cut.Log = "cut", myriad.RunInterrupted, nil, rec.Log[:2]
	w.store.RecordRun(&cut)
	events, err := w.eventsOf(t.Context(), "cut", 0)
	if err != nil || len(events) != 3 || events[2].Kind != myriad.EventRunFinished || events[2].ID != 3 {
		t.Fatalf("%+v, %v", events, err)
	}
	for _, e := range events {
		if !json.Valid(e.Data) {
			t.Errorf("event %d: %s", e.ID, e.Data)
		}
	}
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Second) }
		var kinds []string
		err := w.DoStream(t.Context(), myriad.RunRequest{Body: body(task{})}, func(e myriad.RunEvent) error {
			kinds = append(kinds, e.Kind)
			return nil
		})
		if err != nil || fmt.Sprint(kinds) != "[run.started task.started task.finished run.finished]" {
			t.Errorf("%v, %v", kinds, err)
		}
		full := errors.New("the client's buffer is full")
		err = w.DoStream(t.Context(), myriad.RunRequest{Body: body(task{})}, func(e myriad.RunEvent) error {
			if e.ID == 2 {
				return full
			}
			return nil
		})
		if !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
		if runs, _, _ := w.Runs(t.Context(), myriad.Page{}); len(runs) != 2 || runs[0].Status != myriad.RunCancelled {
			t.Errorf("runs %+v", runs)
		}
	})
}

func TestRunsListsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Second) }
		for range 5 {
			w.do(task{})
			time.Sleep(time.Millisecond)
		}
		started, _, _ := w.Start(t.Context(), myriad.RunRequest{Body: body(task{}, task{})})
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { w.do(task{}) })
		}
		time.Sleep(100 * time.Millisecond)
		seen := map[string]myriad.RunStatus{}
		page := myriad.Page{Limit: 3}
		for pages := 0; ; pages++ {
			runs, next, err := w.Runs(t.Context(), page)
			if err != nil || len(runs) > 3 || pages > 5 {
				t.Fatalf("%d runs, %v", len(runs), err)
			}
			for _, r := range runs {
				if _, twice := seen[r.RunID]; twice {
					t.Errorf("%s is listed twice", r.RunID)
				}
				seen[r.RunID] = r.Status
			}
			if next == "" {
				break
			}
			page.Cursor = next
		}
		running := 0
		for _, s := range seen {
			if s == myriad.RunRunning {
				running++
			}
		}
		if len(seen) != 8 || running != 3 || seen[started] != myriad.RunRunning {
			t.Errorf("seen %v", seen)
		}
		wg.Wait()
	})
}
