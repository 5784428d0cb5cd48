package demo

import (
	"math"
	"strings"
	"unicode"
)

const (
	longSentence   = 40 // words
	hardToRead     = 30 // Flesch reading ease below this is for specialists
	veryHardToRead = 15
	minWords       = 80 // a text shorter than this is not judged
)

// readability is the Flesch reading ease of a text: about 100 is plain, 60 a newspaper, 30 academic (R. Flesch, 1948; for English).
type readability struct {
	verdict
	Words     int     `json:"words"`
	Sentences int     `json:"sentences"`
	Ease      float64 `json:"ease"` // 0 where there are too few words to judge
}

// checkReadability judges the lines from..to of a document; from = 0 is all of it.
func checkReadability(d *document, from, to int) readability {
	r := readability{verdict: newVerdict(d.file)}
	syl := 0
	for i := range d.passages {
		if d.passages[i].item && !strings.ContainsAny(d.passages[i].text, ".!?") {
			continue // a list of words is no prose
		}
		for _, s := range d.passages[i].sentences() {
			if from > 0 && (s.line < from || s.line > to) {
				continue
			}
			r.Sentences++
			r.Words += len(s.words)
			for _, w := range s.words {
				syl += syllables(w)
			}
		}
	}
	if r.Words < minWords || r.Sentences == 0 {
		return r
	}
	ease := 206.835 - 1.015*float64(r.Words)/float64(r.Sentences) - 84.6*float64(syl)/float64(r.Words)
	r.Ease = math.Round(10*ease) / 10
	switch {
	case from == 0 && ease < hardToRead:
		r.add(0, note, "hard to read (Flesch %.0f: %.0f words a sentence, %.1f syllables a word)",
			ease, float64(r.Words)/float64(r.Sentences), float64(syl)/float64(r.Words))
	case from > 0 && ease < veryHardToRead:
		r.add(from, note, "lines %d to %d are very hard to read (Flesch %.0f)", from, to, ease)
	}
	return r
}

// checkSentences finds very long ones.
func checkSentences(d *document) verdict {
	v := newVerdict(d.file)
	for i := range d.passages {
		for _, s := range d.passages[i].sentences() {
			if len(s.words) > longSentence {
				v.add(s.line, note, "a sentence of %d words: %q", len(s.words), short(s.text, 60))
			}
		}
	}
	return v
}

// checkTyping finds doubled words and invisible characters.
func checkTyping(d *document) verdict {
	v := newVerdict(d.file)
	for i := range d.passages {
		p := &d.passages[i]
		last, end := "", 0
		for at, w := range wordsAt(p.text) {
			low := strings.ToLower(w)
			if low == last && strings.TrimSpace(p.text[end:at]) == "" && isWord(low) && !mayDouble[low] {
				v.add(p.line(at), doubtful, "doubled word: %q", w+" "+w)
			}
			last, end = low, at+len(w)
		}
		if at := strings.IndexAny(p.text, "\u200b\u2060\u00ad"); at >= 0 {
			v.add(p.line(at), note, "an invisible character")
		}
	}
	return v
}

// mayDouble are words that stand twice in correct English.
var mayDouble = map[string]bool{"that": true, "had": true, "is": true, "bye": true, "so": true, "very": true}

func isWord(s string) bool {
	return len(s) > 1 && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }) < 0
}

// wordsAt gives words with where they begin.
func wordsAt(s string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		start := -1
		for i, r := range s {
			in := unicode.IsLetter(r) || unicode.IsDigit(r) || start >= 0 && (r == '-' || r == '\'')
			switch {
			case in && start < 0:
				start = i
			case !in && start >= 0:
				if !yield(start, s[start:i]) {
					return
				}
				start = -1
			}
		}
		if start >= 0 {
			yield(start, s[start:])
		}
	}
}
