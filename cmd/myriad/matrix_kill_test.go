package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/faultproxy"
)

const (
	killClients = 60                     // that ask without a pause until the server dies
	heldRuns    = 12                     // runs of each life that are under way when it ends
	flushEvery  = 100 * time.Millisecond // how long the server gathers answers and finished runs before it writes them
)

// victim is a server program on one data directory, killed and started again.
type victim struct {
	t            *testing.T
	binary, data string
	quick, slow  *patient // the agents: one that answers at once, one that holds its jobs
	rng          *rand.Rand

	release chan struct{} // ends the jobs of slow

	// Of the present life.
	life   int
	cmd    *exec.Cmd
	client *client.Client
	drain  sync.WaitGroup
	agents int // that were registered

	mu      sync.Mutex
	told    []told       // runs that the server has answered in the present life and, once it is killed, must know in the next; guarded by mu
	held    []string     // runs that it has accepted and could not end; guarded by mu
	asked   map[int]bool // questions whose answers must be kept; guarded by mu
	killing bool         // guarded by mu
}

// told is a finished run as the client had it.
type told struct {
	record    *myriad.RunRecord
	question  int
	begun, at time.Time
}

// killedAgainAndAgain kills a server, built as for use, at random points of a load, and starts it again on what is left.
func killedAgainAndAgain(t *testing.T, kills int, rng *rand.Rand) {
	v := &victim{t: t, binary: filepath.Join(t.TempDir(), "myriad"), data: t.TempDir(), rng: rng, asked: map[int]bool{}, release: make(chan struct{})}
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	if runtime.GOOS == "windows" {
		v.binary += ".exe"
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", v.binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	v.quick, v.slow = startPatient(t, "Quick_AI", rng.Uint64()), startPatient(t, "Slow_AI", rng.Uint64())
	v.slow.agent.Set(faultproxy.Behaviour{Data: echo, Hold: v.release})
	t.Cleanup(func() { close(v.release) })
	t.Cleanup(v.abandon)
	v.start()
	for v.life = 1; v.life <= kills && !t.Failed(); v.life++ {
		v.hold()
		v.loadAndKill(time.Duration(rng.Int64N(int64(longestLife()))))
		v.start()
		v.checkStore()
		v.checkAgents()
		v.checkHeld()
		v.checkTold()
		v.checkAnswers()
	}
	v.kill()
	once := append(v.quick.agent.Repeated(), v.slow.agent.Repeated()...)
	if len(once) > 0 {
		t.Errorf("after %d lives these were carried out again: %+v", v.life, once)
	}
	t.Logf("killed %d times; %d questions have answers", kills, len(v.asked))
}

// longestLife bounds the time from the begin of the load to the kill.
func longestLife() time.Duration {
	if long() {
		return 2 * time.Second
	}
	return time.Second
}

// start brings the server up and waits until it says where it is.
func (v *victim) start() {
	v.t.Helper()
	v.cmd = exec.Command(v.binary, "serve", "--data", v.data, "--listen", "127.0.0.1:0", "--log-format", "json", "--config", "")
	v.cmd.Env = append(v.cmd.Environ(), "MYRIAD_STORE_FLUSH_INTERVAL="+flushEvery.String(), "MYRIAD_BREAKER_OPEN_FOR=50ms", "MYRIAD_BREAKER_MAX_OPEN_FOR=50ms",
		"MYRIAD_STORE_MAX_RUNS=20000")
	errOut, err := v.cmd.StderrPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	at := make(chan string, 1)
	v.drain.Go(func() {
		defer close(at)
		for lines := bufio.NewScanner(errOut); lines.Scan(); {
			var line struct{ Level, Msg, URL, Error string }
			_ = json.Unmarshal(lines.Bytes(), &line)
			switch {
			case line.Msg == "ready":
				at <- line.URL
			case line.Level == "ERROR" || line.URL == "" && line.Level == "":
				v.t.Errorf("the server says: %s", lines.Bytes())
			}
		}
	})
	url, ok := <-at
	if !ok {
		v.kill()
		v.t.Fatalf("the server does not start in life %d", v.life)
	}
	if v.client, err = client.New(client.Config{Server: url, Resume: -1}); err != nil {
		v.t.Fatal(err)
	}
	if v.life == 0 {
		put(v.t, v.client, myriad.Agent{Name: "Quick_AI", Endpoint: v.quick.proxy.URL() + "/query", Concepts: []string{"quick"}})
		put(v.t, v.client, myriad.Agent{Name: "Slow_AI", Endpoint: v.slow.proxy.URL() + "/query", Concepts: []string{"slow"}, MaxConcurrency: 50})
	}
}

// kill ends the server without a word.
func (v *victim) kill() {
	v.t.Helper()
	if err := v.cmd.Process.Kill(); err != nil {
		v.t.Fatal(err)
	}
	v.drain.Wait()
	_ = v.cmd.Wait() // it says that it was killed
	if v.client != nil {
		v.client.Close()
	}
}

// abandon ends the server of a test that has given up.
func (v *victim) abandon() {
	v.mu.Lock()
	v.killing = true
	v.mu.Unlock()
	if v.cmd != nil && v.cmd.Process != nil && v.cmd.ProcessState == nil {
		v.kill()
	}
}

// hold starts runs that cannot end in this life: their second task waits for an agent that does not answer.
func (v *victim) hold() {
	v.t.Helper()
	v.held = nil
	for i := range heldRuns {
		id, err := v.client.Start(v.t.Context(), v.heldPlan(i), client.WithKey(v.key(i)))
		if err != nil {
			v.t.Fatal(err)
		}
		v.held = append(v.held, id)
	}
}

func (v *victim) key(i int) string { return fmt.Sprintf("held-%d-%d", v.life, i) }

func (v *victim) heldPlan(i int) client.Plan {
	id := v.key(i)
	return client.Plan{Timeout: time.Minute, Tasks: []client.Task{
		{ID: id + "/first", Concept: "quick", Intent: "turn_on"},
		{ID: id + "/second", Concept: "slow", Intent: "turn_on", DependsOn: []string{id + "/first"}},
		{ID: id + "/third", Concept: "quick", Intent: "turn_off", DependsOn: []string{id + "/second"}}}}
}

// loadAndKill has many clients ask, registers agents beside them, and kills the server after so long. What is in its file by then must be there in the next life.
func (v *victim) loadAndKill(after time.Duration) {
	v.t.Helper()
	v.told, v.killing = nil, false
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	v.awaitWritten(ctx)
	var all sync.WaitGroup
	for i := range killClients {
		all.Go(func() {
			for n := 0; v.ask(ctx, i, n); n++ {
			}
		})
	}
	all.Go(func() {
		for v.agents = 0; v.register(ctx); v.agents++ {
		}
	})
	<-time.After(after / 2)
	early := v.written()
	seen := time.Now()
	<-time.After(after / 2)
	late := v.written()
	v.mu.Lock()
	v.killing = true
	v.mu.Unlock()
	v.kill()
	all.Wait()
	v.checkOrder(late)
	v.told = slices.DeleteFunc(v.told, func(r told) bool { return !late[r.record.RunID] })
	if slices.ContainsFunc(v.told, func(r told) bool { return r.begun.After(seen) }) { // answers are written after the runs beside them, and before later runs
		for _, r := range v.told {
			if early[r.record.RunID] {
				v.asked[r.question] = true
			}
		}
	}
	v.t.Logf("life %d ended after %v: %d runs and %d agents must be there, and the answers to %d questions", v.life, after.Round(time.Millisecond), len(v.told), v.agents,
		len(v.asked))
}

// awaitWritten has one question answered, which the server must write down while nobody asks for anything more.
func (v *victim) awaitWritten(ctx context.Context) {
	v.t.Helper()
	if !v.ask(ctx, killClients, v.life) {
		v.t.FailNow()
	}
	soon(v.t, "an answered run is in the file", func() bool { return v.written()[v.told[0].record.RunID] })
}

// checkOrder: runs are written in the order in which they finished, so what was answered before a written run was asked for is written too.
func (v *victim) checkOrder(written map[string]bool) {
	v.t.Helper()
	var last time.Time
	for _, r := range v.told {
		if written[r.record.RunID] && r.begun.After(last) {
			last = r.begun
		}
	}
	for _, r := range v.told {
		if r.at.Before(last) && !written[r.record.RunID] {
			v.t.Errorf("run %s was answered %v before another one was asked for that is written, and it is not", r.record.RunID, last.Sub(r.at))
		}
	}
}

// ask has one question answered, as one run of two tasks; false when the server was killed.
func (v *victim) ask(ctx context.Context, who, n int) bool {
	q := who*100 + n%50
	id := fmt.Sprintf("told-%d-%d-%d", v.life, who, n)
	begun := time.Now()
	record, err := v.client.Run(ctx, client.Plan{Tasks: []client.Task{
		{ID: id + "/read", Concept: "quick", Intent: "define", Args: question(q)},
		{ID: id + "/write", Concept: "quick", Intent: "turn_on", Args: question(q), DependsOn: []string{id + "/read"}}}})
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case err != nil && v.killing:
		return false
	case err != nil || record.Status != myriad.RunSuccess:
		v.t.Errorf("before the server was killed: %+v, %v", record, err)
		return false
	}
	v.told = append(v.told, told{record, q, begun, time.Now()})
	return true
}

// register puts one more agent into the graph; false when the server was killed.
func (v *victim) register(ctx context.Context) bool {
	_, err := v.client.PutAgent(ctx, v.extra(v.agents))
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil && !v.killing {
		v.t.Errorf("registering an agent: %v", err)
	}
	return err == nil
}

func (v *victim) extra(n int) myriad.Agent {
	name := fmt.Sprintf("Extra_%d_%d", v.life, n)
	return myriad.Agent{Name: name, Endpoint: "http://127.0.0.1:1/", Concepts: []string{name + "_left", name + "_right", "extra"}}
}
