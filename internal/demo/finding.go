package demo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// finding is one thing about a document that its maintainer may want to change.
type finding struct {
	File  string `json:"file"`
	Line  int    `json:"line,omitempty"`
	Level string `json:"level"` // wrong, doubtful or note
	Text  string `json:"text"`
}

// The levels of a finding.
const (
	wrong    = "wrong"    // a reader runs into it
	doubtful = "doubtful" // probably not meant
	note     = "note"     // a matter of taste or of weighing
)

func (f finding) String() string {
	if f.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
	}
	return f.File + ": " + f.Text
}

// maxFindings of one check of one file; the rest is counted.
const maxFindings = 100

// verdict is what every check answers, with what is its own beside it.
type verdict struct {
	File     string    `json:"file,omitempty"`
	Findings []finding `json:"findings"`
	More     int       `json:"more,omitempty"` // findings beyond the bound
}

func (v *verdict) add(line int, level, text string, args ...any) {
	v.put(finding{File: v.File, Line: line, Level: level, Text: fmt.Sprintf(text, args...)})
}

func (v *verdict) put(f finding) {
	if v.Findings == nil {
		v.Findings = []finding{}
	}
	if len(v.Findings) >= maxFindings {
		v.More++
		return
	}
	v.Findings = append(v.Findings, f)
}

func newVerdict(file string) verdict { return verdict{File: file, Findings: []finding{}} }

// sortFindings orders by gravity, file and line, and drops what was said twice.
func sortFindings(fs []finding) []finding {
	rank := map[string]int{wrong: 0, doubtful: 1, note: 2}
	slices.SortFunc(fs, func(a, b finding) int {
		return cmp.Or(cmp.Compare(rank[a.Level], rank[b.Level]), strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Text, b.Text))
	})
	return slices.Compact(fs)
}

// short cuts s for a message.
func short(s string, n int) string {
	s = strings.ReplaceAll(strings.Join(strings.Fields(s), " "), codeWord, "...")
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-3]) + "..."
}
