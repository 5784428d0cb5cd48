package client

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/myriad-mind/myriad"
)

type told struct{ id, kind, data string }

func readAll(r io.Reader, limit int) (events []told, retry int64, err error) {
	s := newSSEReader(r, limit)
	for {
		ev, err := s.next()
		if err != nil {
			return events, s.retry, err
		}
		events = append(events, told{ev.id, ev.kind, string(ev.data)})
	}
}

func TestSSE(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []told
	}{
		{"plain", "id: 1\nevent: a\ndata: x\n\n", []told{{"1", "a", "x"}}},
		{"no space after the colon", "id:1\nevent:a\ndata:x\n\n", []told{{"1", "a", "x"}}},
		{"two spaces keep one", "data:  x\n\n", []told{{"", "", " x"}}},
		{"carriage returns", "data: x\rdata: y\r\rdata: z\r\n\r\n", []told{{"", "", "x\ny"}, {"", "", "z"}}},
		{"lines of data", "data: a\ndata\ndata: b\n\n", []told{{"", "", "a\n\nb"}}},
		{"empty data is an event", "data\n\n", []told{{"", "", ""}}},
		{"comments", ": hi\n:\n\ndata: x\n\n", []told{{"", "", "x"}}},
		{"an event without data is none", "event: a\nid: 4\n\ndata: x\n\n", []told{{"4", "", "x"}}},
		{"the id stays", "id: 1\ndata: x\n\ndata: y\n\nid\ndata: z\n\n", []told{{"1", "", "x"}, {"1", "", "y"}, {"", "", "z"}}},
		{"an id with NUL is ignored", "id: 1\ndata: x\n\nid: 2\x00\ndata: y\n\n", []told{{"1", "", "x"}, {"1", "", "y"}}},
		{"byte order mark", "\ufeffdata: x\n\n\ufeffdata: y\n\n", []told{{"", "", "x"}}},
		{"cut short", "data: x\n\ndata: y\n", []told{{"", "", "x"}}},
		{"unknown fields", "foo: 1\nretry: 1x\ndata: x\n\n", []told{{"", "", "x"}}},
		{"nothing", "", nil},
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(c.in), "by bytes": iotest.OneByteReader(strings.NewReader(c.in))} {
			got, _, err := readAll(r, 1000)
			if err != io.EOF || len(got) != len(c.want) {
				t.Errorf("%s, %s: %q %v", c.name, name, got, err)
				continue
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%s, %s: event %d is %q, want %q", c.name, name, i, got[i], c.want[i])
				}
			}
		}
	}
	if _, retry, _ := readAll(strings.NewReader("retry: 250\n"), 100); retry != 250 {
		t.Errorf("retry %d", retry)
	}
}

func TestSSEIsBounded(t *testing.T) {
	for name, in := range map[string]string{
		"a line":   "data: " + strings.Repeat("x", 200),
		"an event": strings.Repeat("data: 0123456789\n", 20) + "\n",
		"comments": ":" + strings.Repeat("x", 200) + "\n",
	} {
		if _, _, err := readAll(strings.NewReader(in), 100); myriad.ErrorCode(err) != myriad.CodeTooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, _, err := readAll(strings.NewReader(strings.Repeat("data: 0123456789\n\n", 20)), 100); err != io.EOF || len(got) != 20 {
		t.Errorf("many small events: %d %v", len(got), err)
	}
}

func TestSSETellsWhyItBroke(t *testing.T) {
	broken := errors.New("broken")
	got, _, err := readAll(io.MultiReader(strings.NewReader("data: x\n\nda"), iotest.ErrReader(broken)), 100)
	if err != broken || len(got) != 1 {
		t.Errorf("%v %v", got, err)
	}
}

func FuzzSSE(f *testing.F) {
	for _, s := range []string{"id: 1\nevent: a\ndata: x\n\n", "data\r\rdata: \r\n\r\n", "\ufeff:\n\nretry: 5\nid: \x00\n\n", "data: x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, retry, err := readAll(strings.NewReader(string(in)), 64)
		bytes, retry2, err2 := readAll(iotest.OneByteReader(strings.NewReader(string(in))), 64)
		if len(whole) != len(bytes) || retry != retry2 || (err == io.EOF) != (err2 == io.EOF) {
			t.Fatalf("%q reads differently in one piece (%q %v) and by bytes (%q %v)", in, whole, err, bytes, err2)
		}
		for i := range whole {
			if whole[i] != bytes[i] || len(whole[i].data) > 64 || strings.ContainsAny(whole[i].kind, "\r\n") {
				t.Fatalf("%q: %q and %q", in, whole[i], bytes[i])
			}
		}
	})
}
