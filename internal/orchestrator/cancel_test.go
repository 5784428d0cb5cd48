package orchestrator

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Hour) }
		var tasks []task
		for range 20 {
			tasks = append(tasks, task{})
		}
		tasks = append(tasks, task{"task_id": "x", "dependencies": []string{"0"}})
		ctx, leave := context.WithTimeout(t.Context(), 3*time.Second)
		defer leave()
		rec, err := w.Do(ctx, myriad.RunRequest{Body: body(tasks...)})
		if err != nil || rec.Status != myriad.RunCancelled || rec.DurationMS != 3000 {
			t.Fatalf("got %s, %v", rec.Status, err)
		}
		for _, r := range rec.Results {
			if r.Status != myriad.StatusCancelled || r.ErrorCode != myriad.TaskErrCancelled {
				t.Errorf("got %s", r.AppendJSON(nil))
			}
		}
	})
}

func TestCancelByID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Hour) }
		id, replayed, err := w.Start(t.Context(), myriad.RunRequest{Body: body(task{}, task{})})
		if err != nil || replayed {
			t.Fatal(replayed, err)
		}
		if rec, err := w.store.LoadRun(t.Context(), id); err != nil || rec.Status != myriad.RunRunning {
			t.Fatalf("the store has %v, %v before Start returns", rec, err)
		}
		synctest.Wait()
		if err := w.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if rec, err := w.Run(t.Context(), id); err != nil || rec.Status != myriad.RunCancelled {
			t.Errorf("got %v, %v", rec, err)
		}
		if err := w.Cancel(t.Context(), id); err != nil {
			t.Errorf("cancelling again: %v", err)
		}
		if err := w.Cancel(t.Context(), "nobody"); myriad.ErrorCode(err) != myriad.CodeNotFound {
			t.Errorf("cancelling nothing: %v", err)
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply {
			if c.Task.ID.Key == "short" {
				return slow(ctx, c, time.Second)
			}
			return slow(ctx, c, 20*time.Second)
		}
		var wg sync.WaitGroup
		recs := map[string]*myriad.RunRecord{}
		var mu sync.Mutex
		for _, id := range []string{"short", "long"} {
			wg.Go(func() {
				rec := w.do(task{"task_id": id})
				mu.Lock()
				defer mu.Unlock()
				recs[id] = rec
			})
		}
		synctest.Wait()
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		from := time.Now()
		if err := w.Drain(ctx); err != nil || time.Since(from) != 10*time.Second {
			t.Errorf("drained in %s: %v", time.Since(from), err)
		}
		wg.Wait()
		if recs["short"].Status != myriad.RunSuccess || recs["long"].Status != myriad.RunCancelled {
			t.Errorf("short %s, long %s", recs["short"].Status, recs["long"].Status)
		}
		_, err := w.Do(t.Context(), myriad.RunRequest{Body: body(task{})})
		if myriad.ErrorCode(err) != myriad.CodeDraining || err.(*myriad.Error).RetryAfter == 0 {
			t.Errorf("a run while draining: %v", err)
		}
	})
}
