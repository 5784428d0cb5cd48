package faultproxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	seed     = 7
	patience = 20 * time.Second      // for what must happen; reached only by a failing test
	soon     = 50 * time.Millisecond // for what must never happen; a longer wait would change no verdict
)

// bench is an agent, a proxy before it, and a plain client.
type bench struct {
	t      *testing.T
	agent  *Agent
	proxy  *Proxy
	client *http.Client
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, agent: NewAgent("Test_AI")}
	server := httptest.NewServer(b.agent)
	p, err := New(server.Listener.Addr().String(), seed)
	if err != nil {
		t.Fatal(err)
	}
	b.proxy = p
	transport := &http.Transport{}
	b.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		server.Close()
	})
	return b
}

func (b *bench) set(f Fault) {
	b.t.Helper()
	if err := b.proxy.Set(f); err != nil {
		b.t.Fatal(err)
	}
}

// reply is what a client got: all of it, or as much as came before err.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
}

// ask posts a job that the client must not repeat by itself.
func (b *bench) ask(task string, timeout time.Duration) reply {
	ctx, cancel := context.WithTimeout(b.t.Context(), timeout)
	defer cancel()
	job := `{"task_id":"` + task + `","intent":"define","concept":"lightbulb","args":{}}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.proxy.URL()+"/query", strings.NewReader(job))
	if err != nil {
		b.t.Fatal(err)
	}
	r.GetBody = nil
	r.Header.Set("Idempotency-Key", "key-"+task)
	return b.do(r)
}

func (b *bench) do(r *http.Request) reply {
	resp, err := b.client.Do(r)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(body), err}
}

// eventually polls until what holds.
func (b *bench) eventually(what string, holds func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("never: %s; %+v", what, b.proxy.Stats())
		}
	}
}

func wasReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
func wasRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
func timedOut(err error) bool   { return errors.Is(err, context.DeadlineExceeded) }
