package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/myriad-mind/myriad/agent"
)

// librarian researches terms in the documents: what they define, else what they say of it.
type librarian struct{ l *library }

// said is what the documents say about a term.
type said struct {
	Text       string  `json:"primary_knowledge"`
	Confidence float64 `json:"confidence"` // 0 when they say nothing
	Source     string  `json:"source,omitempty"`
}

const (
	fromDefinition = 0.8
	fromMention    = 0.4
)

// look finds a sentence that defines the term, else the first that holds it.
func (b librarian) look(term string) said {
	term = strings.Join(strings.Fields(strings.ToLower(strings.ReplaceAll(term, "_", " "))), " ")
	var mention said
	for _, f := range b.l.files {
		d, err := b.l.open(f)
		if err != nil || term == "" {
			continue
		}
		for i := range d.passages {
			for _, s := range d.passages[i].sentences() {
				at := fmt.Sprintf("%s:%d", f, s.line)
				if t, ok := defines(s); ok && t == term {
					return said{short(s.text, 400), fromDefinition, at}
				}
				if mention.Text == "" && holds(s, term) {
					mention = said{short(s.text, 400), fromMention, at}
				}
			}
		}
	}
	return mention
}

func holds(s sentence, term string) bool {
	return strings.Contains(" "+strings.ToLower(strings.Join(s.words, " "))+" ", " "+term+" ")
}

// Collaborate answers research; whoever looks for knowledge asks here.
func (b librarian) Collaborate(_ context.Context, c agent.Collaboration) (agent.CollaborationReply, error) {
	if !slices.Contains([]string{agent.KnowledgeRequest, agent.ConceptResearch}, c.Type) {
		return agent.CollaborationReply{}, agent.Callerf("unknown collaboration type %q", c.Type)
	}
	found := b.look(c.TargetConcept)
	if found.Text == "" {
		return agent.CollaborationReply{Status: "no_expertise", Text: fmt.Sprintf("the documents do not mention %q", c.TargetConcept)}, nil
	}
	return agent.CollaborationReply{Data: map[string]any{
		"primary_knowledge": found.Text, "confidence": found.Confidence, "source": found.Source, "knowledge_type": c.Ask("knowledge_type", "definition"),
	}}, nil
}
