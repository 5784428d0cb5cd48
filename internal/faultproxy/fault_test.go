package faultproxy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestFaultsAreChecked(t *testing.T) {
	b := newBench(t)
	for _, f := range []Fault{
		{Mode: modes}, {Latency: -1}, {Jitter: -1}, {After: -1}, {Interval: -1}, {First: -1}, {Share: -0.1}, {Share: 1.1}, {Share: math.NaN()}, {Mode: Canned},
	} {
		if err := b.proxy.Set(f); err == nil {
			t.Errorf("%s is accepted", f)
		}
		if err := b.proxy.Play(true, Step{f, time.Second}); err == nil {
			t.Errorf("%s is accepted as a step", f)
		}
	}
	for _, steps := range [][]Step{nil, {{Fault{}, 0}}, {{Fault{}, time.Second}, {Fault{}, -1}}} {
		if err := b.proxy.Play(true, steps...); err == nil {
			t.Errorf("steps %v are accepted", steps)
		}
	}
}

func TestFaultNames(t *testing.T) {
	seen := map[string]bool{}
	for m := range modes {
		if s := m.String(); s == "" || seen[s] {
			t.Errorf("mode %d is called %q", m, s)
		} else {
			seen[s] = true
		}
	}
	f := Fault{Mode: Drip, Latency: time.Second, Interval: time.Millisecond, First: 2}
	if want := "drip latency=1s interval=1ms first=2"; f.String() != want {
		t.Errorf("%q, want %q", f, want)
	}
}

func TestDrawIsValidAndRepeatable(t *testing.T) {
	one, two := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 1))
	seen := map[Mode]bool{}
	for range 500 {
		f := Draw(one, time.Second)
		if err := f.check(); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if f.Latency+f.Jitter > time.Second || f.Interval > time.Second {
			t.Fatalf("%s is more than its patience", f)
		}
		if again := Draw(two, time.Second); again.String() != f.String() {
			t.Fatalf("drew %s and then %s", f, again)
		}
		seen[f.Mode] = true
	}
	if len(seen) != int(modes) {
		t.Errorf("%d of %d modes were drawn", len(seen), modes)
	}
}

// TestRandomFaultsUnderLoad changes faults at random while clients call. Whatever happens, no task that its client sent once is begun
// twice, nobody who got an answer got another's, and in the end nothing is left.
func TestRandomFaultsUnderLoad(t *testing.T) {
	t.Logf("seed %d", seed)
	b := newBench(t)
	b.agent.Set(Behaviour{Data: func(j Job) any { return "answer to " + string(j.TaskID) }})
	stop := make(chan struct{})
	var clients, changes sync.WaitGroup
	changes.Go(func() {
		r := rand.New(rand.NewPCG(seed, 2))
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				if err := b.proxy.Set(Draw(r, 10*time.Millisecond)); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	const workers, calls = 8, 40
	for w := range workers {
		clients.Go(func() {
			for i := range calls {
				task := fmt.Sprintf("%d-%d", w, i)
				r := b.ask(task, soon)
				ours := strings.Contains(r.body, `answer to \"`+task+`\"`)
				if r.err == nil && r.status == 200 && !ours && !strings.Contains(r.body, "flood") {
					t.Errorf("task %s got %q", task, r.body)
				}
			}
		})
	}
	clients.Wait()
	close(stop)
	changes.Wait()
	if again := b.agent.Repeated(); len(again) > 0 {
		t.Errorf("executed twice: %+v", again)
	}
	b.set(Fault{})
	b.eventually("the agent is healthy again", func() bool { return b.ask("last", patience).err == nil })
	b.client.CloseIdleConnections()
	b.eventually("no connection is left", func() bool { return b.proxy.Stats().Open == 0 })
}
