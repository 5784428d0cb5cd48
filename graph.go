package myriad

import (
	"context"
	"encoding/json"
	"time"
)

// Properties are a node's or relationship's: JSON scalars, arrays of scalars, or nested JSON kept as it is.
type Properties map[string]any

// Node is one node of the property graph. Nodes of the labels Agent, Concept and Region are unique by their property "name".
type Node struct {
	ID         string // opaque, stable
	Label      string
	Properties Properties
}

// Relationship is one directed edge; there is at most one of a Type between two nodes.
type Relationship struct {
	ID         string
	Type       string
	From, To   string // node ids
	Properties Properties
}

// The labels and relationship types that Myriad itself writes (wire facts 4).
const (
	LabelAgent   = "Agent"
	LabelConcept = "Concept"
	LabelRegion  = "Region"
	RelHandles   = "HANDLES_CONCEPT"
	RelBelongs   = "BELONGS_TO"
)

// IntentResearch is the intent that an agent declares which may be asked about any concept (wire facts 2.4, concept_research).
const IntentResearch = "concept_research"

// Direction of a relationship as seen from the node that is asked about.
type Direction int

// The directions.
const (
	Out Direction = iota
	In
	Both
)

// Neighbor is a node at the far end of a relationship, with that relationship.
type Neighbor struct {
	Node         Node
	Relationship Relationship
}

// Page asks for one page of a listing. Cursor is opaque, from the page before; Limit 1..1000, 0 is 100.
type Page struct {
	Limit  int
	Cursor string
}

// Guard is a condition on a write. Its zero value is none.
type Guard struct {
	MustNotExist bool   // else CodeConflict
	Revision     int64  // when > 0 the present revision must be this, else CodePrecondition
	Owner        string // when set, an existing agent of another owner is CodeConflict
}

// Concept is a concept node as listings show it.
type Concept struct {
	Name        string     `json:"name"`                   // canonical
	DisplayName string     `json:"display_name,omitempty"` // as it was first written
	Definition  string     `json:"primary_definition,omitempty"`
	Agents      int        `json:"agents"` // how many agents handle it
	Properties  Properties `json:"properties,omitempty"`
}

// Handler is an agent whose HANDLES_CONCEPT reaches a concept.
type Handler struct {
	Agent  Agent
	Weight float64 // 0..1, learned
}

// Handlers is what the graph knows of one concept at one moment.
type Handlers struct {
	Concept string
	Exact   []Handler // agents that handle the concept, dormant ones included, by name
	Any     []Handler // agents of AnyConcept, by name
}

// Graph is the knowledge graph. Every method is one atomic operation, safe for concurrent use, and honours ctx. Errors carry a code:
// CodeNotFound, CodeConflict, CodePrecondition, CodeInvalid, or CodeUnavailable when the store itself does not answer.
type Graph interface {
	Registry
	Topology
	// Handlers is the look-up of discovery; an unknown concept gives empty lists, not an error. concept is canonical.
	Handlers(ctx context.Context, concept string) (Handlers, error)
	// Ping says whether the graph answers.
	Ping(ctx context.Context) error
}

// Registry keeps agents as nodes with their HANDLES_CONCEPT edges.
type Registry interface {
	// PutAgent writes the agent, its concept nodes and edges, as one; edges to concepts it no longer names go, weights of those that
	// stay are kept, new ones start at 0.5. It returns the agent as stored: Revision counted up, times set.
	PutAgent(ctx context.Context, a Agent, g Guard) (Agent, error)
	// DeleteAgent removes the agent and its edges; concepts stay. It returns the agent that was.
	DeleteAgent(ctx context.Context, name string, g Guard) (Agent, error)
	Agent(ctx context.Context, name string) (Agent, error)
	// Agents lists by name. next is "" on the last page.
	Agents(ctx context.Context, page Page) (agents []Agent, next string, err error)
	// CountAgents counts all agents, dormant ones included.
	CountAgents(ctx context.Context) (int64, error)
	// Researchers gives agents that declare the intent IntentResearch, by name, at most limit of them, dormant and inactive ones included. It
	// is quick however many agents there are that do not.
	Researchers(ctx context.Context, limit int) ([]Agent, error)
	// Concepts lists by canonical name.
	Concepts(ctx context.Context, page Page) (concepts []Concept, next string, err error)
	Concept(ctx context.Context, name string) (Concept, error)
}

// Topology is the property graph underneath.
type Topology interface {
	// CreateNode makes a node; a second one of the same unique name is CodeConflict.
	CreateNode(ctx context.Context, label string, props Properties) (Node, error)
	// UpdateNode sets properties of a node (a nil value removes one).
	UpdateNode(ctx context.Context, id string, props Properties) (Node, error)
	// DeleteNode removes a node and its relationships.
	DeleteNode(ctx context.Context, id string) error
	// Nodes lists nodes of a label whose properties equal all of match, by id.
	Nodes(ctx context.Context, label string, match Properties, page Page) (nodes []Node, next string, err error)
	// Relate makes or updates the one relationship of a type between two nodes.
	Relate(ctx context.Context, r Relationship) (Relationship, error)
	// Neighbors lists the far ends of a node's relationships of the given types (none is all) and label ("" is any), by id.
	Neighbors(ctx context.Context, id string, types []string, d Direction, label string, page Page) (neighbors []Neighbor, next string, err error)
}

// The tiers in which candidates are asked (design, "Who may answer").
const (
	TierExact   = "exact"
	TierDormant = "dormant"
	TierAny     = "any"
)

// ScoreParts are the factors of a candidate's score, each 0..1; their product, with a small floor for exploration, is the score.
type ScoreParts struct {
	Weight       float64 `json:"weight"`
	Availability float64 `json:"availability"`
	Load         float64 `json:"load"`
	Latency      float64 `json:"latency"`
}

// Candidate is an agent that may serve a (concept, intent) now.
type Candidate struct {
	Agent *Agent // shared, not to be changed
	Tier  string
	Score float64
	Parts ScoreParts
}

// SlotKey names the slot limit that the candidate falls under: its endpoint, or its own name for agents hosted inside this process,
// where one listener serves many.
func (c Candidate) SlotKey() string { return c.Agent.SlotKey() }

// SlotKey is the key of the agent's slot limit, breaker and parking.
func (a *Agent) SlotKey() string {
	if a.Endpoint == "" || a.Owner == OwnerFleet || a.Template != nil {
		return a.Name
	}
	return a.Endpoint
}

// Found is the answer of discovery for one (concept, intent).
type Found struct {
	Concept    string
	Candidates []Candidate // best first: awake exact, dormant exact, any
	Known      bool        // some agent other than AnyConcept ones handles the concept, or an AnyConcept agent may answer the intent
	Stale      bool        // the graph did not answer; this is the last good view
	Age        time.Duration
}

// Explain gives the ranking as the provenance and /v1/discover show it.
func (f Found) Explain() []Ranked {
	ranked := make([]Ranked, len(f.Candidates))
	for i, c := range f.Candidates {
		ranked[i] = Ranked{Agent: c.Agent.Name, Score: c.Score, Tier: c.Tier, Parts: c.Parts}
	}
	return ranked
}

// RawProperties decodes a JSON object into Properties, numbers as json.Number.
func RawProperties(raw json.RawMessage) (Properties, error) {
	p := Properties{}
	if len(raw) == 0 {
		return p, nil
	}
	err := decodeNumbers(raw, &p)
	return p, err
}
