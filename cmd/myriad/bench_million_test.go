package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/sqlitestore"
)

// The million as the store's own benchmarks have it: how many packets, and where they are kept for the next run.
const (
	largeEnv    = "MYRIAD_LARGE"
	largeDirEnv = "MYRIAD_LARGE_FLEET_DIR"
)

// BenchmarkDormant is a server, built as for use, on a store of so many dormant agents: start to ready, memory, and tasks that wake agents at
// random, beside the same on ten thousand.
//
//	MYRIAD_LARGE=1000000 go test ./cmd/myriad -run '^$' -bench Dormant -benchtime 1x -timeout 60m
func BenchmarkDormant(b *testing.B) {
	many, err := strconv.Atoi(os.Getenv(largeEnv))
	if err != nil {
		b.Skipf("set %s to a number of agents", largeEnv)
	}
	binary := filepath.Join(b.TempDir(), "myriad")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for _, n := range []int{10_000, many} { // of fewer, many would be awake when they are asked a second time
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := b.TempDir()
			if kept := os.Getenv(largeDirEnv); kept != "" {
				dir = filepath.Join(kept, fmt.Sprint(n))
			}
			fillFleet(b, dir, n)
			cmd := exec.Command(binary, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--log-format", "json", "--fleet-docker", "off",
				"--fleet-max-agents", "2000", "--fleet-max-queue", "2000")
			cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, largeEnv) }) // it knows no such variables
			began := time.Now()
			p := startServed(b, cmd, dir)
			ready := time.Since(began)
			atReady := residentMiB(b, p)
			rng := rand.New(rand.NewPCG(1, 2))
			alone, among := wakeDormant(b, p, n, 1, rng), wakeDormant(b, p, n, 10, rng)
			b.Logf("%d dormant agents: ready after %v with %.0f MiB; wakes by one caller p50 %v, p99 %v; by ten p50 %v, p99 %v; then %.0f MiB", n,
				ready.Round(time.Millisecond), atReady, quantile(alone, 0.5), quantile(alone, 0.99), quantile(among, 0.5), quantile(among, 0.99), residentMiB(b, p))
			b.ReportMetric(float64(ready.Milliseconds()), "ms-to-ready")
			b.ReportMetric(residentMiB(b, p), "MiB")
			b.ReportMetric(float64(quantile(alone, 0.99).Microseconds())/1000, "p99-ms")
		})
	}
}

// wakeDormant has callers ask agents at random, and gives what the answers took of those that slept.
func wakeDormant(b *testing.B, p *served, n, callers int, rng *rand.Rand) (took []time.Duration) {
	concepts := make([]string, 900)
	for i := range concepts {
		concepts[i] = dormantName(rng.IntN(n))
	}
	for _, a := range askAll(b, p.url, callers, concepts, "define") {
		if a.slept {
			took = append(took, a.took)
		}
	}
	return took
}

func dormantName(i int) string { return fmt.Sprintf("Dormant_%07d", i) }

// fillFleet brings n packets into a store, unless it is there.
func fillFleet(b *testing.B, dir string, n int) {
	b.Helper()
	if _, err := os.Stat(filepath.Join(dir, "filled")); err == nil {
		return
	}
	s, err := sqlitestore.Open(b.Context(), dir, sqlitestore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	began := time.Now()
	for from := 0; from < n; from += 5000 {
		var some []myriad.Packet
		for i := from; i < min(from+5000, n); i++ {
			a := knower(dormantName(i), dormantName(i), fmt.Sprint("what is known of number ", i, ": ", strings.Repeat("much ", 20)))
			a.Type, a.Owner = myriad.AgentDynamic, myriad.OwnerFleet
			some = append(some, myriad.Packet{Agent: a})
		}
		if err := s.ImportPackets(b.Context(), some, sqlitestore.ImportOptions{Graph: true}); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("brought in %d packets in %v", n, time.Since(began).Round(time.Second))
	if err := os.WriteFile(filepath.Join(dir, "filled"), nil, 0o600); err != nil {
		b.Fatal(err)
	}
}

// residentMiB is the memory that the server holds.
func residentMiB(b *testing.B, p *served) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Skip("memory is read from /proc")
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kib, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib / 1024
		}
	}
	b.Fatalf("%s", status)
	return 0
}
