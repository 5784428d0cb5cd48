package client

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/myriad-mind/myriad"
)

// sseEvent is one event of a text/event-stream.
type sseEvent struct {
	id   string // the last id seen, as the standard has it
	kind string
	data []byte
}

// sseReader reads a text/event-stream (WHATWG HTML, 9.2.6) with bounds on line and event.
type sseReader struct {
	r      *bufio.Reader
	limit  int // bytes of one event's lines together
	skipLF bool
	begun  bool
	lastID string
	line   []byte
	retry  int64 // milliseconds the server asks to wait before a reconnect; 0 unsaid
}

func newSSEReader(r io.Reader, limit int) *sseReader {
	return &sseReader{r: bufio.NewReaderSize(r, 32<<10), limit: limit}
}

// next gives the next event that has data. io.EOF is the end of the stream; an event that was cut short by it is dropped.
func (s *sseReader) next() (sseEvent, error) {
	ev := sseEvent{}
	size, hasData := 0, false
	for {
		line, err := s.readLine(s.limit - size)
		if err != nil {
			return sseEvent{}, err
		}
		if len(line) == 0 {
			if hasData {
				ev.id = s.lastID
				return ev, nil
			}
			ev, size = sseEvent{}, 0
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "data":
			if hasData {
				ev.data = append(ev.data, '\n')
			}
			ev.data, hasData = append(ev.data, value...), true
			size += len(line)
		case "event":
			ev.kind = string(value)
		case "id":
			if bytes.IndexByte(value, 0) < 0 {
				s.lastID = string(value)
			}
		case "retry":
			s.setRetry(string(value))
		}
	}
}

func (s *sseReader) setRetry(v string) {
	if v == "" || strings.Trim(v, "0123456789") != "" {
		return
	}
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		s.retry = n
	}
}

// readLine gives the next line without its end, which is CR, LF or both. It is valid until the next call.
func (s *sseReader) readLine(limit int) ([]byte, error) {
	s.line = s.line[:0]
	for {
		if _, err := s.r.Peek(1); err != nil {
			return nil, err
		}
		buf, _ := s.r.Peek(s.r.Buffered())
		if s.skipLF {
			s.skipLF = false
			if buf[0] == '\n' {
				s.discard(1)
				continue
			}
		}
		end := bytes.IndexAny(buf, "\r\n")
		part := buf
		if end >= 0 {
			part = buf[:end]
		}
		if len(s.line)+len(part) > limit {
			return nil, myriad.Errorf(myriad.CodeTooLarge, "an event of the stream is over %d bytes", s.limit)
		}
		s.line = append(s.line, part...)
		if end < 0 {
			s.discard(len(buf))
			continue
		}
		s.skipLF = buf[end] == '\r'
		s.discard(end + 1)
		return s.withoutBOM(), nil
	}
}

func (s *sseReader) discard(n int) { _, _ = s.r.Discard(n) } // n bytes are buffered, so it cannot fail

func (s *sseReader) withoutBOM() []byte {
	if s.begun {
		return s.line
	}
	s.begun = true
	return bytes.TrimPrefix(s.line, []byte("\ufeff"))
}
