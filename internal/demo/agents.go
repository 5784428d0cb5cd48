package demo

import (
	"cmp"
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/agent"
)

// The concepts that the agents know, and the intents that the plan asks for.
const (
	documents = "document"
	prose     = "prose"
	wording   = "wording"
	linking   = "linking"
	coding    = "code block"
	topic     = "topic"
	reporting = "audit report"
)

// worker is one agent of the fleet: what it knows, and how many of its kind there are.
type worker struct {
	name    string
	concept string
	copies  int  // 1 when 0
	spare   bool // copies but the first are asked only when the first cannot: they answer for any concept, which ranks behind
	slots   int  // jobs at once; the SDK's default when 0
	about   string
	does    map[string]agent.HandlerFunc
	answers agent.Collaborator
}

// fileArgs are what most checks need to know.
type fileArgs struct {
	File string `json:"file"`
	From int    `json:"from"`
	To   int    `json:"to"`
}

// workers is the whole fleet, on the documents of l.
func workers(l *library) []worker {
	check := func(f func(*document) any) agent.HandlerFunc {
		return agent.Func(func(_ context.Context, in fileArgs) (any, error) {
			d, err := l.open(in.File)
			if err != nil {
				return nil, err
			}
			return f(d), nil
		})
	}
	one := func(intent string, h agent.HandlerFunc) map[string]agent.HandlerFunc {
		return map[string]agent.HandlerFunc{intent: h}
	}
	return []worker{
		{name: "Outliner", concept: documents, about: "headings and parts", does: one("outline", check(func(d *document) any { return outlineOf(d) }))},
		{name: "Headings", concept: documents, about: "levels and repetitions", does: one("check_headings",
			agent.Func(func(_ context.Context, in headingsArgs) (verdict, error) { return checkHeadings(in), nil }))},
		{name: "Markers", concept: documents, about: "what was left to do", does: one("check_markers", check(func(d *document) any { return checkMarkers(d) }))},
		{name: "Pages", concept: documents, about: "one document's checks together", does: one("page", joinPage)},
		{name: "Reader", concept: prose, about: "how hard a text is to read", does: one("check_readability", agent.Func(func(_ context.Context, in fileArgs) (any, error) {
			d, err := l.open(in.File)
			if err != nil {
				return nil, err
			}
			return checkReadability(d, in.From, in.To), nil
		}))},
		{name: "Sentences", concept: prose, about: "very long sentences", does: one("check_sentences", check(func(d *document) any { return checkSentences(d) }))},
		{name: "Typing", concept: prose, about: "doubled words", does: one("check_typing", check(func(d *document) any { return checkTyping(d) }))},
		{name: "Keywords", concept: wording, copies: 2, about: "what a text is about", does: one("extract_keywords",
			agent.Func(func(_ context.Context, in keywordArgs) (any, error) {
				d, err := l.open(in.File)
				if err != nil {
					return nil, err
				}
				return keywordsOf(d, in.Title), nil
			}))},
		{name: "Terms", concept: wording, about: "spellings", does: one("extract_terms", check(func(d *document) any { return termsOf(d) }))},
		{name: "Definitions", concept: wording, about: "sentences that define", does: one("extract_definitions", check(func(d *document) any { return definitionsOf(d) }))},
		{name: "Links", concept: linking, copies: 2, spare: true, slots: 40, about: "links to files, anchors, images and addresses elsewhere", does: one("check_links", linkChecks(l))},
		{name: "Fences", concept: coding, about: "code blocks that are not closed", does: one("check_fences", check(func(d *document) any { return checkFences(d) }))},
		{name: "Blocks", concept: coding, about: "JSON and YAML in code blocks", does: one("parse_blocks", check(func(d *document) any { return checkBlocks(d) }))},
		{name: "Topics", concept: topic, about: "one topic over all documents", does: topicJoins(l)},
		{name: "Reporter", concept: reporting, about: "the report", does: one("write", writeReport)},
		{name: "Librarian", concept: documents, about: "what the documents say about a term", answers: librarian{l},
			does: one("concept_research", agent.Func(func(_ context.Context, in struct{ Term string }) (any, error) {
				return librarian{l}.look(in.Term), nil
			}))},
	}
}

// linkArgs name one of the checks of links.
type linkArgs struct {
	File string `json:"file"`
	What string `json:"what"`
}

// linkChecks does the one of the four checks that the job names.
func linkChecks(l *library) agent.HandlerFunc {
	return agent.Func(func(_ context.Context, in linkArgs) (any, error) {
		d, err := l.open(in.File)
		if err != nil {
			return nil, err
		}
		switch in.What {
		case "files":
			return checkLinks(l, d), nil
		case "anchors":
			return checkAnchors(l, d), nil
		case "images":
			return checkImages(l, d), nil
		case "addresses":
			return checkURLs(d), nil
		}
		return nil, agent.Callerf("what is files, anchors, images or addresses, not %q", in.What)
	})
}

// build makes the agent; n tells copies apart.
func (w worker) build(n int) *agent.Agent {
	name := "Demo_" + w.name
	if w.copies > 1 {
		name += "_" + string(rune('A'+n))
	}
	intents := slices.Sorted(maps.Keys(w.does))
	opts := agent.Options{Description: w.about, SafeIntents: intents, MaxConcurrency: w.slots}
	if w.spare && n > 0 {
		opts.Concepts = []string{agent.Any}
	}
	a := agent.New(name).With(opts)
	for _, intent := range intents {
		a.Handle(w.concept, intent, w.does[intent])
	}
	if w.answers != nil {
		a.Collaborate(w.answers)
	}
	return a
}

// gather decodes the answers of those dependencies whose id begins with kind and a hyphen, in the order of their ids, and names those
// that gave none.
func gather[T any](job agent.Job, kind string) (values []T, missing []string, err error) {
	for _, id := range slices.SortedFunc(maps.Keys(job.Dependencies), byNumber) {
		if !strings.HasPrefix(id, kind+"-") {
			continue
		}
		if len(job.Dependencies[id].Data) == 0 {
			missing = append(missing, id)
			continue
		}
		var v T
		if err := job.Dependency(id, &v); err != nil {
			return nil, nil, err
		}
		values = append(values, v)
	}
	return values, missing, nil
}

// byNumber orders task ids: links-2 before links-10.
func byNumber(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) }

// joined is what a join adds to a verdict: checks that gave no answer.
type joined struct {
	verdict
	Missing []string `json:"missing,omitempty"`
}

// joinFindings puts the findings of all dependencies together.
func joinFindings(job agent.Job) (joined, error) {
	out := joined{verdict: newVerdict("")}
	for _, id := range slices.SortedFunc(maps.Keys(job.Dependencies), byNumber) {
		var v verdict
		if len(job.Dependencies[id].Data) == 0 {
			out.Missing = append(out.Missing, id)
			continue
		}
		if err := job.Dependency(id, &v); err != nil {
			return out, err
		}
		out.Findings = append(out.Findings, v.Findings...)
		out.More += v.More
	}
	out.Findings = sortFindings(out.Findings)
	return out, nil
}

// page is one document, with all that was found in it.
type page struct {
	joined
	Title string  `json:"title"`
	Words int     `json:"words"`
	Ease  float64 `json:"ease"`
}

func joinPage(_ context.Context, job agent.Job) (any, error) {
	in := struct{ File string }{}
	if err := job.Bind(&in); err != nil {
		return nil, err
	}
	j, err := joinFindings(job)
	if err != nil {
		return nil, err
	}
	p := page{joined: j}
	p.File = in.File
	outlines, _, err := gather[outline](job, "outline")
	if err != nil {
		return nil, err
	}
	for _, o := range outlines {
		p.Title, p.Words = o.Title, o.Words
	}
	reads, _, err := gather[readability](job, "readability")
	if err != nil {
		return nil, err
	}
	for _, r := range reads {
		p.Ease = r.Ease
	}
	return p, nil
}

// topicJoins are the joins over all documents.
func topicJoins(l *library) map[string]agent.HandlerFunc {
	return map[string]agent.HandlerFunc{
		"join":             func(_ context.Context, job agent.Job) (any, error) { return joinFindings(job) },
		"join_keywords":    joining("keywords", joinKeywords),
		"join_terms":       joining("terms", joinTerms),
		"join_definitions": joining("definitions", joinGlossary),
		"find_orphans":     joining("links", func(all []linked) verdict { return findOrphans(l.files, all) }),
		"check_readme": joining("outline", func(all []outline) verdict {
			names := []string{}
			entries, err := os.ReadDir(l.dir)
			if err == nil { // without the names, what files could make up for is told as missing
				for _, e := range entries {
					names = append(names, e.Name())
				}
			}
			return checkReadme(all, names)
		}),
		"find_duplicates": agent.Func(func(ctx context.Context, in struct{ Files []string }) (verdict, error) {
			docs := make([]*document, 0, len(in.Files))
			for _, f := range in.Files {
				d, err := l.open(f)
				if err != nil {
					return verdict{}, err
				}
				docs = append(docs, d)
			}
			return findDuplicates(docs), ctx.Err()
		}),
	}
}

// joining makes a handler of a function over the answers of one kind of check.
func joining[In, Out any](kind string, f func([]In) Out) agent.HandlerFunc {
	return func(_ context.Context, job agent.Job) (any, error) {
		all, missing, err := gather[In](job, kind)
		if err != nil {
			return nil, err
		}
		return agent.Answer{Data: f(all), Fields: map[string]any{"missing": missing}}, nil
	}
}

// card is how the agent is registered.
func card(a *agent.Agent, endpoint string) myriad.Agent {
	c := a.Card(endpoint)
	c.Labels = map[string]string{"demo": "audit"}
	return c
}
