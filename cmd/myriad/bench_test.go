package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
)

// These benchmarks print ratios from one run, because the machines that run them are shared; no test depends on them:
//
//	go test ./cmd/myriad -run '^$' -bench . -benchtime 1x

// wide lifts the limits that must not bind.
func wide(slots int) func(*config.Config) {
	return func(c *config.Config) { c.Slots.Total = slots }
}

// BenchmarkSequential is the table that the plan of the Python system's third sprint asks for: tasks on 100 ms agents, one after the other and by Myriad.
func BenchmarkSequential(b *testing.B) {
	s := newBench(b, 100*time.Millisecond, 100)
	for _, n := range []int{5, 10, 20} {
		b.Run(fmt.Sprintf("tasks=%d", n), func(b *testing.B) {
			var one, all []float64
			for range 3 {
				begin := time.Now()
				for range n {
					must(b, s.send(s.agent, []byte(`{}`)))
				}
				one = append(one, time.Since(begin).Seconds())
				begin = time.Now()
				must(b, s.send(s.myriad, tasks(n)))
				all = append(all, time.Since(begin).Seconds())
			}
			b.Logf("%d tasks: one after the other %s; Myriad %s; ratio %.2f", n, spread(one), spread(all), mean(one)/mean(all))
			b.ReportMetric(mean(one)/mean(all), "x")
		})
	}
}

func must(b *testing.B, send func() error) {
	b.Helper()
	if err := send(); err != nil {
		b.Fatal(err)
	}
}

func mean(of []float64) float64 {
	sum := 0.0
	for _, v := range of {
		sum += v
	}
	return sum / float64(len(of))
}

func spread(of []float64) string {
	variance := 0.0
	for _, v := range of {
		variance += (v - mean(of)) * (v - mean(of))
	}
	return fmt.Sprintf("mean %.3f s, stdev %.4f, min %.3f, max %.3f", mean(of), math.Sqrt(variance/float64(len(of)-1)), slices.Min(of), slices.Max(of))
}

// BenchmarkMakespan compares the time of whole runs with their critical path, where no limit binds. An agent answers after as long as it is told.
func BenchmarkMakespan(b *testing.B) {
	_, c := startServer(b, wide(2000))
	url := startAgent(b, func(w http.ResponseWriter, r *http.Request) {
		var job struct{ Args struct{ Ms int } }
		_ = json.NewDecoder(r.Body).Decode(&job)
		time.Sleep(time.Duration(job.Args.Ms) * time.Millisecond)
		say(w, "ok")
	})
	put(b, c, myriad.Agent{Name: "Sleeper", Endpoint: url, Concepts: []string{"sleep"}, MaxConcurrency: 2000})
	rng := rand.New(rand.NewPCG(1, 2))
	for _, g := range []struct {
		name string
		n    int
		ms   func(i int) int
		deps func(i int) []int
	}{
		{"chain", 10, func(int) int { return 50 }, func(i int) []int { return before(i, i-1) }},
		{"equal", 50, func(int) int { return 300 }, func(int) []int { return nil }},
		{"skewed", 50, func(i int) int { return 10 + 10*i }, func(int) []int { return nil }},
		{"diamond", 22, func(int) int { return 150 }, func(i int) []int {
			switch {
			case i == 0:
				return nil
			case i < 21:
				return []int{0}
			}
			return upTo(1, 21)
		}},
		{"random1000", 1000, func(int) int { return 50 + rng.IntN(100) }, func(i int) []int {
			if i < 50 {
				return nil
			}
			return []int{i - 50 + rng.IntN(40), i - 50 + rng.IntN(40)}
		}},
	} {
		b.Run(g.name, func(b *testing.B) {
			plan := client.Plan{Timeout: time.Minute}
			longest, critical := make([]int, g.n), 0
			for i := range g.n {
				t := client.Task{ID: fmt.Sprint(i), Concept: "sleep", Intent: "do"}
				ms := g.ms(i)
				for _, d := range slices.Compact(slices.Sorted(slices.Values(g.deps(i)))) {
					t.DependsOn = append(t.DependsOn, fmt.Sprint(d))
					longest[i] = max(longest[i], longest[d])
				}
				longest[i] += ms
				critical = max(critical, longest[i])
				t.Args = map[string]int{"ms": ms}
				plan.Add(t)
			}
			var ratios []float64
			for range 5 {
				record, err := c.Run(b.Context(), plan)
				if err != nil || record.Status != myriad.RunSuccess {
					b.Fatalf("%+v %v", record, err)
				}
				ratios = append(ratios, record.DurationMS/float64(critical))
			}
			b.Logf("%s: critical path %d ms, makespan over it %.3f", g.name, critical, median(ratios))
			b.ReportMetric(median(ratios), "makespan/path")
		})
	}
}

func before(i, d int) []int {
	if i == 0 {
		return nil
	}
	return []int{d}
}

func upTo(from, to int) []int {
	var all []int
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// BenchmarkOneTaskRuns is the throughput of runs of one task, by ten callers, against the relay and a bare loop: medians of ten alternating pairs. Run
// records are kept; ours has a turn of as long as they may wait, so that writing them is paid for in it.
func BenchmarkOneTaskRuns(b *testing.B) {
	s := newBench(b, 0, 100)
	body, job := tasks(1), []byte(`{"task_id":1,"concept":"bench","intent":"do","args":{}}`)
	var ofRelay, ofBare, rates []float64
	for range 10 {
		relayed := rate(b, 10, turn, s.send(s.relay, body))
		ours := rate(b, 10, turn, s.send(s.myriad, body))
		bare := rate(b, 10, 250*time.Millisecond, s.send(s.agent, job))
		ofRelay, ofBare, rates = append(ofRelay, ours/relayed), append(ofBare, relayed/bare), append(rates, ours)
	}
	b.Logf("1-task runs: %.0f/s; Myriad over relay %.3f; relay over bare loop %.3f", median(rates), median(ofRelay), median(ofBare))
	b.ReportMetric(median(ofRelay), "of-relay")
}

// turn is how long each side is measured at a time.
const turn = time.Second

// BenchmarkThousandTaskRun is one run of 1,000 tasks after the other, against the relay making the same calls for one request. Run records are kept
// and paid for as above.
func BenchmarkThousandTaskRun(b *testing.B) {
	s := newBench(b, 0, 100)
	body := tasks(1000)
	var ratios, times []float64
	timed := func(url string) float64 {
		begin, runs := time.Now(), 0.0
		for ; time.Since(begin) < turn; runs++ {
			must(b, s.send(url, body))
		}
		return time.Since(begin).Seconds() / runs
	}
	timed(s.relay)
	timed(s.myriad)
	for range 10 {
		relayed, ours := timed(s.relay), timed(s.myriad)
		ratios, times = append(ratios, relayed/ours), append(times, ours)
	}
	b.Logf("1,000-task run: %.1f ms; Myriad over relay %.3f", median(times)*1000, median(ratios))
	b.ReportMetric(median(ratios), "of-relay")
}

// BenchmarkFanOut is 10,000 tasks that wait for one and one that waits for them, against a bare loop of as many calls, and the relay against the
// same. The agent takes as many calls at once (its max_concurrency) as there are slots and callers of the bare loop: 100. Before each is measured,
// what the one before left behind is written or collected.
func BenchmarkFanOut(b *testing.B) {
	const slots = 100
	s := newBench(b, 0, slots)
	plan, flat := fanOut(b, 10_000), tasks(10_000)
	timed := func(send func() error) float64 {
		time.Sleep(turn + turn/5)
		runtime.GC()
		begin := time.Now()
		must(b, send)
		return time.Since(begin).Seconds()
	}
	bare := func() error {
		var all sync.WaitGroup
		for range slots {
			all.Go(func() {
				for range 10_000 / slots {
					if _, err := post(s.http, s.agent, tasks(1), jobHeaders...); err != nil {
						b.Error(err)
					}
				}
			})
		}
		all.Wait()
		return nil
	}
	var ratios, relayed, extra []float64
	for range 9 {
		floor, base := timed(s.send(s.relay, flat)), timed(bare)
		stop := watchMemory()
		ratios = append(ratios, timed(s.send(s.myriad, plan))/base)
		extra = append(extra, stop())
		relayed = append(relayed, floor/base)
	}
	b.Logf("10,000 wide: time over the bare loop's %.2f; the relay's over it %.2f; memory over what there was before, client and agent included: %.0f MiB",
		median(ratios), median(relayed), median(extra))
	b.ReportMetric(median(ratios), "x-bare")
	b.ReportMetric(median(extra), "MiB-extra")
}

// fanOut is the body of a request with n tasks, of which all but two wait for the first, and the last for those.
func fanOut(b *testing.B, n int) []byte {
	b.Helper()
	plan := client.Plan{Timeout: time.Minute, Tasks: []client.Task{{ID: "first", Concept: "bench", Intent: "do"}}}
	last := client.Task{ID: "last", Concept: "bench", Intent: "do"}
	for i := range n - 2 {
		id := fmt.Sprint(i)
		plan.Add(client.Task{ID: id, Concept: "bench", Intent: "do", DependsOn: []string{"first"}})
		last.DependsOn = append(last.DependsOn, id)
	}
	plan.Add(last)
	body, err := json.Marshal(plan)
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// watchMemory looks at what the process holds until stop is called, which gives by how many MiB it has grown at most. What was collected and not
// given back to the system yet does not count.
func watchMemory() (stop func() float64) {
	held := func() uint64 {
		all := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
		metrics.Read(all)
		return all[0].Value.Uint64() - all[1].Value.Uint64() - all[2].Value.Uint64()
	}
	runtime.GC()
	before, most := held(), uint64(0)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		look := time.NewTicker(2 * time.Millisecond)
		defer look.Stop()
		for {
			most = max(most, held())
			select {
			case <-end:
				return
			case <-look.C:
			}
		}
	}()
	return func() float64 {
		close(end)
		<-ended
		return (float64(most) - float64(before)) / (1 << 20)
	}
}

// BenchmarkStart is the time from starting the program to /readyz, and what it holds then.
func BenchmarkStart(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "myriad")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	var took []float64
	rss := "unknown here"
	for i := range 5 {
		listen := fmt.Sprintf("127.0.0.1:%d", 38100+i)
		cmd := exec.CommandContext(b.Context(), binary, "serve", "--data", b.TempDir(), "--listen", listen)
		begin := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		for {
			resp, err := http.Get("http://" + listen + "/readyz")
			if err == nil {
				resp.Body.Close()
				break
			}
			if time.Since(begin) > 10*time.Second {
				b.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		took = append(took, time.Since(begin).Seconds()*1000)
		if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)); err == nil && runtime.GOOS == "linux" {
			for line := range strings.Lines(string(status)) {
				if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
					rss = strings.TrimSpace(v)
				}
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	b.Logf("ready after %.0f ms, RSS %s", median(took), rss)
	b.ReportMetric(median(took), "ms-to-ready")
}
