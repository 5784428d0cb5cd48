package orchestrator

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// slowStore takes its time to keep a run that is to begin.
type slowStore struct {
	*fakeStore
	takes time.Duration
}

func (s slowStore) RecordRunNow(ctx context.Context, rec *myriad.RunRecord) error {
	time.Sleep(s.takes)
	return s.fakeStore.RecordRunNow(ctx, rec)
}

// TestRunsTimeBeginsWhenItIsKept: a store that is slower than the run's timeout takes nothing of it, and the run says when it began.
func TestRunsTimeBeginsWhenItIsKept(t *testing.T) {
	for _, key := range []string{"", "a key"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Recorder = slowStore{c.Recorder.(*fakeStore), time.Minute} })
			w.caller.call = func(ctx context.Context, c *myriad.Call) myriad.Reply { return slow(ctx, c, time.Second) }
			id, _, err := w.Start(t.Context(), myriad.RunRequest{Body: body(task{}), Timeout: 2 * time.Second, IdempotencyKey: key})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			var first myriad.RunEvent
			if err := w.Follow(t.Context(), id, 0, func(e myriad.RunEvent) error {
				if e.ID == 1 {
					first = e
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			rec, err := w.Run(t.Context(), id)
			if err != nil || rec.Status != myriad.RunSuccess || rec.DurationMS != 1000 || !rec.StartedAt.Equal(began) || !rec.Log[0].At.Equal(began) {
				t.Errorf("%+v, %v; want one that began at %v", rec, err, began)
			}
			if want := string(encode(began.UTC())); !strings.Contains(string(first.Data), want) {
				t.Errorf("the first event is %s, want %s in it", first.Data, want)
			}
		})
	}
}
