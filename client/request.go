package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// request is one exchange with the server, before it is sent.
type request struct {
	method  string
	path    string // already escaped, begins with /
	query   url.Values
	body    any // marshalled as JSON; nil is none
	header  http.Header
	timeout time.Duration // Config.Timeout when 0
}

// Option changes one request.
type Option func(*request)

// WithKey makes the request repeatable: the same key gives the same run.
func WithKey(key string) Option { return WithHeader("Idempotency-Key", key) }

// WithTrace hands on a W3C traceparent.
func WithTrace(traceparent string) Option { return WithHeader("Traceparent", traceparent) }

// WithRevision makes a write conditional: it is carried out only while the agent's revision is this one.
func WithRevision(revision int64) Option { return WithHeader("If-Match", etag(revision)) }

// WithHeader sets one header of the request.
func WithHeader(name, value string) Option {
	return func(r *request) { r.header.Set(name, value) }
}

func (r request) with(opts []Option) request {
	if r.header == nil {
		r.header = http.Header{}
	}
	for _, opt := range opts {
		opt(&r)
	}
	return r
}

// call sends r and decodes the reply's JSON into out, unless out is nil.
func (c *Client) call(ctx context.Context, r request, out any) error {
	if r.timeout == 0 {
		r.timeout = c.cfg.Timeout
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	res, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := c.readReply(ctx, r, res)
	if err != nil {
		return err
	}
	if out == nil || len(body) == 0 {
		return nil
	}
	if err := decode(body, out); err != nil {
		return myriad.Errorf(myriad.CodeInternal, "%s %s: the server's reply is not what was expected: %w", r.method, r.path, err)
	}
	return nil
}

// decode reads a reply. What reads itself is asked at once: encoding/json would check the whole reply before it did, and then it is checked again.
func decode(body []byte, into any) error {
	if reader, ok := into.(json.Unmarshaler); ok {
		return reader.UnmarshalJSON(body)
	}
	return json.Unmarshal(body, into)
}

// send carries r out; a reply that is not 2xx is an error. The caller closes the body.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	req, err := c.build(ctx, r)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.failure(ctx, r, err)
	}
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	return nil, problemOf(r, res)
}

func (c *Client) build(ctx context.Context, r request) (*http.Request, error) {
	target := c.base.String() + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		raw, err := json.Marshal(r.body)
		if err != nil {
			return nil, myriad.Errorf(myriad.CodeInvalid, "%s %s: %w", r.method, r.path, err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, myriad.Errorf(myriad.CodeInvalid, "%s %s: %w", r.method, r.path, err)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

// trusted is how many bytes of a length that a reply announces are made room for before they come.
const trusted = 1 << 20

func (c *Client) readReply(ctx context.Context, r request, res *http.Response) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(int(min(max(res.ContentLength, 0), trusted)) + bytes.MinRead) // room to see the end without growing
	if _, err := buf.ReadFrom(io.LimitReader(res.Body, c.cfg.MaxReply+1)); err != nil {
		return nil, c.failure(ctx, r, err)
	}
	body := buf.Bytes()
	if int64(len(body)) > c.cfg.MaxReply {
		return nil, myriad.Errorf(myriad.CodeTooLarge, "%s %s: the reply is over %d bytes", r.method, r.path, c.cfg.MaxReply)
	}
	return body, nil
}

// failure gives a transport error its code: the caller's doing, or the server not answering.
func (c *Client) failure(ctx context.Context, r request, err error) error {
	code := myriad.CodeUnavailable
	switch {
	case errors.Is(context.Cause(ctx), errSilent):
		err = errSilent
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		code = myriad.CodeDeadline
	case ctx.Err() != nil:
		code = myriad.CodeCancelled
	}
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	return myriad.Errorf(code, "%s %s at %s: %w", r.method, r.path, c.base.Host, err)
}

// seg escapes one path segment.
func seg(s string) string {
	if s == "." || s == ".." { // cleaned away by servers otherwise
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}

// readFull fills buf as far as r goes.
func readFull(r io.Reader, buf []byte) (int, error) {
	n, err := io.ReadFull(r, buf)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return n, err
}
