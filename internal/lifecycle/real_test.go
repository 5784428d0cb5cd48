//go:build unix

package lifecycle_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/discovery"
	"github.com/myriad-mind/myriad/internal/inprocrt"
	"github.com/myriad-mind/myriad/internal/lifecycle"
	"github.com/myriad-mind/myriad/internal/processrt"
	"github.com/myriad-mind/myriad/internal/sqlitestore"
)

// real is a fleet on the embedded store, with knowledge agents in this process and scripts in processes.
type real struct {
	*lifecycle.Manager
	t      *testing.T
	client *http.Client
	pids   sync.Map // of processes that answered
	jobs   atomic.Int64
	crash  atomic.Int64

	mu    sync.Mutex
	holds map[string]bool // instances that hold resources, by the events; guarded by mu
	most  int             // guarded by mu
}

// note counts by the events alone what the fleet holds.
func (r *real) note(e myriad.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Kind != myriad.KindInstance {
		return
	}
	switch e.To {
	case myriad.InstanceStarting:
		r.holds[e.Instance] = true
	case myriad.InstanceStopped:
		delete(r.holds, e.Instance)
	}
	r.most = max(r.most, len(r.holds))
}

// script answers every job with its own process id, and goes away without a word when a job says so.
const script = `while read -r job; do case "$job" in *die_now*) exit 3;; esac; printf '{"pid":%d}\n' $$; done`

func (r *real) put(ctx context.Context, names ...string) {
	r.t.Helper()
	for _, name := range names {
		a := myriad.Agent{Name: name, Concepts: []string{"real " + name}, Owner: myriad.OwnerAPI, MaxConcurrency: 2, Template: &myriad.Template{
			Kind: myriad.TemplateKnowledge, Knowledge: &myriad.Knowledge{Concept: "real " + name, PrimaryDefinition: "a thing", ConfidenceScore: 0.9}}}
		if name[0] == 'p' {
			a.Template = &myriad.Template{Kind: myriad.TemplateCommand, Mode: myriad.ModeStdio, Command: []string{"/bin/sh", "-c", script}}
		}
		if _, err := r.PutAgent(ctx, a, myriad.Guard{MustNotExist: true}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// job has one job done by an agent, waking it when it sleeps.
func (r *real) job(ctx context.Context, name, intent string) error {
	a, err := r.Agent(ctx, name)
	if err != nil {
		return err
	}
	woken := make(chan myriad.Woken, 1)
	r.Wake(ctx, myriad.WakeRequest{Agent: &a, Kind: myriad.QueueWake, Concept: a.ConceptKeys()[0]}, func(w myriad.Woken) { woken <- w })
	w := <-woken
	if w.Err != nil {
		return w.Err
	}
	defer w.Release()
	release, ok := r.Lease(w.Agent)
	if !ok {
		return errGone // stopped by the operator
	}
	defer release()
	body := fmt.Sprintf(`{"task_id":"t","concept":%q,"intent":%q,"args":{}}`, a.Concepts[0], intent)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.Agent.Endpoint, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, answer)
	}
	var got struct {
		PID int `json:"pid"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return err
	}
	if got.PID > 0 {
		r.pids.Store(got.PID, true)
	}
	r.jobs.Add(1)
	return nil
}

var errGone = errors.New("the instance is gone")

// TestRealChurn has real runtimes started, stopped and crashed at once, in a fleet that is too small for all: it is never over its limit, everybody is
// served, and in the end no process is left.
func TestRealChurn(t *testing.T) {
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	store, err := sqlitestore.Open(ctx, t.TempDir(), sqlitestore.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	directory := discovery.New(discovery.Config{Graph: store.Graph()})
	defer directory.Close()
	inproc, err := inprocrt.New(inprocrt.Config{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	processes, err := processrt.New(processrt.Config{Dir: t.TempDir(), Logger: log, NoCgroups: true})
	if err != nil {
		t.Fatal(err)
	}
	const most = 3
	r := &real{t: t, client: &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}, holds: map[string]bool{}}
	defer r.client.CloseIdleConnections()
	if r.Manager, err = lifecycle.New(lifecycle.Config{Runtimes: []myriad.Runtime{inproc, processes}, Store: store, Graph: directory,
		Sink: myriad.SinkFunc(r.note), Logger: log, Limits: myriad.FleetLimits{MaxAgents: most, MinLifeMS: 20}, StopGrace: 2 * time.Second,
		CoolDown: 50 * time.Millisecond, RestartWindow: 200 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(ctx); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	var parts, all sync.WaitGroup
	parts.Go(func() { _ = r.Run(running) })
	names := []string{"k0", "k1", "k2", "k3", "p0", "p1", "p2", "p3"}
	r.put(ctx, names...)
	const rounds = 25
	for n, name := range names {
		all.Go(func() { r.asks(ctx, rand.New(rand.NewPCG(7, uint64(n))), name, rounds) })
	}
	all.Wait()
	drain, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := r.Drain(drain); err != nil {
		t.Error(err)
	}
	stop()
	parts.Wait()
	r.mu.Lock()
	if r.most > most {
		t.Errorf("%d instances held resources at once", r.most)
	}
	r.mu.Unlock()
	r.pids.Range(func(pid, _ any) bool {
		if err := syscall.Kill(pid.(int), 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is left: %v", pid, err)
		}
		return true
	})
	if left, err := store.Instances(ctx); err != nil || len(left) > 0 {
		t.Errorf("records are left: %v, %v", left, err)
	}
	if want := int64(len(names) * rounds); r.jobs.Load() != want {
		t.Errorf("%d jobs done, want %d", r.jobs.Load(), want)
	}
	t.Logf("%d jobs, %d crashes, at most %d instances", r.jobs.Load(), r.crash.Load(), r.most)
}

// asks has an agent do its jobs, crashes it now and then, and stops it now and then; whatever fails for that is tried again.
func (r *real) asks(ctx context.Context, d *rand.Rand, name string, rounds int) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for done := 0; done < rounds && ctx.Err() == nil; {
		switch {
		case name[0] == 'p' && d.IntN(10) == 0:
			r.crash.Add(1)
			_ = r.job(ctx, name, "die_now")
		case d.IntN(10) == 0:
			for _, i := range r.Status(ctx).Instances {
				if i.Agent == name {
					_ = r.StopInstance(ctx, i.ID)
				}
			}
		}
		if err := r.job(ctx, name, "define"); err == nil {
			done++
		} else if code := string(myriad.ErrorCode(err)); code != myriad.TaskErrStart && code != myriad.TaskErrCoolingDown && name[0] == 'k' && !errors.Is(err, errGone) {
			r.t.Errorf("%s: %v", name, err) // nobody crashes knowledge agents
		}
	}
}
