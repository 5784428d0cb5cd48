package call

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

const (
	maxResponseHeader = 64 << 10 // bytes, interim answers included
	idleConnTimeout   = 90 * time.Second
)

// newTransport makes the one pool of connections to agents.
//
// It speaks HTTP/1.1 only, follows no redirect (it is no Client), uses no proxy unless one is configured, and asks for no compression,
// so that an answer is as large as it says. Connections come from cfg.Dial, which enforces the network policy. It keeps as many idle
// connections per host as in all, and has no more of one host than there are slots: slots are what bounds connections, so that whoever has
// one does not wait for a connection while his time runs. Agents hosted together share a host.
// It has no timeout of its own but for connecting: every exchange has one context that bounds all of it.
func newTransport(cfg Config) *http.Transport {
	var only http.Protocols
	only.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  cfg.Proxy,
		DialContext:            counted(cfg.Dial, cfg.ConnectTimeout),
		TLSClientConfig:        cfg.TLS.Clone(),
		TLSHandshakeTimeout:    cfg.ConnectTimeout,
		DisableCompression:     true,
		MaxIdleConns:           cfg.MaxConns,
		MaxIdleConnsPerHost:    cfg.MaxConns,
		MaxConnsPerHost:        cfg.MaxPerHost,
		IdleConnTimeout:        idleConnTimeout,
		MaxResponseHeaderBytes: maxResponseHeader,
		Protocols:              &only,
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
}

// DialFunc connects to "host:port" over network "tcp".
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// counted bounds a dial by the connect timeout and counts what is written to its connection.
func counted(dial DialFunc, timeout time.Duration) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &countedConn{Conn: c}, nil
	}
}

// countedConn knows how many bytes were written to it: the proof that a request never left.
type countedConn struct {
	net.Conn
	written atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// tracker finds out how far one exchange came. The transport's goroutines may call its hooks even after RoundTrip has returned.
type tracker struct {
	hooks     httptrace.ClientTrace
	conn      *countedConn // set, with before and reused, on the goroutine of RoundTrip
	before    int64
	reused    bool
	shaking   atomic.Bool
	answering atomic.Bool
}

// track returns a context that reports to the tracker.
func (t *tracker) track(ctx context.Context, secure bool) context.Context {
	t.hooks.GotConn = t.gotConn
	t.hooks.GotFirstResponseByte = t.gotFirstByte
	if secure {
		t.hooks.TLSHandshakeStart = t.handshake
	}
	return httptrace.WithClientTrace(ctx, &t.hooks)
}

func (t *tracker) gotConn(info httptrace.GotConnInfo) {
	c := info.Conn
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	t.reused = info.Reused
	if t.conn, _ = c.(*countedConn); t.conn != nil {
		t.before = t.conn.written.Load()
	}
}

func (t *tracker) gotFirstByte() { t.answering.Store(true) }

func (t *tracker) handshake() { t.shaking.Store(true) }

// stage is how far the exchange came when RoundTrip failed. The transport has finished writing by then.
func (t *tracker) stage() stage {
	switch {
	case t.answering.Load():
		return stageAnswering
	case t.conn != nil && t.conn.written.Load() == t.before:
		return stageConnected
	case t.conn != nil:
		return stageSent
	case t.shaking.Load():
		return stageTLS
	}
	return stageConnect
}
