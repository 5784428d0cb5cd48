package client

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

const (
	maxProblemBytes = 1 << 20
	maxRetryAfter   = 24 * time.Hour
)

// problem is an error body: RFC 9457 on the native routes; error or message on the compatible ones.
type problem struct {
	Code         myriad.Code      `json:"code"`
	Title        string           `json:"title"`
	Detail       string           `json:"detail"`
	Mistakes     []myriad.Mistake `json:"mistakes"`
	RetryAfterMS int64            `json:"retry_after_ms"`
	Error        string           `json:"error"`
	Message      string           `json:"message"`
}

// problemOf reads the error that res states. It never fails: what cannot be read is told by the status alone.
func problemOf(r request, res *http.Response) error {
	out := &myriad.Error{Code: myriad.CodeOfStatus(res.StatusCode), RetryAfter: retryAfter(res.Header.Get("Retry-After"), time.Now())}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxProblemBytes))
	var p problem
	if err == nil && json.Unmarshal(body, &p) == nil {
		out.Message = cmp.Or(p.Detail, p.Error, p.Message, p.Title)
		out.Mistakes = p.Mistakes
		out.Code = cmp.Or(p.Code, out.Code)
		if p.RetryAfterMS > 0 {
			out.RetryAfter = min(time.Duration(min(p.RetryAfterMS, maxRetryAfter.Milliseconds()))*time.Millisecond, maxRetryAfter)
		}
	}
	switch {
	case out.Message != "":
	case res.StatusCode >= 300 && res.StatusCode < 400:
		out.Message = r.method + " " + r.path + ": the server redirects, which is not followed"
	default:
		out.Message = r.method + " " + r.path + ": " + strings.TrimSpace(strconv.Itoa(res.StatusCode)+" "+http.StatusText(res.StatusCode))
	}
	return out
}

// retryAfter reads the header: seconds or a date; 0 when there is none or it is past.
func retryAfter(v string, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
		return time.Duration(min(max(n, 0), int64(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}
