package myriad

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"strconv"
	"strings"
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
	parts := strings.Split(s, "-")
	if len(parts) != 4 || parts[0] != "00" || len(parts[1]) != 32 || len(parts[2]) != 16 || len(parts[3]) != 2 || strings.ToLower(s) != s {
		return tp, false
	}
	var flags [1]byte
	for _, f := range []struct {
		into []byte
		from string
	}{{tp.TraceID[:], parts[1]}, {tp.SpanID[:], parts[2]}, {flags[:], parts[3]}} {
		if _, err := hex.Decode(f.into, []byte(f.from)); err != nil {
			return TraceParent{}, false
		}
	}
	tp.Flags = flags[0]
	return tp, tp.TraceID != [16]byte{} && tp.SpanID != [8]byte{}
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
		if raw, err := hex.DecodeString(strings.ReplaceAll(runID, "-", "")); err == nil && len(raw) == 16 {
			copy(tp.TraceID[:], raw)
		} else {
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

func spanID(runID, taskKey string, attempt int) (id [8]byte) {
	h := fnv.New64a()
	h.Write([]byte(runID))
	h.Write([]byte{0})
	h.Write([]byte(taskKey))
	h.Write([]byte{0})
	h.Write(strconv.AppendInt(nil, int64(attempt), 10))
	binary.BigEndian.PutUint64(id[:], h.Sum64()|1) // never zero
	return id
}
