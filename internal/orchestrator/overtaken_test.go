package orchestrator

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// TestEndOvertakesATaskInOtherHands: the run ends while its first task is being prepared. The task was ready from the start, and whoever ends the run leaves
// alone what belongs to whoever has the task in hand (which the race detector sees).
func TestEndOvertakesATaskInOtherHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.caller.eligible = func([]myriad.Candidate) ([]myriad.Candidate, []myriad.Rejection, time.Duration) {
			time.Sleep(time.Second)
			return nil, nil, time.Minute
		}
		rec, err := w.Do(t.Context(), myriad.RunRequest{Body: body(task{}, task{"dependencies": []string{"0"}}), Timeout: 500 * time.Millisecond})
		if err != nil || rec.Status != myriad.RunTimeout || rec.DurationMS != 500 {
			t.Fatalf("%+v, %v", rec, err)
		}
		if p := resultOf(t, rec, "0").Provenance; p.StartMS != 0 {
			t.Errorf("a task that was ready from the start, is said to have been after %v ms", p.StartMS)
		}
		if p := resultOf(t, rec, "1").Provenance; p.StartMS != 500 {
			t.Errorf("a task that never was ready, is said to have been after %v ms", p.StartMS)
		}
	})
}
