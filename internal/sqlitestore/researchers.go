package sqlitestore

import (
	"context"
	"database/sql"
	"slices"

	"github.com/myriad-mind/myriad"
)

// researchersSQL finds by nodes_researchers, whose condition it repeats to the letter.
const researchersSQL = `SELECT props FROM nodes INDEXED BY nodes_researchers
	WHERE label = 'Agent' AND instr(props ->> '$.intents', '"concept_research"') > 0 ORDER BY name LIMIT ?`

func (g graph) Researchers(ctx context.Context, limit int) ([]myriad.Agent, error) {
	if limit < 1 {
		return nil, nil
	}
	agents, err := collect(ctx, g.reader, func(rows *sql.Rows) (myriad.Agent, error) {
		var props []byte
		if err := rows.Scan(&props); err != nil {
			return myriad.Agent{}, err
		}
		return decodeAgent(props)
	}, researchersSQL, limit)
	if err != nil {
		return nil, coded(ctx, "find agents that research", err)
	}
	// A node that another client of the graph made may hold the word in intents of another shape.
	return slices.DeleteFunc(agents, func(a myriad.Agent) bool { return !slices.Contains(a.Intents, myriad.IntentResearch) }), nil
}
