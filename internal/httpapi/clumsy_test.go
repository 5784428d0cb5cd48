package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

// A bug: a compatible request with more than three mistakes was told the first three; the body has no list for the others.
func TestACompatibleFailureNamesEveryMistake(t *testing.T) {
	var mistakes []myriad.Mistake
	for i := range 5 {
		mistakes = append(mistakes, myriad.Mistake{Path: fmt.Sprintf("tasks[%d].concept", i), Rule: "is missing"})
	}
	for _, d := range []dialect{compat, tester} {
		_, body := d.failure(failureOf(myriad.Invalid(mistakes)))
		for _, m := range mistakes {
			if !strings.Contains(string(body), m.Path+": "+m.Rule) {
				t.Errorf("dialect %d does not name %s: %s", d, m.Path, body)
			}
		}
	}
	for range 2000 {
		mistakes = append(mistakes, mistakes[0])
	}
	if _, body := compat.failure(failureOf(myriad.Invalid(mistakes))); len(body) > 16<<10 || !strings.Contains(string(body), "and 1955 more") {
		t.Errorf("%d bytes: ...%s", len(body), body[len(body)-60:])
	}
}

// A bug: a cycle read "a -\u003e b -\u003e a" in a terminal. Nothing here is ever put into a page.
func TestFailuresAreForPeopleToRead(t *testing.T) {
	for _, d := range []dialect{native, compat, tester} {
		if _, body := d.failure(failureOf(myriad.Errorf(myriad.CodeInvalid, "a -> b & <c>"))); !strings.Contains(string(body), "a -> b & <c>") {
			t.Errorf("dialect %d says %s", d, body)
		}
	}
}

// A bug: q=0 was understood in one spelling only.
func TestAStreamThatIsNotWanted(t *testing.T) {
	for accept, want := range map[string]bool{"text/event-stream;q=0.0": false, "text/event-stream; q=0.000": false, "text/event-stream;charset=utf-8; Q=0.": false,
		"text/event-stream;q=0.001": true, "text/event-stream;q=x": true, "text/event-stream;q=0, text/event-stream": true} {
		r := httptest.NewRequest("POST", "/v1/runs", nil)
		r.Header.Set("Accept", accept)
		if got := wantsStream(r); got != want {
			t.Errorf("Accept: %s is taken for %v", accept, got)
		}
	}
}

// A bug: of an empty key, as of a variable that was not set, and of two keys, the client believed that they guarded it against a second run.
func TestAnIdempotencyKeyThatIsNone(t *testing.T) {
	w := newWorld(t)
	const plan = `{"tasks":[{"task_id":1,"concept":"lightbulb","intent":"define"}]}`
	for name, headers := range map[string][]string{"empty": {"Idempotency-Key", ""}, "blank": {"Idempotency-Key", "  "}} {
		if p := w.do("POST", "/v1/runs", plan, headers...).problem(t, 400, myriad.CodeInvalid); len(paths(p)) != 1 || paths(p)[0] != "Idempotency-Key" {
			t.Errorf("%s: %v", name, p)
		}
	}
	r := w.request("POST", "/v1/runs", plan, "Idempotency-Key", "a")
	r.Header.Add("Idempotency-Key", "b")
	if _, err := keyOf(r); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("two keys: %v", err)
	}
}

// A bug: a key whose run was over long ago was told that it is running.
func TestAnAcceptedRunThatIsOver(t *testing.T) {
	w := newWorld(t)
	w.runs.replayed = true
	var got RunAccepted
	a := w.do("POST", "/v1/runs", `{"tasks":[{"task_id":1,"concept":"lightbulb","intent":"define"}]}`, "Prefer", "respond-async", "Idempotency-Key", "k")
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 202 || got.Status != myriad.RunSuccess {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A bug: a field of /discover that only looks like one, which the Python system passed over, won over it.
func TestDiscoverFieldsHaveOneSpelling(t *testing.T) {
	ask, err := discoverOf([]byte(`{"concept":"lightbulb","Concept":"x","INTENT":"y"}`))
	if err != nil || ask.Concept != "lightbulb" || ask.Intent != "define" {
		t.Errorf("%+v, %v", ask, err)
	}
}

// A bug: Location held letters that a header must not hold, and an agent was not found under a name typed in decomposed letters.
func TestNamesBeyondASCII(t *testing.T) {
	w := newWorld(t)
	agent := lamp()
	agent.Name = "Glühbirne"
	created := w.do("POST", "/v1/agents", string(mustJSON(agent)))
	at := created.header.Get("Location")
	if created.status != 201 || at != "/v1/agents/Gl%C3%BChbirne" {
		t.Fatalf("%d at %s", created.status, at)
	}
	for _, path := range []string{at, "/v1/agents/Glu%CC%88hbirne", "/v1/agents/Glu%CC%88hbirne/breaker"} {
		if got := w.do("GET", path, ""); got.status != 200 {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if got := w.do("PUT", "/v1/agents/Glu%CC%88hbirne", string(mustJSON(agent))); got.status != 200 {
		t.Errorf("PUT: %d %s", got.status, got.body)
	}
	if got := w.do("DELETE", "/v1/agents/Glu%CC%88hbirne", ""); got.status != 204 {
		t.Errorf("DELETE: %d %s", got.status, got.body)
	}
}
