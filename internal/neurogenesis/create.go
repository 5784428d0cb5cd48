package neurogenesis

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
)

// names is how many names are tried for an agent whose own is taken.
const names = 4

// packet finds a grown packet of the concept that the graph does not show: what a process left that died at the wrong moment.
func (f *flight) packet(ctx context.Context) *myriad.Agent {
	for _, id := range myriad.KnowledgeTemplateIDs() {
		if spec, ok := myriad.KnowledgeTemplate(id); ok {
			if a, err := f.g.cfg.Packets.Agent(ctx, spec.AgentName(f.question.Concept)); err == nil && f.mine(&a) {
				return &a
			}
		}
	}
	return nil
}

// mine says whether an agent is one that was grown for the flight's concept.
func (f *flight) mine(a *myriad.Agent) bool {
	return a.Owner == myriad.OwnerFleet && a.Template != nil && slices.Contains(a.ConceptKeys(), f.question.Concept)
}

// create writes the packet of an agent that answers from k; the graph shows it from then on. fresh is false when the packet was there already.
func (f *flight) create(ctx context.Context, k myriad.Knowledge) (a *myriad.Agent, fresh bool, err error) {
	spec, ok := myriad.KnowledgeTemplate(myriad.ChooseKnowledgeTemplate(f.question.Intent, k))
	if !ok {
		return nil, false, myriad.Errorf(myriad.CodeInternal, "there is no template for intent %q", f.question.Intent)
	}
	want := f.agent(k, spec)
	for try := range names {
		if want.Name = spec.AgentName(f.question.Concept); try > 0 {
			want.Name = spec.AgentName(f.question.Concept + "_" + suffix(f.question.Concept, try))
		}
		stored, err := f.g.cfg.Packets.PutAgent(ctx, want, myriad.Guard{MustNotExist: true})
		if err == nil {
			return &stored, true, nil
		}
		if myriad.ErrorCode(err) != myriad.CodeConflict {
			return nil, false, err
		}
		if there, err := f.g.cfg.Packets.Agent(ctx, want.Name); err == nil && f.mine(&there) {
			return &there, false, nil
		}
	}
	return nil, false, myriad.Errorf(myriad.CodeConflict, "other agents have the names that it could have, like %s", want.Name)
}

// suffix tells an agent apart whose name somebody else has.
func suffix(concept string, try int) string {
	hash := fnv.New32a()
	fmt.Fprintf(hash, "%s %d", concept, try)
	return fmt.Sprintf("%08x", hash.Sum32())
}

// agent is the packet without its name.
func (f *flight) agent(k myriad.Knowledge, spec myriad.KnowledgeTemplateSpec) myriad.Agent {
	written := f.question.Display
	if key, err := myriad.CanonicalConcept(written); err != nil || key != f.question.Concept {
		written = f.question.Concept
	}
	k.Concept = written // checked, it becomes canonical again; a canonical form may be longer than a name may be
	return myriad.Agent{
		Concepts: []string{written}, Type: myriad.AgentDynamic, Status: myriad.AgentActive, Owner: myriad.OwnerFleet,
		Capabilities: slices.Clone(spec.Capabilities), Description: "Answers from what research found about " + written,
		Labels:   map[string]string{"creation_method": "dynamic_neurogenesis", "original_intent": f.question.Intent},
		Template: &myriad.Template{Kind: myriad.TemplateKnowledge, ID: spec.ID, Knowledge: &k},
	}
}

// node writes what research found to the concept's node (wire facts 5.5). A node that has a definition keeps it when nothing was found, and that is
// what is known then.
func (f *flight) node(ctx context.Context, k *myriad.Knowledge, found bool) error {
	if !found {
		c, err := f.g.cfg.Graph.Concept(ctx, f.question.Concept)
		if err == nil && c.Definition != "" {
			k.PrimaryDefinition = c.Definition
			return nil
		}
		if err != nil && myriad.ErrorCode(err) != myriad.CodeNotFound {
			return err
		}
	}
	now := time.Now().UnixMilli()
	return f.g.cfg.Graph.PutConcept(ctx, f.question.Concept, myriad.Properties{
		"display_name": f.question.Display, "type": "researched_concept", "creation_method": "neurogenesis_research",
		"creation_timestamp": float64(now) / 1000, "last_updated": now, "complexity": 0.5,
		"primary_definition": k.PrimaryDefinition, "confidence_score": k.ConfidenceScore,
		"research_sources": inText(k.ResearchSources), "key_attributes": inText(k.KeyAttributes),
		"related_concepts": inText(k.RelatedConcepts), "applications": inText(k.Applications),
		"original_intent": k.OriginalIntent, "research_status": "active",
	})
}

// inText is a list as the property graph's older clients expect it: a JSON array in a text.
func inText(entries []string) string {
	if entries == nil {
		entries = []string{}
	}
	raw, err := json.Marshal(entries)
	if err != nil { // texts always marshal
		panic(err)
	}
	return string(raw)
}

// createCode is the word for a packet that could not be stored.
func createCode(err error) string {
	if myriad.ErrorCode(err) == myriad.CodeUnavailable {
		return myriad.TaskErrGraph
	}
	return myriad.TaskErrInternal
}
