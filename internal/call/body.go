package call

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// errTooLarge says that an answer is longer than the limit.
var errTooLarge = errors.New("answer too large")

const (
	directRead = 64 << 10 // up to this announced length the body is read straight into place
	pooledMost = 1 << 20  // larger buffers are left to the garbage collector
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readBody reads a body of the announced length (-1: not announced) that may have limit bytes. On errTooLarge and on errors of the
// reader what was read so far comes back too. An announced length is believed only as far as it costs nothing.
func readBody(r io.Reader, length int64, limit int) ([]byte, error) {
	switch {
	case length > int64(limit):
		return nil, errTooLarge
	case length >= 0 && length <= directRead:
		body := make([]byte, length)
		n, err := io.ReadFull(r, body)
		return body[:n], eof(err)
	}
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= pooledMost {
			buf.Reset()
			buffers.Put(buf)
		}
	}()
	n, err := buf.ReadFrom(io.LimitReader(r, int64(limit)+1))
	if n > int64(limit) {
		err = errTooLarge
	}
	return bytes.Clone(buf.Bytes()), err
}

// eof turns the EOF of a body that was announced but never began into one that came too early.
func eof(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// excerpt is the beginning of a failed answer's body for a message: of text, and of HTML nothing, as it tells people nothing.
func excerpt(body []byte, contentType string) string {
	if strings.Contains(contentType, "html") || !strings.HasPrefix(contentType, "text/") {
		return ""
	}
	body = bytes.TrimSpace(body)
	return strings.ToValidUTF8(string(body[:min(len(body), 2*maxExcerpt)]), "")
}

func bytesText(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
