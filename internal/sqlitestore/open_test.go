package sqlitestore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

func TestOpenMakesADirectoryForOneUser(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "data")
	s := openStore(t, dir, Options{})
	s.RecordRun(testRun("r", myriad.RunSuccess))
	if err := s.flush(t.Context(), flushTimeout); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		return // no modes
	}
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		seen++
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[d.IsDir()]; err == nil && info.Mode().Perm() != want {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil || seen < 4 { // the directory, the lock, the file and its log
		t.Errorf("%d entries, %v", seen, err)
	}
}

func TestOneProcessHoldsADirectory(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	_, err := Open(t.Context(), dir, Options{})
	if myriad.ErrorCode(err) != myriad.CodeStoreInUse || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second one: %v", err)
	}
	owner := s.OwnerID()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	again := openStore(t, dir, Options{})
	if again.OwnerID() != owner || owner == "" || again.Dir() != dir {
		t.Errorf("owner %q, then %q", owner, again.OwnerID())
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	if _, err := s.writer.Exec(`PRAGMA user_version = 99`); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), dir, Options{})
	if myriad.ErrorCode(err) != myriad.CodeSchemaTooNew {
		t.Errorf("schema 99: %v", err)
	}
	_, err = Open(t.Context(), dir, Options{}) // and the lock was given back
	if myriad.ErrorCode(err) != myriad.CodeSchemaTooNew {
		t.Errorf("once more: %v", err)
	}
}

// TestOlderSchemaIsBroughtUp opens a file as each earlier version of the schema left it.
func TestOlderSchemaIsBroughtUp(t *testing.T) {
	steps, err := migrations()
	if err != nil || len(steps) < 3 {
		t.Fatalf("%d migrations, %v", len(steps), err)
	}
	for version := range steps {
		dir := t.TempDir()
		db, err := connect(filepath.Join(dir, fileName), "immediate", 1)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range steps[:version] {
			if err := step(t.Context(), db, i+1, text); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		s := openStore(t, dir, Options{})
		if got := count(t, s, `PRAGMA user_version`); got != len(steps) {
			t.Errorf("from %d: schema %d", version, got)
		}
	}
}

func TestFailedMigrationLeavesNothing(t *testing.T) {
	db, err := connect(filepath.Join(t.TempDir(), fileName), "immediate", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := step(t.Context(), db, 1, `CREATE TABLE a (x); CREATE TABLE a (x)`); err == nil {
		t.Fatal("it went through")
	}
	var n int
	if err := db.QueryRow(`SELECT COUNT(*) FROM sqlite_schema`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d tables are left, %v", n, err)
	}
}

func TestUnusableDirectories(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("not a database, and long enough to be looked at as one ................................"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), file, Options{}); myriad.ErrorCode(err) != myriad.CodeUnavailable {
		t.Errorf("a file in the way: %v", err)
	}
	dir := t.TempDir()
	if err := os.Rename(file, filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, Options{}); myriad.ErrorCode(err) != myriad.CodeUnavailable {
		t.Errorf("not a database: %v", err)
	}
	if _, err := Open(t.Context(), dir, Options{}); errors.Is(err, fs.ErrExist) || myriad.ErrorCode(err) == myriad.CodeStoreInUse {
		t.Errorf("the lock was not given back: %v", err)
	}
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	g := s.Graph()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := g.Ping(t.Context()); myriad.ErrorCode(err) != myriad.CodeUnavailable {
		t.Errorf("ping: %v", err)
	}
	if _, err := g.Handlers(t.Context(), "x"); myriad.ErrorCode(err) != myriad.CodeUnavailable {
		t.Errorf("handlers: %v", err)
	}
	if _, err := s.LoadRun(t.Context(), "x"); myriad.ErrorCode(err) != myriad.CodeUnavailable {
		t.Errorf("load: %v", err)
	}
	if err := s.Run(t.Context()); err == nil {
		t.Error("run after close")
	}
}
