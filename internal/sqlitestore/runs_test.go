package sqlitestore

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// noise is text that does not pack.
func noise(n int) string {
	random := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"[random.IntN(64)]
	}
	return string(b)
}

func flush(t *testing.T, s *Store) {
	t.Helper()
	if err := s.flush(t.Context(), flushTimeout); err != nil {
		t.Fatal(err)
	}
}

func ids(runs []myriad.RunSummary) string {
	all := make([]string, len(runs))
	for i, r := range runs {
		all[i] = r.RunID
	}
	return strings.Join(all, " ")
}

func TestRunsAreFoundWhereverTheyAre(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	for i, where := range []string{"waiting", "stored"} {
		rec := testRun(fmt.Sprint("r", i), myriad.RunSuccess)
		rec.IdempotencyKey, rec.BodyHash = "key-"+where, "hash"
		s.RecordRun(rec)
		if where == "stored" {
			flush(t, s)
			s.RecordRun(testRun("r9", myriad.RunFailed))
		}
		for name, load := range map[string]func() (*myriad.RunRecord, error){
			"by id":  func() (*myriad.RunRecord, error) { return s.LoadRun(t.Context(), rec.RunID) },
			"by key": func() (*myriad.RunRecord, error) { return s.RunByKey(t.Context(), rec.IdempotencyKey) },
		} {
			if got, err := load(); err != nil || !reflect.DeepEqual(got, rec) {
				t.Errorf("%s, %s:\n got %+v, %v\nwant %+v", where, name, got, err, rec)
			}
		}
	}
	runs, next, err := s.ListRuns(t.Context(), myriad.Page{})
	if err != nil || next != "" || ids(runs) != "r9 r1 r0" {
		t.Errorf("listed %s, %q, %v", ids(runs), next, err)
	}
	for _, err := range []error{second(s.LoadRun(t.Context(), "none")), second(s.RunByKey(t.Context(), "none")), second(s.RunByKey(t.Context(), ""))} {
		if myriad.ErrorCode(err) != myriad.CodeNotFound {
			t.Errorf("not there: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestRunsArePagedAcrossMemoryAndFile(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	var want []string
	for i := range 25 {
		id := fmt.Sprintf("r%02d", i)
		want = append([]string{id}, want...)
		s.RecordRun(testRun(id, myriad.RunSuccess))
		if i%3 == 0 {
			flush(t, s)
		}
	}
	for _, n := range []int{1, 4, 25, 26} {
		var got []string
		for page := (myriad.Page{Limit: n}); ; {
			runs, next, err := s.ListRuns(t.Context(), page)
			if err != nil || len(runs) > n {
				t.Fatalf("%d runs, %v", len(runs), err)
			}
			for _, r := range runs {
				got = append(got, r.RunID)
			}
			flush(t, s) // what was listed moves, and is not listed again
			if page.Cursor = next; next == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q", n, got)
		}
	}
	if _, _, err := s.ListRuns(t.Context(), myriad.Page{Cursor: "?"}); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("cursor: %v", err)
	}
}

// TestRunningRowsOnlyWhereNeeded: a synchronous run that is over before the next flush is written once; one that is not gets a running row.
func TestRunningRowsOnlyWhereNeeded(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	s.RecordRun(testRun("short", myriad.RunRunning))
	s.RecordRun(testRun("long", myriad.RunRunning))
	s.RecordRun(testRun("short", myriad.RunSuccess))
	flush(t, s)
	if running, all := count(t, s, `SELECT COUNT(*) FROM runs WHERE status = 'running'`), count(t, s, `SELECT COUNT(*) FROM runs`); running != 1 || all != 2 {
		t.Errorf("%d running of %d", running, all)
	}
	s.RecordRun(testRun("long", myriad.RunPartial))
	s.RecordRun(testRun("long", myriad.RunRunning)) // late news
	flush(t, s)
	s.RecordRun(testRun("long", myriad.RunRunning)) // later still
	flush(t, s)
	if rec, err := s.LoadRun(t.Context(), "long"); err != nil || rec.Status != myriad.RunPartial || count(t, s, `SELECT COUNT(*) FROM runs`) != 2 {
		t.Errorf("finished: %+v, %v", rec, err)
	}
}

func TestUnfinishedRunsAreInterrupted(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	asynchronous := testRun("a", myriad.RunRunning)
	asynchronous.IdempotencyKey = "key"
	if err := s.RecordRunNow(t.Context(), asynchronous); err != nil {
		t.Fatal(err)
	}
	if count(t, s, `SELECT COUNT(*) FROM runs`) != 1 {
		t.Error("it is stored before the call returns")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, Options{})
	for _, load := range []func() (*myriad.RunRecord, error){
		func() (*myriad.RunRecord, error) { return s.LoadRun(t.Context(), "a") },
		func() (*myriad.RunRecord, error) { return s.RunByKey(t.Context(), "key") },
	} {
		if rec, err := load(); err != nil || rec.Status != myriad.RunInterrupted {
			t.Errorf("%+v, %v", rec, err)
		}
	}
	if runs, _, err := s.ListRuns(t.Context(), myriad.Page{}); err != nil || len(runs) != 1 || runs[0].Status != myriad.RunInterrupted {
		t.Errorf("%+v, %v", runs, err)
	}
}

func TestRecordRunNowOvertakesWhatWaits(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	s.RecordRun(testRun("r", myriad.RunRunning))
	if err := s.RecordRunNow(t.Context(), testRun("r", myriad.RunSuccess)); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	if rec, err := s.LoadRun(t.Context(), "r"); err != nil || rec.Status != myriad.RunSuccess {
		t.Errorf("%+v, %v", rec, err)
	}
	nan := testRun("nan", myriad.RunRunning)
	nan.Parallelism = 1 / (nan.Parallelism)
	if err := s.RecordRunNow(t.Context(), nan); err == nil {
		t.Error("a record that cannot be stored is an error")
	}
}

// TestOldestRunsGo: by number and by bytes, never a running one, and a run that took long is as young as its end.
func TestOldestRunsGo(t *testing.T) {
	sample := testRun("r00", myriad.RunSuccess)
	sample.Results[0].ErrorMessage = noise(6000)
	sealed, err := encodeRun(sample)
	if err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]Options{"number": {MaxRuns: 10}, "bytes": {MaxRunBytes: 10*int64(len(sealed)) + 100}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, dir, opts)
			record := func(id string, status myriad.RunStatus) {
				rec := testRun(id, status)
				rec.Results[0].ErrorMessage = noise(6000)
				s.RecordRun(rec)
				flush(t, s)
			}
			record("a-long", myriad.RunRunning)
			record("b-running", myriad.RunRunning)
			for i := range 15 {
				record(fmt.Sprintf("r%02d", i), myriad.RunSuccess)
			}
			record("a-long", myriad.RunSuccess)
			for i := 15; i < 20; i++ {
				record(fmt.Sprintf("r%02d", i), myriad.RunSuccess)
			}
			runs, _, err := s.ListRuns(t.Context(), myriad.Page{})
			if got := ids(runs); err != nil || !strings.HasPrefix(got, "r19 r18 r17") || !strings.HasSuffix(got, " b-running a-long") || len(runs) != 11 {
				t.Errorf("%d kept: %s, %v", len(runs), got, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openStore(t, dir, opts) // the bounds hold over a restart
			for i := 20; i < 24; i++ {
				record(fmt.Sprintf("r%02d", i), myriad.RunSuccess)
			}
			if runs, _, err = s.ListRuns(t.Context(), myriad.Page{}); err != nil || len(runs) != 10 || runs[0].RunID != "r23" {
				t.Errorf("%d kept: %s, %v", len(runs), ids(runs), err)
			}
		})
	}
}

// TestOvertakenRunsAreNotWritten: of many runs between two flushes only as many as are kept cost anything, and none of them counts as lost.
func TestOvertakenRunsAreNotWritten(t *testing.T) {
	lost := &sink{}
	s := openStore(t, t.TempDir(), Options{MaxRuns: 10, Sink: lost})
	if err := s.RecordRunNow(t.Context(), testRun("async", myriad.RunRunning)); err != nil {
		t.Fatal(err)
	}
	s.RecordRun(testRun("async", myriad.RunSuccess))
	for i := range 500 {
		s.RecordRun(testRun(fmt.Sprintf("r%03d", i), myriad.RunSuccess))
	}
	flush(t, s)
	if n := count(t, s, `SELECT COUNT(*) FROM runs`); n != 10 || lost.of(LostRuns) != 0 || len(s.runs.open) != 0 {
		t.Errorf("%d rows, lost %v, open %v", n, lost.lost, s.runs.open)
	}
	if _, err := s.LoadRun(t.Context(), "async"); myriad.ErrorCode(err) != myriad.CodeNotFound {
		t.Errorf("an overtaken run must not stay as running: %v", err)
	}
}

// TestQueueIsBoundedByBytes: what does not fit is counted, and memory stays bounded.
func TestQueueIsBoundedByBytes(t *testing.T) {
	lost := &sink{}
	s := openStore(t, t.TempDir(), Options{MaxPendingBytes: 20_000, Sink: lost})
	for i := range 100 {
		rec := testRun(fmt.Sprintf("r%03d", i), myriad.RunSuccess)
		rec.Results[0].ErrorMessage = noise(3000)
		s.RecordRun(rec)
	}
	if s.runs.bytes > 20_000 {
		t.Errorf("%d bytes wait", s.runs.bytes)
	}
	flush(t, s)
	if kept := count(t, s, `SELECT COUNT(*) FROM runs`); int64(kept)+lost.of(LostRuns) != 100 || kept == 0 {
		t.Errorf("%d kept and %d lost of 100", kept, lost.of(LostRuns))
	}
}

// TestQueueProperty drives the queue with random news and flushes that fail or not, beside a model that says what may be stored.
func TestQueueProperty(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 7))
		q := newRunQueue(1000, 1<<20)
		newest, stored := map[string]*myriad.RunRecord{}, map[string]*myriad.RunRecord{}
		for range 120 {
			id := fmt.Sprint("r", random.IntN(8))
			switch old := newest[id]; random.IntN(4) {
			case 0, 1:
				status := myriad.RunRunning
				if random.IntN(2) == 0 {
					status = myriad.RunSuccess
				}
				if old == nil || !old.Status.Done() {
					rec := testRun(id, status)
					newest[id] = rec
					q.add(rec)
				}
			default:
				taken, _ := q.take()
				ok := random.IntN(2) == 0
				if random.IntN(2) == 0 && (old == nil || !old.Status.Done()) { // news in the middle of the flush
					rec := testRun(id, myriad.RunSuccess)
					newest[id] = rec
					q.add(rec)
				}
				for _, e := range taken {
					if ok {
						stored[e.rec.RunID] = e.rec
					}
				}
				q.settle(taken, ok)
			}
			for id, want := range newest {
				got := q.find(id)
				if got == nil {
					got = stored[id]
				}
				if got != want {
					t.Fatalf("seed %d: of %s %v is known, the newest is %v", seed, id, got.Status, want.Status)
				}
			}
		}
		if taken, _ := q.take(); int64(len(taken)) > 8 || q.bytes != 0 || q.lost != 0 {
			t.Fatalf("seed %d: %d entries, %d bytes, %d lost", seed, len(taken), q.bytes, q.lost)
		}
	}
}

func TestManyRecordAtOnce(t *testing.T) {
	s := running(t, Options{FlushEvery: time.Millisecond, MaxRuns: 100_000})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 200 {
				id := fmt.Sprintf("w%d-%03d", w, i)
				rec := testRun(id, myriad.RunRunning)
				rec.IdempotencyKey = id
				s.RecordRun(rec)
				done := testRun(id, myriad.RunSuccess)
				done.IdempotencyKey = id
				s.RecordRun(done)
				for _, load := range []func() (*myriad.RunRecord, error){
					func() (*myriad.RunRecord, error) { return s.LoadRun(t.Context(), id) },
					func() (*myriad.RunRecord, error) { return s.RunByKey(t.Context(), id) },
				} {
					if got, err := load(); err != nil || got.Status != myriad.RunSuccess {
						t.Errorf("%s: %+v, %v", id, got, err)
					}
				}
			}
		})
	}
	wg.Wait()
	flush(t, s)
	if n := count(t, s, `SELECT COUNT(*) FROM runs WHERE status = 'success'`); n != 800 {
		t.Errorf("%d rows", n)
	}
}
