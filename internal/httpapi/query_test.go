package httpapi

import (
	"slices"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

// TestQueriesAreJudgedAlike: every native route refuses a parameter that it does not know and a query that is malformed, and the compatible ones
// pass over both, as the Python system did.
func TestQueriesAreJudgedAlike(t *testing.T) {
	w := newWorld(t)
	for _, rt := range w.api.table {
		path := strings.NewReplacer("{id}", runUUID, "{name}", "x", "{instance}", "i1").Replace(rt.path)
		for query, want := range map[string]string{"colour=1": "query.colour", "colour=1&colour=2": "query.colour", "%zz": "query"} {
			got := w.do(rt.method, path+"?"+query, "")
			if rt.dialect != native {
				if strings.Contains(got.body, "colour") || strings.Contains(got.body, "query is") {
					t.Errorf("%s %s?%s: %d %s", rt.method, path, query, got.status, got.body)
				}
				continue
			}
			if p := got.problem(t, 400, myriad.CodeInvalid); !slices.Equal(paths(p), []string{want}) {
				t.Errorf("%s %s?%s: %+v", rt.method, path, query, p)
			}
		}
	}
}

// A bug: of a parameter that was given twice the first one counted.
func TestAParameterGivenTwice(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/v1/runs", "/v1/agents", "/v1/concepts"} {
		for query, want := range map[string][]string{
			"limit=1&limit=2":                    {"query.limit"},
			"limit=1&%6cimit=1":                  {"query.limit"},
			"cursor=a&limit=1&cursor=a&colour=1": {"query.colour", "query.cursor"},
			"cursor=&cursor=":                    {"query.cursor"},
		} {
			p := w.do("GET", path+"?"+query, "").problem(t, 400, myriad.CodeInvalid)
			if !slices.Equal(paths(p), want) || !strings.Contains(p.Detail, "more than once") {
				t.Errorf("%s?%s: %+v", path, query, p)
			}
		}
	}
}
