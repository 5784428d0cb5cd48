package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/myriad-mind/myriad/agent"
)

// report is what the last task of the plan answers.
type report struct {
	Text      string         `json:"text"` // Markdown
	Documents int            `json:"documents"`
	Words     int            `json:"words"`
	Counts    map[string]int `json:"counts"` // findings by level
	Missing   []string       `json:"missing,omitempty"`
}

// The findings of one level that the report prints; the rest is counted.
const (
	shownWrong = 200
	shownOther = 30
)

// writeReport makes the report of the pages and topics.
func writeReport(_ context.Context, job agent.Job) (any, error) {
	var in reportArgs
	if err := job.Bind(&in); err != nil {
		return nil, err
	}
	pages, missing, err := gather[page](job, "page")
	if err != nil {
		return nil, err
	}
	found, gone, err := gather[joined](job, "topic")
	if err != nil {
		return nil, err
	}
	r := report{Documents: len(in.Files), Counts: map[string]int{wrong: 0, doubtful: 0, note: 0}, Missing: append(missing, gone...)}
	var all []finding
	more := 0
	for _, t := range found {
		all = append(all, t.Findings...)
		more += t.More
		r.Missing = append(r.Missing, t.Missing...)
	}
	all = sortFindings(all)
	for _, f := range all {
		r.Counts[f.Level]++
	}
	for _, p := range pages {
		r.Words += p.Words
	}
	slices.Sort(r.Missing)
	r.Missing = slices.Compact(r.Missing)
	w := &writer{}
	w.head(in, r, more)
	w.findings("Wrong: readers run into these", wrong, all, shownWrong)
	w.findings("Doubtful: probably not meant", doubtful, all, shownOther)
	w.findings("Notes: for you to weigh", note, all, shownOther)
	w.documents(pages, all)
	if err := w.about(job); err != nil {
		return nil, err
	}
	r.Text = w.String()
	return r, nil
}

type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

func (w *writer) head(in reportArgs, r report, more int) {
	w.line("# Audit of the documents in %s\n", in.Folder)
	w.line("%s, %d words: %d wrong, %d doubtful, %d notes.", count(r.Documents, "document"), r.Words, r.Counts[wrong], r.Counts[doubtful], r.Counts[note])
	if more > 0 {
		w.line("%s more of documents with very many were not kept.", count(more, "finding"))
	}
	if in.Left > 0 {
		w.line("Only the first %d documents were read; %d more were left out, and links from those are not known here.", r.Documents, in.Left)
	}
	for _, f := range in.Skipped {
		w.line("%s is over %d KiB and was left out.", f, maxFileBytes>>10)
	}
	if len(r.Missing) > 0 {
		w.line("These checks gave no answer: %s.", strings.Join(r.Missing, ", "))
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (w *writer) findings(title, level string, all []finding, shown int) {
	all = slices.DeleteFunc(slices.Clone(all), func(f finding) bool { return f.Level != level })
	if len(all) == 0 {
		return
	}
	w.line("\n## %s\n", title)
	for _, f := range all[:min(shown, len(all))] {
		w.line("- %s", f)
	}
	if left := all[min(shown, len(all)):]; len(left) > 0 {
		files := map[string]bool{}
		for _, f := range left {
			files[f.File] = true
		}
		w.line("- and %d more in %s", len(left), count(len(files), "document"))
	}
}

func (w *writer) documents(pages []page, all []finding) {
	if len(pages) == 0 {
		return
	}
	w.line("\n## Documents\n")
	w.line("| document | words | reading ease | wrong | doubtful | notes |")
	w.line("|---|---:|---:|---:|---:|---:|")
	for _, p := range pages {
		n := map[string]int{}
		for _, f := range all {
			if f.File == p.File {
				n[f.Level]++
			}
		}
		ease := "-"
		if p.Ease != 0 {
			ease = fmt.Sprintf("%.0f", p.Ease)
		}
		w.line("| %s | %d | %s | %d | %d | %d |", p.File, p.Words, ease, n[wrong], n[doubtful], n[note])
	}
	w.line("\nReading ease after Flesch, for English: 60 is a newspaper, under 30 is for specialists; - is too short to judge.")
}

// about tells what the documents are about: keywords and definitions.
func (w *writer) about(job agent.Job) error {
	if len(job.Dependencies["topic-vocabulary"].Data) > 0 {
		var o overview
		if err := job.Dependency("topic-vocabulary", &o); err != nil {
			return err
		}
		var words []string
		for _, k := range o.Words {
			words = append(words, fmt.Sprintf("%s (%d)", k.Word, k.Count))
		}
		if len(words) > 0 {
			w.line("\n## What they are about\n\n%s", strings.Join(words, ", "))
		}
	}
	if len(job.Dependencies["topic-glossary"].Data) > 0 {
		var g glossary
		if err := job.Dependency("topic-glossary", &g); err != nil {
			return err
		}
		if len(g.Definitions) > 0 {
			w.line("\n## What they define\n")
			for _, d := range g.Definitions[:min(8, len(g.Definitions))] {
				w.line("- %s (%s:%d): %s", d.Term, d.File, d.Line, short(d.Text, 100))
			}
			if n := len(g.Definitions) - 8; n > 0 {
				w.line("- and %d more", n)
			}
		}
	}
	return nil
}
