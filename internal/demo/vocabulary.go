package demo

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// counted is a word and how often it stands.
type counted struct {
	Word  string `json:"word"`
	Count int    `json:"count"`
}

// keywords are the words that a document is about.
type keywords struct {
	File  string    `json:"file"`
	Words []counted `json:"words"`
}

const (
	keywordsPerFile = 25
	keywordsInAll   = 12
)

// dull are words that say nothing about a document's subject.
var dull = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`a about above after again all also always an and another any anything are around as at away back be because been before
		begin behind being below best better between both but by came can cannot come comes could did different do does doing done down each either else
		end enough even ever every everything example few first following for found from full get gets give given gives go goes going good got had has have
		having he held her here him his holds how however i if in inside instead into is it its itself just keep kept know known last later least left less let
		like likely long look made make makes making many may me mean means might more most much must my name named near need needed needs neither never new
		next no nobody none nor not nothing now of off often old on once one only onto or order other others otherwise our out outside over own part per
		perhaps please put quite rather read really right said same say says see seen set several shall she should show shown shows side since small so
		some something sometimes soon still such sure take taken takes tell than that the their them then there therefore these they thing things this those
		though three through time times to together told too took towards try two under until up upon us use used useful uses using usually very via want
		was way ways we well were what when where whether which while who whole whom whose why will with within without word words work works would yes
		yet you your don't doesn't isn't can't won't it's that's`) {
		m[w] = true
	}
	return m
}()

// keywordArgs name the document, and its title as the outline has it.
type keywordArgs struct {
	File  string `json:"file"`
	Title string `json:"title"`
}

// keywordsOf counts the words of the text that say something; those of the title count once more.
func keywordsOf(d *document, title string) keywords {
	counts := map[string]int{}
	count := func(text string) {
		for _, w := range words(text) {
			w = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(w), "'s"), "’s")
			if len([]rune(w)) > 2 && !dull[w] && strings.IndexFunc(w, unicode.IsLetter) == 0 {
				counts[w]++
			}
		}
	}
	count(title)
	for i := range d.passages {
		count(d.passages[i].text)
	}
	return keywords{File: d.file, Words: mostCounted(counts, keywordsPerFile)}
}

func mostCounted(counts map[string]int, n int) []counted {
	out := []counted{}
	for _, w := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, counted{w, counts[w]})
	}
	slices.SortStableFunc(out, func(a, b counted) int { return cmp.Compare(b.Count, a.Count) })
	return out[:min(n, len(out))]
}

// overview puts the keywords of all documents together.
type overview struct {
	verdict
	Words []counted           `json:"words"`
	In    map[string][]string `json:"in"` // the documents of each, at most five
}

func joinKeywords(all []keywords) overview {
	counts, in := map[string]int{}, map[string][]string{}
	for _, k := range all {
		for _, w := range k.Words {
			counts[w.Word] += w.Count
			if len(in[w.Word]) < 5 {
				in[w.Word] = append(in[w.Word], k.File)
			}
		}
	}
	o := overview{verdict: newVerdict(""), Words: mostCounted(counts, keywordsInAll), In: map[string][]string{}}
	for _, w := range o.Words {
		slices.Sort(in[w.Word])
		o.In[w.Word] = in[w.Word]
	}
	return o
}

// terms are the spellings of words in one document, by the word without case and hyphens; only words that could be spelt otherwise.
type terms struct {
	File  string                      `json:"file"`
	Terms map[string]map[string]usage `json:"terms"`
}

type usage struct {
	Count int    `json:"count"`
	Line  int    `json:"line"` // of the first
	As    string `json:"as"`   // as the first was written
}

func termsOf(d *document) terms {
	all := map[string]map[string]usage{}
	for i := range d.passages {
		p := &d.passages[i]
		for at, w := range wordsAt(p.text) {
			w = strings.TrimRight(w, "-'")
			if inName(p.text, at, at+len(w)) || len(w) < 4 || strings.IndexFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && r != '-' }) >= 0 {
				continue
			}
			spelt := spelling(w)
			key := strings.ReplaceAll(strings.ToLower(spelt), "-", "")
			if all[key] == nil {
				all[key] = map[string]usage{}
			}
			u := all[key][spelt]
			if u.Count++; u.Count == 1 {
				u.Line, u.As = p.line(at), w
			}
			all[key][spelt] = u
		}
	}
	return terms{File: d.file, Terms: all}
}

// inName says whether s[from:to] is a part of a path, an address or a name of code, which are spelt as they must be.
func inName(s string, from, to int) bool {
	if from > 0 && strings.ContainsRune("/.@:_#=\\", rune(s[from-1])) {
		return true
	}
	return to < len(s) && (strings.ContainsRune("/@_=\\", rune(s[to])) || s[to] == '.' && to+1 < len(s) && unicode.IsLetter(rune(s[to+1])))
}

// spelling is w as it counts: a capital at the beginning alone is a matter of the sentence.
func spelling(w string) string {
	rest := w[len(string(firstRune(w))):]
	if rest == strings.ToLower(rest) {
		return strings.ToLower(w)
	}
	return w
}

const (
	usualAtLeast = 3 // a spelling is the usual one from so many uses on
	usualTimes   = 3 // and when it is so much more frequent than another
)

// joinTerms finds words that are spelt one way as a rule and another way now and then: GitHub and Github, run-time and runtime.
func joinTerms(all []terms) verdict {
	counts := map[string]map[string]int{}
	for _, t := range all {
		for key, spelt := range t.Terms {
			if counts[key] == nil {
				counts[key] = map[string]int{}
			}
			for s, u := range spelt {
				counts[key][s] += u.Count
			}
		}
	}
	v := newVerdict("")
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		most := mostCounted(counts[key], len(counts[key]))
		if len(most) < 2 || most[0].Count < usualAtLeast {
			continue
		}
		usual := most[0]
		for _, other := range most[1:] {
			if usual.Count < usualTimes*other.Count || !rivals(usual.Word, other.Word) {
				continue
			}
			for _, t := range all {
				if u, ok := t.Terms[key][other.Word]; ok {
					v.put(finding{File: t.File, Line: u.Line, Level: note, Text: strconv.Quote(u.As) + " is spelt " + strconv.Quote(usual.Word) + " as a rule"})
				}
			}
		}
	}
	return v
}

// rivals says whether two spellings are rivals: they differ in hyphens, or the usual one has capitals of its own. WORDS in capitals
// for emphasis are not.
func rivals(usual, other string) bool {
	if strings.Contains(usual, "-") != strings.Contains(other, "-") {
		return strings.EqualFold(strings.ReplaceAll(usual, "-", ""), strings.ReplaceAll(other, "-", ""))
	}
	return usual != strings.ToLower(usual) && strings.EqualFold(usual, other)
}

// definition is a sentence that says what something is.
type definition struct {
	Term string `json:"term"`
	Text string `json:"text"`
	File string `json:"file"`
	Line int    `json:"line"`
}

type glossary struct {
	verdict
	Definitions []definition `json:"definitions"`
}

const maxDefinitions = 100

// definitionsOf finds sentences like "A breaker is ..." with a short subject.
func definitionsOf(d *document) glossary {
	g := glossary{verdict: newVerdict(d.file), Definitions: []definition{}}
	for i := range d.passages {
		for _, s := range d.passages[i].sentences() {
			if term, ok := defines(s); ok && len(g.Definitions) < maxDefinitions {
				g.Definitions = append(g.Definitions, definition{Term: term, Text: short(s.text, 300), File: d.file, Line: s.line})
			}
		}
	}
	return g
}

var notSubjects = map[string]bool{"this": true, "that": true, "it": true, "there": true, "what": true, "which": true, "who": true, "here": true, "they": true, "these": true, "those": true, "if": true, "when": true, "where": true}

// defines reads "(A|An|The) one to three words (is|are) (a|an|the) ...".
func defines(s sentence) (term string, ok bool) {
	ws := s.words
	if len(ws) > 0 && slices.Contains([]string{"a", "an", "the"}, strings.ToLower(ws[0])) {
		ws = ws[1:]
	}
	for n := 1; n <= 3 && n+2 < len(ws); n++ {
		verb, article := strings.ToLower(ws[n]), strings.ToLower(ws[n+1])
		if (verb != "is" && verb != "are" && verb != "means") || (article != "a" && article != "an" && article != "the") {
			continue
		}
		term = strings.ToLower(strings.Join(ws[:n], " "))
		first, last := strings.ToLower(ws[0]), strings.ToLower(ws[n-1])
		return term, !notSubjects[first] && !dull[first] && !dull[last] && strings.Contains(strings.ToLower(s.text), term)
	}
	return "", false
}

// joinGlossary gathers the definitions of all documents, and names terms that are defined in several.
func joinGlossary(all []glossary) glossary {
	g := glossary{verdict: newVerdict(""), Definitions: []definition{}}
	for _, one := range all {
		g.Definitions = append(g.Definitions, one.Definitions...)
	}
	slices.SortStableFunc(g.Definitions, func(a, b definition) int {
		return cmp.Or(strings.Compare(a.Term, b.Term), strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return g
}
