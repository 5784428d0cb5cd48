package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// The server is killed at random moments while it starts, wakes and grows agents. The long form is
//
//	.ci/docker go test -race ./cmd/myriad -run TestKilledFleet -timeout 60m -fleet.kills 60
//
// and what fails under a seed that it printed is repeated with -fleet.seed.
var (
	fleetSeed  = flag.Uint64("fleet.seed", 0, "seed of the killed fleet; 0: one of the clock's")
	fleetKills = flag.Int("fleet.kills", 4, "how often the server is killed while its fleet works")
)

func init() {
	roles["family"] = playFamily
	roles["holder"] = func() { time.Sleep(time.Hour) }
}

// playFamily is an agent of the mode http that starts two children which leave its session; the second takes no mark of ours with it.
func playFamily() {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	marked := exec.Command(exe)
	marked.Env = append(os.Environ(), roleEnv+"=holder")
	unmarked := exec.Command("/bin/sleep", os.Getenv("SAYS"))
	unmarked.Env = []string{"A=B"}
	for _, cmd := range []*exec.Cmd{marked, unmarked} {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			panic(err)
		}
	}
	playHTTP()
}

// doomed is a server on one data directory that is killed and started again.
type doomed struct {
	*served
	t     *testing.T
	rng   *rand.Rand
	data  string
	owner string
	args  []string
	nap   string   // what the unmarked children are told to sleep, by which they are known
	names []string // of the agents that were registered
	life  int

	mu     sync.Mutex
	grown  map[string]string // agents by the concepts that they were grown for, as clients were told; guarded by mu
	queued map[string]bool   // concepts that clients were told to be in the queue, in this life; guarded by mu
}

const killedRoom = 5

func TestKilledFleet(t *testing.T) {
	seed := *fleetSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Log("seed", seed)
	d := &doomed{t: t, rng: rand.New(rand.NewPCG(seed, 0)), data: t.TempDir(), grown: map[string]string{}}
	d.nap = fmt.Sprint(1_000_000 + d.rng.IntN(1_000_000_000))
	d.owner = d.look().owner
	d.args = []string{"--fleet-max-agents", fmt.Sprint(killedRoom), "--fleet-min-life", "1h"}
	if image, ok := hostImage(t); ok {
		d.args = append(d.args, "--fleet-docker", "on", "--fleet-knowledge-runtime", "docker", "--fleet-host-image", image)
	} else {
		d.args = append(d.args, "--fleet-docker", "off")
	}
	t.Cleanup(func() { d.nothingIsLeft() })
	d.start()
	startScholar(t, d.client)
	d.register()
	for d.life = 1; d.life <= *fleetKills && !t.Failed(); d.life++ {
		d.loadAndKill()
		left := d.look()
		d.checkKept(left)
		if d.rng.IntN(2) == 0 {
			d.killWhileItStarts()
			left = d.checkTurns(left)
		}
		before := d.processes()
		d.start()
		d.checkEnded(before)
		d.checkQueue(left)
		d.checkBooks()
		d.checkNext()
	}
	d.checkAll()
	d.stop(t)
	d.checkClean()
}

func (d *doomed) start() {
	d.t.Helper()
	d.served = startProgram(d.t, d.data, d.args...)
}

// register makes the agents: more than there is room for.
func (d *doomed) register() {
	for i := range 4 {
		line := program(d.t, fmt.Sprint("Line_", i), fmt.Sprint("line ", i), myriad.ModeStdio, "stdio")
		family := program(d.t, fmt.Sprint("Family_", i), fmt.Sprint("family ", i), myriad.ModeHTTP, "family", "SAYS", d.nap)
		known := knower(fmt.Sprint("Knower_", i), fmt.Sprint("knower ", i), "a thing that is known")
		known.Intents = []string{"do"}
		for _, a := range []myriad.Agent{line, family, known} {
			put(d.t, d.served.owner, a)
			d.names = append(d.names, a.Name)
		}
	}
}

// concept is what an agent that was registered is asked about.
func concept(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", " ")) }

// loadAndKill has clients ask for all agents and for unknown concepts, and kills the server at a random moment after the fleet is full and others
// wait; sometimes before.
func (d *doomed) loadAndKill() {
	d.queued = map[string]bool{}
	ctx, cancel := context.WithCancel(d.t.Context())
	var asking sync.WaitGroup
	for n := range 12 {
		rng := rand.New(rand.NewPCG(d.rng.Uint64(), uint64(n)))
		asking.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if rng.IntN(8) == 0 {
					d.askUnknown(ctx, fmt.Sprintf("known matter %d %d %d", d.life, n, i))
				} else {
					d.askKnown(ctx, d.names[rng.IntN(len(d.names))])
				}
			}
		})
	}
	if d.rng.IntN(4) > 0 {
		eventually(d.t, func() (bool, string) {
			f := fleetOf(d.t, d.client)
			return len(f.Queue) > 1 && f.InUse == killedRoom, fmt.Sprintf("the fleet is full: %+v", f)
		})
	}
	<-time.After(time.Duration(d.rng.Int64N(int64(700 * time.Millisecond))))
	_ = d.cmd.Process.Kill()
	cancel()
	asking.Wait()
	d.kill()
}

// askKnown may well fail: the agent may have to wait for longer than its asker does.
func (d *doomed) askKnown(ctx context.Context, name string) {
	_, _ = d.client.Run(ctx, client.Plan{Timeout: time.Second, Tasks: []client.Task{{ID: "1", Concept: concept(name), Intent: "do"}}})
}

func (d *doomed) askUnknown(ctx context.Context, concept string) {
	rec, err := d.client.Run(ctx, client.Plan{Timeout: time.Second, Tasks: []client.Task{{ID: "1", Concept: concept, Intent: "define"}}})
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch r := rec.Results[0]; {
	case r.Extra.NewAgent != nil:
		d.grown[concept] = r.Extra.NewAgent.Name
	case r.Extra.Queued != nil:
		d.grown[concept] = ""
		d.queued[concept] = true
	}
}

// killWhileItStarts kills the server at a random moment of its start.
func (d *doomed) killWhileItStarts() {
	cmd := programCommand(d.t, append([]string{"serve", "--data", d.data, "--listen", "127.0.0.1:0"}, d.args...)...)
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	<-time.After(time.Duration(d.rng.Int64N(int64(300 * time.Millisecond))))
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it says that it was killed
}
