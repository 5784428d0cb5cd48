package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
	"github.com/myriad-mind/myriad/internal/inprocrt"
	"github.com/myriad-mind/myriad/internal/processrt"
)

// scriptAgent is the smallest program that is an agent.
const scriptAgent = `import sys, json
for line in sys.stdin:
    print(json.dumps({"data": json.loads(line)["concept"]}))
`

// goAgent is the same in Go.
const goAgent = `package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var job struct{ Concept string }
		if err := json.Unmarshal(in.Bytes(), &job); err != nil {
			panic(err)
		}
		fmt.Printf("{\"data\":%q}\n", job.Concept)
	}
}
`

func builtAgent(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "agent")
	if err := os.WriteFile(source, []byte(goAgent), 0o600); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, source).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return program
}

// waker is a kind of agent to be woken, and what it must not take.
type waker struct {
	name    string
	callers int
	samples int
	target  time.Duration // of p99
	agent   func(b *testing.B, name string) myriad.Agent
	runtime func(b *testing.B) (myriad.Runtime, error) // for its bare start; nil: told by its own benchmarks
}

func inproc(*testing.B) (myriad.Runtime, error) {
	return inprocrt.New(inprocrt.Config{Logger: slog.New(slog.DiscardHandler)})
}

func processes(b *testing.B) (myriad.Runtime, error) {
	return processrt.New(processrt.Config{Dir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
}

func benchKnower(_ *testing.B, name string) myriad.Agent { return knower(name, name, "it is "+name) }

// BenchmarkWake is the time of a task, from a client's request to its answer, whose agent sleeps, beside the bare start of the same agent by its
// runtime to its first answer.
func BenchmarkWake(b *testing.B) {
	python := func(b *testing.B, name string) myriad.Agent {
		path, err := exec.LookPath("python3")
		if err != nil {
			b.Skip("python3 is not installed")
		}
		a := program(b, name, name, myriad.ModeStdio, "")
		a.Template.Command, a.Template.Env = []string{path, "-S", "-c", scriptAgent}, nil
		return a
	}
	lean := builtAgent(b)
	child := func(b *testing.B, name string) myriad.Agent {
		a := program(b, name, name, myriad.ModeStdio, "")
		a.Template.Command, a.Template.Env = []string{lean}, nil
		return a
	}
	for _, w := range []waker{
		{"inproc, 1 caller", 1, 500, 2 * time.Millisecond, benchKnower, inproc},
		{"inproc, 10 callers", 10, 2000, 6 * time.Millisecond, benchKnower, inproc},
		{"Go child", 1, 150, 25 * time.Millisecond, child, processes},
		{"Python", 1, 100, 100 * time.Millisecond, python, processes},
	} {
		b.Run(w.name, func(b *testing.B) { w.bench(b) })
	}
}

func (w waker) bench(b *testing.B, change ...func(*config.Config)) {
	s, _ := startServer(b, append(change, func(cfg *config.Config) {
		cfg.Fleet.MaxAgents, cfg.Fleet.MaxQueue, cfg.Fleet.MinLife = w.samples+10, w.samples, 0
	})...)
	c := ownerOf(b, s.url(), s.cfg.Data)
	w.register(b, c)
	took := w.tasks(b, c, true)
	awake := w.tasks(b, c, false)
	rt, err := w.runtime(b)
	if err != nil {
		b.Fatal(err)
	}
	w.report(b, took, awake, w.bare(b, rt))
}

func (w waker) register(b *testing.B, c *client.Client) {
	for i := range w.samples {
		put(b, c, w.agent(b, fmt.Sprint("Sleeper_", i)))
	}
}

// tasks asks each agent once: all of them sleep, or none.
func (w waker) tasks(b *testing.B, c *client.Client, asleep bool) (took []time.Duration) {
	mustOne(b, c, "Sleeper_0", "do", nil) // the first of all finds nothing warm
	var concepts []string
	for i := 1; i < w.samples; i++ {
		concepts = append(concepts, fmt.Sprint("Sleeper_", i))
	}
	for _, a := range askAll(b, c.Server(), w.callers, concepts, "do") {
		if asleep != a.slept {
			b.Fatalf("%+v", a)
		}
		took = append(took, a.took)
	}
	return took
}

// reply is what came of a task of a load.
type reply struct {
	took  time.Duration
	slept bool // its agent was woken for it
}

// askAll has callers post one task after the other, one for each concept, and read its reply. What a reply says is looked at when all are there: callers
// share the cores with the server, and what they do with replies is not to be measured.
func askAll(b *testing.B, url string, callers int, concepts []string, intent string) (replies []reply) {
	b.Helper()
	type answer struct {
		took time.Duration
		raw  []byte
		err  error
	}
	transport := &http.Transport{MaxIdleConnsPerHost: callers}
	defer transport.CloseIdleConnections()
	answers := make([]answer, len(concepts))
	var next atomic.Int64
	var asking sync.WaitGroup
	for range callers {
		asking.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(concepts); i = int(next.Add(1)) - 1 {
				body := fmt.Sprintf(`{"tasks":[{"task_id":"1","concept":%q,"intent":%q,"args":{}}]}`, concepts[i], intent)
				begin := time.Now()
				resp, err := (&http.Client{Transport: transport}).Post(url+"/v1/runs", "application/json", strings.NewReader(body))
				if err == nil {
					answers[i].raw, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				answers[i].took, answers[i].err = time.Since(begin), err
			}
		})
	}
	asking.Wait()
	for _, a := range answers {
		var rec myriad.RunRecord
		if a.err == nil {
			a.err = json.Unmarshal(a.raw, &rec)
		}
		if a.err != nil || len(rec.Results) != 1 || !rec.Results[0].Succeeded {
			b.Fatalf("%v, %s", a.err, a.raw)
		}
		replies = append(replies, reply{a.took, rec.Results[0].Provenance.ColdStartMS > 0})
	}
	return replies
}

// bare starts agents by their runtime alone, until they answered once.
func (w waker) bare(b *testing.B, rt myriad.Runtime) (took []time.Duration) {
	defer rt.Close(context.Background())
	if _, err := rt.Recover(b.Context(), "bench"); err != nil {
		b.Fatal(err)
	}
	for i := range min(w.samples, 200) {
		begin := time.Now()
		inst, err := rt.Start(b.Context(), myriad.StartRequest{InstanceID: fmt.Sprint("bare-", i), OwnerID: "bench", Nonce: "n",
			Limits: myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 64}, Packet: myriad.Packet{Agent: w.agent(b, fmt.Sprint("Sleeper_", i)), Revision: 1}})
		if err != nil {
			b.Fatal(err)
		}
		for inst.Ready(b.Context()) != nil {
			time.Sleep(100 * time.Microsecond)
		}
		askBare(b, inst.Endpoint(), fmt.Sprint("Sleeper_", i))
		took = append(took, time.Since(begin))
		if err := inst.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	return took
}

func askBare(b *testing.B, url, concept string) {
	resp, err := http.Post(url, "application/json", strings.NewReader(fmt.Sprintf(`{"task_id":"1","concept":%q,"intent":"do","args":{}}`, concept)))
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if raw, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("%s, %v", raw, err)
	}
}

func quantile(of []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func (w waker) report(b *testing.B, took, awake, bare []time.Duration) {
	b.Helper()
	if b.Failed() || len(took) == 0 {
		return
	}
	b.Logf("%s: %d tasks whose agent slept p50 %v, p99 %v (is to be %v); once it is awake p50 %v, p99 %v; the runtime's bare start p50 %v, p99 %v", w.name, len(took),
		quantile(took, 0.5), quantile(took, 0.99), w.target, quantile(awake, 0.5), quantile(awake, 0.99), quantile(bare, 0.5), quantile(bare, 0.99))
	b.ReportMetric(float64(quantile(took, 0.5).Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(quantile(took, 0.99).Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(quantile(took, 0.5))/float64(quantile(awake, 0.5)+quantile(bare, 0.5)), "x-awake-and-bare")
}

// BenchmarkAwakeHeap is what an awake agent in this process costs, in everything that the server keeps of it, after it has answered once.
func BenchmarkAwakeHeap(b *testing.B) {
	const agents = 4000
	s, _ := startServer(b, func(cfg *config.Config) {
		cfg.Fleet.MaxAgents, cfg.Fleet.MaxQueue, cfg.Store.MaxRuns = 2*agents, agents, 10
	})
	c := ownerOf(b, s.url(), s.cfg.Data)
	w := waker{callers: 4, samples: agents, agent: benchKnower}
	w.register(b, c)
	heap := func() float64 {
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	before := heap()
	w.tasks(b, c, true)
	awake := heap()
	f := fleetOf(b, c)
	limits := map[string]any{"max_agents": 1, "min_life_ms": 0}
	if _, err := c.SetFleetLimits(b.Context(), limits); err != nil {
		b.Fatal(err)
	}
	eventually(b, func() (bool, string) { f := fleetOf(b, c); return f.InUse <= 1, "all fall asleep" })
	asleep := heap()
	b.Logf("%d awake: %.0f bytes of heap each with what is remembered of it, %.0f of which are given back when it falls asleep", f.InUse, (awake-before)/agents, (awake-asleep)/agents)
	b.ReportMetric((awake-asleep)/agents, "B/awake")
	b.ReportMetric((awake-before)/agents, "B/known")
}

// BenchmarkManagerAtFullChurn is the share of one core that the manager of the fleet takes while agents fall asleep and wake as quickly as they can: its
// own work by the profile, without that of the runtimes.
func BenchmarkManagerAtFullChurn(b *testing.B) {
	for _, kind := range []struct {
		name  string
		agent func(b *testing.B, name string) myriad.Agent
	}{{"inproc", benchKnower}, {"Go child", func(b *testing.B, name string) myriad.Agent { return program(b, name, name, myriad.ModeStdio, "stdio") }}} {
		b.Run(kind.name, func(b *testing.B) {
			s, _ := startServer(b, capped(20, 0))
			c := ownerOf(b, s.url(), s.cfg.Data)
			for i := range 40 {
				put(b, c, kind.agent(b, fmt.Sprint("Sleeper_", i)))
			}
			profile := filepath.Join(b.TempDir(), "cpu")
			f, err := os.Create(profile)
			if err != nil {
				b.Fatal(err)
			}
			if err := pprof.StartCPUProfile(f); err != nil {
				b.Skip(err)
			}
			const d = 5 * time.Second
			begin := time.Now()
			var cold atomic.Int64
			var asking sync.WaitGroup
			for n := range 30 {
				asking.Go(func() {
					for i := n; time.Since(begin) < d && !b.Failed(); i += 7 {
						if mustOne(b, c, fmt.Sprint("Sleeper_", i%40), "do", nil).Provenance.ColdStartMS > 0 {
							cold.Add(1)
						}
					}
				})
			}
			asking.Wait()
			took := time.Since(begin)
			pprof.StopCPUProfile()
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
			manager := profiled(b, profile, "-focus=internal/lifecycle", "-ignore=internal/(processrt|inprocrt)")
			b.Logf("%s: %.0f wakes/s; the manager takes %.1f %% of one core, %.0f us for a wake and a sleep; the whole process %.1f %%", kind.name,
				float64(cold.Load())/took.Seconds(), 100*manager.Seconds()/took.Seconds(), manager.Seconds()*1e6/float64(max(cold.Load(), 1)),
				100*profiled(b, profile).Seconds()/took.Seconds())
			b.ReportMetric(100*manager.Seconds()/took.Seconds(), "%-of-core")
		})
	}
}

// profiled is the CPU time of a profile that options of pprof choose.
func profiled(b *testing.B, file string, options ...string) time.Duration {
	b.Helper()
	out, err := exec.CommandContext(b.Context(), "go", append(append([]string{"tool", "pprof", "-top", "-unit=ms"}, options...), file)...).CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	m := regexp.MustCompile(`Showing nodes accounting for ([0-9.]+)ms`).FindSubmatch(out)
	if m == nil {
		b.Fatalf("%s", out)
	}
	var ms float64
	if err := json.NewDecoder(bytes.NewReader(m[1])).Decode(&ms); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ms * float64(time.Millisecond))
}
