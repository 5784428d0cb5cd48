package dockerrt

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// TestHear asks hosts of every kind what their agents were told; no daemon is needed for that.
func TestHear(t *testing.T) {
	const lesson = `{"nonce":"n","knowledge":{"concept":"tides","primary_definition":"the moon"}}`
	busy := &myriad.Error{Code: myriad.CodeUnavailable, Message: "in a moment", RetryAfter: time.Millisecond}
	for name, c := range map[string]struct {
		status  int
		body    string
		refuses []error // one by one
		heard   bool
		calls   int
	}{
		"a lesson":                      {200, lesson, nil, true, 1},
		"nothing":                       {204, "", nil, true, 0},
		"refused for a moment":          {200, lesson, []error{busy, busy}, true, 3},
		"refused":                       {200, lesson, []error{myriad.Errorf(myriad.CodeUnavailable, "never")}, false, 1},
		"of another instance":           {200, strings.Replace(lesson, `"n"`, `"m"`, 1), nil, false, 0},
		"a host that does not know how": {404, `{"status":"error"}`, nil, false, 0},
		"no JSON":                       {200, "lesson", nil, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.Path != "/retire" {
					t.Errorf("asked %s %s", r.Method, r.URL)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer srv.Close()
			calls := 0
			learned := func(instance, agent string, k myriad.Knowledge) error {
				if instance != "i" || agent != "Tides" || k.PrimaryDefinition != "the moon" {
					t.Errorf("%s of %s learned %+v", instance, agent, k)
				}
				if calls++; calls <= len(c.refuses) {
					return c.refuses[calls-1]
				}
				return nil
			}
			i := &instance{r: &Runtime{cfg: Config{Learned: learned}}, label: label{instance: "i", agent: "Tides", kind: myriad.TemplateKnowledge}, nonce: "n",
				address: strings.TrimPrefix(srv.URL, "http://"), log: slog.New(slog.DiscardHandler), exited: make(chan struct{})}
			if heard := i.hear(t.Context()); heard != c.heard || calls != c.calls {
				t.Errorf("heard %t, learned %d times", heard, calls)
			}
		})
	}
	busy.RetryAfter = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	i := &instance{r: &Runtime{cfg: Config{Learned: func(string, string, myriad.Knowledge) error { return busy }}}}
	if err := i.pass(ctx, myriad.Knowledge{}); err == nil {
		t.Error("passed on what was never taken")
	}
}
