package myriad

import "fmt"

// knowledge checks what a knowledge agent answers from. A definition need not be there: the agent says that there is none yet, and can be told one.
func (c *agentCheck) knowledge(k *Knowledge) *Knowledge {
	const path = "template.knowledge."
	if k == nil {
		c.add("template.knowledge", "is what a knowledge agent answers from; it must be there")
		return nil
	}
	if !c.kept {
		c.knowledgeSize(k)
	}
	kept := *k
	concept, err := CanonicalConcept(k.Concept)
	if err != nil {
		c.add(path+"concept", "%s", err)
	}
	kept.Concept = concept
	c.legible(path+"display_name", k.DisplayName)
	c.legible(path+"primary_definition", k.PrimaryDefinition)
	if !(k.ConfidenceScore >= 0 && k.ConfidenceScore <= 1) {
		c.add(path+"confidence_score", "is 0 to 1")
	}
	c.allLegible(path+"applications", k.Applications)
	c.allLegible(path+"related_concepts", k.RelatedConcepts)
	c.allLegible(path+"key_attributes", k.KeyAttributes)
	c.allLegible(path+"research_sources", k.ResearchSources)
	c.legible(path+"original_intent", k.OriginalIntent)
	kept.Learned = c.learned(path+"learned_knowledge", k.Learned)
	if !(k.DefinitionConfidence >= 0 && k.DefinitionConfidence <= 1) {
		c.add(path+"definition_confidence", "is 0 to 1")
	}
	return &kept
}

func (c *agentCheck) allLegible(path string, texts []string) {
	for i, s := range texts {
		c.legible(fmt.Sprintf("%s[%d]", path, i), s)
	}
}

// learned checks what an agent was told, and gives the types of it their canonical form, under which they are asked for.
func (c *agentCheck) learned(path string, written map[string]Learn) map[string]Learn {
	if len(written) == 0 {
		return written
	}
	kept := make(map[string]Learn, len(written))
	for _, name := range sortedKeys(written) {
		told, at := written[name], path
		kind, err := CanonicalIntent(name)
		switch _, twice := kept[kind]; {
		case err != nil:
			c.add(path, "%.40q is no type of knowledge, which is a short name like an intent: %s", name, err)
		case twice:
			c.add(path, "the type %.40q is given more than once, in other letters", kind)
		default:
			at += "." + kind + ".content"
		}
		c.legible(at, told.Content)
		if !(told.Confidence >= 0 && told.Confidence <= 1) {
			c.add(path, "the confidence of %.40q is 0 to 1", name)
		}
		kept[kind] = told
	}
	return kept
}
