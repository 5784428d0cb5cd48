package call

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

const secret = "hush-7f3a"

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte(secret+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MYRIAD_TEST_TOKEN", secret)
	t.Setenv("MYRIAD_TEST_BASIC", "ann:"+secret)
	for name, c := range map[string]struct {
		auth   myriad.Auth
		header string
		want   string
	}{
		"bearer from the environment": {myriad.Auth{Scheme: "bearer", Env: "MYRIAD_TEST_TOKEN"}, "Authorization", "Bearer " + secret},
		"bearer from a file":          {myriad.Auth{Scheme: "bearer", File: file}, "Authorization", "Bearer " + secret},
		"basic":                       {myriad.Auth{Scheme: "basic", Env: "MYRIAD_TEST_BASIC"}, "Authorization", "Basic YW5uOmh1c2gtN2YzYQ=="},
		"header":                      {myriad.Auth{Scheme: "header", Header: "x-api-key", Env: "MYRIAD_TEST_TOKEN"}, "X-Api-Key", secret},
	} {
		t.Run(name, func(t *testing.T) {
			rec := &recorder{}
			a := agentServing(t, "A", rec.then(answering(200, `{"status":"success"}`)))
			a.Auth = &c.auth
			r := newRig(t, nil)
			is(t, "outcome", r.do(t.Context(), r.job("define", a)).Outcome, myriad.OutcomeSuccess)
			is(t, c.header, rec.heads[0].Get(c.header), c.want)
			r.tellsNothing(t)
		})
	}
}

// tellsNothing checks that no event holds the secret.
func (r *rig) tellsNothing(t *testing.T) {
	t.Helper()
	for _, e := range r.events.all {
		if s := fmt.Sprintf("%+v %+v", e, e.Attempt); strings.Contains(s, secret) {
			t.Errorf("the secret is in %s", s)
		}
	}
}

func TestCredentialsThatAreMissing(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("MYRIAD_TEST_TOKEN", secret)
	t.Setenv("MYRIAD_TEST_EMPTY", "")
	t.Setenv("MYRIAD_TEST_LINES", secret+"\r\nHost: evil")
	for name, c := range map[string]struct {
		auth  myriad.Auth
		words string
	}{
		"no such variable": {myriad.Auth{Scheme: "bearer", Env: "MYRIAD_TEST_NONE"}, "MYRIAD_TEST_NONE of the agent's auth is not set"},
		"empty":            {myriad.Auth{Scheme: "bearer", Env: "MYRIAD_TEST_EMPTY"}, "is empty"},
		"no such file":     {myriad.Auth{Scheme: "bearer", File: filepath.Join(dir, "none")}, "does not exist"},
		"empty file":       {myriad.Auth{Scheme: "bearer", File: write("empty", "\n")}, "is empty"},
		"directory":        {myriad.Auth{Scheme: "bearer", File: dir}, "not a regular file"},
		"huge file":        {myriad.Auth{Scheme: "bearer", File: write("huge", strings.Repeat("x", maxCredential+1))}, "too long"},
		"injection":        {myriad.Auth{Scheme: "bearer", Env: "MYRIAD_TEST_LINES"}, "control characters"},
		"no reference":     {myriad.Auth{Scheme: "bearer"}, "neither"},
		"unknown scheme":   {myriad.Auth{Scheme: "digest", Env: "MYRIAD_TEST_TOKEN"}, "unknown scheme"},
		"not user:pass":    {myriad.Auth{Scheme: "basic", Env: "MYRIAD_TEST_TOKEN"}, "user:password"},
		"no header":        {myriad.Auth{Scheme: "header", Env: "MYRIAD_TEST_TOKEN"}, "names no header"},
		"bad header":       {myriad.Auth{Scheme: "header", Header: "a b", Env: "MYRIAD_TEST_TOKEN"}, "names no header"},
		"our header":       {myriad.Auth{Scheme: "header", Header: "idempotency-key", Env: "MYRIAD_TEST_TOKEN"}, "names no header"},
		"Host":             {myriad.Auth{Scheme: "header", Header: "host", Env: "MYRIAD_TEST_TOKEN"}, "names no header"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := agentAt(t, "A", nil), agentAt(t, "B", nil)
			a.Auth = &c.auth
			r := newRig(t, nil)
			reply := r.do(t.Context(), r.job("turn_on", a.Agent))
			is(t, "outcome", reply.Outcome, myriad.OutcomeLocal)
			is(t, "code", reply.ErrorCode, myriad.TaskErrCredentials)
			if !strings.Contains(reply.Error, c.words) || strings.Contains(reply.Error, secret) || strings.Contains(reply.Error, dir) {
				t.Errorf("message %q, want %q", reply.Error, c.words)
			}
			reply = r.do(t.Context(), r.job("turn_on", a.Agent, b.Agent))
			is(t, "with another candidate", reply.Outcome, myriad.OutcomeSuccess)
			is(t, "requests without the credential", a.effects.Load(), 0)
			is(t, "failures", r.Breakers("A")[0].ConsecutiveFailures, 0)
			r.tellsNothing(t)
		})
	}
}

// A refused credential trips the breaker like an agent that is down.
func TestRefusedCredentialsAreTheEndpointsFault(t *testing.T) {
	t.Setenv("MYRIAD_TEST_TOKEN", secret)
	a := agentAt(t, "A", answering(http.StatusUnauthorized, `{"status":"error","data":"who are you"}`))
	a.Auth = &myriad.Auth{Scheme: "bearer", Env: "MYRIAD_TEST_TOKEN"}
	r := newRig(t, nil)
	reply := r.do(t.Context(), r.job("define", a.Agent))
	is(t, "code", reply.ErrorCode, myriad.TaskErrEndpoint)
	is(t, "message", reply.Error, "agent A: HTTP 401 Unauthorized: who are you")
	is(t, "failures", r.Breakers("A")[0].ConsecutiveFailures, 1)
	r.tellsNothing(t)
}
