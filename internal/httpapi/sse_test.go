package httpapi

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
)

// sseEvent is one event as an EventSource would see it.
type sseEvent struct{ id, kind, data string }

// eventReader reads a text/event-stream, and counts its comments.
type eventReader struct {
	lines    *bufio.Reader
	comments int
}

func newEventReader(r io.Reader) *eventReader { return &eventReader{lines: bufio.NewReader(r)} }

// read gives the next event, or the error that ended the stream.
func (r *eventReader) read() (e sseEvent, err error) {
	var data []string
	for {
		line, err := r.lines.ReadString('\n')
		if err != nil {
			return e, err
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" && data != nil:
			e.data = strings.Join(data, "\n")
			return e, nil
		case field == "":
			r.comments++
		case field == "id":
			e.id = value
		case field == "event":
			e.kind = value
		case field == "data":
			data = append(data, value)
		}
	}
}

// next is read for streams that must go on.
func (r *eventReader) next(t *testing.T) sseEvent {
	t.Helper()
	e, err := r.read()
	if err != nil {
		t.Fatalf("the stream ended: %v", err)
	}
	return e
}

// end wants no further event.
func (r *eventReader) end(t *testing.T) {
	t.Helper()
	if e, err := r.read(); !errors.Is(err, io.EOF) {
		t.Fatalf("after the end came %+v, %v", e, err)
	}
}
