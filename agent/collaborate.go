package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/myriad-mind/myriad"
)

// Collaborator answers what other agents, and a server in search of knowledge, ask at /collaborate.
type Collaborator interface {
	// Collaborate answers one request. A CallerError is HTTP 400, any other error 500.
	Collaborate(ctx context.Context, c Collaboration) (CollaborationReply, error)
}

// CollaboratorFunc is a function as a Collaborator.
type CollaboratorFunc func(ctx context.Context, c Collaboration) (CollaborationReply, error)

// Collaborate calls f.
func (f CollaboratorFunc) Collaborate(ctx context.Context, c Collaboration) (CollaborationReply, error) {
	return f(ctx, c)
}

// The types of collaboration that agents know.
const (
	KnowledgeRequest  = "knowledge_request"
	ContextSharing    = "context_sharing"
	FunctionExecution = "function_execution"
	ConceptResearch   = "concept_research"
)

// Collaboration is one request from agent to agent. Every field is optional on the wire.
type Collaboration struct {
	SourceAgent     SourceAgent    `json:"source_agent"`
	Type            string         `json:"collaboration_type"` // KnowledgeRequest when absent
	TargetConcept   string         `json:"target_concept"`
	SpecificRequest map[string]any `json:"specific_request"`
	Context         map[string]any `json:"context"`
}

// SourceAgent says who asks.
type SourceAgent struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Ask is a text of the specific request, or otherwise when it is absent or no text.
func (c Collaboration) Ask(key, otherwise string) string {
	if s, ok := c.SpecificRequest[key].(string); ok && s != "" {
		return s
	}
	return otherwise
}

// CollaborationReply is what a Collaborator answers.
type CollaborationReply struct {
	Status     string         // "success" when empty
	Data       any            // of a success
	Text       string         // why there is none, with any other status
	Metadata   map[string]any // collaboration_metadata; response_to, collaboration_type and timestamp are added to it on success
	HTTPStatus int            // 200 when 0
}

// Collaborate gives the agent a /collaborate.
func (a *Agent) Collaborate(c Collaborator) *Agent {
	a.collaborator = c
	return a
}

func (a *Agent) collaborate(ctx context.Context, w http.ResponseWriter, _ *http.Request, body []byte) error {
	if !json.Valid(body) {
		a.refuse(w, a.opts.BadBody, "the body is no JSON")
		return nil
	}
	if falsy(body) {
		return CallerError{Message: "no collaboration data was given"}
	}
	c := Collaboration{Type: KnowledgeRequest}
	if err := json.Unmarshal(body, &c); err != nil {
		a.refuse(w, a.opts.BadBody, "the collaboration does not fit: "+unfit(err))
		return nil
	}
	reply, err := guard(a, func() (CollaborationReply, error) { return a.collaborator.Collaborate(ctx, c) })
	if err != nil {
		return err
	}
	a.write(w, max(reply.HTTPStatus, http.StatusOK), a.collaborationBody(c, reply))
	return nil
}

func (a *Agent) collaborationBody(c Collaboration, reply CollaborationReply) map[string]any {
	out := map[string]any{"agent_name": a.name, "status": reply.Status}
	if reply.Status != "" && reply.Status != myriad.StatusSuccess {
		out["data"], out["message"] = reply.Text, reply.Text // readers of either dialect
		return out
	}
	out["status"], out["data"] = myriad.StatusSuccess, reply.Data
	kind := c.Type
	if kind == KnowledgeRequest {
		kind = "knowledge_sharing"
	}
	meta := map[string]any{"response_to": nil, "collaboration_type": kind, "timestamp": time.Now().UTC().Format(time.RFC3339)}
	if c.SourceAgent.Name != "" {
		meta["response_to"] = c.SourceAgent.Name
	}
	for k, v := range reply.Metadata {
		meta[k] = v
	}
	out["collaboration_metadata"] = meta
	return out
}

// falsy says that a valid JSON body holds nothing, in the sense of the agents before us.
func falsy(body []byte) bool {
	var flat bytes.Buffer
	if err := json.Compact(&flat, body); err != nil {
		return false
	}
	switch flat.String() {
	case "{}", "[]", "null", "0", `""`, "false":
		return true
	}
	return false
}
