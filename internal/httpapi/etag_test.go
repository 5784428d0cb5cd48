package httpapi

import (
	"slices"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

// TestPreconditionsFollowTheRFC: RFC 9110, 5.3 (lines are one list), 8.8.3 (tags), 13.1 (comparison) and 13.2 (order). The agent is at revision 1.
func TestPreconditionsFollowTheRFC(t *testing.T) {
	for _, tc := range []struct {
		name, method string
		there        bool
		status       int
		headers      []string // in pairs, each a line of its own
	}{
		{"both of nothing: If-Match is judged first", "PUT", false, 412, []string{"If-Match", `*`, "If-None-Match", `*`}},
		{"both of something", "PUT", true, 412, []string{"If-Match", `"1"`, "If-None-Match", `*`}},
		{"both, the first fails", "PUT", true, 412, []string{"If-Match", `"2"`, "If-None-Match", `*`}},
		{"empty", "PUT", true, 400, []string{"If-Match", ``}},
		{"empty of nothing", "PUT", false, 400, []string{"If-Match", ``}},
		{"empty list", "PUT", true, 400, []string{"If-Match", ` , ,`}},
		{"an empty line and a tag", "PUT", true, 200, []string{"If-Match", ``, "If-Match", `"1"`}},
		{"empty elements", "PUT", true, 200, []string{"If-Match", `,"7",, "1" ,`}},
		{"the second line", "PUT", true, 200, []string{"If-Match", `"7"`, "If-Match", `"1"`}},
		{"no line", "PUT", true, 412, []string{"If-Match", `"7"`, "If-Match", `"8"`}},
		{"* beside a tag", "PUT", true, 400, []string{"If-Match", `*`, "If-Match", `"1"`}},
		{"weak among others", "PUT", true, 412, []string{"If-Match", `W/"1", "7"`}},
		{"a small w", "PUT", true, 400, []string{"If-Match", `w/"1"`}},
		{"a comma inside a tag", "PUT", true, 200, []string{"If-Match", `"a,b", "1"`}},
		{"a tag that holds ours", "PUT", true, 412, []string{"If-Match", `"x,1"`}},
		{"the same number, another tag", "PUT", true, 412, []string{"If-Match", `"01", "+1"`}},
		{"no comma", "PUT", true, 400, []string{"If-Match", `"1" "2"`}},
		{"a blank inside a tag", "PUT", true, 400, []string{"If-Match", `"1 "`}},
		{"open", "PUT", true, 400, []string{"If-Match", `"1`}},
		{"empty If-None-Match", "PUT", true, 400, []string{"If-None-Match", ``}},
		{"removal, empty", "DELETE", true, 400, []string{"If-Match", ``}},
		{"removal, the second line", "DELETE", true, 204, []string{"If-Match", `"7"`, "If-Match", `"1"`}},
		{"removal, weak", "DELETE", true, 412, []string{"If-Match", `W/"1"`}},
		{"removal, any", "DELETE", true, 204, []string{"If-Match", `*`}},
		{"removal of nothing is that without a condition", "DELETE", false, 404, []string{"If-Match", `"1"`}},
		{"removal, empty If-None-Match", "DELETE", true, 400, []string{"If-None-Match", ``}},
		{"reading, If-Match", "GET", true, 200, []string{"If-Match", `"1"`}},
		{"reading another revision", "GET", true, 412, []string{"If-Match", `"2"`}},
		{"reading, empty", "GET", true, 400, []string{"If-Match", ``}},
		{"reading, If-Match before If-None-Match", "GET", true, 412, []string{"If-None-Match", `"1"`, "If-Match", `"2"`}},
		{"known by a weak tag", "GET", true, 304, []string{"If-None-Match", `W/"1"`}},
		{"known by the second line", "GET", true, 304, []string{"If-None-Match", `"7"`, "If-None-Match", `"1"`}},
		{"known by any", "GET", true, 304, []string{"If-None-Match", `*`}},
		{"unknown", "GET", true, 200, []string{"If-None-Match", `"7"`}},
		{"malformed, but reading does no harm", "GET", true, 200, []string{"If-None-Match", `1`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			if tc.there {
				w.do("POST", "/v1/agents", newAgent)
			}
			body := ""
			if tc.method == "PUT" {
				body = newAgent
			}
			got := w.doLines(tc.method, "/v1/agents/New", body, tc.headers...)
			if got.status != tc.status {
				t.Errorf("got %d, want %d: %s", got.status, tc.status, got.body)
			}
			if tc.status == 400 {
				if p := got.problem(t, 400, myriad.CodeInvalid); !slices.Equal(paths(p), tc.headers[:1]) {
					t.Errorf("the header is not named: %+v", p)
				}
			}
		})
	}
}

// TestAFailedPreconditionNamesTheRevision, so that its client need not ask for it.
func TestAFailedPreconditionNamesTheRevision(t *testing.T) {
	w := newWorld(t)
	w.do("POST", "/v1/agents", newAgent)
	p := w.do("PUT", "/v1/agents/New", newAgent, "If-Match", `"7"`).problem(t, 412, myriad.CodePrecondition)
	if !strings.Contains(p.Detail, `"1"`) {
		t.Errorf("got %q", p.Detail)
	}
}

// doLines is do with every pair of headers on a line of its own.
func (w *world) doLines(method, path, body string, headers ...string) answer {
	w.t.Helper()
	req := w.request(method, path, body)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return w.send(req)
}
