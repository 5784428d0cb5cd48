package processrt

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// state is what is kept of one running child, so that a later life of the server can end it also where processes cannot be searched for.
// What is written here is not synced: a machine that dies takes the processes with it.
type state struct {
	Owner    string   `json:"owner"`
	Instance string   `json:"instance"`
	Agent    string   `json:"agent"`
	PID      int      `json:"pid"`
	Start    string   `json:"start"`            // startMark of PID; without it PID is never signalled
	Groups   []string `json:"groups,omitempty"` // the owner's cgroups
}

// states is the folder that holds them, a file per child.
type states struct{ dir string }

func (s states) file(c *child) string { return filepath.Join(s.dir, c.i.id+"."+c.name+".json") }

// put notes a child that runs.
func (s states) put(c *child) {
	pid := c.cmd.Process.Pid
	raw, err := json.Marshal(state{
		Owner: c.i.req.OwnerID, Instance: c.i.id, Agent: c.i.agent, PID: pid, Start: startMark(pid), Groups: c.i.fence.groups(),
	})
	if err == nil {
		err = os.WriteFile(s.file(c), raw, 0o600)
	}
	if err != nil {
		c.i.log.error("it could not be noted which process of an agent runs", err)
	}
}

// drop forgets a child that is gone.
func (s states) drop(c *child) {
	if err := os.Remove(s.file(c)); err != nil && !errors.Is(err, os.ErrNotExist) {
		c.i.log.error("the note of an agent's process could not be removed", err)
	}
}

// note is a state with the file that holds it.
type note struct {
	state
	file string
}

// of reads what is noted of an owner. A file that does not say whose it is was cut short by a crash; such are removed.
func (s states) of(owner string, log *slog.Logger) ([]note, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("processes: read what ran: %w", err)
	}
	var out []note
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		file := filepath.Join(s.dir, e.Name())
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("processes: read what ran: %w", err)
		}
		n := note{file: file}
		if err := json.Unmarshal(raw, &n.state); err != nil || n.Owner == "" {
			log.Warn("a note of a process is not readable", slog.String("file", file))
			n.state = state{Owner: owner}
		}
		if n.Owner == owner {
			out = append(out, n)
		}
	}
	return out, nil
}
