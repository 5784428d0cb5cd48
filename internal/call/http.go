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
	transport http.RoundTripper
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
	raw, err := post(ctx, p.transport, m.target.url, header, m.body, p.maxAnswer, &x)
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

// post has one exchange and reads the answer's body. What it learns on the way, also when it fails, goes into x.
func post(ctx context.Context, rt http.RoundTripper, to *url.URL, header http.Header, body []byte, limit int, x *exchanged) ([]byte, error) {
	t := &tracker{}
	// GetBody stays nil: with it the transport would repeat the request by itself when a reused connection dies. The body is of a kind that
	// net/http knows to be in memory, so that head and body leave in one write.
	req := (&http.Request{
		Method: http.MethodPost, URL: to, Host: to.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}).WithContext(t.track(ctx, to.Scheme == "https"))
	x.stage = stageConnect
	resp, err := rt.RoundTrip(req)
	x.reused = t.reused
	if err != nil {
		x.stage = t.stage()
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // an unread rest closes the connection, which is meant
	x.stage, x.status = stageBody, resp.StatusCode
	x.contentType = resp.Header.Get("Content-Type")
	x.location, x.retryAfter = resp.Header.Get("Location"), resp.Header.Get("Retry-After")
	if coding := resp.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return nil, bad("the body is encoded as %.40q, which was not asked for", coding)
	}
	if x.status < http.StatusOK {
		return nil, bad("HTTP %d is no final answer", x.status)
	}
	raw, err := readBody(resp.Body, resp.ContentLength, limit)
	x.read = len(raw)
	return raw, err
}
