package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

// The rows of meta that say what an agents file declared: a list of names, and digests by name. They are two because stores that were written before
// there were digests have the first alone.
const (
	metaDeclared = "declared_agents"
	metaDigests  = "declared_digests"
)

// DeclaredAgents are the digests by name that SetDeclaredAgents kept last, none at first; "" for an agent that has none. They tell which agents an
// agents file had declared, and how, without reading a million agents.
func (s *Store) DeclaredAgents(ctx context.Context) (map[string]string, error) {
	var names []string
	var digests map[string]string
	err := s.read(ctx, "read which agents a file declared", func(tx *sql.Tx) error {
		if err := readMeta(ctx, tx, metaDeclared, &names); err != nil {
			return err
		}
		return readMeta(ctx, tx, metaDigests, &digests)
	})
	if err != nil {
		return nil, err
	}
	declared := make(map[string]string, len(names))
	for _, name := range names {
		declared[name] = digests[name]
	}
	return declared, nil
}

// SetDeclaredAgents keeps digests by name before it returns, in place of those before.
func (s *Store) SetDeclaredAgents(ctx context.Context, digests map[string]string) error {
	names := slices.Sorted(maps.Keys(digests))
	return s.write(ctx, "keep which agents a file declares", func(tx *sql.Tx) error {
		if err := writeMeta(ctx, tx, metaDeclared, names); err != nil {
			return err
		}
		return writeMeta(ctx, tx, metaDigests, digests)
	})
}

// readMeta reads a JSON value of meta; one that is not there leaves into as it is.
func readMeta(ctx context.Context, tx *sql.Tx, key string, into any) error {
	var text []byte
	switch err := tx.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = ?`, key).Scan(&text); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return json.Unmarshal(text, into)
}

func writeMeta(ctx context.Context, tx *sql.Tx, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, string(text))
	return err
}
