package httpapi

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
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

// TestLastEventIDsAreJudgedAlike: on every stream an id that cannot be the stream's is refused, and an empty one is as none. A bug: -1 was taken for
// the id of an event before a restart.
func TestLastEventIDsAreJudgedAlike(t *testing.T) {
	w := newWorld(t)
	boot := w.api.Hub.boot
	for path, bad := range map[string][]string{
		"/v1/events":                      {"-1", "-", "x", "7", "--7", boot, boot + "-", boot + "-x", boot + "--1", boot + "-+1", boot + "-1-2", "a b-1", "é-1", "18446744073709551616-1", boot + "-18446744073709551616"},
		"/v1/runs/" + runUUID + "/events": {"-1", "-", "x", "1.5", "+1", "0x1", "1-1", boot + "-1", "9223372036854775808"},
	} {
		for _, id := range bad {
			w.refusesID(path, "such as", id)
		}
		w.refusesID(path, "more than once", "1", "1")
		res := w.open("GET", path, "", "Last-Event-ID", "")
		_ = res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("%s after nothing: %d", path, res.StatusCode)
		}
	}
}

// refusesID asks for a stream after ids, each on a line of its own. A stream that opens is not read: it may have no end.
func (w *world) refusesID(path, rule string, ids ...string) {
	w.t.Helper()
	req := w.request("GET", path, "")
	req.Header["Last-Event-Id"] = ids
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 400 {
		w.t.Errorf("%s after %q: %s", path, ids, res.Status)
		return
	}
	body, _ := io.ReadAll(res.Body)
	p := answer{res.StatusCode, res.Header, string(body)}.problem(w.t, 400, myriad.CodeInvalid)
	if !slices.Equal(paths(p), []string{"Last-Event-ID"}) || !strings.Contains(p.Detail, rule) {
		w.t.Errorf("%s after %q: %+v", path, ids, p)
	}
}
