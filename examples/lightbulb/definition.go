package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/myriad-mind/myriad/agent"
)

const definitionName = "Lightbulb_Definition_AI"

// What the definition agent knows.
const (
	definition = "an electric device that produces light via an incandescent filament"
	history    = "practical incandescent lamps came to market around 1880, after decades of trials with arcs and glowing wires; within a generation " +
		"they had replaced gas light in homes and workshops"
	impact     = "it made light cheap, clean and instant, so that work, study and life in public no longer ended at dusk"
	properties = "a filament inside a glass bulb that is evacuated or filled with inert gas; current heats the filament until it glows; most of the energy leaves as heat"
)

// newDefinition is the fact base. peer is the base URL of the function agent, "" for none.
func newDefinition(peer string) *agent.Agent {
	say := func(text string) agent.HandlerFunc {
		return func(context.Context, agent.Job) (any, error) { return text, nil }
	}
	return agent.New(definitionName).
		With(agent.Options{
			Description: "Facts about the lightbulb: what it is, where it came from, what it changed",
			Concepts:    []string{"lightbulb"}, Capabilities: []string{"concept_definition", "fact_retrieval"},
			SafeIntents: []string{"define", "explain_impact", "analyze_historical_context"},
			BadBody:     http.StatusInternalServerError,
		}).
		Handle(agent.Any, "define", say(definition)).
		Handle(agent.Any, "explain_impact", say(impact)).
		Handle(agent.Any, "analyze_historical_context", say(history)).
		Collaborate(definer{peer: strings.TrimSuffix(strings.TrimRight(peer, "/"), "/query"), http: &http.Client{Timeout: 8 * time.Second}})
}

// definer answers what other agents ask of the definition agent.
type definer struct {
	peer string
	http *http.Client
}

func (d definer) Collaborate(ctx context.Context, c agent.Collaboration) (agent.CollaborationReply, error) {
	known := strings.EqualFold(c.TargetConcept, "lightbulb")
	switch c.Type {
	case agent.KnowledgeRequest:
		if !known {
			return noExpertise(c), nil
		}
		return agent.CollaborationReply{Data: d.knowledge(ctx, c)}, nil
	case agent.ContextSharing:
		if !known {
			return noContext(c), nil
		}
		return agent.CollaborationReply{Data: map[string]any{
			"concept_relationships":    []string{"electricity", "filament", "illumination", "glass"},
			"key_attributes":           []string{"electric", "incandescent", "glass bulb", "tungsten filament"},
			"historical_significance":  history,
			"technical_classification": "electric light source",
		}}, nil
	}
	return agent.CollaborationReply{}, agent.Callerf("Unknown collaboration type '%s'", c.Type)
}

func (d definer) knowledge(ctx context.Context, c agent.Collaboration) map[string]any {
	kind := c.Ask("knowledge_type", "definition")
	data := map[string]any{"knowledge_type": kind, "confidence": 0.95, "source": definitionName}
	switch kind {
	case "historical_context":
		data["primary_knowledge"] = history
	case "properties":
		data["primary_knowledge"] = properties
	case "concept_research":
		data["primary_knowledge"] = definition + "; " + properties
	default:
		data["primary_knowledge"] = definition
	}
	if truthy(c.Context["request_industrial_impact"]) && d.peer != "" {
		if impact, err := d.askPeer(ctx, c.TargetConcept); err == nil {
			data["additional_context"] = map[string]any{"industrial_impact": impact}
		}
	}
	return data
}

// askPeer asks the function agent about industrial impact. Without an answer the definition goes out without it.
func (d definer) askPeer(ctx context.Context, concept string) (map[string]any, error) {
	body, err := json.Marshal(map[string]any{
		"source_agent":       map[string]any{"name": definitionName, "type": "FactBase"},
		"collaboration_type": agent.KnowledgeRequest,
		"target_concept":     concept,
		"specific_request":   map[string]any{"knowledge_type": "industrial_impact"},
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.peer+"/collaborate", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := d.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var answer struct {
		Status string         `json:"status"`
		Data   map[string]any `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Status != "success" || answer.Data == nil {
		return nil, fmt.Errorf("the peer answered %q", answer.Status)
	}
	return answer.Data, nil
}

func noExpertise(c agent.Collaboration) agent.CollaborationReply {
	return agent.CollaborationReply{Status: "no_expertise", Text: fmt.Sprintf("No expertise in '%s'", c.TargetConcept)}
}

func noContext(c agent.Collaboration) agent.CollaborationReply {
	return agent.CollaborationReply{Status: "no_context", Text: fmt.Sprintf("No context for '%s'", c.TargetConcept)}
}

// truthy is what the clients of these agents mean by a flag.
func truthy(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		return v != ""
	case float64:
		return v != 0
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return false
}
