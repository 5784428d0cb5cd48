package demo

import (
	"hash/fnv"
	"strconv"
	"strings"
)

const (
	minDuplicate = 12     // words of a passage that is worth comparing
	shingle      = 4      // words that count as one when sentences are compared
	alike        = 0.8    // share of common shingles from which on two sentences are nearly the same
	maxCompared  = 20_000 // sentences in all
)

// seen is a sentence that was met before.
type seen struct {
	file     string
	line     int
	text     string
	shingles map[uint64]bool
}

// findDuplicates finds passages that stand twice, and sentences that are nearly the same, within and across documents.
func findDuplicates(docs []*document) verdict {
	v := newVerdict("")
	c := comparison{v: &v, index: map[uint64][]int{}}
	passages := map[string]finding{}
	for _, d := range docs {
		for i := range d.passages {
			p := &d.passages[i]
			ws := words(p.full)
			if len(ws) < minDuplicate {
				continue
			}
			key := strings.ToLower(strings.Join(ws, " "))
			if first, twice := passages[key]; twice {
				v.put(finding{File: d.file, Line: p.line(0), Level: doubtful, Text: "the same text as " + place(first.File, first.Line) + ": " + strconv.Quote(short(p.text, 60))})
				continue
			}
			passages[key] = finding{File: d.file, Line: p.line(0)}
			for _, s := range p.sentences() {
				c.compare(d.file, s)
			}
		}
	}
	return v
}

func place(file string, line int) string { return file + ":" + strconv.Itoa(line) }

type comparison struct {
	v     *verdict
	seen  []seen
	index map[uint64][]int // shingle to sentences that have it
}

func (c *comparison) compare(file string, s sentence) {
	if len(s.words) < minDuplicate || len(c.seen) >= maxCompared || strings.Contains(s.text, codeWord) {
		return // sentences that differ in their code differ in what they say
	}
	now := seen{file: file, line: s.line, text: s.text, shingles: map[uint64]bool{}}
	common := map[int]int{}
	for i := 0; i+shingle <= len(s.words); i++ {
		h := fnv.New64a()
		for _, w := range s.words[i : i+shingle] {
			_, _ = h.Write([]byte(strings.ToLower(w) + " ")) // never fails
		}
		if key := h.Sum64(); !now.shingles[key] {
			now.shingles[key] = true
			for _, k := range c.index[key] {
				common[k]++
			}
		}
	}
	best, share := -1, alike
	for k, n := range common {
		jaccard := float64(n) / float64(len(now.shingles)+len(c.seen[k].shingles)-n)
		if jaccard > share || jaccard == share && (best < 0 || k < best) {
			best, share = k, jaccard
		}
	}
	if best >= 0 {
		other := c.seen[best]
		c.v.put(finding{File: file, Line: s.line, Level: note, Text: "nearly the same sentence as " + place(other.file, other.line) + ": " + strconv.Quote(short(s.text, 60))})
	}
	for key := range now.shingles {
		if len(c.index[key]) < 50 {
			c.index[key] = append(c.index[key], len(c.seen))
		}
	}
	c.seen = append(c.seen, now)
}
