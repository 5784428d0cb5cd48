package demo

import (
	"bytes"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// document is one file, read. Lines count from 1.
type document struct {
	file     string // slashes, relative to the folder
	markdown bool
	lines    int
	headings []heading
	links    []link // images too
	fences   []fence
	passages []passage
	anchors  map[string]bool // headings' and those that HTML names
}

type heading struct {
	Level  int    `json:"level"`
	Text   string `json:"text"`
	Anchor string `json:"anchor"`
	Line   int    `json:"line"`
}

type link struct {
	dest  string
	text  string
	line  int
	image bool
	auto  bool // written as a bare URL
}

type fence struct {
	lang   string
	code   string
	line   int // of the opening fence
	closed bool
}

// passage is a run of prose: a paragraph, a list item's or a table cell's text. Code within it is left out.
type passage struct {
	text   string
	full   string // text with the code in its place, for comparing
	marks  []mark // where in the source the text comes from
	source *lineIndex
	item   bool // not a paragraph of its own
}

// mark says that the text from at on comes from the source at from on.
type mark struct{ at, from int }

// line is where in the file the passage's byte i stands.
func (p *passage) line(i int) int {
	n := sort.Search(len(p.marks), func(k int) bool { return p.marks[k].at > i }) - 1
	if n < 0 {
		return 1
	}
	return p.source.line(p.marks[n].from + i - p.marks[n].at)
}

// lineIndex turns offsets into lines.
type lineIndex struct{ starts []int }

func newLineIndex(src []byte) *lineIndex {
	x := &lineIndex{starts: []int{0}}
	for i, c := range src {
		if c == '\n' {
			x.starts = append(x.starts, i+1)
		}
	}
	return x
}

func (x *lineIndex) line(offset int) int { return sort.SearchInts(x.starts, offset+1) }

var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM))

// frontMatter is what some tools put before the document; it is no prose.
var frontMatter = regexp.MustCompile(`\A---\r?\n(?s:.*?)\n---\r?(\n|\z)`)

// readDocument reads Markdown, or plain text, which is passages only.
func readDocument(file string, src []byte) *document {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	d := &document{file: file, markdown: isMarkdown(file), anchors: map[string]bool{}}
	index := newLineIndex(src)
	if d.lines = len(index.starts); len(src) > 0 && src[len(src)-1] == '\n' {
		d.lines--
	}
	if !d.markdown {
		d.plain(src, index)
		return d
	}
	if at := frontMatter.FindIndex(src); at != nil { // blanked, so that lines stay where they are
		src = slices.Clone(src)
		for i := range src[:at[1]] {
			if src[i] != '\n' {
				src[i] = ' '
			}
		}
	}
	r := &reader{doc: d, src: src, index: index, slugs: slugs{}}
	// The walk never fails: the visitor gives no error.
	_ = ast.Walk(markdown.Parser().Parse(text.NewReader(src)), r.visit)
	for i := range d.headings {
		d.anchors[d.headings[i].Anchor] = true
	}
	return d
}

// plain takes paragraphs apart at empty lines.
func (d *document) plain(src []byte, index *lineIndex) {
	var p *passage
	for i, start := range index.starts {
		end := len(src)
		if i+1 < len(index.starts) {
			end = index.starts[i+1] - 1
		}
		line := bytes.TrimSpace(src[start:end])
		if len(line) == 0 {
			p = nil
			continue
		}
		if p == nil {
			d.passages = append(d.passages, passage{source: index})
			p = &d.passages[len(d.passages)-1]
		}
		p.add(line, start)
	}
}

// add appends text of the source; lines are joined by a space.
func (p *passage) add(part []byte, from int) {
	if p.text != "" && !strings.HasSuffix(p.text, " ") {
		p.text += " "
	}
	p.marks = append(p.marks, mark{len(p.text), from})
	p.text += string(part)
	p.full = p.text
}

// reader collects what the checks need from the tree.
type reader struct {
	doc   *document
	src   []byte
	index *lineIndex
	slugs slugs
}

var (
	htmlAnchor = regexp.MustCompile(`(?i)<[a-z][^>]*?\s(?:id|name)\s*=\s*["']?([^"'\s>]+)`)
	htmlLink   = regexp.MustCompile(`(?i)<(a|img)\s[^>]*?(?:href|src)\s*=\s*["']([^"']+)["']`)
)

func (r *reader) visit(n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	switch n := n.(type) {
	case *ast.Heading:
		text := r.plainText(n)
		r.doc.headings = append(r.doc.headings, heading{Level: n.Level, Text: text, Anchor: r.slugs.add(text), Line: r.index.line(n.Pos())})
	case *ast.Link:
		r.link(string(n.Destination), n, false, false)
	case *ast.Image:
		r.link(string(n.Destination), n, true, false)
	case *ast.AutoLink:
		dest := string(n.URL(r.src))
		if n.AutoLinkType == ast.AutoLinkEmail {
			dest = "mailto:" + strings.TrimPrefix(dest, "mailto:")
		}
		r.link(dest, n, false, true)
	case *ast.FencedCodeBlock:
		r.fence(n)
	case *ast.HTMLBlock:
		for i := range n.Lines().Len() {
			r.html(n.Lines().At(i))
		}
		if n.HasClosure() {
			r.html(n.ClosureLine)
		}
	case *ast.RawHTML:
		for i := range n.Segments.Len() {
			r.html(n.Segments.At(i))
		}
	case *ast.Paragraph, *ast.TextBlock:
		r.passage(n)
	}
	return ast.WalkContinue, nil
}

func (r *reader) link(dest string, n ast.Node, image, auto bool) {
	r.doc.links = append(r.doc.links, link{dest: dest, text: r.plainText(n), line: r.index.line(max(n.Pos(), 0)), image: image, auto: auto})
}

func (r *reader) html(s text.Segment) {
	raw := s.Value(r.src)
	for _, m := range htmlAnchor.FindAllSubmatch(raw, -1) {
		r.doc.anchors[string(m[1])] = true
	}
	for _, m := range htmlLink.FindAllSubmatchIndex(raw, -1) {
		r.doc.links = append(r.doc.links, link{
			dest: string(raw[m[4]:m[5]]), text: "HTML", line: r.index.line(s.Start + m[0]), image: strings.EqualFold(string(raw[m[2]:m[3]]), "img"),
		})
	}
}

// fence keeps a code block and whether the line after it closes it. A block without its closing fence runs on to the end of whatever
// holds it, which swallows the text that follows.
func (r *reader) fence(n *ast.FencedCodeBlock) {
	open := n.Pos()
	f := fence{lang: strings.ToLower(string(n.Language(r.src))), line: r.index.line(open)}
	after := len(r.src)
	if nl := bytes.IndexByte(r.src[open:], '\n'); nl >= 0 {
		after = open + nl + 1
	}
	for i := range n.Lines().Len() {
		s := n.Lines().At(i)
		f.code += string(s.Value(r.src))
		after = max(after, s.Stop)
	}
	mark := r.src[open]
	width := len(r.src[open:]) - len(bytes.TrimLeft(r.src[open:], string(mark)))
	next, _, _ := bytes.Cut(r.src[after:], []byte("\n"))
	next = bytes.TrimSpace(bytes.TrimLeft(next, " \t>"))
	f.closed = len(next) >= width && len(bytes.Trim(next, string(mark))) == 0
	r.doc.fences = append(r.doc.fences, f)
}

func (r *reader) passage(n ast.Node) {
	p := passage{source: r.index, item: n.Kind() == ast.KindTextBlock}
	r.prose(&p, n)
	if p.text = strings.TrimRight(p.text, " "); p.text != "" {
		r.doc.passages = append(r.doc.passages, p)
	}
}

// prose appends the text below n; inline code stands as one word, so that sentences keep their shape.
func (r *reader) prose(p *passage, n ast.Node) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			p.marks = append(p.marks, mark{len(p.text), c.Segment.Start})
			text := string(c.Segment.Value(r.src))
			if c.SoftLineBreak() || c.HardLineBreak() {
				text += " "
			}
			p.text += text
			p.full += text
		case *ast.CodeSpan:
			p.marks = append(p.marks, mark{len(p.text), c.Pos()})
			p.text += codeWord
			p.full += r.plainText(c)
		case *ast.RawHTML, *ast.Image, *ast.AutoLink:
		default:
			r.prose(p, c)
		}
	}
}

// codeWord stands for a piece of inline code.
const codeWord = "\ufffc"

// plainText is the text that a reader sees of n, code included.
func (r *reader) plainText(n ast.Node) string {
	var b strings.Builder
	_ = ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := c.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(r.src))
			if t.SoftLineBreak() {
				b.WriteByte(' ')
			}
		}
		if s, ok := c.(*ast.String); ok && entering {
			b.Write(s.Value)
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}
