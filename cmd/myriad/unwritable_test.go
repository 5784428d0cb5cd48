package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

// TestAStoreThatCannotBeWritten: changes of agents are refused or kept, what is there is found and answers, and the probe tells.
func TestAStoreThatCannotBeWritten(t *testing.T) {
	s, c := startServer(t)
	put(t, c, knower("Tide", "tide", "water that comes and goes"))
	other, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(s.store.Dir(), "myriad.db"))+"?_pragma=busy_timeout(5000)")
	mustLoad(t, err)
	defer other.Close()
	for _, at := range []string{"INSERT ON meta", "UPDATE ON meta", "INSERT ON packets", "UPDATE ON packets", "INSERT ON nodes", "UPDATE ON nodes"} {
		_, err := other.ExecContext(t.Context(), fmt.Sprintf("CREATE TRIGGER %q BEFORE %s BEGIN SELECT RAISE(FAIL, 'the disk is full'); END", at, at))
		mustLoad(t, err)
	}
	ready := func() string {
		t.Helper()
		return strings.TrimSpace(fetched(t, http.MethodGet, s.url()+"/readyz", ""))
	}
	for i := range 10 {
		if _, err := c.PutAgent(t.Context(), knower("Tide", "tide", fmt.Sprint("number ", i))); myriad.ErrorCode(err) != myriad.CodeUnavailable {
			t.Errorf("a packet: %v", err)
		}
		put(t, c, myriad.Agent{Name: "Far", Endpoint: "http://127.0.0.1:1", Concepts: []string{"far"}}) // kept
	}
	if got := ready(); !strings.Contains(got, `"status":"degraded"`) || !strings.Contains(got, "the disk is full") {
		t.Errorf("not told: %s", got)
	}
	if text := fetched(t, http.MethodGet, s.url()+"/metrics", ""); !strings.Contains(text, "\nmyriad_store_writable 0\n") {
		t.Error("no metric tells")
	}
	if r := mustOne(t, c, "tide", "define", nil); !strings.Contains(string(r.Answer.Data), "comes and goes") || r.Provenance.Graph != myriad.GraphFresh {
		t.Errorf("%s", r.AppendJSON(nil))
	}
	for _, at := range []string{"INSERT ON meta", "UPDATE ON meta", "INSERT ON packets", "UPDATE ON packets", "INSERT ON nodes", "UPDATE ON nodes"} {
		_, err := other.ExecContext(t.Context(), fmt.Sprintf("DROP TRIGGER %q", at))
		mustLoad(t, err)
	}
	eventually(t, func() (bool, string) { got := ready(); return got == `{"status":"ok"}`, got })
	eventually(t, func() (bool, string) {
		_, err := s.store.Graph().Agent(t.Context(), "Far")
		return err == nil, fmt.Sprint("what was kept is not written: ", err)
	})
}
