package sqlitestore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/myriad-mind/myriad"
)

func testRun(id string, status myriad.RunStatus) *myriad.RunRecord {
	return &myriad.RunRecord{
		RunSummary: myriad.RunSummary{RunID: id, Status: status, Tasks: 1, StartedAt: time.Unix(1700000000, 5).UTC(), DurationMS: 1.25},
		Results: []myriad.Result{{
			TaskID: myriad.StringID("t"), Status: "success", Succeeded: true,
			Answer: myriad.Answer{Raw: json.RawMessage(`{"status": "success", "data": {"x": 1.0}}`), Status: "success", Data: json.RawMessage(`{"x": 1.0}`)},
		}},
	}
}

func testGood(data string, at time.Time) myriad.GoodAnswer {
	raw, err := json.Marshal(map[string]string{"data": data})
	if err != nil {
		panic(err)
	}
	return myriad.GoodAnswer{Answer: myriad.Answer{Raw: raw, Status: "success"}, Agent: "agent", Endpoint: "http://h/", At: at}
}

// sink collects losses.
type sink struct {
	mu   sync.Mutex
	lost map[string]int64
}

func (s *sink) Emit(e myriad.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost == nil {
		s.lost = map[string]int64{}
	}
	if e.Kind == myriad.KindLost {
		s.lost[e.Reason] += e.Count
	}
}

func (s *sink) of(reason string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost[reason]
}

// running opens a store with its loop.
func running(t *testing.T, opts Options) *Store {
	t.Helper()
	s := openStore(t, t.TempDir(), opts)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestWrittenWithinASecond: nothing is stored at once, everything within a second, and nothing wakes an idle store.
func TestWrittenWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := running(t, Options{})
		time.Sleep(time.Hour)
		s.RecordRun(testRun("r", myriad.RunSuccess))
		s.KeepGood("k", testGood("d", time.Now()))
		synctest.Wait()
		if n := count(t, s, `SELECT (SELECT COUNT(*) FROM runs) + (SELECT COUNT(*) FROM good)`); n != 0 {
			t.Errorf("%d rows at once", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := count(t, s, `SELECT (SELECT COUNT(*) FROM runs) + (SELECT COUNT(*) FROM good)`); n != 2 {
			t.Errorf("%d rows after a second", n)
		}
		if s.runs.find("r") != nil {
			t.Error("what is stored does not wait")
		}
	})
}

// TestMuchIsWrittenSooner: a full queue does not wait for its time.
func TestMuchIsWrittenSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := &sink{}
		s := running(t, Options{FlushEvery: time.Hour, MaxPendingBytes: 100 << 10, Sink: lost})
		rec := testRun("r", myriad.RunSuccess)
		rec.Plan = make(json.RawMessage, 60<<10)
		s.RecordRun(rec)
		synctest.Wait()
		if n := count(t, s, `SELECT COUNT(*) FROM runs`); n != 1 || lost.of(LostRuns) != 0 {
			t.Errorf("%d rows, %d lost", n, lost.of(LostRuns))
		}
	})
}

// TestEndOfRunStoresEverything: by the end of its context, and by Close alone.
func TestEndOfRunStoresEverything(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{FlushEvery: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for i := range 50 {
		s.RecordRun(testRun(fmt.Sprintf("r%02d", i), myriad.RunSuccess))
		s.KeepGood(fmt.Sprint("k", i), testGood("d", time.Now()))
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, `SELECT COUNT(*) FROM runs`); n != 50 {
		t.Errorf("%d runs when the loop has ended", n)
	}
	s.RecordRun(testRun("late", myriad.RunSuccess))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, Options{})
	if _, err := s.LoadRun(t.Context(), "late"); err != nil {
		t.Errorf("after the loop, before Close: %v", err)
	}
	if _, ok := s.Good(t.Context(), "k49"); !ok || count(t, s, `SELECT COUNT(*) FROM runs`) != 51 {
		t.Error("something is gone")
	}
}

func TestCloseEndsRun(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{FlushEvery: time.Hour})
	done, entered := make(chan error, 1), make(chan struct{})
	go func() { close(entered); done <- s.Run(context.Background()) }()
	<-entered
	s.RecordRun(testRun("r", myriad.RunSuccess))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	<-done // it ends, whether it had begun or not
}

func TestRunIsCalledOnce(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
	if err := s.Run(ctx); err == nil {
		t.Error("a second loop")
	}
}

// TestFailedFlushWaits: what could not be written stays, is found, and is written once when that works again.
func TestFailedFlushWaits(t *testing.T) {
	lost := &sink{}
	s := openStore(t, t.TempDir(), Options{Sink: lost})
	for _, table := range []string{"runs", "good"} {
		if _, err := s.writer.Exec(`CREATE TRIGGER no_` + table + ` BEFORE INSERT ON ` + table + ` BEGIN SELECT RAISE(ABORT, 'no'); END`); err != nil {
			t.Fatal(err)
		}
	}
	older, newer := testRun("r", myriad.RunRunning), testRun("r", myriad.RunSuccess)
	s.RecordRun(older)
	s.KeepGood("k", testGood("d", time.Now()))
	for range 3 {
		if err := s.flush(t.Context(), flushTimeout); err == nil {
			t.Fatal("it went through")
		}
		if rec, err := s.LoadRun(t.Context(), "r"); err != nil || rec != older {
			t.Errorf("found %v, %v", rec, err)
		}
	}
	s.RecordRun(newer)
	for _, table := range []string{"runs", "good"} {
		if _, err := s.writer.Exec(`DROP TRIGGER no_` + table); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.flush(t.Context(), flushTimeout); err != nil {
		t.Fatal(err)
	}
	rec, err := s.LoadRun(t.Context(), "r")
	if err != nil || rec.Status != myriad.RunSuccess || count(t, s, `SELECT COUNT(*) FROM runs`) != 1 || count(t, s, `SELECT COUNT(*) FROM good`) != 1 {
		t.Errorf("stored %+v, %v", rec, err)
	}
	if lost.of(LostRuns)+lost.of(LostGood) != 0 {
		t.Errorf("lost %v", lost.lost)
	}
}

// TestLastFlushFailsLoudly: what can never be written is counted.
func TestLastFlushFailsLoudly(t *testing.T) {
	lost := &sink{}
	s, err := Open(t.Context(), t.TempDir(), Options{Sink: lost})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.writer.Exec(`DROP TABLE runs; DROP TABLE good`); err != nil {
		t.Fatal(err)
	}
	s.RecordRun(testRun("a", myriad.RunSuccess))
	s.RecordRun(testRun("b", myriad.RunRunning))
	s.KeepGood("k", testGood("d", time.Now()))
	if err := s.Close(); err == nil {
		t.Error("no error")
	}
	if lost.of(LostRuns) != 2 || lost.of(LostGood) != 1 {
		t.Errorf("lost %v", lost.lost)
	}
}

// TestUnencodableIsLostAlone: a record that cannot be encoded spoils no other.
func TestUnencodableIsLostAlone(t *testing.T) {
	lost := &sink{}
	s := openStore(t, t.TempDir(), Options{Sink: lost, MaxRunBytes: 64 << 10})
	nan := testRun("nan", myriad.RunSuccess)
	nan.Parallelism = nan.DurationMS / 0 * 0
	nan.Parallelism -= nan.Parallelism // NaN
	s.RecordRun(nan)
	large := testRun("large", myriad.RunSuccess)
	large.Results[0].Answer.Raw = json.RawMessage(`"` + strings.Repeat("abcdefgh", 1) + noise(100<<10) + `"`)
	s.RecordRun(large)
	s.RecordRun(testRun("fine", myriad.RunSuccess))
	if err := s.flush(t.Context(), flushTimeout); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, `SELECT COUNT(*) FROM runs`); n != 1 || lost.of(LostRuns) != 2 {
		t.Errorf("%d rows, lost %v", n, lost.lost)
	}
}

// TestBatchesAreSmall has what is written behind come in transactions that are over soon, so that writes for which somebody waits get their turn.
func TestBatchesAreSmall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOf(rapid.Int64Range(1, 2*batchBytes)).Draw(t, "sizes")
		var whole []int64
		for _, batch := range batches(sizes, func(n int64) int64 { return n }) {
			var bytes int64
			for _, n := range batch {
				bytes += n
			}
			if len(batch) == 0 || len(batch) > 64 || len(batch) > 1 && bytes > batchBytes {
				t.Fatalf("a batch of %d rows and %d bytes", len(batch), bytes)
			}
			whole = append(whole, batch...)
		}
		if !slices.Equal(whole, sizes) {
			t.Fatal("batches lose or shuffle entries")
		}
	})
}
