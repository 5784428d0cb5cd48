package httpapi

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/myriad-mind/myriad"
)

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// inUTF16 is text in UTF-16, big end first.
func inUTF16(text string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return string(b)
}

// A bug: a body in a content coding or in another charset than UTF-8 was read as if it were in none, on native routes.
func TestBodiesInAnotherForm(t *testing.T) {
	w := newWorld(t)
	w.addAgent(lamp())
	for _, tc := range []struct {
		name    string
		headers []string // in pairs, each a line of its own
		want    string   // part of the detail; "" is taken
	}{
		{"gzip", []string{"Content-Encoding", "gzip"}, `"gzip"`},
		{"the second coding", []string{"Content-Encoding", "identity, br"}, `"br"`},
		{"the second line", []string{"Content-Encoding", "identity", "Content-Encoding", "zstd"}, `"zstd"`},
		{"identity", []string{"Content-Encoding", "Identity"}, ""},
		{"no coding", []string{"Content-Encoding", ""}, ""},
		{"utf-16", []string{"Content-Type", "application/json; charset=utf-16"}, `"utf-16"`},
		{"latin", []string{"Content-Type", `application/json;Charset="ISO-8859-1"`}, `"ISO-8859-1"`},
		{"utf-8", []string{"Content-Type", "application/json; charset=utf-8"}, ""},
		{"UTF-8", []string{"Content-Type", `application/json; CHARSET="UTF-8"`}, ""},
		{"ascii", []string{"Content-Type", "application/json; charset=us-ascii"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := w.request("POST", "/v1/discover", `{"concept":"Light Bulb","intent":"define"}`)
			if tc.headers[0] == "Content-Type" {
				req.Header.Del("Content-Type")
			}
			for i := 0; i < len(tc.headers); i += 2 {
				req.Header.Add(tc.headers[i], tc.headers[i+1])
			}
			got := w.send(req)
			if tc.want == "" {
				if got.status != 200 {
					t.Fatalf("got %d %s", got.status, got.body)
				}
				return
			}
			p := got.problem(t, 415, myriad.CodeMediaType)
			if !strings.HasPrefix(p.Detail, tc.headers[0]+": ") || !strings.Contains(p.Detail, tc.want) {
				t.Errorf("header and value are not named: %s", p.Detail)
			}
			if coded := tc.headers[0] == "Content-Encoding"; coded != (got.header.Get("Accept-Encoding") == "identity") {
				t.Errorf("Accept-Encoding: %q", got.header.Get("Accept-Encoding"))
			}
		})
	}
}

// TestCompatibleBodiesInAnotherForm: what the Python system took is taken, whatever its headers say of it; of what cannot be read they are why.
func TestCompatibleBodiesInAnotherForm(t *testing.T) {
	w := compatWorld(t)
	const query = `{"query":"lightbulb"}`
	for _, tc := range []struct {
		name, header, value, body string
		status                    int
	}{
		{"gzip", "Content-Encoding", "gzip", gzipped(t, query), 415},
		{"gzip in name only", "Content-Encoding", "gzip", query, 200},
		{"utf-16", "Content-Type", "application/json; charset=utf-16", inUTF16(query), 415},
		{"utf-16 in name only", "Content-Type", "application/json; charset=utf-16", query, 200},
		{"latin", "Content-Type", "application/vnd.x+json; charset=latin-1", query, 200},
		{"malformed", "Content-Type", "application/json; charset=utf-8", query[1:], 400},
		{"no type", "Content-Type", "", query, 400},
	} {
		for _, path := range []string{"/process", "/process_query"} {
			got := w.do("POST", path, tc.body, tc.header, tc.value)
			if got.status != tc.status || tc.status == 415 && !strings.Contains(got.body, `{"error":"`+tc.header+`: `) {
				t.Errorf("%s at %s: %d %s", tc.name, path, got.status, got.body)
			}
		}
	}
	if got := w.emitted(myriad.KindQuery); len(got) != 14 || strings.Contains(strings.Join(got, " "), "error") {
		t.Errorf("counted as %q", got)
	}
}
