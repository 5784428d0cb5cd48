package orchestrator

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

func withKey(key string, tasks ...task) myriad.RunRequest {
	return myriad.RunRequest{Body: body(tasks...), IdempotencyKey: key}
}

func TestSameKeySameRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Second) }
		var wg sync.WaitGroup
		ids := make([]string, 6)
		for i := range 4 {
			wg.Go(func() {
				rec, err := w.Do(t.Context(), withKey("k", task{}))
				if err != nil || rec.Status != myriad.RunSuccess {
					t.Errorf("%d: %v", i, err)
					return
				}
				ids[i] = rec.RunID
			})
		}
		wg.Go(func() {
			var err error
			if ids[4], _, err = w.Start(t.Context(), withKey("k", task{})); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := w.DoStream(t.Context(), withKey("k", task{}), func(myriad.RunEvent) error { return nil }); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		rec, err := w.Do(t.Context(), withKey("k", task{})) // long after
		if err != nil {
			t.Fatal(err)
		}
		ids[5] = rec.RunID
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("runs %v", ids)
			}
		}
		if id, replayed, err := w.Start(t.Context(), withKey("k", task{})); err != nil || !replayed || id != ids[0] {
			t.Errorf("%s, %v, %v", id, replayed, err)
		}
		events := 0
		if err := w.DoStream(t.Context(), withKey("k", task{}), func(myriad.RunEvent) error { events++; return nil }); err != nil || events != 4 {
			t.Errorf("%d events, %v", events, err)
		}
		if n := w.caller.calls.Load(); n != 1 {
			t.Errorf("carried out %d times", n)
		}
		_, err = w.Do(t.Context(), withKey("k", task{"concept": "other"}))
		if myriad.ErrorCode(err) != myriad.CodeKeyReused {
			t.Errorf("another body: %v", err)
		}
		if len(w.keys) != 0 {
			t.Errorf("%d keys stay in memory", len(w.keys))
		}
	})
}

func TestAnotherBodyWhileTheFirstRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Second) }
		if _, replayed, err := w.Start(t.Context(), withKey("k", task{})); err != nil || replayed {
			t.Fatal(replayed, err)
		}
		if _, err := w.Do(t.Context(), withKey("k", task{}, task{})); myriad.ErrorCode(err) != myriad.CodeKeyReused {
			t.Errorf("got %v", err)
		}
		if n := w.store.count(); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}

// A run with a key ends when the last of its clients has left, not when the first has.
func TestLastClientToLeaveEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, 20*time.Second) }
		var wg sync.WaitGroup
		client := func(stay time.Duration, want myriad.RunStatus) {
			wg.Go(func() {
				ctx, leave := context.WithTimeout(t.Context(), stay)
				defer leave()
				rec, err := w.Do(ctx, withKey("k", task{}))
				switch {
				case want == "" && !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("stayed %s, got %v", stay, err)
				case want != "" && (err != nil || rec.Status != want || rec.DurationMS != float64(stay.Milliseconds())):
					t.Errorf("stayed %s, got %v", stay, err)
				}
			})
		}
		client(time.Second, "")
		client(5*time.Second, myriad.RunCancelled)
		wg.Wait()
	})
}

func TestPinnedRunOutlivesItsClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, 5*time.Second) }
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		id, _, err := w.Start(ctx, withKey("k", task{}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Do(ctx, withKey("k", task{})); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if _, err := w.eventsOf(t.Context(), id, 0); err != nil {
			t.Error(err)
		}
		if rec, _ := w.Run(t.Context(), id); rec.Status != myriad.RunSuccess {
			t.Errorf("got %s", rec.Status)
		}
	})
}

// The one who came first may leave while the store is asked; the others are served all the same.
func TestFirstClientLeavesWhileTheStoreIsAsked(t *testing.T) {
	w := newWorld(t)
	w.store.slow = make(chan struct{})
	ctx, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = w.Do(ctx, withKey("k", task{})) })
	wg.Go(func() {
		if rec, err := w.Do(t.Context(), withKey("k", task{})); err != nil || rec.Status == myriad.RunRunning {
			t.Errorf("got %v", err)
		}
	})
	leave()
	close(w.store.slow)
	wg.Wait()
}

func TestStoreFailsAtTheStart(t *testing.T) {
	w := newWorld(t)
	w.store.fail = errors.New("disk full")
	if _, err := w.Do(t.Context(), withKey("k", task{})); myriad.ErrorCode(err) != myriad.CodeUnavailable {
		t.Errorf("got %v", err)
	}
	if _, _, err := w.Start(t.Context(), myriad.RunRequest{Body: body(task{})}); myriad.ErrorCode(err) != myriad.CodeUnavailable {
		t.Errorf("got %v", err)
	}
	w.store.fail = nil
	if _, err := w.Do(t.Context(), withKey("k", task{})); err != nil {
		t.Errorf("the key stays blocked: %v", err)
	}
	if w.caller.calls.Load() != 1 {
		t.Errorf("%d calls", w.caller.calls.Load())
	}
}

func TestBadPlanUnderAKey(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		if _, err := w.Do(t.Context(), withKey("k", task{"priority": -1})); len(mistakesOf(t, err)) != 1 {
			t.Errorf("got %v", err)
		}
	}
	if _, err := w.Do(t.Context(), withKey("k", task{})); err != nil {
		t.Errorf("a bad request used the key up: %v", err)
	}
}
