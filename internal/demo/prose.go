package demo

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// sentence is one sentence of a passage.
type sentence struct {
	text  string
	words []string
	line  int
}

// shortened are words whose full stop ends no sentence.
var shortened = map[string]bool{"e.g.": true, "i.e.": true, "etc.": true, "vs.": true, "cf.": true, "no.": true, "approx.": true, "fig.": true, "dr.": true, "mr.": true, "ms.": true, "al.": true}

// sentences takes a passage apart. A sentence ends at . ! ? or … (and what closes after it) before a space, unless the word is a known
// abbreviation, a single letter, or the next word begins in lower case.
func (p *passage) sentences() []sentence {
	var out []sentence
	start := 0
	cut := func(end int) {
		text := strings.TrimSpace(p.text[start:end])
		if ws := words(text); len(ws) > 0 {
			lead := len(p.text[start:end]) - len(strings.TrimLeft(p.text[start:end], " \t"))
			out = append(out, sentence{text: text, words: ws, line: p.line(start + lead)})
		}
		start = end
	}
	for i, r := range p.text {
		if r != ' ' || i == start {
			continue
		}
		before := strings.TrimRight(p.text[start:i], `)]}"'”’»*_`)
		if before == "" || !strings.ContainsRune(".!?…", lastRune(before)) {
			continue
		}
		last := before[strings.LastIndexByte(before, ' ')+1:]
		last = strings.TrimLeft(strings.ToLower(last), `([{"'“‘«`)
		if shortened[last] || utf8.RuneCountInString(last) == 2 && unicode.IsLetter(firstRune(last)) {
			continue
		}
		if next := firstRune(strings.TrimLeft(p.text[i:], ` ([{"'“‘«`)); unicode.IsLower(next) {
			continue
		}
		cut(i)
	}
	cut(len(p.text))
	return out
}

func firstRune(s string) rune { r, _ := utf8.DecodeRuneInString(s); return r }
func lastRune(s string) rune  { r, _ := utf8.DecodeLastRuneInString(s); return r }

// words are runs of letters and digits, with - and ' inside them.
func words(s string) []string {
	var out []string
	for _, f := range strings.FieldsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '\'' && r != '’'
	}) {
		if f = strings.Trim(f, "-'’"); f != "" {
			out = append(out, f)
		}
	}
	return out
}

// syllables counts vowel groups of an English word, a silent e at the end not counted; at least one.
func syllables(word string) int {
	n, vowel := 0, false
	word = strings.ToLower(word)
	for _, r := range word {
		v := strings.ContainsRune("aeiouyäöüáéíóúàèìòùâêîôû", r)
		if v && !vowel {
			n++
		}
		vowel = v
	}
	if n > 1 && strings.HasSuffix(word, "e") && !strings.HasSuffix(word, "le") {
		n--
	}
	return max(n, 1)
}
