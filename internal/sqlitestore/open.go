package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/uuid"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/myriad-mind/myriad"
)

// The files of a data directory that are the store's.
const (
	fileName = "myriad.db"
	lockName = "lock"
)

// readers is how many connections look up what tasks wait for, and how many read all else, beside the one that writes. Each has a page cache of
// its own, so more of them cost memory (ten for look-ups, on a store of a million agents: 250 MiB more than two) and gain nothing on few cores.
const readers = 2

// Store is an open data directory. Its methods are safe for concurrent use.
type Store struct {
	dir    string
	opts   Options
	lock   *flock.Flock
	writer *sql.DB // one connection
	reader *sql.DB // readers connections, query_only
	stmts  statements
	owner  string

	lookups *sql.DB       // as reader, for look-ups by key: no list is in their way
	looking chan struct{} // as many as there are connections

	turn  chan struct{} // held by whoever writes runs or good answers; guards rows and goodSize
	rows  *runRows
	runs  *runQueue
	good  *goodCache
	disk  goodDisk
	wake  chan struct{} // something waits to be written
	hurry chan struct{} // much does

	unable  atomic.Pointer[failedWrite] // the last write, when it failed for the file's sake; nil after one that did not
	closing chan struct{}               // closed by Close: Run ends
	life    sync.Mutex                  // guards what follows
	looping chan struct{}               // closed when Run has returned; nil when it never ran
	closed  bool
}

// Open opens the data directory, makes it when it is not there (mode 0700, files 0600), brings its schema up to date and marks runs that an
// earlier process did not live to finish as interrupted. Errors: CodeStoreInUse when another process holds the directory, CodeSchemaTooNew when
// a newer program wrote it, CodeUnavailable when it cannot be read or written.
func Open(ctx context.Context, dir string, opts Options) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, myriad.Errorf(myriad.CodeInvalid, "data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, myriad.Errorf(myriad.CodeUnavailable, "make the data directory: %w", err)
	}
	lock, err := hold(ctx, dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		dir: dir, opts: opts.withDefaults(), lock: lock, looking: make(chan struct{}, readers),
		turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(coded(ctx, "open the store in "+dir, err), s.release())
	}
	return s, nil
}

// How long a data directory that is in use is waited for, and how often it is tried. When a process is killed while it starts another, that one has
// the lock's file open too until it becomes a program of its own, a moment later.
const (
	lockWait  = time.Second
	lockRetry = 10 * time.Millisecond
)

// hold takes the exclusive lock of a data directory; the system gives it back even when the process is killed.
func hold(ctx context.Context, dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	waiting, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	_, err := lock.TryLockContext(waiting, lockRetry)
	switch {
	case err == nil:
		return lock, nil
	case ctx.Err() != nil:
		return nil, coded(ctx, "lock the data directory "+dir, err)
	case waiting.Err() != nil:
		return nil, myriad.Errorf(myriad.CodeStoreInUse, "the data directory %s is in use by another process", dir)
	}
	return nil, myriad.Errorf(myriad.CodeUnavailable, "lock the data directory %s: %w", dir, err)
}

func (s *Store) open(ctx context.Context) error {
	file := filepath.Join(s.dir, fileName)
	// SQLite would create the file with the umask's mode; its -wal and -shm take over the mode of the file.
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("create the file: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("create the file: %w", err)
	}
	// NORMAL in WAL mode syncs at checkpoints only: a power cut may lose the last commits, never the file's integrity; a killed process loses
	// nothing. That is what write-behind data and an upserted graph need, and it saves an fsync for each write.
	if s.writer, err = connect(file, "immediate", 1, "journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-4096)", "journal_size_limit(16777216)"); err != nil {
		return err
	}
	if err := migrate(ctx, s.writer); err != nil {
		return err
	}
	if s.reader, err = connect(file, "deferred", readers, "query_only(1)", "cache_size(-2048)"); err != nil {
		return err
	}
	// The inner pages of all indexes of a million agents are some 6 MiB; with less, every look-up reads some of them from the file again.
	if s.lookups, err = connect(file, "deferred", readers, "query_only(1)", "cache_size(-8192)"); err != nil {
		return err
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	return s.load(ctx)
}

// load reads what the store keeps in memory, and ends what the last process left open.
func (s *Store) load(ctx context.Context) (err error) {
	if s.owner, err = ownerID(ctx, s.writer); err != nil {
		return err
	}
	if err := interruptRuns(ctx, s.writer); err != nil {
		return err
	}
	if s.rows, err = loadRunRows(ctx, s.writer); err != nil {
		return err
	}
	s.runs = newRunQueue(s.opts.MaxRuns, s.opts.MaxPendingBytes)
	s.good = newGoodCache(s.opts)
	s.disk.max = s.opts.MaxGoodBytes
	return s.disk.measure(ctx, s.writer)
}

// connect opens a pool of n connections, kept open, to the file. lock is what a transaction takes when it begins: a writer must not find out
// in the middle that it cannot write.
func connect(file, lock string, n int, pragmas ...string) (*sql.DB, error) {
	q := url.Values{"_pragma": append(pragmas, "busy_timeout(5000)", "temp_store(MEMORY)"), "_txlock": {lock}}
	path := filepath.ToSlash(file)
	if runtime.GOOS == "windows" && !strings.HasPrefix(path, "/") {
		path = "/" + path // file:///C:/...
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("open the file: %w", err)
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// ownerID reads the data directory's own id, and makes it at first.
func ownerID(ctx context.Context, db *sql.DB) (id string, err error) {
	const insert = `INSERT INTO meta (key, value) VALUES ('owner_id', ?) ON CONFLICT (key) DO UPDATE SET value = value RETURNING value`
	if err := db.QueryRowContext(ctx, insert, uuid.NewString()).Scan(&id); err != nil {
		return "", fmt.Errorf("read the owner id: %w", err)
	}
	return id, nil
}

// OwnerID names the data directory: made once, the same for every process that ever opens it. It labels what the fleet starts.
func (s *Store) OwnerID() string { return s.owner }

// Dir is the data directory's absolute path.
func (s *Store) Dir() string { return s.dir }

// Close ends Run and waits for it, writes what still waits, and gives the data directory back. More than once is harmless.
func (s *Store) Close() error {
	s.life.Lock()
	if s.closed {
		s.life.Unlock()
		return nil
	}
	s.closed = true
	close(s.closing)
	looping := s.looping
	s.life.Unlock()
	if looping != nil {
		<-looping
	}
	return errors.Join(s.lastFlush(context.Background()), s.release())
}

// release closes what is open and lets go of the directory.
func (s *Store) release() error {
	var errs []error
	for _, db := range []*sql.DB{s.lookups, s.reader, s.writer} { // the writer last: it then folds the WAL into the file
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(append(errs, s.lock.Unlock())...)
}
