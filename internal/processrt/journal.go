package processrt

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	lastLogSize  = 8 << 10 // bytes of LastLog
	maxLogLine   = 4 << 10 // bytes of one line in the log; the rest is left out
	linesPerSpan = 200     // lines of one instance that reach the log in each span; the rest are counted
	logSpan      = time.Second
)

// journal takes what an instance writes: its lines go to the log, the end of them is kept.
type journal struct {
	log *slog.Logger

	mu      sync.Mutex
	end     ring      // guarded by mu
	since   time.Time // of the present span; guarded by mu
	lines   int       // in the present span; guarded by mu
	dropped int       // lines that the log was not told; guarded by mu
}

func newJournal(log *slog.Logger) *journal { return &journal{log: log, end: ring{size: lastLogSize}} }

// line takes one line of a child, without its end.
func (j *journal) line(stream, text string) {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	now := time.Now()
	j.mu.Lock()
	j.end.add(text + "\n")
	left := 0
	if now.Sub(j.since) >= logSpan {
		left, j.dropped, j.lines, j.since = j.dropped, 0, 0, now
	}
	j.lines++
	tell := j.lines <= linesPerSpan
	if !tell {
		j.dropped++
	}
	j.mu.Unlock()
	j.leftOut(left)
	if tell {
		j.log.Info("agent: "+text, slog.String("stream", stream))
	}
}

func (j *journal) leftOut(n int) {
	if n > 0 {
		j.log.Warn("an agent writes faster than the log takes", slog.Int("lines_left_out", n))
	}
}

// note adds words of ours to what is kept, for whoever reads the last log of a failure, and tells the log.
func (j *journal) note(text string) {
	j.mu.Lock()
	j.end.add("myriad: " + text + "\n")
	j.mu.Unlock()
	j.log.Warn(text)
}

func (j *journal) error(text string, err error) { j.log.Error(text, slog.Any("error", err)) }

func (j *journal) close() {
	j.mu.Lock()
	left := j.dropped
	j.dropped = 0
	j.mu.Unlock()
	j.leftOut(left)
}

func (j *journal) last() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.end.String()
}

// pump reads lines until r ends. Each is also given to also, when that is not nil.
func (j *journal) pump(r io.Reader, stream string, also func(string)) {
	in := bufio.NewReaderSize(r, maxLogLine)
	for {
		text, err := in.ReadSlice('\n')
		line := strings.TrimRight(string(text), "\r\n")
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a long line
			_, err = in.ReadSlice('\n')
		}
		if line != "" || err == nil {
			j.line(stream, line)
			if also != nil {
				also(line)
			}
		}
		if err != nil {
			return
		}
	}
}

// ring keeps the end of a text.
type ring struct {
	size int
	text []byte
}

func (r *ring) add(s string) {
	r.text = append(r.text, s...)
	if over := len(r.text) - r.size; over > r.size {
		r.text = append(r.text[:0], r.text[over:]...)
	}
}

// String is the end of the text, from the begin of a line where there is one.
func (r *ring) String() string {
	text := r.text
	if over := len(text) - r.size; over > 0 {
		text = text[over:]
		for i, b := range text {
			if b == '\n' && i+1 < len(text) {
				text = text[i+1:]
				break
			}
		}
	}
	return strings.ToValidUTF8(string(text), "")
}
