package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
)

// DeclaredAgents are the names that SetDeclaredAgents kept last, none at first. They tell which agents an agents file had declared without
// reading a million agents.
func (s *Store) DeclaredAgents(ctx context.Context) ([]string, error) {
	var text string
	err := s.reader.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'declared_agents'`).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	var names []string
	if err == nil {
		err = json.Unmarshal([]byte(text), &names)
	}
	return names, coded(ctx, "read which agents a file declared", err)
}

// SetDeclaredAgents keeps names before it returns, in place of those before.
func (s *Store) SetDeclaredAgents(ctx context.Context, names []string) error {
	text, err := json.Marshal(names)
	if err != nil { // strings always marshal
		panic(err)
	}
	return s.write(ctx, "keep which agents a file declares", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES ('declared_agents', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, string(text))
		return err
	})
}
