package processrt

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

func TestExecAnswers(t *testing.T) {
	r := newRig(t, Config{})
	i := r.start(command(myriad.ModeExec, "exec"))
	for _, c := range []struct {
		args   string
		status int
		raw    string
	}{
		{`{"do":"value"}`, http.StatusOK, `{"agent_name":"Tester","status":"success","data":[1,"two"]}`},
		{`{"do":"text"}`, http.StatusOK, `{"agent_name":"Tester","status":"success","data":"just text"}`},
		{`{"do":"silent"}`, http.StatusOK, `{"agent_name":"Tester","status":"success","data":""}`},
		{`{"do":"fail"}`, http.StatusInternalServerError, `{"agent_name":"Tester","data":"exit status 9: first complaint\nthe last word","status":"error"}`},
	} {
		if a := job1(t, i, c.args); a.status != c.status || a.raw != c.raw {
			t.Errorf("%s: HTTP %d %s", c.args, a.status, a.raw)
		}
	}
	for args, words := range map[string]string{`{"do":"endless"}`: "longer than", `{"do":"other task"}`: "for the task"} {
		if a := job1(t, i, args); a.status != http.StatusBadGateway || !a.says(words) {
			t.Errorf("%s: HTTP %d %s", args, a.status, a.raw)
		}
	}
	if a := job1(t, i, `{"do":"hang"}`, "X-Myriad-Deadline-Ms", "50"); a.status != http.StatusGatewayTimeout {
		t.Errorf("late: HTTP %d %s", a.status, a.raw)
	}
	if a := job1(t, i, `{"big":"`+strings.Repeat("x", 6<<20)+`"}`); a.status != http.StatusOK && !a.says("longer than") {
		t.Errorf("a large job: HTTP %d %.200s", a.status, a.raw)
	}
}

// TestExecAbandoned: the process of a job that nobody waits for is killed with all that it started.
func TestExecAbandoned(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		i := r.start(command(myriad.ModeExec, "exec"))
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { _, err := try(ctx, i, `{"do":"hang","line":"hanging"}`); left <- err }()
		soon(t, "the job is under way", func() bool { return strings.Contains(i.LastLog(), "hanging") })
		cancel()
		if err := <-left; err == nil {
			t.Error("a job that hangs was answered")
		}
		soon(t, "its process is gone", func() bool { return len(ownerPIDs(r.owner)) == 0 })
	})
}

// TestGate answers for nobody but the instances behind it.
func TestGate(t *testing.T) {
	r := newRig(t, Config{})
	i := r.awake(command(myriad.ModeStdio, "stdio"))
	query := i.Endpoint()
	health := strings.TrimSuffix(query, "query") + "health"
	for _, c := range []struct {
		name, method, url, kind, body, host string
		want                                int
	}{
		{"health", http.MethodGet, health, "", "", "", http.StatusOK},
		{"another instance", http.MethodPost, strings.Replace(query, "/i-", "/j-", 1), "application/json", "{}", "", http.StatusNotFound},
		{"another path", http.MethodPost, query + "/more", "application/json", "{}", "", http.StatusNotFound},
		{"GET", http.MethodGet, query, "", "", "", http.StatusMethodNotAllowed},
		{"a form", http.MethodPost, query, "text/plain", "{}", "", http.StatusUnsupportedMediaType},
		{"no JSON", http.MethodPost, query, "application/json", "{", "", http.StatusBadRequest},
		{"no object", http.MethodPost, query, "application/json", "[]", "", http.StatusBadRequest},
		{"nothing", http.MethodPost, query, "application/json", "", "", http.StatusBadRequest},
		{"too large", http.MethodPost, query, "application/json", `{"a":"` + strings.Repeat("x", maxJob) + `"}`, "", http.StatusRequestEntityTooLarge},
		{"a foreign host", http.MethodPost, query, "application/json", "{}", "evil.example", http.StatusMisdirectedRequest},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, c.url, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		if c.kind != "" {
			req.Header.Set("Content-Type", c.kind)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if resp.Body.Close(); resp.StatusCode != c.want {
			t.Errorf("%s: HTTP %d, want %d", c.name, resp.StatusCode, c.want)
		}
	}
	works(t, i)
}
