package sqlitestore

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
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
		fail(writeFleet(s, n))
		fail(s.RecordRunNow(context.Background(), testRun(fmt.Sprint("now-", n), myriad.RunRunning)))
		for i := range 5 {
			s.RecordRun(testRun(fmt.Sprintf("behind-%d-%d", n, i), myriad.RunSuccess))
			s.KeepGood(fmt.Sprint("key-", n%7), testGood(strings.Repeat("x", i*100), time.Now()))
		}
		fmt.Println(n)
	}
}

// writeFleet writes what the fleet keeps at turn n: a packet, two imported ones that are in the graph, one dropped; an instance and a queue of
// one entry beside the one that leaves.
func writeFleet(s *Store, n int) error {
	ctx := context.Background()
	if _, err := s.PutPacket(ctx, testPacket(fmt.Sprint("p", n)), myriad.Guard{}); err != nil {
		return err
	}
	imported := make([]myriad.Packet, 2)
	for i := range imported {
		imported[i] = testPacket(fmt.Sprint("i", n, "-", i))
		imported[i].Agent.Concepts = []string{fmt.Sprint("one ", n, i), fmt.Sprint("two ", n, i), "all"}
	}
	if err := s.ImportPackets(ctx, imported, ImportOptions{Graph: true}); err != nil {
		return err
	}
	if _, err := s.DropPacket(ctx, fmt.Sprint("p", n-1), myriad.Guard{}); err != nil && myriad.ErrorCode(err) != myriad.CodeNotFound {
		return err
	}
	if err := s.PutInstance(ctx, myriad.InstanceRecord{ID: fmt.Sprint("instance-", n), Agent: fmt.Sprint("p", n)}); err != nil {
		return err
	}
	e := myriad.QueueEntry{ID: fmt.Sprint("q", n), Kind: myriad.QueueGrow, Concept: fmt.Sprint("c", n), QueuedAt: time.Now()}
	if err := s.Enqueue(ctx, e); err != nil {
		return err
	}
	return s.Dequeue(ctx, fmt.Sprint("q", n-1))
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
	checkFleet(t, s, last)
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

func checkFleet(t *testing.T, s *Store, last int) {
	t.Helper()
	if p, err := s.Packet(t.Context(), fmt.Sprint("i", last, "-1")); err != nil || p.Revision != 1 {
		t.Errorf("the last packet that was stored: %+v, %v", p, err)
	}
	packets := count(t, s, `SELECT COUNT(*) FROM packets WHERE deleted = 0`)
	if n, err := s.CountGrown(t.Context()); err != nil || int(n) != packets {
		t.Errorf("the counter says %d, there are %d packets (%v)", n, packets, err)
	}
	if n := count(t, s, `SELECT COUNT(*) FROM packets JOIN nodes ON nodes.label = 'Agent' AND nodes.name = packets.name WHERE unsynced = 0`); n%2 != 0 ||
		n != count(t, s, `SELECT COUNT(*) FROM packets WHERE unsynced = 0`) {
		t.Errorf("%d packets are in the graph, two of each turn", n)
	}
	queue, err := s.Queue(t.Context())
	if err != nil || len(queue) == 0 || queue[0].ID == fmt.Sprint("q", last-1) {
		t.Errorf("queue %+v, %v", queue, err)
	}
	instances, err := s.Instances(t.Context())
	if want := fmt.Sprint("instance-", last); err != nil || !slices.ContainsFunc(instances, func(r myriad.InstanceRecord) bool { return r.ID == want }) {
		t.Errorf("%d instances, %v", len(instances), err)
	}
}

func count(t *testing.T, s *Store, text string) (n int) {
	t.Helper()
	if err := s.reader.QueryRow(text).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
