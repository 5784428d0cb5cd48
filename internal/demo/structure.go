package demo

import (
	"path"
	"regexp"
	"strings"
)

// outline is the shape of a document: its headings and, for the checks of its parts, spans of lines that cover it.
type outline struct {
	File     string    `json:"file"`
	Title    string    `json:"title"`
	Lines    int       `json:"lines"`
	Words    int       `json:"words"`
	Headings []heading `json:"headings"`
	Parts    []part    `json:"parts"` // always partsPerFile of them
}

type part struct {
	From int `json:"from"` // first line
	To   int `json:"to"`   // last line; below From when there is none
}

// partsPerFile is into how many parts a document is cut.
const partsPerFile = 3

func outlineOf(d *document) outline {
	o := outline{File: d.file, Lines: d.lines, Headings: d.headings}
	if o.Headings == nil {
		o.Headings = []heading{}
	}
	if len(d.headings) > 0 {
		o.Title = short(d.headings[0].Text, 80)
	}
	for i := range d.passages {
		o.Words += len(words(d.passages[i].text))
	}
	for i := range partsPerFile {
		o.Parts = append(o.Parts, part{From: d.lines*i/partsPerFile + 1, To: d.lines * (i + 1) / partsPerFile})
	}
	return o
}

// headingsArgs carry what the outline found.
type headingsArgs struct {
	File     string    `json:"file"`
	Headings []heading `json:"headings"`
}

// checkHeadings looks for skipped levels, several titles, empty and repeated headings.
func checkHeadings(in headingsArgs) verdict {
	v := newVerdict(in.File)
	level, titles := 0, 0
	under := map[string]int{} // headings of one section, by level and text
	for _, h := range in.Headings {
		text := short(h.Text, 60)
		if strings.TrimSpace(h.Text) == "" {
			v.add(h.Line, wrong, "a heading without text")
		}
		switch {
		case level == 0 && h.Level > 1:
			v.add(h.Line, note, "the document begins with a heading of level %d: %q", h.Level, text)
		case level > 0 && h.Level > level+1:
			v.add(h.Line, doubtful, "heading %q skips from level %d to %d", text, level, h.Level)
		}
		if h.Level == 1 {
			if titles++; titles == 2 {
				v.add(h.Line, note, "a second title (level 1): %q", text)
			}
		}
		if h.Level < level {
			for k := range under {
				if int(k[0]-'0') > h.Level {
					delete(under, k)
				}
			}
		}
		key := string(rune('0'+h.Level)) + strings.ToLower(h.Text)
		if first, twice := under[key]; twice && text != "" {
			v.add(h.Line, doubtful, "heading %q again in the same section (first in line %d)", text, first)
		} else {
			under[key] = h.Line
		}
		level = h.Level
	}
	if len(in.Headings) == 0 && isMarkdown(in.File) {
		v.add(0, note, "no heading at all")
	}
	return v
}

var marker = regexp.MustCompile(`\b(TODO|FIXME|TBD|XXX)\b`)

// checkMarkers finds what was left to do, outside of code.
func checkMarkers(d *document) verdict {
	v := newVerdict(d.file)
	for i := range d.passages {
		p := &d.passages[i]
		for _, at := range marker.FindAllStringIndex(p.text, -1) {
			end := min(len(p.text), at[1]+60)
			v.add(p.line(at[0]), doubtful, "left to do: %s", short(strings.ToValidUTF8(p.text[at[0]:end], ""), 50))
		}
	}
	return v
}

// readmeParts are what a reader looks for in a README, as words of headings, and files that may hold it instead.
var readmeParts = []struct{ about, heading, files string }{
	{"how to install, start or use it", `(?i)\b(install|setup|set up|start|started|usage|use|using|run|build|try|example|examples|minutes|demo)\b`, ""},
	{"the licence", `(?i)\blicen[cs]e\b`, `(?i)^(licen[cs]e|copying|unlicense)(\..*)?$`},
	{"how to contribute", `(?i)\bcontribut`, `(?i)^contributing(\..*)?$`},
}

// checkReadme says what a README at the top lacks.
func checkReadme(outlines []outline, names []string) verdict {
	v := newVerdict("")
	var readme *outline
	for i := range outlines {
		if isReadme(outlines[i].File) && path.Dir(outlines[i].File) == "." {
			readme = &outlines[i]
			break
		}
	}
	if readme == nil {
		v.File = "README.md"
		v.add(0, doubtful, "the folder has no README")
		return v
	}
	v.File = readme.File
	if len(readme.Headings) == 0 || readme.Headings[0].Level != 1 {
		v.add(0, note, "the README has no title at its top")
	}
	if readme.Words < 50 {
		v.add(0, note, "the README is very short (%d words)", readme.Words)
	}
	for _, want := range readmeParts {
		if !hasPart(readme, names, want.heading, want.files) {
			v.add(0, note, "the README has no section on %s", want.about)
		}
	}
	return v
}

func hasPart(readme *outline, names []string, heading, files string) bool {
	re := regexp.MustCompile(heading)
	for _, h := range readme.Headings {
		if re.MatchString(h.Text) {
			return true
		}
	}
	if files == "" {
		return false
	}
	re = regexp.MustCompile(files)
	for _, n := range names {
		if re.MatchString(n) {
			return true
		}
	}
	return false
}
