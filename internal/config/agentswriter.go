package config

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/myriad-mind/myriad"
)

// The formats of an AgentsWriter.
const (
	FormatYAML = "yaml"
	FormatJSON = "json"
)

// AgentsWriter writes an agents file, one agent after the other, so that a million of them need no room. Close ends it.
type AgentsWriter struct {
	out     *bufio.Writer
	asJSON  bool
	written int
}

// NewAgentsWriter writes to w in FormatYAML or FormatJSON.
func NewAgentsWriter(w io.Writer, format string) *AgentsWriter {
	return &AgentsWriter{out: bufio.NewWriter(w), asJSON: format == FormatJSON}
}

// Write adds an agent. What only a server knows (owner, revision, times, where it is reached while it is awake) is left out, and so are
// defaults, so that ParseAgents gives the same agent again.
func (w *AgentsWriter) Write(a myriad.Agent) error {
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(forFile(a)); err != nil {
		return fmt.Errorf("write agent %s: %w", a.Name, err)
	}
	first := w.written == 0
	w.written++
	if w.asJSON {
		lead := ",\n"
		if first {
			lead = `{"agents": [` + "\n"
		}
		_, _ = w.out.WriteString(lead) // a failure comes back from Flush
		_, err := w.out.Write(bytes.TrimSpace(raw.Bytes()))
		return err
	}
	if first {
		_, _ = w.out.WriteString("agents:\n")
	}
	node, err := yamlOf(raw.Bytes())
	if err != nil {
		return fmt.Errorf("write agent %s: %w", a.Name, err)
	}
	return w.item(node)
}

// item writes a node as an entry of the list.
func (w *AgentsWriter) item(n *yaml.Node) error {
	enc := yaml.NewEncoder(w.out)
	enc.SetIndent(2)
	list := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}}
	if err := enc.Encode(list); err != nil {
		return err
	}
	return enc.Close()
}

// Close writes the end. It does not close the writer below.
func (w *AgentsWriter) Close() error {
	switch {
	case w.asJSON && w.written == 0:
		_, _ = w.out.WriteString(`{"agents": []}` + "\n")
	case w.asJSON:
		_, _ = w.out.WriteString("\n]}\n")
	case w.written == 0:
		_, _ = w.out.WriteString("agents: []\n")
	}
	return w.out.Flush()
}

// forFile is the agent as a file has it.
func forFile(a myriad.Agent) myriad.Agent {
	a.Revision, a.Owner, a.Dormant, a.CreatedAt, a.UpdatedAt = 0, "", false, time.Time{}, time.Time{}
	if a.Template != nil {
		a.Endpoint = ""
	}
	if a.Protocol == myriad.ProtocolHTTP {
		a.Protocol = ""
	}
	if a.Status == myriad.AgentActive {
		a.Status = ""
	}
	if (a.Template != nil) == (a.Type == myriad.AgentDynamic) {
		a.Type = ""
	}
	return a
}

// yamlOf is JSON as YAML nodes, fields in the same order and numbers with every digit.
func yamlOf(raw []byte) (*yaml.Node, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return yamlNext(dec)
}

func yamlNext(dec *json.Decoder) (*yaml.Node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		n := &yaml.Node{Kind: yaml.MappingNode}
		if v == '[' {
			n.Kind = yaml.SequenceNode
		}
		for dec.More() {
			item, err := yamlNext(dec)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, item)
		}
		if n.Kind == yaml.SequenceNode && allPlain(n.Content) {
			n.Style = yaml.FlowStyle
		}
		_, err := dec.Token() // the end
		return n, err
	case string:
		return yamlText(v), nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: v.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(v)}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
}

// yamlText is a string that is read as one: numbers are quoted, also those that are too large for the YAML package to know them as numbers,
// and so are lines whose indentation would be taken for YAML's.
func yamlText(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if jsonNumber.MatchString(s) || strings.Contains(s, "\n") && !plainLines.MatchString(s) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

var plainLines = regexp.MustCompile(`^(\S[^\n\t\r\x{85}\x{2028}\x{2029}]*(\n+\S[^\n\t\r\x{85}\x{2028}\x{2029}]*)*\n?)$`)

func allPlain(list []*yaml.Node) bool {
	return !slices.ContainsFunc(list, func(n *yaml.Node) bool { return n.Kind != yaml.ScalarNode })
}
