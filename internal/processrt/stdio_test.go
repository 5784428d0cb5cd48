package processrt

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// each runs a test with every way to hold processes that this machine has.
func each(t *testing.T, test func(t *testing.T, r *rig)) {
	for _, way := range ways() {
		t.Run(way.name, func(t *testing.T) {
			r := newRig(t, Config{NoCgroups: way.off})
			way.prepare(t, r.Runtime)
			test(t, r)
		})
	}
}

// way is a way to hold processes.
type way struct {
	name    string
	off     bool
	prepare func(t *testing.T, r *Runtime)
}

// TestModesAnswer: a job is answered in every mode.
func TestModesAnswer(t *testing.T) {
	for _, mode := range []string{myriad.ModeStdio, myriad.ModeExec, myriad.ModeHTTP} {
		t.Run(mode, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				i := r.awake(command(mode, mode))
				works(t, i)
				works(t, i)
			})
		})
	}
}

// TestWorkerFaults: a worker that breaks the rules costs its own job, is replaced, and hurts nobody else.
func TestWorkerFaults(t *testing.T) {
	for do, words := range map[string]string{
		"garbage": "no JSON", "empty line": "no JSON", "long": "longer than", "endless": "longer than", "other task": "for the task", "close": "before it answered",
	} {
		t.Run(do, func(t *testing.T) {
			r := newRig(t, Config{})
			p := command(myriad.ModeStdio, "stdio")
			i := r.awake(p)
			var others sync.WaitGroup
			others.Go(func() {
				if a, err := try(t.Context(), i, `{"line":"at work","nap_ms":300}`); err != nil || a.status != http.StatusOK {
					t.Errorf("another job: %+v, %v", a, err)
				}
			})
			soon(t, "the other job is under way", func() bool { return strings.Contains(i.LastLog(), "at work") })
			a := job1(t, i, fmt.Sprintf(`{"do":%q}`, do))
			if a.status != http.StatusBadGateway || a.body["status"] != "error" || a.body["agent_name"] != "Tester" || !a.says(words) {
				t.Errorf("HTTP %d %s", a.status, a.raw)
			}
			works(t, i)
			others.Wait()
			works(t, i)
		})
	}
}

// TestWorkerIsReplaced: after a line too many, or one that nobody asked for, another process answers, and no answer is another job's.
func TestWorkerIsReplaced(t *testing.T) {
	for do, want := range map[string]any{"two lines": 1.0, "late line": "first"} {
		t.Run(do, func(t *testing.T) {
			r := newRig(t, Config{})
			i := r.awake(command(myriad.ModeStdio, "stdio"))
			before := pidOf(t, i)
			if a := job1(t, i, fmt.Sprintf(`{"do":%q}`, do)); a.status != http.StatusOK || a.data() != want {
				t.Fatalf("HTTP %d %s", a.status, a.raw)
			}
			soon(t, "replaced", func() bool { return strings.Contains(i.LastLog(), "nobody asked for") })
			if after := pidOf(t, i); after == before {
				t.Error("the worker lives on")
			}
			works(t, i)
		})
	}
}

// TestGreeting: a line that a program writes before it takes its first job answers nothing, and the agent fails with the reason.
func TestGreeting(t *testing.T) {
	if !seesProcesses {
		t.Skip("this platform does not tell what a program has read")
	}
	r := newRig(t, Config{})
	i := r.start(command(myriad.ModeStdio, "stdio greeter"))
	if a, err := try(t.Context(), i, `{"line":"at work"}`); err == nil && a.status == http.StatusOK {
		t.Errorf("HTTP %d %s", a.status, a.raw)
	}
	exited(t, i)
	if err := i.Err(); err == nil || !strings.Contains(err.Error(), "wrote a line before it took a job") {
		t.Errorf("it ended because of: %v", err)
	}
}

// TestLateLineIsNoAnswer: a line that comes while the next job was not read yet costs its worker, and the job goes to another one.
func TestLateLineIsNoAnswer(t *testing.T) {
	if !seesProcesses {
		t.Skip("this platform does not tell what a program has read")
	}
	r := newRig(t, Config{})
	p := command(myriad.ModeStdio, "stdio")
	p.Agent.MaxConcurrency = 1
	i := r.awake(p)
	for range 5 {
		if a := job1(t, i, `{"do":"late line, then busy"}`); a.status != http.StatusOK || a.data() != "first" {
			t.Fatalf("HTTP %d %s", a.status, a.raw)
		}
		if a := job1(t, i, `{"do":"value"}`); a.status != http.StatusOK || fmt.Sprint(a.data()) != "[1 two]" {
			t.Fatalf("HTTP %d %s", a.status, a.raw)
		}
	}
}

func pidOf(t testing.TB, i myriad.Instance) int {
	t.Helper()
	a := job1(t, i, `{"do":"pid"}`)
	pid, ok := a.body["data"].(map[string]any)["pid"].(float64)
	if !ok {
		t.Fatalf("no pid in %s", a.raw)
	}
	return int(pid)
}

func TestUnread(t *testing.T) {
	if !seesProcesses {
		t.Skip("this platform does not tell")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for n := range 3 {
		if at, here := unread(r), unread(w); at != n || here != n {
			t.Errorf("of %d bytes one end tells %d, the other %d", n, at, here)
		}
		if _, err := w.WriteString("x"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAbandonedWorker: a job that is given up costs its worker, whether the caller leaves or the deadline passes.
func TestAbandonedWorker(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		p := command(myriad.ModeStdio, "stdio")
		p.Agent.MaxConcurrency = 1
		i := r.awake(p)
		first := pidOf(t, i)
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { _, err := try(ctx, i, `{"do":"hang","line":"hanging"}`); left <- err }()
		soon(t, "the job is under way", func() bool { return strings.Contains(i.LastLog(), "hanging") })
		cancel()
		if err := <-left; err == nil {
			t.Error("a job that hangs was answered")
		}
		second := pidOf(t, i)
		if second == first {
			t.Error("the worker of a job that was given up is used again")
		}
		gone(t, first)
		if a := job1(t, i, `{"do":"hang"}`, "X-Myriad-Deadline-Ms", "50"); a.status != http.StatusGatewayTimeout {
			t.Errorf("HTTP %d %s", a.status, a.raw)
		}
		if third := pidOf(t, i); third == second {
			t.Error("the worker of a job that was late is used again")
		}
		gone(t, second)
		works(t, i)
	})
}

// TestWorkersBesideEachOther: as many jobs at once as the agent takes, as many wait, and one more is sent away.
func TestWorkersBesideEachOther(t *testing.T) {
	for _, mode := range []string{myriad.ModeStdio, myriad.ModeExec} {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, Config{})
			p := command(mode, mode)
			p.Agent.MaxConcurrency = 3
			i := r.awake(p)
			statuses := make(chan int, 7)
			var jobs sync.WaitGroup
			post := func() {
				a, err := try(t.Context(), i, `{"line":"at work","nap_ms":600}`)
				if err != nil {
					t.Error(err)
				}
				statuses <- a.status
			}
			for range 6 {
				jobs.Go(post)
			}
			soon(t, "three are at work", func() bool { return strings.Count(i.LastLog(), "at work") == 3 })
			jobs.Go(post)
			jobs.Wait()
			close(statuses)
			count := map[int]int{}
			for s := range statuses {
				count[s]++
			}
			if count[http.StatusOK]+count[http.StatusTooManyRequests] != 7 || count[http.StatusOK] < 6 {
				t.Errorf("answers by status: %v", count)
			}
		})
	}
}

// TestWorkerThatLeaves: a script that answers one job and ends is started again for the next, at once.
func TestWorkerThatLeaves(t *testing.T) {
	r := newRig(t, Config{})
	p := command(myriad.ModeStdio, "stdio")
	p.Agent.MaxConcurrency = 1
	i := r.awake(p)
	seen := map[any]bool{}
	for range 5 {
		a := job1(t, i, `{"do":"leave"}`)
		if a.status != http.StatusOK || seen[a.data()] {
			t.Fatalf("HTTP %d %s", a.status, a.raw)
		}
		seen[a.data()] = true
	}
}

// TestWorkerCrash: a job that kills its worker says why, and the instance lives on however often that happens.
func TestWorkerCrash(t *testing.T) {
	r := newRig(t, Config{})
	i := r.awake(command(myriad.ModeStdio, "stdio"))
	for range 4 {
		a := job1(t, i, `{"crash":true}`)
		if a.status != http.StatusBadGateway || !a.says("exit status 7") || !a.says("crashing as asked") {
			t.Errorf("HTTP %d %s", a.status, a.raw)
		}
	}
	works(t, i)
}

// TestStillborn: a program that ends before it is given a job has failed, with its last words.
func TestStillborn(t *testing.T) {
	r := newRig(t, Config{})
	i := r.start(command(myriad.ModeStdio, "dead on arrival"))
	exited(t, i)
	if err := i.Err(); err == nil || !strings.Contains(err.Error(), "exit status 3: dead on arrival") {
		t.Errorf("it ended because of: %v", err)
	}
	if !strings.Contains(i.LastLog(), "dead on arrival") {
		t.Errorf("its log: %q", i.LastLog())
	}
}

// TestIdleWorkerKilled: a worker that somebody kills is replaced before a job asks for it.
func TestIdleWorkerKilled(t *testing.T) {
	r := newRig(t, Config{})
	i := r.awake(command(myriad.ModeStdio, "stdio"))
	works(t, i)
	for range 4 { // it was given jobs, so this is no stillborn one, nor is the one after the first
		kill(t, pidOf(t, i))
	}
	works(t, i)
}

// TestLogs: what an agent writes to stderr is in the log with its name, and a flood is bounded and counted.
func TestLogs(t *testing.T) {
	r := newRig(t, Config{})
	i := r.awake(command(myriad.ModeStdio, "stdio"))
	job1(t, i, `{"line":"a complaint","times":1}`)
	soon(t, "in the log", func() bool {
		return strings.Contains(r.log.String(), `msg="agent: a complaint"`) && strings.Contains(r.log.String(), "agent=Tester")
	})
	job1(t, i, `{"line":"flood","times":5000}`)
	job1(t, i, `{"line":"the end"}`)
	soon(t, "the end", func() bool { return strings.Contains(i.LastLog(), "the end") })
	if n := strings.Count(r.log.String(), "flood"); n < 10 || n > 4*linesPerSpan {
		t.Errorf("%d lines of a flood are in the log", n)
	}
	stop(t, i, patience)
	if !strings.Contains(r.log.String(), "lines_left_out=") {
		t.Error("what was left out is not counted")
	}
	if got := len(i.LastLog()); got > lastLogSize {
		t.Errorf("%d bytes are kept", got)
	}
}

func TestBackoff(t *testing.T) {
	last := time.Duration(0)
	for n := 1; n < 100; n++ {
		d := backoff(n)
		if d < last || d < firstBackoff || d > lastBackoff {
			t.Errorf("after %d failures: %s", n, d)
		}
		last = d
	}
}
