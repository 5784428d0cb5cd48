package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// other is the label value of everything outside a bounded counter's words.
const other = "other"

// bounded is a counter with one label whose values are a closed set, resolved once: a client cannot make series, and counting is a map read.
type bounded map[string]prometheus.Counter

func newBounded(f promauto.Factory, name, help, label string, words ...string) bounded {
	vec := f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	b := make(bounded, len(words)+1)
	for _, w := range append(words, other) {
		b[w] = vec.WithLabelValues(w)
	}
	return b
}

func (b bounded) add(word string, n int64) {
	c, ok := b[word]
	if !ok {
		c = b[other]
	}
	c.Add(float64(n))
}
