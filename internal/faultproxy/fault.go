package faultproxy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// Mode is what happens to a request or its answer.
type Mode uint8

// The modes. "The agent sees it" tells whether the request has its effect although the client may never know.
const (
	Pass         Mode = iota // forward; the agent sees it
	Refuse                   // nobody listens, and connections that were open are reset; ignores First and Share
	ResetRequest             // reset on the first bytes of the request; the agent never sees it
	ResetAnswer              // reset after After bytes of the answer (0: before the first); the agent sees it
	Truncate                 // a clean end after After bytes of the answer; the agent sees it
	Stall                    // silence after After bytes of the answer, the connection stays open; the agent sees it
	Blackhole                // the request is swallowed and never answered; the agent never sees it
	CloseReused              // the first request of a connection is served; when the bytes of a later one arrive, the connection is closed
	CloseIdle                // served, then the connection is closed once silent for Interval (which also cuts an answer that pauses so long)
	Garbage                  // After bytes (0: 512) of noise for an answer, then a clean end; the agent never sees it
	Drip                     // the answer comes one byte per Interval; the agent sees it
	Flood                    // a 200 whose JSON has After bytes of data (0: without end); the agent never sees it
	Canned                   // Answer, then a clean end; the agent never sees it
	modes
)

var modeNames = [modes]string{
	"pass", "refuse", "reset-request", "reset-answer", "truncate", "stall", "blackhole", "close-reused", "close-idle", "garbage", "drip",
	"flood", "canned",
}

func (m Mode) String() string {
	if m < modes {
		return modeNames[m]
	}
	return fmt.Sprintf("mode(%d)", m)
}

// Fault is what a Proxy does to requests. The zero value forwards everything untouched.
type Fault struct {
	Mode     Mode
	Latency  time.Duration // before the first byte of the answer, whoever gives it: the agent has done its work by then
	Jitter   time.Duration // at most this much more, drawn evenly
	After    int64         // bytes; see the modes
	Interval time.Duration // of Drip and CloseIdle; 0: 10 ms
	Answer   []byte        // of Canned: raw bytes, HTTP head included (HTTPAnswer makes one)
	First    int           // hit only the first so many requests since Set; 0: all
	Share    float64       // hit each request with this probability; 0: always
}

const (
	defaultInterval = 10 * time.Millisecond
	defaultGarbage  = 512
)

// check names every mistake of f.
func (f Fault) check() error {
	var errs []error
	if f.Mode >= modes {
		errs = append(errs, fmt.Errorf("no such %s", f.Mode))
	}
	if f.Latency < 0 || f.Jitter < 0 || f.Interval < 0 || f.After < 0 || f.First < 0 {
		errs = append(errs, errors.New("durations and counts must not be negative"))
	}
	if !(f.Share >= 0 && f.Share <= 1) { // NaN fails too
		errs = append(errs, errors.New("a share lies within 0 and 1"))
	}
	if f.Mode == Canned && len(f.Answer) == 0 {
		errs = append(errs, errors.New("canned needs an answer"))
	}
	return errors.Join(errs...)
}

// String is for the log of a test: mode and the parameters that are set.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.Mode.String())
	put := func(name string, value any, set bool) {
		if set {
			fmt.Fprintf(&b, " %s=%v", name, value)
		}
	}
	put("latency", f.Latency, f.Latency > 0)
	put("jitter", f.Jitter, f.Jitter > 0)
	put("after", f.After, f.After > 0)
	put("interval", f.Interval, f.Interval > 0)
	put("first", f.First, f.First > 0)
	put("share", f.Share, f.Share > 0)
	return b.String()
}

// HTTPAnswer is a whole HTTP/1.1 answer for Canned. Its connection ends with it. header is a list of names and values in turn.
func HTTPAnswer(status int, body string, header ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	for i := 0; i+1 < len(header); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", header[i], header[i+1])
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
	return []byte(b.String())
}

// Draw picks a random fault from r, fit for a test that combines them: every mode is equally likely, delays are at most patience, and
// byte counts lie around the length of a small answer.
func Draw(r *rand.Rand, patience time.Duration) Fault {
	upTo := func(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(max(d, 1)))) }
	f := Fault{
		Mode: Mode(r.IntN(int(modes))), After: r.Int64N(400), Interval: upTo(patience/8) + time.Millisecond, Share: 0.25 + 0.75*r.Float64(),
	}
	if r.IntN(2) == 0 {
		f.Latency, f.Jitter = upTo(patience/2), upTo(patience/2)
	}
	switch f.Mode {
	case Flood:
		f.After = 0
	case Canned:
		f.Answer = HTTPAnswer(http.StatusTooManyRequests, `{"status":"error","data":"busy"}`, "Content-Type", "application/json", "Retry-After", "1")
		if r.IntN(2) == 0 {
			f.Answer = HTTPAnswer(http.StatusInternalServerError, "<html>Internal Server Error</html>", "Content-Type", "text/html")
		}
	}
	return f
}
