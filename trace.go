package myriad

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"strconv"
)

// TraceParent is a W3C trace context: which trace, and which span of it. Span ids are derived, not drawn, so that whoever tells of a span
// and whoever sends its id to an agent agree without passing it along.
type TraceParent struct {
	TraceID [16]byte
	SpanID  [8]byte
	Flags   byte
}

// ParseTraceParent reads a traceparent header of version 00; ok is false for anything else, and for zero ids.
func ParseTraceParent(s string) (tp TraceParent, ok bool) {
	const form = "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-ff"
	if len(s) != len(form) || s[:3] != form[:3] || s[35] != '-' || s[52] != '-' {
		return tp, false
	}
	var flags [1]byte
	if !unhex(tp.TraceID[:], s[3:35]) || !unhex(tp.SpanID[:], s[36:52]) || !unhex(flags[:], s[53:]) {
		return TraceParent{}, false
	}
	tp.Flags = flags[0]
	return tp, tp.TraceID != [16]byte{} && tp.SpanID != [8]byte{}
}

// unhexUUID reads the sixteen bytes of a UUID in its usual form.
func unhexUUID(into []byte, s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' && unhex(into[:4], s[:8]) && unhex(into[4:6], s[9:13]) &&
		unhex(into[6:8], s[14:18]) && unhex(into[8:10], s[19:23]) && unhex(into[10:], s[24:])
}

// unhex fills into from as many lower-case hexadecimal digits as it takes; false when s holds anything else.
func unhex(into []byte, s string) bool {
	if len(s) != 2*len(into) {
		return false
	}
	for i := range into {
		high, low := digit(s[2*i]), digit(s[2*i+1])
		if high < 0 || low < 0 {
			return false
		}
		into[i] = byte(high<<4 | low)
	}
	return true
}

func digit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// String is the header's form.
func (tp TraceParent) String() string {
	b := make([]byte, 0, 55)
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, tp.TraceID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, tp.SpanID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, []byte{tp.Flags})
	return string(b)
}

// RunSpan is the span of a run: in the trace of the client's traceparent when that is one, else in a trace whose id is the run's own.
func RunSpan(runID, client string) TraceParent {
	tp, ok := ParseTraceParent(client)
	if !ok {
		if !unhexUUID(tp.TraceID[:], runID) {
			sum := fnv.New128a()
			sum.Write([]byte(runID))
			sum.Sum(tp.TraceID[:0])
		}
		tp.Flags = 1
	}
	tp.SpanID = spanID(runID, "", 0)
	return tp
}

// TaskSpan is the span of one task of the run.
func (tp TraceParent) TaskSpan(runID, taskKey string) TraceParent {
	tp.SpanID = spanID(runID, taskKey, 0)
	return tp
}

// AttemptSpan is the span of the task's n-th attempt, counted from 1.
func (tp TraceParent) AttemptSpan(runID, taskKey string, n int) TraceParent {
	tp.SpanID = spanID(runID, taskKey, n)
	return tp
}

// spanID is the FNV-1a hash of what it names, which is taken by hand because it is needed several times for every task.
func spanID(runID, taskKey string, attempt int) (id [8]byte) {
	const offset, prime = 14695981039346656037, 1099511628211
	sum := uint64(offset)
	for i := range len(runID) {
		sum = (sum ^ uint64(runID[i])) * prime
	}
	sum *= prime // a zero byte
	for i := range len(taskKey) {
		sum = (sum ^ uint64(taskKey[i])) * prime
	}
	sum *= prime
	var digits [20]byte
	for _, c := range strconv.AppendInt(digits[:0], int64(attempt), 10) {
		sum = (sum ^ uint64(c)) * prime
	}
	binary.BigEndian.PutUint64(id[:], sum|1) // never zero
	return id
}
