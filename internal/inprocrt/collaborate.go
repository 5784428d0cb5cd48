package inprocrt

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/agent"
)

// functions are the types of collaboration that templates have beside those of all agents, and the knowledge that answers them.
var functions = map[string]string{
	"knowledge_synthesis": typeSummary, "relationship_mapping": typeRelationships, "impact_analysis": typeApplications,
	"expert_consultation": typeSummary, "specialized_analysis": typeApplications, "recommendation_generation": typeApplications,
}

// performed are the functions that function_execution carries out, and the knowledge that answers them.
var performed = map[string]string{
	"impact_analysis": typeApplications, "application_assessment": typeApplications, "performance_evaluation": typeApplications,
}

// request is the body of POST /collaborate. Learning engines put what they ask for in knowledge_request, and read the answer in knowledge.
type request struct {
	agent.Collaboration
	Learning json.RawMessage `json:"knowledge_request"`
}

// wanted is the concept that the request is about.
func (c request) wanted() string {
	var learning struct {
		Concept string `json:"concept"`
	}
	if c.TargetConcept != "" || json.Unmarshal(c.Learning, &learning) != nil { // what does not fit was not meant for us
		return c.TargetConcept
	}
	return learning.Concept
}

// collaborate answers POST /collaborate. Research is answered before the question whose concept it is, for the agent may know something of
// another concept; everything else is about its own.
func (k *KnowledgeAgent) collaborate(body []byte) (int, message) {
	if falsy(body) {
		return http.StatusBadRequest, k.failure("no collaboration data was given")
	}
	var c request
	if err := json.Unmarshal(body, &c); err != nil {
		return http.StatusBadRequest, k.failure(unfit(err))
	}
	c.TargetConcept = c.wanted()
	known := k.known.Load()
	research := c.Type == agent.ConceptResearch || c.Type == agent.KnowledgeRequest && c.Ask("knowledge_type", "") == typeResearch
	if !k.mine(c.TargetConcept) {
		if research {
			if data := k.foreign(known, c.TargetConcept); data != nil {
				return http.StatusOK, k.success(c, known, data, nil)
			}
		}
		return http.StatusOK, k.explanation("no_expertise", fmt.Sprintf("%s knows nothing about '%.100s', only about %s", k.name, c.TargetConcept, display(known)))
	}
	if research {
		return http.StatusOK, k.success(c, known, k.research(known), nil)
	}
	return k.own(c, known)
}

// own answers about the agent's own concept.
func (k *KnowledgeAgent) own(c request, known *myriad.Knowledge) (int, message) {
	switch {
	case c.Type == agent.KnowledgeRequest:
		kind := c.Ask("knowledge_type", typeDefinition)
		return http.StatusOK, k.success(c, known, k.shared(known, kind, tell(known, canonicalType(kind))), nil)
	case c.Type == agent.ContextSharing:
		return http.StatusOK, k.success(c, known, k.context(known), nil)
	case !slices.Contains(k.form.Collaborations, c.Type):
		return http.StatusBadRequest, k.explanation("unsupported", fmt.Sprintf("the collaboration type '%.100s' is not supported, only %s", c.Type,
			strings.Join(k.form.Collaborations, ", ")))
	case c.Type == agent.FunctionExecution:
		return k.execute(c, known)
	}
	kind := orDefinition(known, functions[c.Type])
	return http.StatusOK, k.success(c, known, k.shared(known, kind, tell(known, kind)), nil)
}

func canonicalType(kind string) string {
	if name, err := myriad.CanonicalIntent(kind); err == nil {
		return name
	}
	return kind
}

// execute answers function_execution.
func (k *KnowledgeAgent) execute(c request, known *myriad.Knowledge) (int, message) {
	name := c.Ask("function_type", "analyze")
	kind, ok := performed[name]
	if !ok {
		return http.StatusOK, k.explanation("function_not_supported", fmt.Sprintf("the function '%.100s' is not supported, only %s", name,
			strings.Join(slices.Sorted(maps.Keys(performed)), ", ")))
	}
	kind = orDefinition(known, kind)
	data := k.shared(known, kind, tell(known, kind))
	data["impact_category"], data["primary_benefits"], data["analysis_confidence"] = known.Concept, some(known.Applications), data["confidence"]
	return http.StatusOK, k.success(c, known, data, message{"function_performed": name})
}

// shared is the data of one type of knowledge.
func (k *KnowledgeAgent) shared(known *myriad.Knowledge, kind string, told answered) message {
	return message{
		"primary_knowledge": told.text, "knowledge_type": kind, "confidence": told.confidence, "source": k.name, "concept": known.Concept,
	}
}

// context is the data of context_sharing. Where no attributes are known, the applications stand in for them, as older callers expect.
func (k *KnowledgeAgent) context(known *myriad.Knowledge) message {
	attributes := known.KeyAttributes
	if len(attributes) == 0 {
		attributes = known.Applications
	}
	return message{
		"concept": known.Concept, "key_attributes": some(attributes), "applications": some(known.Applications),
		"related_concepts": some(known.RelatedConcepts), "confidence_level": known.ConfidenceScore, "specialization": k.form.AgentType,
	}
}

// research is the data of concept_research about the agent's own concept: all that it knows.
func (k *KnowledgeAgent) research(known *myriad.Knowledge) message {
	data := k.shared(known, typeResearch, tell(known, typeDefinition))
	data["research_confidence"], data["research_depth"], data["expertise_level"] = data["confidence"], "specialized", "high"
	data["additional_context"] = whole(known)
	return data
}

// foreign is what the agent knows of a concept that is not its own: what it was told under its name, or that the two are related. Nil is
// nothing.
func (k *KnowledgeAgent) foreign(known *myriad.Knowledge, concept string) message {
	key, err := myriad.CanonicalConcept(concept)
	if err != nil {
		return nil
	}
	is := func(name string) bool {
		other, err := myriad.CanonicalConcept(name)
		return err == nil && other == key
	}
	told := answered{}
	if i := slices.IndexFunc(learnedTypes(known), is); i >= 0 {
		told = tell(known, learnedTypes(known)[i])
	} else if slices.ContainsFunc(known.RelatedConcepts, is) {
		// That two concepts are related says little about either, so this alone grows no agent: its threshold is 0.3 (wire facts 5.6).
		told = answered{fmt.Sprintf("%s is related to %s", concept, display(known)), 0.3 * known.ConfidenceScore}
	} else {
		return nil
	}
	data := k.shared(known, typeResearch, told)
	data["concept"], data["related_concepts"] = key, []string{known.Concept}
	data["research_confidence"], data["research_depth"], data["expertise_level"] = told.confidence, "basic", "low"
	return data
}

// whole is the knowledge as one object, what was learned as older readers know it: texts by type, and the confidences beside them.
func whole(known *myriad.Knowledge) message {
	learned, confidence := map[string]string{}, map[string]float64{}
	for kind, l := range known.Learned {
		learned[kind], confidence[kind] = l.Content, l.Confidence
	}
	return message{
		"concept": known.Concept, "display_name": display(known), "primary_definition": known.PrimaryDefinition,
		"confidence_score": known.ConfidenceScore, "applications": some(known.Applications), "related_concepts": some(known.RelatedConcepts),
		"key_attributes": some(known.KeyAttributes), "research_sources": some(known.ResearchSources), "original_intent": known.OriginalIntent,
		"learned_knowledge": learned, "learning_confidence": confidence,
	}
}

// some makes nothing an empty list.
func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (k *KnowledgeAgent) success(c request, known *myriad.Knowledge, data, meta message) message {
	kind := c.Type
	if kind == agent.KnowledgeRequest {
		kind = "knowledge_sharing"
	}
	metadata := message{"collaboration_type": kind, "response_to": "Unknown", "timestamp": time.Now().UTC().Format(time.RFC3339)}
	if c.SourceAgent.Name != "" {
		metadata["response_to"] = c.SourceAgent.Name
	}
	maps.Copy(metadata, meta)
	out := message{"agent_name": k.name, "status": myriad.StatusSuccess, "data": data, "collaboration_metadata": metadata}
	if !falsy(c.Learning) {
		out["knowledge"] = message{
			"definition": data["primary_knowledge"], "principles": some(known.KeyAttributes), "applications": some(known.Applications),
			"related_concepts": some(known.RelatedConcepts), "confidence": data["confidence"],
		}
	}
	return out
}
