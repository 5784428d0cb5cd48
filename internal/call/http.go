package call

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/myriad-mind/myriad"
)

const headerDeadline = "X-Myriad-Deadline-Ms"

// jobProtocol is myriad-http/1: the job as JSON in a POST, the answer as a JSON object in a 2xx.
type jobProtocol struct {
	to        carrier
	maxJob    int
	maxAnswer int
	userAgent []string
}

// Header values that never change; the transport does not either.
var jsonType = []string{"application/json"}

func (p *jobProtocol) encode(job *myriad.Job) ([]byte, error) {
	size := jobSize(job)
	if size > p.maxJob+p.maxJob/8 {
		return nil, p.tooLarge()
	}
	body := appendJob(make([]byte, 0, size), job)
	if len(body) > p.maxJob {
		return nil, p.tooLarge()
	}
	return body, nil
}

func (p *jobProtocol) tooLarge() *fault {
	return &fault{code: myriad.TaskErrTooLarge, text: "the job is larger than " + bytesText(p.maxJob), final: true}
}

func (p *jobProtocol) exchange(ctx context.Context, m message) exchanged {
	header := make(http.Header, 8)
	header["Content-Type"], header["Accept"], header["User-Agent"] = jsonType, jsonType, p.userAgent
	own := [3]string{strconv.FormatInt(left(m.until), 10), m.key, m.trace}
	header[headerDeadline] = own[0:1:1]
	if m.key != "" {
		header["Idempotency-Key"] = own[1:2:2]
	}
	if m.trace != "" {
		header["Traceparent"] = own[2:3:3]
	}
	if err := authorise(header, m.agent.Auth); err != nil {
		return exchanged{err: err}
	}
	var x exchanged
	raw, err := p.to.post(ctx, m.target.url, header, m.body, p.maxAnswer, &x)
	switch {
	case err != nil:
		x.err = err
	case x.status == http.StatusNoContent || x.status == http.StatusResetContent:
		x.err = bad("the answer is HTTP %d without a body, a JSON object was expected", x.status)
	default:
		answer, wrong := decodeAnswer(raw)
		if wrong == nil {
			x.answer = answer
		} else {
			x.err, x.excerpt = wrong, excerpt(raw, x.contentType)
		}
	}
	return x
}

// left is the time until t in milliseconds, at least 1.
func left(t time.Time) int64 { return max(time.Until(t).Milliseconds(), 1) }

// carrier brings requests to agents: over the network, or to those of this process.
type carrier struct {
	network http.RoundTripper
	local   func(to *url.URL) http.Handler // nil: all are reached over the network
}

// post has one exchange and reads the answer's body. What it learns on the way, also when it fails, goes into x.
func (c carrier) post(ctx context.Context, to *url.URL, header http.Header, body []byte, limit int, x *exchanged) ([]byte, error) {
	if c.local != nil {
		if h := c.local(to); h != nil {
			return local(ctx, h, to, header, body, limit, x)
		}
	}
	t := &tracker{}
	// The body is of a kind that net/http knows to be in memory, so that head and body leave in one write.
	req := newPost(t.track(ctx, to.Scheme == "https"), to, header, io.NopCloser(bytes.NewReader(body)), len(body))
	x.stage = stageConnect
	resp, err := c.network.RoundTrip(req)
	x.reused = t.reused
	if err != nil {
		x.stage = t.stage()
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // an unread rest closes the connection, which is meant
	if err := x.head(resp.StatusCode, resp.Header); err != nil {
		return nil, err
	}
	raw, err := readBody(resp.Body, resp.ContentLength, limit)
	x.read = len(raw)
	return raw, err
}

// newPost makes the request. Its GetBody stays nil: with it the transport would repeat the request by itself when a reused connection dies.
func newPost(ctx context.Context, to *url.URL, header http.Header, body io.ReadCloser, length int) *http.Request {
	return (&http.Request{
		Method: http.MethodPost, URL: to, Host: to.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: body, ContentLength: int64(length),
	}).WithContext(ctx)
}

// head notes what the head of an answer says; the error is of one whose body is not to be read.
func (x *exchanged) head(status int, h http.Header) error {
	x.stage, x.status = stageBody, status
	x.contentType, x.location, x.retryAfter = h.Get("Content-Type"), h.Get("Location"), h.Get("Retry-After")
	if coding := h.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return bad("the body is encoded as %.40q, which was not asked for", coding)
	}
	if status < http.StatusOK {
		return bad("HTTP %d is no final answer", status)
	}
	return nil
}
