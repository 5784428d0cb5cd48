package myriad

import "time"

// Agent is a node of the graph that may answer jobs. A value that is shared must not be changed.
type Agent struct {
	Name           string            `json:"name"`                      // letters, digits, _ - and . ; unique
	Endpoint       string            `json:"endpoint,omitempty"`        // http(s) URL; empty while dormant
	Protocol       string            `json:"protocol,omitempty"`        // ProtocolHTTP when empty
	Concepts       []string          `json:"concepts"`                  // as written; AnyConcept answers for any
	Intents        []string          `json:"intents,omitempty"`         // canonical; none declared means any
	SafeIntents    []string          `json:"safe_intents,omitempty"`    // intents that only read, so may be repeated
	MaxConcurrency int               `json:"max_concurrency,omitempty"` // slots of the endpoint; 0 is the configured default
	Labels         map[string]string `json:"labels,omitempty"`          //
	Auth           *Auth             `json:"auth,omitempty"`            // by reference, never the secret itself
	Description    string            `json:"description,omitempty"`     //
	Capabilities   []string          `json:"capabilities,omitempty"`    //
	Type           string            `json:"type,omitempty"`            // AgentStatic or AgentDynamic
	Status         string            `json:"status,omitempty"`          // AgentActive, AgentInactive or AgentUnhealthy
	Template       *Template         `json:"template,omitempty"`        // how a packet comes alive; nil for an agent that only has an endpoint
	Version        string            `json:"version,omitempty"`         // the agent's own version, free text
	Revision       int64             `json:"revision,omitempty"`        // counts the writes of this agent, from 1; the ETag
	Owner          string            `json:"owner,omitempty"`           // OwnerFile or OwnerAPI
	Dormant        bool              `json:"dormant,omitempty"`         // only its packet is there; the next task wakes it
	CreatedAt      time.Time         `json:"created_at,omitzero"`
	UpdatedAt      time.Time         `json:"updated_at,omitzero"`
}

// The words of Agent.Type, Agent.Status, Agent.Owner and Agent.Protocol.
const (
	AgentStatic    = "static"
	AgentDynamic   = "dynamic"
	AgentActive    = "active"
	AgentInactive  = "inactive"
	AgentUnhealthy = "unhealthy"
	OwnerFile      = "file"
	OwnerAPI       = "api"
	OwnerFleet     = "fleet"
	ProtocolHTTP   = "myriad-http/1"
)

// Auth says where an agent's credential is found when it is needed; exactly one of Env and File is set.
type Auth struct {
	Scheme string `json:"scheme"`           // "bearer", "basic" (user:password) or "header"
	Header string `json:"header,omitempty"` // the header's name for scheme "header"
	Env    string `json:"env,omitempty"`    // name of an environment variable of the server
	File   string `json:"file,omitempty"`   // path of a file on the server; trailing newline dropped
}

// Template says how a packet comes alive.
type Template struct {
	Kind      string            `json:"kind"`                // TemplateKnowledge, TemplateCommand, TemplateImage or TemplateHandler
	ID        string            `json:"id,omitempty"`        // of a knowledge template (KnowledgeTemplateIDs; "" is the first), or of a handler
	Command   []string          `json:"command,omitempty"`   // argv; no shell
	Mode      string            `json:"mode,omitempty"`      // ModeStdio, ModeHTTP or ModeExec, for commands
	Dir       string            `json:"dir,omitempty"`       // working directory of a command, a whole path; "" is the server's
	Env       map[string]string `json:"env,omitempty"`       // set for the command or container
	PassEnv   []string          `json:"pass_env,omitempty"`  // names passed on from the server's environment
	Image     string            `json:"image,omitempty"`     // container image reference
	Port      int               `json:"port,omitempty"`      // port inside the container; 0 is 5000
	Pull      string            `json:"pull,omitempty"`      // "never" (default), "missing" or "always"
	Limits    Limits            `json:"limits,omitzero"`     // zero values are the configured defaults
	Knowledge *Knowledge        `json:"knowledge,omitempty"` // for TemplateKnowledge
}

// The words of Template.Kind and Template.Mode.
const (
	TemplateKnowledge = "knowledge"
	TemplateCommand   = "command"
	TemplateImage     = "image"
	TemplateHandler   = "handler" // Go code inside the server's own process, which the program that embeds it registered under Template.ID
	ModeStdio         = "stdio"
	ModeHTTP          = "http"
	ModeExec          = "exec"
)

// Limits bound what one instance may use.
type Limits struct {
	CPU         float64 `json:"cpu,omitempty"`          // cores
	MemoryBytes int64   `json:"memory_bytes,omitempty"` // swap included
	PIDs        int64   `json:"pids,omitempty"`         // processes and threads
}

// Knowledge is what a knowledge agent answers from (wire facts 5.3).
type Knowledge struct {
	Concept           string           `json:"concept"` // canonical
	DisplayName       string           `json:"display_name,omitempty"`
	PrimaryDefinition string           `json:"primary_definition"`
	ConfidenceScore   float64          `json:"confidence_score"` // 0..1
	Applications      []string         `json:"applications,omitempty"`
	RelatedConcepts   []string         `json:"related_concepts,omitempty"`
	KeyAttributes     []string         `json:"key_attributes,omitempty"`
	ResearchSources   []string         `json:"research_sources,omitempty"`
	OriginalIntent    string           `json:"original_intent,omitempty"`
	Learned           map[string]Learn `json:"learned_knowledge,omitempty"` // by knowledge_type, from /update_knowledge
	// DefinitionConfidence is what ConfidenceScore was when there was nothing learned yet, 0..1. From then on ConfidenceScore is the mean over
	// what was learned, and a learned definition stands in for PrimaryDefinition when its confidence is higher than this.
	DefinitionConfidence float64 `json:"definition_confidence,omitempty"`
}

// Learn is one piece of knowledge told to an agent after it was made.
type Learn struct {
	Content    string  `json:"content"`
	Confidence float64 `json:"confidence"` // 0..1
}
