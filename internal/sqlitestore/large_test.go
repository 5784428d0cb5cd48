package sqlitestore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// largeEnv asks for the large benchmarks: a number of agents, like 1000000.
	largeEnv = "MYRIAD_LARGE"
	// largeDirEnv is where the store is made, and found again by the next run; a temporary directory otherwise.
	largeDirEnv = "MYRIAD_LARGE_DIR"
	// measureEnv has the test binary measure a store in a process of its own.
	measureEnv = "MYRIAD_SQLITESTORE_MEASURE"
)

// BenchmarkLarge measures a store of many dormant agents with their packets and as many concepts, three edges each: start, cold look-ups and
// memory, in a fresh process.
//
//	MYRIAD_LARGE=1000000 go test -run - -bench Large -benchtime 1x ./internal/sqlitestore
func BenchmarkLarge(b *testing.B) {
	agents, err := strconv.Atoi(os.Getenv(largeEnv))
	if err != nil {
		b.Skipf("set %s to a number of agents", largeEnv)
	}
	dir := os.Getenv(largeDirEnv)
	if dir == "" {
		dir = b.TempDir()
	}
	if _, err := os.Stat(filepath.Join(dir, fileName)); err != nil {
		fillStore(b, dir, agents)
	}
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), measureEnv+"="+dir, largeEnv+"="+strconv.Itoa(agents))
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		var measured map[string]float64
		if err := json.Unmarshal(bytes.TrimSpace(out), &measured); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		for name, v := range measured {
			b.ReportMetric(v, name)
		}
	}
}

// fillStore writes the store by SQL: the tables are what PutAgent makes, at a hundred times its speed.
func fillStore(b *testing.B, dir string, agents int) {
	began := time.Now()
	s, err := Open(b.Context(), dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for _, text := range []string{
		`PRAGMA cache_size = -262144`,
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
			INSERT INTO nodes (label, name, props) SELECT 'Concept', printf('concept_%07d', i),
			json_object('created_at', 1700000000000, 'display_name', printf('Concept %07d', i), 'name', printf('concept_%07d', i)) FROM n`,
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
			INSERT INTO nodes (label, name, props) SELECT 'Agent', printf('Agent_%07d', i), json_object('name', printf('Agent_%07d', i),
			'protocol', 'myriad-http/1', 'concepts', json_array(printf('concept_%07d', i)), 'intents', json_array('define', 'explain'),
			'type', 'dynamic', 'status', 'active', 'revision', 1, 'created_at', 1700000000000, 'template', json_object('kind', 'knowledge',
			'id', 'factbase_basic', 'limits', json_object(), 'knowledge', json_object('concept', printf('concept_%07d', i), 'confidence_score', 0.8,
			'primary_definition', printf('what is known of %d: %s', i, hex(randomblob(60)))))) FROM n`,
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
			INSERT INTO relationships SELECT i, 'HANDLES_CONCEPT', ?1 + i, '{"weight":0.5}' FROM n`,
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
			INSERT OR IGNORE INTO relationships SELECT 1 + i * 7919 % ?1, 'HANDLES_CONCEPT', ?1 + i, '{"weight":0.5}' FROM n`,
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
			INSERT OR IGNORE INTO relationships SELECT 1 + i * 104729 % ?1, 'HANDLES_CONCEPT', ?1 + i, '{"weight":0.5}' FROM n`,
		`INSERT INTO packets SELECT name, 'fleet', 1, 1700000000000, 1700000000000, 0, 0, props FROM nodes WHERE label = 'Agent'`,
	} {
		args := []any{agents}
		if !strings.Contains(text, "?1") {
			args = nil
		}
		if _, err := s.writer.Exec(text, args...); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, fileName))
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("made %d MiB in %v", info.Size()>>20, time.Since(began).Round(time.Second))
}

// measureMain opens the store, looks concepts up that were never looked up, and writes what it took.
func measureMain(dir string) {
	began := time.Now()
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	agents, err := strconv.Atoi(os.Getenv(largeEnv))
	fail(err)
	s, err := Open(context.Background(), dir, Options{})
	fail(err)
	g := s.Graph()
	_, err = g.Handlers(context.Background(), "concept_0000001")
	fail(err)
	measured := map[string]float64{"start-ms": float64(time.Since(began).Microseconds()) / 1000, "start-RSS-MiB": rss()}
	counting := time.Now()
	n, err := g.CountAgents(context.Background())
	fail(err)
	if int(n) != agents {
		fail(fmt.Errorf("%d agents", n))
	}
	grown, err := s.CountGrown(context.Background())
	fail(err)
	unsynced, err := s.UnsyncedPackets(context.Background(), 100)
	fail(err)
	research, err := g.Researchers(context.Background(), 100)
	fail(err)
	if int(grown) != agents || len(unsynced) > 0 || len(research) > 0 {
		fail(fmt.Errorf("%d grown packets, %d unsynced, %d researchers", grown, len(unsynced), len(research)))
	}
	measured["count-ms"] = float64(time.Since(counting).Microseconds()) / 1000
	for _, callers := range []int{1, 2, 10} {
		took := lookUps(callers, agents, func(i int) error {
			concept := fmt.Sprintf("concept_%07d", i)
			h, err := g.Handlers(context.Background(), concept)
			if err == nil && len(h.Exact) == 0 {
				err = fmt.Errorf("nobody handles %s", concept)
			}
			return err
		})
		measured[fmt.Sprintf("p50-ms/%d", callers)] = took[len(took)/2]
		measured[fmt.Sprintf("p99-ms/%d", callers)] = took[len(took)*99/100]
		took = lookUps(callers, agents, func(i int) error {
			_, err := s.Packet(context.Background(), fmt.Sprintf("Agent_%07d", i))
			return err
		})
		measured[fmt.Sprintf("packet-p99-ms/%d", callers)] = took[len(took)*99/100]
	}
	debug.FreeOSMemory()
	measured["RSS-MiB"] = rss()
	fail(s.Close())
	fail(json.NewEncoder(os.Stdout).Encode(measured))
	os.Exit(0)
}

// lookUps looks 8,000 random numbers of 1 to agents up and gives the milliseconds that each took, in order.
func lookUps(callers, agents int, look func(i int) error) []float64 {
	took := make([][]float64, callers)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(callers), uint64(c)))
			for range 8000 / callers {
				i := 1 + random.IntN(agents)
				began := time.Now()
				err := look(i)
				took[c] = append(took[c], float64(time.Since(began).Microseconds())/1000)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}
		})
	}
	wg.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	return all
}

// rss is the process's resident memory in MiB; 0 where /proc does not tell.
func rss() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, _ := strconv.ParseFloat(strings.Fields(rest + " 0")[0], 64)
	return kib / 1024
}
