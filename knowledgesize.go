package myriad

// The bounds of what a knowledge agent answers from. An answer holds a text up to twice, a definition or an application three or four times where it is asked to
// collaborate, and each byte of it may be six in JSON: whatever is within these bounds fits into the default of the largest answer (call.max_answer, 4 MiB).
const (
	MaxKnowledgeBytes   = 48 << 10  // of all texts of a Knowledge together, what was learned not counted
	MaxKnowledgeEntries = 256       // of each of its lists
	MaxLearned          = 64        // types of what was learned
	MaxLearnedBytes     = 64 << 10  // of the content of one type
	MaxLearnedTotal     = 256 << 10 // of all types and contents together
)

// knowledgeSize names what of k is over its bound.
func (c *agentCheck) knowledgeSize(k *Knowledge) {
	const path = "template.knowledge"
	sum := len(k.DisplayName) + len(k.PrimaryDefinition) + len(k.OriginalIntent)
	for _, list := range []struct {
		field   string
		entries []string
	}{
		{"applications", k.Applications}, {"related_concepts", k.RelatedConcepts}, {"key_attributes", k.KeyAttributes}, {"research_sources", k.ResearchSources},
	} {
		if len(list.entries) > MaxKnowledgeEntries {
			c.add(path+"."+list.field, "has at most %d entries", MaxKnowledgeEntries)
		}
		for _, s := range list.entries {
			sum += len(s)
		}
	}
	switch {
	case len(k.PrimaryDefinition) > MaxKnowledgeBytes:
		c.add(path+".primary_definition", "has at most %d bytes", MaxKnowledgeBytes)
	case sum > MaxKnowledgeBytes:
		c.add(path, "its texts have at most %d bytes together, what was learned not counted; these are %d", MaxKnowledgeBytes, sum)
	}
	if len(k.Learned) > MaxLearned {
		c.add(path+".learned_knowledge", "has at most %d types of knowledge", MaxLearned)
		return
	}
	sum = 0
	for _, kind := range sortedKeys(k.Learned) {
		content := k.Learned[kind].Content
		if len(content) > MaxLearnedBytes {
			c.add(path+".learned_knowledge", "the content of %.40q has at most %d bytes", kind, MaxLearnedBytes)
		}
		sum += len(kind) + len(content)
	}
	if sum > MaxLearnedTotal {
		c.add(path+".learned_knowledge", "has at most %d bytes in all types and contents together; these are %d", MaxLearnedTotal, sum)
	}
}
