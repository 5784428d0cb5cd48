package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/config"
)

// loadAgents makes the graph hold exactly the agents of the agents file, of those that belong to a file. A file with mistakes changes nothing. An
// agent whose declaration is the one that was taken before is left alone, with what it has learned since.
func (s *server) loadAgents(ctx context.Context) error {
	agents, silent, err := s.readAgents(ctx)
	if err != nil {
		return err
	}
	before, err := s.store.DeclaredAgents(ctx)
	if err != nil {
		return err
	}
	if silent && len(before) > 0 {
		return myriad.Errorf(myriad.CodeInvalid, "the agents file %s is empty, which may be a mistake: agents: [] would remove the %d that it declared",
			s.cfg.Agents, len(before))
	}
	declared := make(map[string]string, len(agents))
	for _, a := range agents {
		declared[a.Name] = digest(a)
	}
	// Both the old and the new ones are noted first: whatever ends the process in between, the next start knows all that a file declared. Of those
	// that are about to be written or removed the digest goes first, and comes back last, so that a digest always stands for what was written.
	noted := standing(before, declared)
	if err := s.noteDeclared(ctx, before, noted); err != nil {
		return err
	}
	taken, err := s.declareAll(ctx, agents, noted, declared)
	if err == nil {
		err = s.removeUndeclared(ctx, before, declared)
	}
	if err == nil {
		taken = declared // those that left are forgotten
	}
	return errors.Join(err, s.noteDeclared(ctx, noted, taken))
}

// readAgents reads the agents file, if there is one, and judges it whole; silent is as in config.AgentsFile.
func (s *server) readAgents(ctx context.Context) (agents []myriad.Agent, silent bool, err error) {
	if s.cfg.Agents == "" {
		return nil, false, nil
	}
	file, err := config.ReadAgents(s.cfg.Agents)
	if err != nil {
		return nil, false, err
	}
	return file.Agents, file.Silent, s.checkEndpoints(ctx, file.Agents)
}

// standing is every name of before and declared, with the digest where both have the same, or where the one from before says nothing.
func standing(before, declared map[string]string) map[string]string {
	all := make(map[string]string, len(declared))
	for name := range before {
		all[name] = ""
	}
	for name, d := range declared {
		all[name] = ""
		if was := before[name]; was == d || outdated(was) {
			all[name] = was
		}
	}
	return all
}

// noteDeclared keeps what a file declares, unless it is what is kept.
func (s *server) noteDeclared(ctx context.Context, kept, now map[string]string) error {
	if maps.Equal(kept, now) {
		return nil
	}
	return s.store.SetDeclaredAgents(ctx, now)
}

func (s *server) checkEndpoints(ctx context.Context, agents []myriad.Agent) error {
	var mistakes []myriad.Mistake
	for i, a := range agents {
		if a.Endpoint == "" {
			continue
		}
		if err := s.dialer.CheckURL(ctx, a.Endpoint); err != nil {
			mistakes = append(mistakes, myriad.Mistake{Path: fmt.Sprintf("agents[%d].endpoint", i), Rule: err.Error()})
		}
	}
	return myriad.Invalid(mistakes)
}

// declareAll writes the agents of the file up to the first that is not taken, and gives what is noted with the digests of those that were.
func (s *server) declareAll(ctx context.Context, agents []myriad.Agent, noted, declared map[string]string) (taken map[string]string, err error) {
	taken = maps.Clone(noted)
	for _, a := range agents {
		if err := s.declare(ctx, a, noted[a.Name]); err != nil {
			return taken, fmt.Errorf("agent %s of the agents file: %w", a.Name, err)
		}
		taken[a.Name] = declared[a.Name]
	}
	return taken, nil
}

// declare writes an agent of the file, whoever owned the name before, unless it was declared like this before and is still there like this. noted is
// the digest of the declaration that was taken before: "" for one that differs.
func (s *server) declare(ctx context.Context, a myriad.Agent, noted string) error {
	if noted != "" {
		same := asDeclared
		if outdated(noted) {
			same = asStored
		}
		there, err := s.fleet.Agent(ctx, a.Name)
		switch {
		case err == nil && same(there, a):
			return nil
		case err != nil && a.Template != nil && myriad.ErrorCode(err) != myriad.CodeNotFound:
			return err // what it has learned cannot be seen now, and must not be lost for that
		}
	}
	_, err := s.fleet.PutAgent(ctx, a, myriad.Guard{})
	return err
}

// removeUndeclared removes the agents that were declared before and are not any more.
func (s *server) removeUndeclared(ctx context.Context, before, declared map[string]string) error {
	var failed error
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if declared[name] != "" {
			continue
		}
		_, err := s.fleet.DeleteAgent(ctx, name, myriad.Guard{Owner: myriad.OwnerFile})
		switch myriad.ErrorCode(err) {
		case "", myriad.CodeNotFound, myriad.CodeConflict: // gone, or somebody else's by now
		default:
			failed = errors.Join(failed, fmt.Errorf("remove agent %s, which left the agents file: %w", name, err))
		}
	}
	return failed
}
