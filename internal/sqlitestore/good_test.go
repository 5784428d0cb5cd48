package sqlitestore

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestGoodSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	if _, ok := s.Good(t.Context(), "k"); ok {
		t.Error("an answer from nowhere")
	}
	at := time.Now().Add(-time.Minute).UTC()
	want := testGood("d", at)
	s.KeepGood("k", want)
	check := func(when string) {
		t.Helper()
		if got, ok := s.Good(t.Context(), "k"); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", when, got, ok)
		}
	}
	check("waiting")
	flush(t, s)
	check("stored")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, Options{})
	check("after a restart")
	if s.good.recent.get("k") == nil {
		t.Error("what was read is held in memory")
	}
}

func TestLastGoodIsTheLast(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	now := time.Now()
	s.KeepGood("k", testGood("new", now))
	s.KeepGood("k", testGood("old", now.Add(-time.Minute)))
	flush(t, s)
	s.KeepGood("k", testGood("newer", now.Add(time.Second)))
	if got, ok := s.Good(t.Context(), "k"); !ok || !strings.Contains(string(got.Answer.Raw), "newer") {
		t.Errorf("%s", got.Answer.Raw)
	}
	flush(t, s)
	if n := count(t, s, `SELECT COUNT(*) FROM good`); n != 1 {
		t.Errorf("%d rows", n)
	}
}

func TestOldAnswersAreNotHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := running(t, Options{MaxGoodAge: time.Hour})
		s.KeepGood("k", testGood("d", time.Now()))
		time.Sleep(time.Hour)
		if _, ok := s.Good(t.Context(), "k"); !ok {
			t.Error("an hour old, and an hour is allowed")
		}
		time.Sleep(time.Millisecond)
		if _, ok := s.Good(t.Context(), "k"); ok {
			t.Error("too old, from memory")
		}
		s.good.recent.shrink(0)
		s.KeepGood("other", testGood("d", time.Now()))
		time.Sleep(time.Second)
		synctest.Wait()
		if n := count(t, s, `SELECT COUNT(*) FROM good`); n != 1 {
			t.Errorf("%d rows: what is too old goes", n)
		}
	})
}

func TestGoodMemoryIsBounded(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{GoodMemoryBytes: 50_000})
	for i := range 200 {
		s.KeepGood(fmt.Sprint("k", i), testGood(noise(1000), time.Now()))
		s.Good(t.Context(), "k0")
	}
	if s.good.recent.bytes > 50_000 {
		t.Errorf("%d bytes in memory", s.good.recent.bytes)
	}
	if s.good.recent.get("k0") == nil || s.good.recent.get("k1") != nil {
		t.Error("the least recently used goes first")
	}
	if got, ok := s.Good(t.Context(), "k1"); !ok || got.Agent != "agent" {
		t.Error("what waits to be written is found although memory has let it go")
	}
	flush(t, s)
	if got, ok := s.Good(t.Context(), "k2"); !ok || got.Agent != "agent" {
		t.Error("what is stored is found although memory has let it go")
	}
}

func TestGoodQueueIsBounded(t *testing.T) {
	lost := &sink{}
	s := openStore(t, t.TempDir(), Options{MaxPendingBytes: 50_000, Sink: lost})
	for i := range 200 {
		s.KeepGood(fmt.Sprint("k", i), testGood(noise(1000), time.Now()))
	}
	flush(t, s)
	if n := count(t, s, `SELECT COUNT(*) FROM good`); int64(n)+lost.of(LostGood) != 200 || n == 0 {
		t.Errorf("%d stored and %d lost of 200", n, lost.of(LostGood))
	}
	for range 1000 {
		s.KeepGood("same", testGood("d", time.Now()))
	}
	flush(t, s)
	if got := lost.of(LostGood) + int64(count(t, s, `SELECT COUNT(*) FROM good`)); got != 201 {
		t.Errorf("an answer written over before it was stored is not lost: %d", got)
	}
}

func TestGoodFileIsBounded(t *testing.T) {
	dir := t.TempDir()
	const bound = 100_000
	s := openStore(t, dir, Options{MaxGoodBytes: bound})
	random := rand.New(rand.NewPCG(1, 1))
	now := time.Now()
	for i := range 60 {
		for j := range 5 {
			s.KeepGood(fmt.Sprintf("k%d", i*5+j), testGood(noise(500+random.IntN(2000)), now.Add(time.Duration(i)*time.Millisecond)))
		}
		flush(t, s)
		if n := count(t, s, `SELECT SUM(size) FROM good`); n > bound {
			t.Fatalf("%d bytes stored", n)
		}
	}
	if n := count(t, s, `SELECT SUM(size) FROM good`); n < bound/2 {
		t.Errorf("only %d bytes are kept of %d", n, bound)
	}
	s.good = newGoodCache(s.opts)
	if _, ok := s.Good(t.Context(), "k299"); !ok {
		t.Error("the newest is gone")
	}
	if _, ok := s.Good(t.Context(), "k0"); ok {
		t.Error("the oldest stays")
	}
}

func TestDamagedAnswerIsNone(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	if _, err := s.writer.Exec(`INSERT INTO good VALUES ('k', ?, 3, x'000000')`, time.Now().UnixMilli()); err != nil {
		t.Fatal(err)
	}
	if a, ok := s.Good(t.Context(), "k"); ok {
		t.Errorf("%+v", a)
	}
	if _, err := s.writer.Exec(`INSERT INTO runs (id, status, size, summary, record) VALUES ('r', 'success', 3, '{}', x'010203')`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.LoadRun(t.Context(), "r"); err == nil || myriad.ErrorCode(err) == myriad.CodeNotFound {
		t.Errorf("a damaged run: %v", err)
	}
}
