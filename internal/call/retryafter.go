package call

import (
	"net/http"
	"strings"
	"time"
)

const (
	defaultWait = time.Second            // of a 429 that does not say how long
	leastWait   = 100 * time.Millisecond // so that "Retry-After: 0" does not become a busy loop
	longestWait = 5 * time.Minute
)

// retryAfter reads a Retry-After header: whole seconds, or a date as of now. The result is at least leastWait and at most longestWait;
// ok is false when the header is absent or neither.
func retryAfter(header string, now time.Time) (wait time.Duration, ok bool) {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0, false
	}
	if seconds, ok := digits(header); ok {
		return clampWait(time.Duration(seconds) * time.Second), true
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0, false
	}
	return clampWait(at.Sub(now)), true
}

func clampWait(d time.Duration) time.Duration { return min(max(d, leastWait), longestWait) }

// digits reads a decimal number without sign; what is too large to matter comes out as the longest wait.
func digits(s string) (n int64, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = min(n*10+int64(s[i]-'0'), int64(longestWait/time.Second))
	}
	return n, true
}
