package httpapi

import (
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestWantsStream(t *testing.T) {
	for accept, want := range map[string]bool{
		"":                                    false,
		"*/*":                                 false,
		"application/json":                    false,
		"text/event-stream":                   true,
		"Text/Event-Stream; charset=utf-8":    true,
		"application/json, text/event-stream": true,
		"text/event-stream;q=0":               false,
		"text/event-stream; q=0.5":            true,
		"text/event-streams":                  false,
	} {
		r := httptest.NewRequest("POST", "/v1/runs", nil)
		r.Header.Set("Accept", accept)
		if got := wantsStream(r); got != want {
			t.Errorf("Accept: %s is taken for %v", accept, got)
		}
	}
}

func TestParseTags(t *testing.T) {
	for header, want := range map[string]tagSet{
		`*`:           {any: true},
		` * `:         {any: true},
		`"3"`:         {tags: []entityTag{{opaque: `"3"`}}},
		`"3",`:        {tags: []entityTag{{opaque: `"3"`}}},
		`"3", "4"`:    {tags: []entityTag{{opaque: `"3"`}, {opaque: `"4"`}}},
		`W/"3","4"`:   {tags: []entityTag{{`"3"`, true}, {opaque: `"4"`}}},
		`"", "a,b"`:   {tags: []entityTag{{opaque: `""`}, {opaque: `"a,b"`}}},
		"\"\xfc\"\t,": {tags: []entityTag{{opaque: "\"\xfc\""}}},
	} {
		got, err := parseTags(header)
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s is read as %+v, %v", header, got, err)
		}
	}
	for _, bad := range []string{"", ",", "3", `"3`, `3"`, `"`, `W/3`, `W/`, `W/*`, `*,"3"`, `"3"*`, "\"\x7f\""} {
		if got, err := parseTags(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, got)
		}
	}
}

func TestFalsy(t *testing.T) {
	for body, want := range map[string]bool{"{}": true, " [ ] ": true, "null": true, "0": true, "-0.0": true, "0e5": true, `""`: true, "false": true,
		`{"a":null}`: false, "[0]": false, "1": false, `" "`: false, "true": false, "{": false, "": false} {
		if got := falsy([]byte(body)); got != want {
			t.Errorf("%q is falsy: %v", body, got)
		}
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]string{time.Nanosecond: "1", time.Second: "1", 1001 * time.Millisecond: "2", time.Minute: "60"} {
		if got := retryAfter(d); got != want {
			t.Errorf("%s became %s", d, got)
		}
	}
}

func TestCleanPaths(t *testing.T) {
	for path, want := range map[string]bool{"/": true, "/v1/runs": true, "/v1/runs/": true, "//v1": false, "/v1//runs": false, "/v1/../runs": false, "/v1/.": false, "": false, "v1": false, "*": false} {
		if got := cleanPath(path); got != want {
			t.Errorf("%q is clean: %v", path, got)
		}
	}
}

func TestDialectsOfFailures(t *testing.T) {
	f := failureOf(&myriad.Error{Code: myriad.CodeOverloaded, Message: "full", RetryAfter: 1500 * time.Millisecond})
	for d, want := range map[dialect]string{
		native: `{"type":"urn:myriad:problem:overloaded","title":"Overloaded","status":429,"detail":"full","code":"overloaded","retry_after_ms":1500}`,
		compat: `{"error":"full"}`,
		tester: `{"status":"error","message":"full","details":"{\"error\":\"full\"}\n"}`,
	} {
		if _, body := d.failure(f); strings.TrimSpace(string(body)) != want {
			t.Errorf("dialect %d says %s", d, body)
		}
	}
	for path, want := range map[string]dialect{"/v1/x": native, "/v1": native, "/v10": compat, "/readyz": native, "/process": compat, "/": compat, "/run_orchestration": tester} {
		if got := dialectOf(path); got != want {
			t.Errorf("%s is of dialect %d", path, got)
		}
	}
}

// TestComponentsOfOneName: two types that would be one component are refused, not mixed up.
func TestComponentsOfOneName(t *testing.T) {
	type Agent struct{ X int }
	s := newSchemas()
	if _, err := s.use(typeOf[myriad.Agent]()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.use(typeOf[Agent]()); err == nil {
		t.Error("two components have one name")
	}
	if _, err := s.use(typeOf[chan int]()); err == nil {
		t.Error("a channel has a schema")
	}
}
