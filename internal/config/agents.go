package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/myriad-mind/myriad"
)

// AgentsFile is the content of an agents file.
type AgentsFile struct {
	Agents []myriad.Agent
	Silent bool // it has no list of agents, not even an empty one; so has a file that was cut off
	shape  *shape
}

// Line says on which line the value at a mistake's path is, or what is nearest above it, like " (line 17)"; "" when that is not known.
func (f *AgentsFile) Line(path string) string { return f.shape.line(path) }

// ReadAgents reads an agents file: YAML or JSON, `agents:` with a list of agents in the fields of the API or in the short form of written. Commands
// run in the directory of the file, or in the one that they name as seen from there. The error lists every mistake of every agent with its
// line; a file with mistakes gives no agents.
func ReadAgents(file string) (*AgentsFile, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, myriad.Errorf(myriad.CodeInvalid, "read the agents file: %w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("agents file %s: %w", file, err)
	}
	parsed, err := ParseAgents(raw, dir)
	if err != nil {
		return nil, fmt.Errorf("agents file %s: %w", file, err)
	}
	return parsed, nil
}

// ParseAgents reads the content of an agents file. Directories of commands are seen from dir; with "" they must be whole paths.
func ParseAgents(data []byte, dir string) (*AgentsFile, error) {
	raw, err := YAMLToJSON(data)
	if err != nil {
		return nil, err
	}
	shape := newShape(data)
	mistakes, broken := shape.check()
	var file struct {
		Agents []json.RawMessage `json:"agents"`
	}
	if err := strict(raw, &file); err != nil && len(mistakes) == 0 {
		mistakes = append(mistakes, myriad.Mistake{Rule: err.Error()})
	}
	out := &AgentsFile{Agents: make([]myriad.Agent, 0, len(file.Agents)), Silent: file.Agents == nil, shape: shape}
	first := make(map[string]int, len(file.Agents))
	for i, item := range file.Agents {
		if broken[i] {
			continue
		}
		at := fmt.Sprintf("agents[%d]", i)
		wrong := func(key, rule string) {
			path := strings.TrimSuffix(at+"."+key, ".")
			mistakes = append(mistakes, myriad.Mistake{Path: path, Rule: rule + shape.line(path)})
		}
		var w written
		if err := strict(item, &w); err != nil {
			wrong("", err.Error())
			continue
		}
		a, rules := w.agent(dir)
		for _, m := range rules {
			wrong(m.Path, m.Rule)
		}
		if j, ok := first[a.Name]; ok && a.Name != "" {
			wrong("name", fmt.Sprintf("%q is the name of agents[%d] already", a.Name, j))
		} else {
			first[a.Name] = i
		}
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
