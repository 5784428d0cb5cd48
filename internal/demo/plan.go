package demo

import (
	"strconv"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// partsBelow is the number of documents under which they are also read in parts, so that there is enough to do side by side.
const partsBelow = 10

// runTimeout is far above what an audit takes.
const runTimeout = 2 * time.Minute

// check is one task of every document.
type check struct{ id, concept, intent, what string }

// checks of a document that need nothing but the document.
var checks = []check{
	{"outline", documents, "outline", ""}, {"markers", documents, "check_markers", ""},
	{"readability", prose, "check_readability", ""}, {"sentences", prose, "check_sentences", ""}, {"typing", prose, "check_typing", ""},
	{"links", linking, "check_links", "files"}, {"anchors", linking, "check_links", "anchors"},
	{"images", linking, "check_links", "images"}, {"addresses", linking, "check_links", "addresses"},
	{"fences", coding, "check_fences", ""}, {"blocks", coding, "parse_blocks", ""},
	{"terms", wording, "extract_terms", ""}, {"definitions", wording, "extract_definitions", ""},
}

// ofPage are the checks whose findings make up a document's page.
var ofPage = []string{"outline", "headings", "markers", "readability", "sentences", "typing", "links", "anchors", "images", "addresses", "fences", "blocks"}

// topics join checks over all documents.
var topics = []struct {
	id, intent string
	of         []string
}{
	{"structure", "join", []string{"headings", "markers"}},
	{"prose", "join", []string{"readability", "sentences", "typing", "part"}},
	{"linking", "join", []string{"links", "anchors", "images", "addresses"}},
	{"code", "join", []string{"fences", "blocks"}},
	{"vocabulary", "join_keywords", []string{"keywords"}},
	{"spelling", "join_terms", []string{"terms"}},
	{"glossary", "join_definitions", []string{"definitions"}},
	{"orphans", "find_orphans", []string{"links"}},
	{"readme", "check_readme", []string{"outline"}},
	{"duplicates", "find_duplicates", nil},
}

// reportID is the task at the end of the plan.
const reportID = "report"

// reportArgs are what the report needs beside its dependencies.
type reportArgs struct {
	Folder  string   `json:"folder"`
	Files   []string `json:"files"`
	Left    int      `json:"left"`
	Skipped []string `json:"skipped"`
}

// Plan makes the graph of tasks of an audit: it fans out over the documents, chains what builds on an outline, joins each document and
// each topic, and ends in one report. It has at least 30 tasks.
func Plan(args reportArgs) client.Plan {
	b := &builder{plan: client.Plan{Timeout: runTimeout}, byKind: map[string][]string{}}
	for i, file := range args.Files {
		b.document(strconv.Itoa(i+1), file, len(args.Files) < partsBelow)
	}
	last := b.byKind["page"]
	for _, t := range topics {
		var deps []string
		for _, kind := range t.of {
			deps = append(deps, b.byKind[kind]...)
		}
		var with any
		if t.id == "duplicates" {
			with = map[string]any{"files": args.Files}
		}
		last = append(last, b.add(client.Task{ID: "topic-" + t.id, Concept: topic, Intent: t.intent, Args: with, DependsOn: deps, OnDependencyFailure: myriad.OnFailureContinue}))
	}
	b.add(client.Task{ID: reportID, Concept: reporting, Intent: "write", Args: args, DependsOn: last, OnDependencyFailure: myriad.OnFailureContinue})
	return b.plan
}

type builder struct {
	plan   client.Plan
	byKind map[string][]string
}

func (b *builder) add(t client.Task) string {
	b.plan.Add(t)
	return t.ID
}

func (b *builder) of(kind, n string, t client.Task) string {
	t.ID = kind + "-" + n
	b.byKind[kind] = append(b.byKind[kind], t.ID)
	return b.add(t)
}

// document adds the tasks of one document.
func (b *builder) document(n, file string, inParts bool) {
	for _, c := range checks {
		args := map[string]any{"file": file}
		if c.what != "" {
			args["what"] = c.what
		}
		b.of(c.id, n, client.Task{Concept: c.concept, Intent: c.intent, Args: args})
	}
	shape := "outline-" + n
	b.of("headings", n, client.Task{
		Concept: documents, Intent: "check_headings", DependsOn: []string{shape},
		Args: map[string]any{"file": file, "headings": client.Ref(shape, "data", "headings")},
	})
	b.of("keywords", n, client.Task{
		Concept: wording, Intent: "extract_keywords", DependsOn: []string{shape},
		Args: map[string]any{"file": file, "title": client.Ref(shape, "data", "title")},
	})
	if inParts {
		for i := range partsPerFile {
			b.of("part", n+"."+strconv.Itoa(i+1), client.Task{
				Concept: prose, Intent: "check_readability", DependsOn: []string{shape},
				Args: map[string]any{
					"file": file, "from": client.Ref(shape, "data", "parts", i, "from"), "to": client.Ref(shape, "data", "parts", i, "to"),
				},
			})
		}
	}
	var deps []string
	for _, kind := range ofPage {
		deps = append(deps, kind+"-"+n)
	}
	b.of("page", n, client.Task{Concept: documents, Intent: "page", Args: map[string]any{"file": file}, DependsOn: deps, OnDependencyFailure: myriad.OnFailureContinue})
}
