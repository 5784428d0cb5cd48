package call

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/egress"
)

// rawAgent is an agent on a real socket that reads a request and then does as it likes with the connection, which is closed after it.
// Its effects are the requests that came whole.
func rawAgent(t testing.TB, name string, then func(c net.Conn)) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{Agent: &myriad.Agent{Name: name, Endpoint: "http://" + l.Addr().String() + "/query"}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				if req, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				} else if _, err := io.Copy(io.Discard, req.Body); err != nil {
					return
				}
				f.effects.Add(1)
				then(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return f
}

// writing answers with bytes as they are and closes the connection.
func writing(s string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, s) }
}

func head(status string, headers ...string) string {
	return "HTTP/1.1 " + status + "\r\n" + strings.Join(append(headers, "", ""), "\r\n")
}

// endless writes s for as long as the connection takes it.
func endless(start, s string) func(net.Conn) {
	return func(c net.Conn) {
		_, err := io.WriteString(c, start)
		for err == nil {
			_, err = io.WriteString(c, s)
		}
	}
}

// dripping writes one byte every few milliseconds, for ever.
func dripping(start string) func(net.Conn) {
	return func(c net.Conn) {
		_, err := io.WriteString(c, start)
		for err == nil {
			time.Sleep(5 * time.Millisecond)
			_, err = io.WriteString(c, " ")
		}
	}
}

// hanging says nothing until the other side goes away.
func hanging(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func reset(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }

func zipped(t *testing.T, n int) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.CopyN(z, zeros{}, int64(n)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestOnTheWire: every way an agent can misbehave on a real socket is one precise outcome, executes the job once, and costs one attempt
// when the task must not be repeated.
func TestOnTheWire(t *testing.T) {
	const maxAnswer = 1 << 20
	object := `{"status":"success","data":"x"}`
	bomb := zipped(t, 4<<20)
	for name, c := range map[string]struct {
		agent   func(net.Conn)
		outcome myriad.Outcome
		code    string
		words   string
	}{
		"endless body":           {endless(head("200 OK"), strings.Repeat(" ", 4096)), myriad.OutcomeTooLarge, myriad.TaskErrTooLarge, "larger than the limit"},
		"endless chunked body":   {endless(head("200 OK", "Transfer-Encoding: chunked"), "1000\r\n"+strings.Repeat("[", 4096)+"\r\n"), myriad.OutcomeTooLarge, myriad.TaskErrTooLarge, "larger"},
		"endless head":           {endless("HTTP/1.1 200 OK\r\n", "X-More: "+strings.Repeat("x", 100)+"\r\n"), myriad.OutcomeGarbage, myriad.TaskErrGarbage, "not an HTTP answer"},
		"endless interim heads":  {endless("", "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n"), myriad.OutcomeGarbage, myriad.TaskErrGarbage, "not an HTTP answer"},
		"huge by its own word":   {writing(head("200 OK", "Content-Length: 1048577") + "{"), myriad.OutcomeTooLarge, myriad.TaskErrTooLarge, "larger than the limit"},
		"absurd by its own word": {writing(head("200 OK", "Content-Length: 9000000000000000000") + "{"), myriad.OutcomeTooLarge, myriad.TaskErrTooLarge, "larger"},
		"dripping body":          {dripping(head("200 OK") + "{"), myriad.OutcomeTimeout, myriad.TaskErrTimeout, "no complete answer within"},
		"dripping head":          {dripping("HTTP/1.1 200 OK\r\nX-Slow:"), myriad.OutcomeTimeout, myriad.TaskErrTimeout, "no complete answer within"},
		"half-open":              {hanging, myriad.OutcomeTimeout, myriad.TaskErrTimeout, "no complete answer within"},
		"truncated by length":    {writing(head("200 OK", "Content-Length: 100") + `{"status"`), myriad.OutcomeReset, myriad.TaskErrReset, "cut after 9 bytes"},
		"truncated empty":        {writing(head("200 OK", "Content-Length: 100")), myriad.OutcomeReset, myriad.TaskErrReset, "cut after 0 bytes"},
		"truncated long":         {writing(head("200 OK", "Content-Length: 100000") + `{"status"`), myriad.OutcomeReset, myriad.TaskErrReset, "cut after 9 bytes"},
		"truncated chunk":        {writing(head("200 OK", "Transfer-Encoding: chunked") + "ff\r\n{"), myriad.OutcomeReset, myriad.TaskErrReset, "cut after 1 bytes"},
		"bad chunk":              {writing(head("200 OK", "Transfer-Encoding: chunked") + "zz\r\n{}"), myriad.OutcomeGarbage, myriad.TaskErrGarbage, "rules of HTTP"},
		"truncated head":         {writing("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"), myriad.OutcomeReset, myriad.TaskErrReset, "in the head"},
		"truncated JSON":         {writing(head("200 OK", "Content-Length: 9") + `{"status"`), myriad.OutcomeGarbage, myriad.TaskErrGarbage, `not JSON: it begins with "{\"status\""`},
		"garbage":                {writing("SSH-2.0-OpenSSH_9.9\r\n"), myriad.OutcomeGarbage, myriad.TaskErrGarbage, "not an HTTP answer"},
		"binary garbage":         {writing("\x00\x01\x02\xff\xfe\r\n\r\n"), myriad.OutcomeGarbage, myriad.TaskErrGarbage, "not an HTTP answer"},
		"closed":                 {func(net.Conn) {}, myriad.OutcomeReset, myriad.TaskErrReset, "before an answer came"},
		"reset":                  {reset, myriad.OutcomeReset, myriad.TaskErrReset, "before an answer came"},
		"reset in the body":      {func(c net.Conn) { writing(head("200 OK", "Content-Length: 9") + "{")(c); reset(c) }, myriad.OutcomeReset, myriad.TaskErrReset, "cut"},
		"array":                  {writing(head("200 OK", "Content-Length: 2") + `[]`), myriad.OutcomeGarbage, myriad.TaskErrGarbage, "a JSON array, an object was expected"},
		"object and more":        {writing(head("200 OK", "Content-Length: 33") + object + "{}"), myriad.OutcomeGarbage, myriad.TaskErrGarbage, "not JSON"},
		"empty object":           {writing(head("200 OK", "Content-Length: 2") + `{}`), myriad.OutcomeGarbage, myriad.TaskErrGarbage, "an empty JSON object"},
		"204":                    {writing(head("204 No Content")), myriad.OutcomeGarbage, myriad.TaskErrGarbage, "HTTP 204 without a body, a JSON object was expected"},
		"200 without body":       {writing(head("200 OK", "Content-Length: 0")), myriad.OutcomeGarbage, myriad.TaskErrGarbage, "the body is empty"},
		"switching protocols":    {writing(head("101 Switching Protocols", "Upgrade: x", "Connection: upgrade")), myriad.OutcomeGarbage, myriad.TaskErrGarbage, "HTTP 101 is no final answer"},
		"HTML":                   {writing(head("200 OK", "Content-Type: text/html", "Content-Length: 15") + "<html>ok</html>"), myriad.OutcomeGarbage, myriad.TaskErrGarbage, "not JSON"},
		"gzip bomb":              {writing(head("200 OK", "Content-Encoding: gzip", fmt.Sprint("Content-Length: ", len(bomb))) + bomb), myriad.OutcomeGarbage, myriad.TaskErrGarbage, `encoded as "gzip", which was not asked for`},
		"500 with HTML":          {writing(head("500 Oops", "Content-Type: text/html", "Content-Length: 15") + "<h1>Error</h1>\n"), myriad.OutcomeServerError, myriad.TaskErrAgent, "HTTP 500 Internal Server Error with text/html"},
		"500 with an object":     {writing(head("500 Oops", "Content-Length: 33") + `{"status":"error","data":"fused"}`), myriad.OutcomeServerError, myriad.TaskErrAgent, "HTTP 500 Internal Server Error: fused"},
		"500, truncated":         {writing(head("500 Oops", "Content-Length: 100") + "<h1>"), myriad.OutcomeServerError, myriad.TaskErrAgent, "HTTP 500"},
		"500, dripping":          {dripping(head("500 Oops")), myriad.OutcomeServerError, myriad.TaskErrAgent, "HTTP 500"},
		"redirect":               {writing(head("307 Temporary Redirect", "Location: http://127.0.0.1:1/", "Content-Length: 0")), myriad.OutcomeEndpoint, myriad.TaskErrEndpoint, "redirects are not followed"},
		"404":                    {writing(head("404 Not Found", "Content-Type: text/plain", "Content-Length: 8") + "not here"), myriad.OutcomeEndpoint, myriad.TaskErrEndpoint, "HTTP 404 Not Found: not here"},
		"agent error":            {writing(head("200 OK", "Content-Length: 33") + `{"status":"error","data":"fused"}`), myriad.OutcomeAgentError, myriad.TaskErrAgent, "status error: fused"},
		"429":                    {writing(head("429 Too Many Requests", "Retry-After: 600", "Content-Length: 0")), myriad.OutcomeToldToWait, myriad.TaskErrParked, "for 5m0s"},
		"503 with Retry-After":   {writing(head("503 Busy", "Retry-After: 2", "Content-Length: 0")), myriad.OutcomeToldToWait, myriad.TaskErrParked, "for 2s"},
		"400 with an object":     {writing(head("400 Bad Request", "Content-Length: 33") + `{"status":"error","data":"fused"}`), myriad.OutcomeCallerFault, myriad.TaskErrRejected, "HTTP 400 Bad Request: fused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := rawAgent(t, "A", c.agent)
			r := newRig(t, nil, func(cfg *Config) {
				cfg.MaxAnswer, cfg.AttemptTimeout = maxAnswer, 300*time.Millisecond
				if c.outcome != myriad.OutcomeTimeout && c.outcome != myriad.OutcomeServerError {
					cfg.AttemptTimeout = 20 * time.Second // the test machine may be slow
				}
			})
			reply := r.do(t.Context(), r.job("turn_on", a.Agent))
			same(t, "attempts", outcomes(reply.Attempts), []myriad.Outcome{c.outcome})
			is(t, "outcome", reply.Outcome, c.outcome)
			is(t, "code", reply.ErrorCode, c.code)
			if !strings.Contains(reply.Error, c.words) || !strings.Contains(reply.Error, "agent A: ") {
				t.Errorf("message %q does not say %q", reply.Error, c.words)
			}
			is(t, "executions", a.effects.Load(), 1)
			is(t, "attempt's error is the reply's", "agent A: "+reply.Attempts[0].Error, reply.Error)
			if strings.HasSuffix(name, "with an object") && string(reply.Answer.Raw) != `{"status":"error","data":"fused"}` {
				t.Errorf("the agent's own answer is lost: %q", reply.Answer.Raw)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	for name, c := range map[string]struct {
		endpoint string
		outcome  myriad.Outcome
		code     string
		words    string
	}{
		"refused":     {refused(t, "A").Endpoint, myriad.OutcomeRefused, myriad.TaskErrRefused, "connection refused"},
		"no host":     {"http://lamp.invalid/query", myriad.OutcomeDNS, myriad.TaskErrDNS, "lamp.invalid"},
		"denied":      {"http://169.254.169.254/query", myriad.OutcomeLocal, myriad.TaskErrDenied, "rule metadata"},
		"no endpoint": {"", myriad.OutcomeLocal, myriad.TaskErrEndpoint, "no endpoint"},
		"no URL":      {"http://user:hush@%zz", myriad.OutcomeLocal, myriad.TaskErrEndpoint, "no http or https URL"},
		"password":    {"http://user:hush@127.0.0.1/", myriad.OutcomeLocal, myriad.TaskErrEndpoint, "belong into its auth"},
		"scheme":      {"ftp://127.0.0.1/", myriad.OutcomeLocal, myriad.TaskErrEndpoint, "no http or https URL"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, egress.NewDialer(nil, egress.Options{Resolver: noHosts{}}).DialContext)
			reply := r.do(t.Context(), r.job("define", &myriad.Agent{Name: "A", Endpoint: c.endpoint}))
			same(t, "attempts", outcomes(reply.Attempts), []myriad.Outcome{c.outcome})
			is(t, "code", reply.ErrorCode, c.code)
			if !strings.Contains(reply.Error, c.words) {
				t.Errorf("message %q does not say %q", reply.Error, c.words)
			}
			if strings.Contains(reply.Error, "hush") {
				t.Error("the password is in the message")
			}
		})
	}
}

// noHosts is a DNS without names.
type noHosts struct{}

func (noHosts) LookupNetIP(_ context.Context, _, host string) (_ []netip.Addr, _ error) {
	return nil, &net.DNSError{Name: host, Err: "no such host", IsNotFound: true}
}

func TestTLS(t *testing.T) {
	srv := httptest.NewTLSServer(answering(200, `{"status":"success"}`))
	defer srv.Close()
	srv.Config.ErrorLog = quiet
	plain := agentAt(t, "P", nil)
	a := &myriad.Agent{Name: "A", Endpoint: srv.URL}

	r := newRig(t, nil)
	reply := r.do(t.Context(), r.job("define", a))
	is(t, "unknown authority", reply.Outcome, myriad.OutcomeTLS)
	is(t, "code", reply.ErrorCode, myriad.TaskErrTLS)

	reply = r.do(t.Context(), r.job("define", &myriad.Agent{Name: "P", Endpoint: strings.Replace(plain.Endpoint, "http:", "https:", 1)}))
	is(t, "no TLS there", reply.Outcome, myriad.OutcomeTLS)

	r = newRig(t, nil, func(c *Config) {
		c.TLS = &tls.Config{RootCAs: srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	})
	reply = r.do(t.Context(), r.job("define", a))
	is(t, "known authority", reply.Outcome, myriad.OutcomeSuccess)
}

// TestTransportNeverRepeats: a server that closes a kept connection when the next request comes has that request executed once. With a
// body that net/http can rewind, the transport would repeat it because it carries an Idempotency-Key.
func TestTransportNeverRepeats(t *testing.T) {
	var served atomic.Int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				in := bufio.NewReader(c)
				for n := 0; n < 2; n++ { // answers the first, executes the second and hangs up
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					if _, err := io.Copy(io.Discard, req.Body); err != nil {
						return
					}
					served.Add(1)
					if n == 0 {
						writing(head("200 OK", "Content-Length: 20") + `{"status":"success"}`)(c)
					}
				}
			})
		}
	})
	r := newRig(t, nil)
	a := &myriad.Agent{Name: "A", Endpoint: "http://" + l.Addr().String()}
	is(t, "first task", r.do(t.Context(), r.job("turn_on", a)).Outcome, myriad.OutcomeSuccess)
	is(t, "second task", r.do(t.Context(), r.job("turn_on", a)).Outcome, myriad.OutcomeReset)
	r.Close()
	_ = l.Close()
	wg.Wait()
	is(t, "executions of two tasks", served.Load(), 2)
}

// TestDeadKeptConnection: a connection that is found dead before a byte was written is not an attempt that reached the agent, so even
// a task that must not be repeated goes on, here to the same agent by a new connection, and nothing counts against it.
func TestDeadKeptConnection(t *testing.T) {
	a := agentAt(t, "A", nil)
	dead := &deadConns{}
	r := newRig(t, dead.dial)
	is(t, "first", r.do(t.Context(), r.job("turn_on", a.Agent)).Outcome, myriad.OutcomeSuccess)
	dead.kill()
	reply := r.do(t.Context(), r.job("turn_on", a.Agent))
	same(t, "attempts", outcomes(reply.Attempts), []myriad.Outcome{myriad.OutcomeDeadConn, myriad.OutcomeSuccess})
	is(t, "executions", a.effects.Load(), 2)
	is(t, "failures", r.Breakers("A")[0].ConsecutiveFailures, 0)
}

// deadConns dials connections whose writes fail from kill on, while reads go on: the moment between a peer's reset and our noticing it.
type deadConns struct{ conns []*deadConn }

type deadConn struct {
	net.Conn
	dead atomic.Bool
}

func (d *deadConns) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.conns = append(d.conns, &deadConn{Conn: c})
	return d.conns[len(d.conns)-1], nil
}

func (d *deadConns) kill() {
	for _, c := range d.conns {
		c.dead.Store(true)
	}
}

func (c *deadConn) Write(p []byte) (int, error) {
	if c.dead.Load() {
		return 0, &net.OpError{Op: "write", Err: errnoReset}
	}
	return c.Conn.Write(p)
}

// TestConnectionsAreKept: many tasks one after the other share one connection, whatever kind of good answer they get.
func TestConnectionsAreKept(t *testing.T) {
	var dials atomic.Int64
	n := 0
	a := agentAt(t, "A", func(w http.ResponseWriter, _ *http.Request) {
		n++
		_, _ = io.WriteString(w, `{"status":"success","data":"`+strings.Repeat("x", n*10_000)+`"}`) // chunked beyond the server's buffer
		if n%2 == 0 {
			w.(http.Flusher).Flush()
		}
	})
	r := newRig(t, func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	})
	for range 20 {
		is(t, "outcome", r.do(t.Context(), r.job("define", a.Agent)).Outcome, myriad.OutcomeSuccess)
	}
	is(t, "connections", dials.Load(), 1)
}
