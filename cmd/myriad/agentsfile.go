package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/config"
)

// loadAgents makes the graph hold exactly the agents of the agents file, of those that belong to a file. A file with mistakes changes nothing.
func (s *server) loadAgents(ctx context.Context) error {
	declared := map[string]bool{}
	if s.cfg.Agents != "" {
		file, err := config.ReadAgents(s.cfg.Agents)
		if err != nil {
			return err
		}
		if err := s.checkEndpoints(ctx, file.Agents); err != nil {
			return err
		}
		for _, a := range file.Agents {
			declared[a.Name] = true
			if err := s.declare(ctx, a); err != nil {
				return fmt.Errorf("agent %s of the agents file: %w", a.Name, err)
			}
		}
	}
	return s.removeUndeclared(ctx, declared)
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
	_, err := s.directory.PutAgent(ctx, a, myriad.Guard{})
	return err
}

// removeUndeclared removes the agents that belong to a file and are not in it any more.
func (s *server) removeUndeclared(ctx context.Context, declared map[string]bool) error {
	var gone []string
	for page := (myriad.Page{Limit: 1000}); ; {
		agents, next, err := s.directory.Agents(ctx, page)
		if err != nil {
			return fmt.Errorf("list the agents: %w", err)
		}
		for _, a := range agents {
			if a.Owner == myriad.OwnerFile && !declared[a.Name] {
				gone = append(gone, a.Name)
			}
		}
		if next == "" {
			break
		}
		page.Cursor = next
	}
	var failed error
	for _, name := range gone {
		if _, err := s.directory.DeleteAgent(ctx, name, myriad.Guard{}); err != nil && myriad.ErrorCode(err) != myriad.CodeNotFound {
			failed = errors.Join(failed, fmt.Errorf("remove agent %s, which left the agents file: %w", name, err))
		}
	}
	return failed
}
