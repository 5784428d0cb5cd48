package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
	"github.com/myriad-mind/myriad/internal/faultproxy"
)

// The fault matrix: a whole server on real sockets, before agents whose connections a fault proxy breaks and who misbehave themselves, under a
// load of more than 200 runs at once. Every fault alone, then several at once, then the server killed in the midst. The long form is
//
//	go test -race ./cmd/myriad -run TestFaultMatrix -timeout 60m -matrix.seeds 10 -matrix.kills 50
//
// and what fails under a seed that it printed is repeated with -matrix.seed.
var (
	matrixSeed  = flag.Uint64("matrix.seed", 0, "first seed of the fault matrix; 0: one of the clock's")
	matrixSeeds = flag.Int("matrix.seeds", 1, "how many seeds the fault matrix goes through")
	matrixKills = flag.Int("matrix.kills", 5, "how often the fault matrix kills the server, over all seeds")
)

// The matrix in short times, so that much happens in few seconds.
const (
	patience   = 20 * time.Second        // for one attempt: far longer than agents that are well ever need
	unkept     = patience / 2            // past a deadline: far longer than the machine stands still, far shorter than what goes on when nobody ends it
	taskTime   = 1200 * time.Millisecond // of tasks for ailing agents, by their own timeout; an agent that lets it pass is at fault
	openFor    = 150 * time.Millisecond  // a breaker's first open time; at most twice as long later
	sickSlots  = 8                       // max_concurrency of agents that have faults
	tripsAfter = 3                       // failures in a row, as by default
	tightRuns  = 120                     // clients whose runs have little time
	mixedRuns  = 100                     // clients whose runs have time enough, and must succeed where the agents are well
	maxAnswer  = 256 << 10
	intoBody   = 200 // bytes of an answer that reach into its body
)

func quick(c *config.Config) {
	c.Breaker.OpenFor, c.Breaker.MaxOpenFor = openFor, 2*openFor
	c.Call.AttemptTimeout, c.Call.MaxAnswer = patience, maxAnswer
	c.Slots.Total, c.Call.MaxConnections = 150, 150
	c.Store.MaxRuns = 20_000
	c.HTTP.ReadHeaderTimeout = 5 * time.Minute // clients may keep a connection that they have made and not used yet: closing it under them would be our own fault
}

// ailment is one fault of the list.
type ailment struct {
	name  string
	begin func(*patient) error
	fatal bool // no job ever comes to a good answer, and each fails by the agent's fault: its breaker opens and stays so
}

// ailments are the faults that every agent has alone in turn.
var ailments = []ailment{
	{"added latency", proxied(faultproxy.Fault{Latency: 10 * time.Millisecond, Jitter: 20 * time.Millisecond}), false},
	{"latency past all patience", proxied(faultproxy.Fault{Latency: 4 * patience}), true},
	{"reset before the request", proxied(faultproxy.Fault{Mode: faultproxy.ResetRequest}), true},
	{"reset before the answer", proxied(faultproxy.Fault{Mode: faultproxy.ResetAnswer}), true},
	{"reset in the middle of the answer", proxied(faultproxy.Fault{Mode: faultproxy.ResetAnswer, After: intoBody}), true},
	{"some answers reset", proxied(faultproxy.Fault{Mode: faultproxy.ResetAnswer, Share: 0.3}), false},
	{"some answers cut off", proxied(faultproxy.Fault{Mode: faultproxy.Truncate, After: intoBody, Share: 0.3}), false},
	{"reused connection closed under the request", proxied(faultproxy.Fault{Mode: faultproxy.CloseReused}), false},
	{"idle connections closed", proxied(faultproxy.Fault{Mode: faultproxy.CloseIdle, Interval: time.Millisecond}), false},
	{"half-open, nothing comes", proxied(faultproxy.Fault{Mode: faultproxy.Blackhole}), true},
	{"half-open in the middle of the answer", proxied(faultproxy.Fault{Mode: faultproxy.Stall, After: intoBody}), true},
	{"garbage", proxied(faultproxy.Fault{Mode: faultproxy.Garbage}), true},
	{"answer cut off", proxied(faultproxy.Fault{Mode: faultproxy.Truncate, After: intoBody}), true},
	{"truncated JSON", behaving(faultproxy.Behaviour{Body: []byte(`{"agent_name":"Sick","status":"success","data":"half an ans`)}), true},
	{"huge body", proxied(faultproxy.Fault{Mode: faultproxy.Flood, After: 8 * maxAnswer}), true},
	{"endless body", behaving(faultproxy.Behaviour{Endless: true}), true},
	{"one byte a second", proxied(faultproxy.Fault{Mode: faultproxy.Drip, Interval: time.Second}), true},
	{"500 storm", behaving(faultproxy.Behaviour{Status: http.StatusInternalServerError}), true},
	{"429 with Retry-After", behaving(faultproxy.Behaviour{Status: http.StatusTooManyRequests, RetryAfter: "1"}), false},
	{"refused", proxied(faultproxy.Fault{Mode: faultproxy.Refuse}), true},
	{"crash loop", func(p *patient) error { return p.proxy.CrashLoop(openFor/2, openFor/3) }, false},
	{"slow, then fast", func(p *patient) error {
		return p.proxy.Play(false, faultproxy.Step{Fault: faultproxy.Fault{Latency: taskTime}, For: taskTime / 2}, faultproxy.Step{For: time.Second})
	}, false},
	{"flapping at the breaker's period", func(p *patient) error {
		return p.proxy.Flap(faultproxy.Fault{Mode: faultproxy.ResetAnswer}, openFor, openFor)
	}, false},
}

func proxied(f faultproxy.Fault) func(*patient) error {
	return func(p *patient) error { return p.proxy.Set(f) }
}

func behaving(b faultproxy.Behaviour) func(*patient) error {
	b.Data = echo
	return func(p *patient) error {
		p.agent.Set(b)
		return nil
	}
}

// echo is an answer that can be told from every other one.
func echo(j faultproxy.Job) any {
	return map[string]any{"concept": j.Concept, "args": json.RawMessage(j.Args), "text": "an answer that is long enough to be cut somewhere in its middle"}
}

// TestFaultMatrix is the suite. With its first seed the long form gives each fault a server of its own; otherwise three servers get all faults, each of them
// at another agent.
func TestFaultMatrix(t *testing.T) {
	seed := *matrixSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	for s := seed; s < seed+uint64(*matrixSeeds); s++ {
		t.Run(fmt.Sprint("seed=", s), func(t *testing.T) {
			if long() && s == seed {
				for i, a := range ailments {
					t.Run(a.name, func(t *testing.T) { oneEach(t, rand.New(rand.NewPCG(s, uint64(i))), a) })
				}
			}
			for some := range slices.Chunk(ailments, (len(ailments)+2)/3) {
				t.Run("from "+some[0].name, func(t *testing.T) { oneEach(t, rand.New(rand.NewPCG(s, uint64(len(some[0].name)))), some...) })
			}
			t.Run("several at once", func(t *testing.T) { together(t, rand.New(rand.NewPCG(s, 1000))) })
		})
	}
	t.Run("killed", func(t *testing.T) { killedAgainAndAgain(t, *matrixKills, rand.New(rand.NewPCG(seed, 2000))) })
}

func long() bool { return *matrixSeeds > 1 }

// oneEach gives each agent one fault.
func oneEach(t *testing.T, rng *rand.Rand, some ...ailment) {
	w := newWard(t, len(some), rng)
	w.warmUp()
	for i, a := range some {
		if err := a.begin(w.patients[i]); err != nil {
			t.Fatal(err)
		}
	}
	w.load(func() {
		w.probeInVain(some)
		w.heal()
	})
	w.check()
	for i, a := range some {
		if a.fatal {
			w.checkThreshold(w.patients[i])
		}
	}
	w.recover()
}

// probeInVain goes on asking until the breaker of each agent with a fatal fault has opened, and once more after every probe that it is given.
func (w *ward) probeInVain(some []ailment) {
	w.t.Helper()
	n := 0
	w.eventually("the breakers have opened, and again after probes", func() bool {
		plan := client.Plan{Timeout: time.Minute}
		for i, a := range some {
			if !a.fatal || w.changes.count(w.patients[i].name, "open") > rounds() {
				continue
			}
			for k := range 4 { // of which one may probe
				plan.Add(client.Task{ID: fmt.Sprintf("probing/%d/%d/%d", n, i, k), Concept: fmt.Sprint("sick", i), Intent: "turn_on", Args: question(n), Timeout: taskTime})
			}
		}
		if n++; len(plan.Tasks) > 0 {
			w.ask(n, plan)
		}
		return len(plan.Tasks) == 0
	})
}

// together gives several agents faults that change, of their connections and of their own.
func together(t *testing.T, rng *rand.Rand) {
	w := newWard(t, 4, rng)
	w.warmUp()
	for _, p := range w.patients {
		if err := p.fallIll(t, rng); err != nil {
			t.Fatal(err)
		}
	}
	w.load(w.heal)
	w.check()
	w.recover()
}

// fallIll draws what p suffers from.
func (p *patient) fallIll(t *testing.T, rng *rand.Rand) error {
	own := faultproxy.Behaviour{Data: echo}
	switch rng.IntN(6) {
	case 0:
		own.Status = http.StatusInternalServerError
	case 1:
		own.Status, own.RetryAfter = http.StatusTooManyRequests, "1"
	case 2:
		own.Abort = true
	case 3:
		own.Fail = true
	case 4:
		own.Delay = time.Duration(rng.Int64N(int64(taskTime)))
	}
	if rng.IntN(2) == 0 {
		own.First = 1 + rng.IntN(30)
	}
	p.agent.Set(own)
	steps := make([]faultproxy.Step, 1+rng.IntN(4))
	for i := range steps {
		steps[i] = faultproxy.Step{Fault: faultproxy.Draw(rng, taskTime), For: time.Duration(20+rng.IntN(300)) * time.Millisecond}
	}
	t.Logf("%s: status %d, delay %v, abort %v, fail %v, first %d; %v", p.name, own.Status, own.Delay, own.Abort, own.Fail, own.First, steps)
	return p.proxy.Play(true, steps...)
}
