package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/myriad-mind/myriad/agent"
)

const functionName = "Lightbulb_Function_AI"

// What the function agent knows.
const (
	limitation    = "it generates significant waste heat, making it inefficient."
	factoryImpact = "it let factories run through the night: a second and third shift on the same machines, fewer fires than with gas, and steadier work"
	homeImpact    = "it turned evening hours into usable time and made rooms safer than open flames did"
	candle        = "next to a candle it is brighter, steadier and safer, needs no tending and leaves no soot, but hangs on an electric supply"
	otherLamps    = "next to later lamps it is cheap and pleasant to look at, but turns only a few per cent of its energy into light"
	synthesis     = "the lightbulb is an electric lamp of simple make: its cheap and steady light changed work and life, its waste heat made others replace it"
	timeline      = "1880s workshops and mills; 1900s street after street; 1920s most city homes; since the 2000s replaced by lamps that waste less"
	applications  = "night shifts, fine assembly, inspection benches, warehouses and loading yards"
)

// newFunction is the executor: it explains what the bulb does, and it has one lamp to switch.
func newFunction() *agent.Agent {
	l := new(lamp)
	say := func(text func(agent.Job) string) agent.HandlerFunc {
		return func(_ context.Context, job agent.Job) (any, error) { return text(job), nil }
	}
	return agent.New(functionName).
		With(agent.Options{
			Description: "What the lightbulb does, for whom, and a lamp to switch",
			Concepts:    []string{"lightbulb", "factories"}, Capabilities: []string{"function_execution", "impact_analysis"},
			SafeIntents: []string{"explain_limitation", "explain_impact", "compare", "synthesize_response", "status"},
			BadBody:     http.StatusInternalServerError,
		}).
		Handle(agent.Any, "explain_limitation", say(func(agent.Job) string { return limitation })).
		Handle(agent.Any, "explain_impact", say(explainImpact)).
		Handle(agent.Any, "compare", say(compare)).
		Handle(agent.Any, "synthesize_response", say(func(agent.Job) string { return synthesis })).
		Handle(agent.Any, "turn_on", say(func(agent.Job) string { return l.turnOn() })).
		Handle(agent.Any, "turn_off", say(func(agent.Job) string { return l.turnOff() })).
		Handle(agent.Any, "dim", agent.Func(func(_ context.Context, args struct {
			Brightness json.RawMessage `json:"brightness"`
		}) (string, error) {
			n, err := brightness(args.Brightness)
			if err != nil {
				return "", err
			}
			return l.dim(n), nil
		})).
		Handle(agent.Any, "status", say(func(agent.Job) string { return l.status() })).
		Collaborate(agent.CollaboratorFunc(collaborateOnFunction))
}

func explainImpact(job agent.Job) string {
	if contains(job.Concept, "factor", "industrial") {
		return factoryImpact
	}
	return homeImpact
}

func compare(job agent.Job) string {
	if contains(job.Concept, "candle", "versus") {
		return candle
	}
	return otherLamps
}

func contains(s string, words ...string) bool {
	s = strings.ToLower(s)
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// collaborateOnFunction answers what other agents ask of the function agent.
func collaborateOnFunction(_ context.Context, c agent.Collaboration) (agent.CollaborationReply, error) {
	known := strings.EqualFold(c.TargetConcept, "lightbulb") || strings.EqualFold(c.TargetConcept, "factories")
	switch c.Type {
	case agent.KnowledgeRequest:
		if !known {
			return noExpertise(c), nil
		}
		kind := c.Ask("knowledge_type", "impact")
		return agent.CollaborationReply{Data: map[string]any{
			"primary_knowledge": functionKnowledge(kind), "knowledge_type": kind, "confidence": 0.9,
			"source": functionName, "functional_perspective": true,
		}}, nil
	case agent.ContextSharing:
		if !known {
			return noContext(c), nil
		}
		return agent.CollaborationReply{Data: map[string]any{
			"functional_relationships": []string{"power supply", "switch", "night work", "safety"},
			"key_impacts":              []string{"longer working hours", "fewer fires", "public life after dark"},
			"application_domains":      []string{"industry", "homes", "streets", "transport"},
			"performance_metrics":      []string{"lumens per watt", "hours of life", "share of energy lost as heat"},
		}}, nil
	case agent.FunctionExecution:
		return execute(c), nil
	}
	return agent.CollaborationReply{}, agent.Callerf("Unknown collaboration type '%s'", c.Type)
}

func functionKnowledge(kind string) string {
	switch kind {
	case "industrial_impact":
		return factoryImpact
	case "limitations":
		return limitation
	case "factory_applications":
		return applications
	case "historical_timeline":
		return timeline
	case "concept_research":
		return synthesis
	}
	return homeImpact
}

// execute performs a function for another agent; the concept does not matter.
func execute(c agent.Collaboration) agent.CollaborationReply {
	function := c.Ask("function_type", "analyze")
	if function != "impact_analysis" {
		return agent.CollaborationReply{Status: "function_not_supported", Text: "Function '" + function + "' is not supported"}
	}
	return agent.CollaborationReply{
		Data: map[string]any{
			"impact_category":  "industrial transformation",
			"primary_benefits": []string{"work after dark", "fewer fires than with gas", "steadier quality"},
			"quantitative_estimates": map[string]any{
				"productivity_increase": "20-40%", "operational_hour_extension": "8-12 hours a day", "safety_improvement": "substantial",
			},
			"analysis_confidence": 0.85,
		},
		Metadata: map[string]any{"function_performed": function},
	}
}
