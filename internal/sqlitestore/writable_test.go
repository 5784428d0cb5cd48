package sqlitestore

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// A full disk is told once, reads go on, refusals are none of it, and the end of it is noticed although nobody writes.
func TestAFullDisk(t *testing.T) {
	var log bytes.Buffer
	s := openStore(t, t.TempDir(), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	g := s.Graph()
	put := func(name string, guard myriad.Guard) error {
		_, err := g.PutAgent(t.Context(), myriad.Agent{Name: name, Endpoint: "http://127.0.0.1:1", Concepts: []string{name}, Description: strings.Repeat("x", 4000)}, guard)
		return err
	}
	writable := func() error { return s.Writable(t.Context()) }
	if err := put("A", myriad.Guard{}); err != nil || writable() != nil {
		t.Fatal(err, writable())
	}
	if err := put("A", myriad.Guard{MustNotExist: true}); myriad.ErrorCode(err) != myriad.CodeConflict || writable() != nil {
		t.Errorf("a refusal: %v, %v", err, writable())
	}
	room := func(pages int) {
		t.Helper()
		if _, err := s.writer.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	room(1) // as many as there are: no more
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = put(fmt.Sprint("B", i), myriad.Guard{})
	}
	if myriad.ErrorCode(err) != myriad.CodeUnavailable || !strings.Contains(err.Error(), "full") || writable() == nil {
		t.Fatalf("no full disk: %v, %v", err, writable())
	}
	if _, err := g.Handlers(t.Context(), "a"); err != nil || g.Ping(t.Context()) != nil {
		t.Errorf("it cannot be read: %v", err)
	}
	room(1 << 30)
	last := s.unable.Load()
	s.unable.Store(&failedWrite{last.err, last.at.Add(-time.Hour)})
	if err := writable(); err != nil || writable() != nil {
		t.Errorf("with room again: %v", err)
	}
	if n, m := strings.Count(log.String(), "cannot be written"), strings.Count(log.String(), "written again"); n != 1 || m != 1 {
		t.Errorf("told %d and %d times:\n%s", n, m, log.String())
	}
}
