package call

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
)

// local has one exchange with a handler of this process, without a network and without another goroutine. What it learns on the way, also when
// it fails, goes into x, as post does.
func local(ctx context.Context, h http.Handler, to *url.URL, header http.Header, body []byte, limit int, x *exchanged) (raw []byte, err error) {
	x.stage = stageConnected
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	x.stage = stageSent
	w := &memory{header: make(http.Header, 4), limit: limit}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler: // its way to cut the connection
			raw, err = nil, io.ErrUnexpectedEOF
		default:
			panic(p)
		}
	}()
	h.ServeHTTP(w, newPost(ctx, to, header, io.NopCloser(bytes.NewReader(body)), len(body)))
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if err := x.head(w.status, w.header); err != nil {
		return nil, err
	}
	x.read = len(w.body)
	if w.tooLarge {
		return w.body, errTooLarge
	}
	return w.body, nil
}

// memory takes an answer of at most limit bytes.
type memory struct {
	header   http.Header
	status   int // 0 until it is written
	body     []byte
	limit    int
	tooLarge bool
}

func (m *memory) Header() http.Header { return m.header }

func (m *memory) WriteHeader(status int) {
	if m.status == 0 && status >= http.StatusOK { // others are not the answer yet
		m.status = status
	}
}

func (m *memory) Write(p []byte) (int, error) {
	m.WriteHeader(http.StatusOK)
	room := m.limit - len(m.body)
	if len(p) <= room {
		m.body = append(m.body, p...)
		return len(p), nil
	}
	m.body, m.tooLarge = append(m.body, p[:room]...), true
	return room, errTooLarge
}
