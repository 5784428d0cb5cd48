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

// loadAgents makes the graph hold exactly the agents of the agents file, of those that belong to a file. A file with mistakes changes nothing.
func (s *server) loadAgents(ctx context.Context) error {
	var agents []myriad.Agent
	silent := false
	if s.cfg.Agents != "" {
		file, err := config.ReadAgents(s.cfg.Agents)
		if err != nil {
			return err
		}
		if err := s.checkEndpoints(ctx, file.Agents); err != nil {
			return err
		}
		agents, silent = file.Agents, file.Silent
	}
	before, err := s.store.DeclaredAgents(ctx)
	if err != nil {
		return err
	}
	if silent && len(before) > 0 {
		return myriad.Errorf(myriad.CodeInvalid, "the agents file %s is empty, which may be a mistake: agents: [] would remove the %d that it declared", s.cfg.Agents, len(before))
	}
	declared := map[string]bool{}
	for _, a := range agents {
		declared[a.Name] = true
	}
	// Both the old and the new ones are noted first: whatever ends the process in between, the next start knows all that a file declared.
	if err := s.noteDeclared(ctx, before, declared); err != nil {
		return err
	}
	for _, a := range agents {
		if err := s.declare(ctx, a); err != nil {
			return fmt.Errorf("agent %s of the agents file: %w", a.Name, err)
		}
	}
	if err := s.removeUndeclared(ctx, before, declared); err != nil {
		return err
	}
	return s.noteDeclared(ctx, nil, declared)
}

// noteDeclared keeps the names of before and declared, unless they are what is kept.
func (s *server) noteDeclared(ctx context.Context, before []string, declared map[string]bool) error {
	names := slices.Collect(maps.Keys(declared))
	for _, name := range before {
		if !declared[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if slices.Equal(names, before) {
		return nil
	}
	return s.store.SetDeclaredAgents(ctx, names)
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

// declare writes an agent of the file, whoever owned the name before.
func (s *server) declare(ctx context.Context, a myriad.Agent) error {
	_, err := s.fleet.PutAgent(ctx, a, myriad.Guard{})
	return err
}

// removeUndeclared removes the agents that were declared before and are not any more.
func (s *server) removeUndeclared(ctx context.Context, before []string, declared map[string]bool) error {
	var failed error
	for _, name := range before {
		if declared[name] {
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
