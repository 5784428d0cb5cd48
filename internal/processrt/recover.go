package processrt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/myriad-mind/myriad"
)

// Recover ends every process that an earlier life of this owner left, by its cgroups, by the brand and the environment of its
// processes, and by what is noted in the folder of states, and removes the rest of them. It never returns an instance: the pipes of the earlier life are gone.
func (r *Runtime) Recover(ctx context.Context, ownerID string) ([]myriad.Left, error) {
	if err := ended(ctx, "recover processes"); err != nil {
		return nil, err
	}
	if ownerID == "" {
		return nil, myriad.Errorf(myriad.CodeInvalid, "recover processes: whose?")
	}
	notes, err := r.states.of(ownerID, r.log)
	if err != nil {
		return nil, err
	}
	var groups []string
	ended := 0
	for _, n := range notes {
		groups = append(groups, n.Groups...)
		if endNoted(n) {
			ended++
			r.log.Info("ended a process that an earlier life left", slog.String("agent", n.Agent), slog.String("instance", n.Instance), slog.Int("pid", n.PID))
		}
	}
	if err := r.machine.recover(ownerID, groups); err != nil {
		return nil, fmt.Errorf("recover processes: %w", err)
	}
	for _, n := range notes {
		if err := os.Remove(n.file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("recover processes: %w", err)
		}
	}
	return nil, nil
}

// endNoted kills a process, and what it started, if it is still the one that was noted, and says whether it was.
func endNoted(n note) bool {
	if n.PID <= 1 || n.PID == os.Getpid() || n.Start == "" || startMark(n.PID) != n.Start {
		return false
	}
	p, err := os.FindProcess(n.PID)
	if err != nil {
		return false
	}
	endTree(p, n.Owner)
	_ = p.Kill() // gone is what was asked for
	_ = p.Release()
	return true
}
