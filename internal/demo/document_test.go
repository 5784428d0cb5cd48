package demo

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSlugsAreThoseOfGitHub(t *testing.T) {
	s := slugs{}
	for _, c := range []struct{ heading, want string }{
		{"Hello World", "hello-world"},
		{"Hello World", "hello-world-1"},
		{"hello world", "hello-world-2"},
		{"hello-world-1", "hello-world-1-1"},
		{"Hello World", "hello-world-3"},
		{"What's new? (v1.2)", "whats-new-v12"},
		{"a  b", "a--b"},
		{"C++ & C#", "c--c"},
		{"snake_case", "snake_case"},
		{"Ünïcode Straße", "ünïcode-straße"},
		{"日本語 見出し", "日本語-見出し"},
		{"½ ² 3", "--3"},
		{" trimmed ", "trimmed"},
		{"1. First", "1-first"},
		{"!!!", ""},
		{"???", "-1"},
	} {
		if got := s.add(c.heading); got != c.want {
			t.Errorf("%q: got %q, want %q", c.heading, got, c.want)
		}
	}
}

func TestDocumentKnowsWhereThingsStand(t *testing.T) {
	d := readDocument("a.md", []byte("\ufeff---\ntitle: x\n---\n\n# One `two` [three](x.md)\n\nText with [a\nlink](y.md#z) and\n![pic](p.png \"t\").\n\n"+
		"Set\n===\n\n- item [in](list.md)\n\n> quote <b id=\"q\">b</b> <https://e.example>\n\n| a | b |\n|---|---|\n| [cell](t.md) | x |\n\n"+
		"<a\n  name=\"n\" href=\"h.md\">\n\n[r]: ref.md\n\n[text][r] and me@x.example\n\n    [no](code.md)\n\n`[no](code.md)`\n"))
	var got []string
	for _, h := range d.headings {
		got = append(got, fmt.Sprintf("%d %s %s %d", h.Level, h.Text, h.Anchor, h.Line))
	}
	if want := "1 One two three one-two-three 5|1 Set set 11"; strings.Join(got, "|") != want {
		t.Errorf("headings: %q", got)
	}
	got = nil
	for _, k := range d.links {
		got = append(got, fmt.Sprintf("%s:%d", k.dest, k.line))
	}
	if want := "x.md:5 y.md#z:7 p.png:9 list.md:14 https://e.example:16 t.md:20 ref.md:27 mailto:me@x.example:27"; strings.Join(got, " ") != want {
		t.Errorf("links: %s", got)
	}
	for _, a := range []string{"one-two-three", "set", "q"} {
		if !d.anchors[a] {
			t.Errorf("no anchor %s among %v", a, d.anchors)
		}
	}
	if d.lines != 31 {
		t.Errorf("%d lines", d.lines)
	}
}

func TestFencesThatAreNotClosed(t *testing.T) {
	for name, c := range map[string]struct {
		src    string
		closed []bool
	}{
		"closed":              {"```go\nx\n```\n", []bool{true}},
		"empty":               {"```\n```\n", []bool{true}},
		"open":                {"```go\nx\n", []bool{false}},
		"open and empty":      {"```", []bool{false}},
		"at the end of file":  {"```\nx\n```", []bool{true}},
		"a longer fence":      {"````\n```\n````\n", []bool{true}},
		"a shorter end":       {"````\nx\n```\n", []bool{false}},
		"another mark":        {"~~~\nx\n```\n", []bool{false}},
		"in a list":           {"- a\n  ```\n  x\n  ```\n- b\n  ~~~\n  y\n\nend\n", []bool{true, false}},
		"in a quote":          {"> ```\n> x\n> ```\n\n> ```\n> y\n\nend\n", []bool{true, false}},
		"windows lines":       {"```\r\nx\r\n```\r\n", []bool{true}},
		"a blank line before": {"```\nx\n\n```\n", []bool{true}},
		"an end with info":    {"```\nx\n``` go\n", []bool{false}},
	} {
		d := readDocument("a.md", []byte(c.src))
		var got []bool
		for _, f := range d.fences {
			got = append(got, f.closed)
		}
		if !slices.Equal(got, c.closed) {
			t.Errorf("%s: got %v, want %v", name, got, c.closed)
		}
	}
}

func TestSentences(t *testing.T) {
	d := readDocument("a.md", []byte("It is v. 1.2, e.g. this one. Then (so it is!) another? Yes\nand `code.` more. Dr. Who\ncame. the lower goes on.\n\nplain"))
	var got []string
	for i := range d.passages {
		for _, s := range d.passages[i].sentences() {
			got = append(got, fmt.Sprintf("%d %s", s.line, strings.ReplaceAll(s.text, codeWord, "#")))
		}
	}
	want := []string{"1 It is v. 1.2, e.g. this one.", "1 Then (so it is!) another?", "1 Yes and # more.", "2 Dr. Who came. the lower goes on.", "5 plain"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestPlainTextIsPassages(t *testing.T) {
	d := readDocument("a.txt", []byte("# no heading\nline two\n\n  third [no](x.md)\n"))
	if len(d.headings) != 0 || len(d.links) != 0 || len(d.passages) != 2 || d.passages[1].line(0) != 4 || d.passages[0].text != "# no heading line two" {
		t.Errorf("%+v", d)
	}
}

func TestLinksAreResolvedAsABrowserWould(t *testing.T) {
	for dest, want := range map[string]target{
		"b.md":                  {path: "docs/b.md", relative: true},
		"../b.md#x":             {path: "b.md", fragment: "x", relative: true},
		"/b.md":                 {path: "b.md", relative: true},
		"#x%20y":                {path: "docs/a.md", fragment: "x y", relative: true},
		"with%20space.md?raw=1": {path: "docs/with space.md", relative: true},
		"./":                    {path: "docs", relative: true},
		"../../out.md":          {path: "../out.md", relative: true},
		"https://x.example/a":   {},
		"//x.example/a":         {},
		"mailto:me@x.example":   {},
	} {
		if got := resolve("docs/a.md", dest); got != want {
			t.Errorf("%s: got %+v, want %+v", dest, got, want)
		}
	}
	if got := resolve("a.md", "%zz"); got.bad == "" || !got.relative {
		t.Errorf("%+v", got)
	}
}

func TestDuplicatesAcrossDocuments(t *testing.T) {
	a := readDocument("a.md", []byte("The server takes a graph of tasks and runs every one of them as soon as its last dependency is done. Short one.\n"))
	b := readDocument("b.md", []byte("Note well.\n\nThe server takes a graph of tasks and runs every one of them as soon as its last dependency has ended.\n\nAn entirely different sentence of more than twelve words stands here for the sake of comparison alone.\n"))
	v := findDuplicates([]*document{a, b})
	if len(v.Findings) != 1 || !strings.HasPrefix(v.Findings[0].String(), "b.md:3: nearly the same sentence as a.md:1") {
		t.Errorf("%v", v.Findings)
	}
	if v := findDuplicates([]*document{a}); len(v.Findings) != 0 {
		t.Errorf("%v", v.Findings)
	}
}

func TestCodeTellsSentencesApart(t *testing.T) {
	text := "The option %s of the exporter is removed from this package, so use the new creation methods of that package.\n\n"
	v := findDuplicates([]*document{readDocument("a.md", fmt.Appendf(nil, text+text+text, "`A`", "`B`", "`A`"))})
	if len(v.Findings) != 1 || !strings.HasPrefix(v.Findings[0].String(), "a.md:5: the same text as a.md:1") {
		t.Errorf("%v", v.Findings)
	}
}

func TestReadability(t *testing.T) {
	easy := readDocument("a.md", []byte(strings.Repeat("The cat sat on the mat. ", 20)))
	hard := readDocument("b.md", []byte(strings.Repeat("Organisational considerations necessitate comprehensive interdepartmental communication infrastructures. ", 20)))
	if r := checkReadability(easy, 0, 0); r.Ease < 100 || len(r.Findings) != 0 || r.Words != 120 || r.Sentences != 20 {
		t.Errorf("%+v", r)
	}
	if r := checkReadability(hard, 0, 0); r.Ease > 0 || len(r.Findings) != 1 {
		t.Errorf("%+v", r)
	}
	if r := checkReadability(easy, 1, 0); r.Words != 0 {
		t.Errorf("an empty part has words: %+v", r)
	}
}

func TestSpellingsAreRivalsOnlyWhenTheyMatter(t *testing.T) {
	of := func(text string) []finding {
		return joinTerms([]terms{termsOf(readDocument("a.md", []byte(text)))}).Findings
	}
	for text, n := range map[string]int{
		"JSON JSON JSON and json":                        1,
		"always always always ALWAYS":                    0,
		"word word word Word":                            0,
		"run-time run-time run-time and runtime":         1,
		"GitHub Github":                                  0, // too few to know the rule
		"GitHub GitHub GitHub Github Github":             0, // no clear rule
		"JSON JSON JSON at x/json and json.org":          0,
		"`json` JSON JSON JSON":                          0,
		"in-process in-process in-process, In-process":   0,
		"README README README, and the readme of others": 1,
	} {
		if got := of(text); len(got) != n {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestTheLibrarian(t *testing.T) {
	l, err := openLibrary(folder(t, defective), true, 10)
	if err != nil {
		t.Fatal(err)
	}
	b := librarian{l}
	if s := b.look("Gear"); s.Confidence != fromDefinition || s.Source != "README.md:3" {
		t.Errorf("%+v", s)
	}
	if s := b.look("maintainer"); s.Confidence != fromMention {
		t.Errorf("%+v", s)
	}
	if s := b.look("quasar"); s.Text != "" {
		t.Errorf("%+v", s)
	}
}

func FuzzDocument(f *testing.F) {
	f.Add("# a\n\n[x](y) ![i](j)\n\n```json\n{}\n")
	f.Add("> ```\n> x\n\n- a\n  ~~~\n<a name=x>\n")
	f.Add("---\nx\n---\ntext. More? `c` e.g. x\n\n|a|\n|-|\n|b|\n")
	f.Add("[^1]\n\n[^1]: note\n\n[a]: <b> 'c'\n[a]")
	f.Fuzz(func(t *testing.T, src string) {
		for _, name := range []string{"a.md", "a.txt"} {
			d := readDocument(name, []byte(src))
			lines := strings.Count(src, "\n") + 1
			for _, h := range d.headings {
				if h.Line < 1 || h.Line > lines {
					t.Fatalf("heading in line %d of %d", h.Line, lines)
				}
			}
			for _, k := range d.links {
				if k.line < 1 || k.line > lines {
					t.Fatalf("link in line %d of %d", k.line, lines)
				}
			}
			for i := range d.passages {
				for _, s := range d.passages[i].sentences() {
					if s.line < 1 || s.line > lines {
						t.Fatalf("sentence in line %d of %d", s.line, lines)
					}
				}
			}
			_, _, _, _ = checkFences(d), checkBlocks(d), checkTyping(d), termsOf(d)
			_, _, _ = keywordsOf(d, "x"), definitionsOf(d), findDuplicates([]*document{d, d})
		}
	})
}
