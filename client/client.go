package client

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// DefaultServer is where a server listens when nothing else is said.
const DefaultServer = "http://127.0.0.1:5000"

// Config says which server to talk to and how. The zero value is the local server without a token.
type Config struct {
	Server    string            // base URL, http or https; DefaultServer when empty
	Token     string            // bearer token; wins over TokenFile
	TokenFile string            // file that holds the token; it is looked at for every request, so that it may be rotated
	Transport http.RoundTripper // one of its own pool when nil
	UserAgent string            // "myriad-client" when empty

	Timeout    time.Duration // of a short request; 30 s when 0
	RunTimeout time.Duration // of a synchronous run; 11 min when 0: the longest run plus slack
	Idle       time.Duration // a stream that is silent for this long counts as broken; 60 s when 0
	Resume     int           // how often a broken stream is resumed in a row without a new event; 8 when 0, never when negative
	MaxReply   int64         // bytes of one reply; 320 MiB when 0
	MaxEvent   int           // bytes of one event of a stream; 16 MiB when 0
}

// Client talks to one server. It is safe for concurrent use; Close frees its idle connections.
type Client struct {
	base *url.URL
	cfg  Config
	http *http.Client
	file tokenFile
}

// New makes a client; it does not connect. An error names everything that is wrong with cfg.
func New(cfg Config) (*Client, error) {
	if cfg.Server == "" {
		cfg.Server = DefaultServer
	}
	base, err := url.Parse(strings.TrimRight(cfg.Server, "/"))
	var mistakes []myriad.Mistake
	switch {
	case err != nil:
		mistakes = append(mistakes, myriad.Mistake{Path: "server", Rule: "is no URL: " + err.Error()})
	case (base.Scheme != "http" && base.Scheme != "https") || base.Host == "":
		mistakes = append(mistakes, myriad.Mistake{Path: "server", Rule: "must be like http://127.0.0.1:5000"})
	case base.RawQuery != "" || base.Fragment != "" || base.User != nil:
		mistakes = append(mistakes, myriad.Mistake{Path: "server", Rule: "must hold no user, query or fragment"})
	}
	if strings.ContainsFunc(cfg.Token, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		mistakes = append(mistakes, myriad.Mistake{Path: "token", Rule: "must hold no spaces or control characters"})
	}
	if err := myriad.Invalid(mistakes); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Client{base: base, cfg: cfg, file: tokenFile{path: cfg.TokenFile}, http: &http.Client{
		Transport:     cfg.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (cfg Config) withDefaults() Config {
	if cfg.Transport == nil {
		cfg.Transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second,
			MaxIdleConnsPerHost: 32,
			IdleConnTimeout:     90 * time.Second,
			ForceAttemptHTTP2:   true,
		}
	}
	orDefault(&cfg.UserAgent, "myriad-client")
	orDefault(&cfg.Timeout, 30*time.Second)
	orDefault(&cfg.RunTimeout, 11*time.Minute)
	orDefault(&cfg.Idle, time.Minute)
	orDefault(&cfg.Resume, 8)
	orDefault(&cfg.MaxReply, 320<<20)
	orDefault(&cfg.MaxEvent, 16<<20)
	return cfg
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Server is the base URL of the server.
func (c *Client) Server() string { return c.base.String() }

// Close frees idle connections. The client stays usable.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Ready asks whether the server takes work; nil is yes.
func (c *Client) Ready(ctx context.Context) error {
	return c.call(ctx, request{method: http.MethodGet, path: "/readyz"}, nil)
}
