package conformance

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

func stopTwice(t *testing.T, r *rig) {
	p := r.packet(t, Echo)
	i := r.awake(t, p)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { stop(t, i, graceful) })
	}
	wg.Wait()
	stop(t, i, graceful)
	stop(t, i, 0)
	if err := i.Err(); err != nil {
		t.Errorf("after Stop: %v", err)
	}
	r.silent(t, i, p)
	r.nothingLeft(t)
}

// stopAtOnce stops with a context that has ended.
func stopAtOnce(t *testing.T, r *rig) {
	p := r.packet(t, Echo)
	i := r.awake(t, p)
	stop(t, i, 0)
	if err := i.Err(); err != nil {
		t.Errorf("after Stop: %v", err)
	}
	r.silent(t, i, p)
	r.nothingLeft(t)
}

// stopWhileStarting stops instances that are not ready yet, one of them while its readiness is asked for.
func stopWhileStarting(t *testing.T, r *rig) {
	p := r.packet(t, Echo)
	i := r.begin(t, r.request(p))
	stop(t, i, graceful)
	r.silent(t, i, p)

	i = r.begin(t, r.request(p))
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for !closed(i.Exited()) {
			_ = i.Ready(t.Context()) // either way, it must return
		}
	}()
	stop(t, i, graceful)
	<-asked
	if err := i.Err(); err != nil {
		t.Errorf("after Stop: %v", err)
	}
	r.nothingLeft(t)
}

// underWay sends a job that takes its time, and returns when the instance can be expected to work on it; the answer comes on the channel.
func (r *rig) underWay(t *testing.T, i myriad.Instance, p myriad.Packet, takes time.Duration) <-chan error {
	t.Helper()
	// A short one first: the instance works, so what is sent next is taken.
	mustNot(t, r.echoes(t.Context(), i, p, map[string]any{"sleep_ms": 1}))
	done := make(chan error, 1)
	go func() {
		done <- r.echoes(context.WithoutCancel(t.Context()), i, p, map[string]any{"sleep_ms": takes.Milliseconds()})
	}()
	select {
	case err := <-done:
		t.Fatalf("a job that takes %s was over at once: %v", takes, err)
	case <-time.After(min(takes/3, 300*time.Millisecond)):
	}
	return done
}

// stopLetsJobsFinish stops while jobs are under way: those that were taken are answered. That a job was slow to arrive, and so was refused,
// proves nothing, and another instance is tried.
func stopLetsJobsFinish(t *testing.T, r *rig) {
	p := r.packet(t, Slow)
	taken := 0
	for range 5 {
		i := r.awake(t, p)
		jobs := []<-chan error{r.underWay(t, i, p, 1200*time.Millisecond), r.underWay(t, i, p, 1200*time.Millisecond)}
		stop(t, i, graceful)
		for _, done := range jobs {
			switch err := <-done; {
			case err == nil:
				taken++
			case !errors.Is(err, errRefused):
				t.Errorf("a job under way at Stop: %v", err)
			}
		}
		r.silent(t, i, p)
		r.nothingLeft(t)
		if taken >= 2 || t.Failed() {
			return
		}
	}
	t.Errorf("of ten jobs that were sent before Stop, %d were taken", taken)
}

// stopEndsWithContext stops with less grace than a job takes, and another Stop has more of it.
func stopEndsWithContext(t *testing.T, r *rig) {
	p := r.packet(t, Slow)
	i := r.awake(t, p)
	done := r.underWay(t, i, p, 5*time.Minute)
	var wg sync.WaitGroup
	began := time.Now()
	wg.Go(func() { stop(t, i, 5*time.Minute) })
	wg.Go(func() { stop(t, i, 100*time.Millisecond) })
	wg.Wait()
	if took := time.Since(began); took > time.Minute {
		t.Errorf("stopped after %s", took)
	}
	if err := <-done; err == nil {
		t.Error("a job of five minutes is done")
	}
	if err := i.Err(); err != nil {
		t.Errorf("after Stop: %v", err)
	}
	r.silent(t, i, p)
	r.nothingLeft(t)
}

func stopDeaf(t *testing.T, r *rig) {
	p := r.packet(t, Deaf)
	i := r.awake(t, p)
	done := r.underWay(t, i, p, 5*time.Minute)
	stop(t, i, 300*time.Millisecond)
	if err := <-done; err == nil {
		t.Error("a job of five minutes is done")
	}
	r.silent(t, i, p)
	r.nothingLeft(t)
}

func stopAfterCrash(t *testing.T, r *rig) {
	p := r.packet(t, Crash)
	i := r.awake(t, p)
	got, err := r.job(t.Context(), i, p, map[string]any{"crash": true})
	if err == nil && got.Status == http.StatusOK && got.Body["status"] == myriad.StatusSuccess {
		t.Errorf("the job that ended the instance succeeded: %v", got.Body)
	}
	soon(t, "Exited after a crash", func() bool { return closed(i.Exited()) })
	stop(t, i, graceful)
	stop(t, i, 0)
	if i.Err() == nil {
		t.Error("Stop took away why the instance ended")
	}
	r.nothingLeft(t)
}
