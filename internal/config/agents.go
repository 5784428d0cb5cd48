package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/myriad-mind/myriad"
)

// AgentsFile is the content of an agents file.
type AgentsFile struct {
	Agents []myriad.Agent
}

// ReadAgents reads an agents file: YAML or JSON, `agents:` with a list of agents in the fields of the API. The error lists every mistake of every
// agent; a file with mistakes gives no agents.
func ReadAgents(file string) (*AgentsFile, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, myriad.Errorf(myriad.CodeInvalid, "read the agents file: %w", err)
	}
	parsed, err := ParseAgents(raw)
	if err != nil {
		return nil, fmt.Errorf("agents file %s: %w", file, err)
	}
	return parsed, nil
}

// ParseAgents reads the content of an agents file.
func ParseAgents(data []byte) (*AgentsFile, error) {
	raw, err := YAMLToJSON(data)
	if err != nil {
		return nil, err
	}
	var file struct {
		Agents []json.RawMessage `json:"agents"`
	}
	if err := strict(raw, &file); err != nil {
		return nil, myriad.Invalid([]myriad.Mistake{{Rule: err.Error()}})
	}
	out := &AgentsFile{Agents: make([]myriad.Agent, 0, len(file.Agents))}
	var mistakes []myriad.Mistake
	first := make(map[string]int, len(file.Agents))
	for i, item := range file.Agents {
		at := fmt.Sprintf("agents[%d]", i)
		var a myriad.Agent
		if err := strict(item, &a); err != nil {
			mistakes = append(mistakes, myriad.Mistake{Path: at, Rule: err.Error()})
			continue
		}
		a.Owner = myriad.OwnerFile
		a, wrong := myriad.CheckAgent(a)
		for _, m := range wrong {
			mistakes = append(mistakes, myriad.Mistake{Path: at + "." + m.Path, Rule: m.Rule})
		}
		if j, ok := first[a.Name]; ok && a.Name != "" {
			mistakes = append(mistakes, myriad.Mistake{Path: at + ".name", Rule: fmt.Sprintf("%q is the name of agents[%d] already", a.Name, j)})
			continue
		}
		first[a.Name] = i
		out.Agents = append(out.Agents, a)
	}
	if err := myriad.Invalid(mistakes); err != nil {
		return nil, err
	}
	return out, nil
}

func strict(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}
