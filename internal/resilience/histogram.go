package resilience

import (
	"math/bits"
	"time"
)

// histogram estimates quantiles of recent durations in fixed space and constant time: logarithmic buckets, four to each doubling, so
// an estimate is at most 25 % (below 4 us: 1 us) above the true quantile and never below. It forgets by halving all counts once they reach a bound,
// which leaves the last hundreds of durations with most of the say.
type histogram struct {
	total   uint32
	highest uint8 // no bucket above it holds anything
	counts  [histogramBuckets]uint16
}

const (
	histogramUnit    = int64(time.Microsecond)
	histogramBuckets = 128 // from 1 us to over an hour
	histogramBound   = 256 // counts at which they are halved
)

// bucketOf returns the bucket of d: the values of v us below 4 have their own, then each doubling has four.
func bucketOf(d time.Duration) uint8 {
	v := uint64(max(int64(d), 0) / histogramUnit)
	if v < 4 {
		return uint8(v)
	}
	top := bits.Len64(v) - 1 // 2 and up
	quarter := v >> (top - 2) & 3
	return uint8(min(uint64(top-1)*4+quarter, histogramBuckets-1))
}

// bucketEnd returns the shortest duration above the bucket.
func bucketEnd(i uint8) time.Duration {
	n := int64(i) + 1
	if n <= 4 {
		return time.Duration(n * histogramUnit)
	}
	return time.Duration((4 + n%4) << (n/4 - 1) * histogramUnit)
}

func (h *histogram) add(d time.Duration) {
	i := bucketOf(d)
	h.counts[i]++
	h.highest = max(h.highest, i)
	if h.total++; h.total >= histogramBound {
		h.halve()
	}
}

func (h *histogram) halve() {
	h.total = 0
	highest := h.highest
	h.highest = 0
	for i := range highest + 1 {
		h.counts[i] /= 2
		if h.counts[i] > 0 {
			h.total += uint32(h.counts[i])
			h.highest = i
		}
	}
}

// quantile returns a duration that the share q, 0 to 1, of the recent ones do not exceed; 0 when there are none.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	above := uint32(float64(h.total) * (1 - q)) // how many may exceed it
	i := h.highest
	for seen := uint32(h.counts[i]); seen <= above && i > 0; seen += uint32(h.counts[i]) {
		i--
	}
	return bucketEnd(i)
}
