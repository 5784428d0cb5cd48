package sqlitestore

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

const childEnv = "MYRIAD_SQLITESTORE_CHILD"

// childMain writes everything that a store holds, and says a number once what belongs to it is stored, until it is killed.
func childMain(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	s, err := Open(context.Background(), dir, Options{FlushEvery: time.Millisecond})
	fail(err)
	go func() { fail(s.Run(context.Background())) }()
	from, err := s.Graph().CountAgents(context.Background())
	fail(err)
	for n := int(from); ; n++ {
		a := myriad.Agent{Name: fmt.Sprint("a", n), Endpoint: "http://h/", Concepts: []string{fmt.Sprint("left ", n), fmt.Sprint("right ", n), "all"}}
		_, err := s.Graph().PutAgent(context.Background(), a, myriad.Guard{})
		fail(err)
		fail(s.RecordRunNow(context.Background(), testRun(fmt.Sprint("now-", n), myriad.RunRunning)))
		for i := range 5 {
			s.RecordRun(testRun(fmt.Sprintf("behind-%d-%d", n, i), myriad.RunSuccess))
			s.KeepGood(fmt.Sprint("key-", n%7), testGood(strings.Repeat("x", i*100), time.Now()))
		}
		fmt.Println(n)
	}
}

// TestKilled kills a writing process at random moments: the file opens, holds what was said to be stored, and nothing half.
func TestKilled(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 6 {
		last := killed(t, exe, dir, 1+random.IntN(40))
		s, err := Open(t.Context(), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		checkWhole(t, s, last)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killed runs a child until it has said lines numbers, kills it and gives the last one.
func killed(t *testing.T, exe, dir string, lines int) (last int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(out)
	for range lines {
		if !scan.Scan() {
			t.Fatalf("the child ended early: %v", scan.Err())
		}
		if last, err = strconv.Atoi(scan.Text()); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it says that it was killed
	return last
}

func checkWhole(t *testing.T, s *Store, last int) {
	t.Helper()
	var verdict string
	if err := s.writer.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity %s, %v", verdict, err)
	}
	agents, edges := count(t, s, `SELECT COUNT(*) FROM nodes WHERE label = 'Agent'`), count(t, s, `SELECT COUNT(*) FROM relationships`)
	if concepts := count(t, s, `SELECT COUNT(*) FROM nodes WHERE label = 'Concept'`); concepts != 2*agents+1 || edges != 3*agents || agents <= last {
		t.Errorf("%d agents after number %d, %d concepts, %d edges", agents, last, concepts, edges)
	}
	if n, err := s.Graph().CountAgents(t.Context()); err != nil || int(n) != agents {
		t.Errorf("the counter says %d, there are %d agents (%v)", n, agents, err)
	}
	rec, err := s.LoadRun(t.Context(), fmt.Sprint("now-", last))
	if err != nil || rec.Status != myriad.RunInterrupted {
		t.Errorf("the last run that was stored: %+v, %v", rec, err)
	}
	for page := (myriad.Page{Limit: 1000}); ; {
		runs, next, err := s.ListRuns(t.Context(), page)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			if rec, err := s.LoadRun(t.Context(), r.RunID); err != nil || !r.Status.Done() || len(rec.Results) != 1 {
				t.Errorf("run %s: %+v, %v", r.RunID, rec, err)
			}
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	for i := range 7 {
		if a, ok, err := s.loadGood(t.Context(), fmt.Sprint("key-", i)); err != nil || ok && a.Agent != "agent" {
			t.Errorf("last good answer %d: %+v, %v", i, a, err)
		}
	}
}

func count(t *testing.T, s *Store, text string) (n int) {
	t.Helper()
	if err := s.reader.QueryRow(text).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
