package client

import (
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/myriad-mind/myriad"
)

const maxTokenBytes = 4 << 10

// settled is how old a file must be for its time to tell of the next write: the clock of file systems may stand still for a moment.
const settled = time.Second

// token is what goes into the Authorization header; "" is none.
func (c *Client) token() (string, error) {
	if c.cfg.Token != "" || c.cfg.TokenFile == "" {
		return c.cfg.Token, nil
	}
	return c.file.token()
}

// tokenFile is a file that holds a token. It is read again when it is another one, or was written.
type tokenFile struct {
	path string
	last atomic.Pointer[readToken]
}

// readToken is what was read last.
type readToken struct {
	token string
	file  os.FileInfo
}

func (t *tokenFile) token() (string, error) {
	file, err := os.Stat(t.path)
	if err != nil {
		return "", unreadable(err)
	}
	if r := t.last.Load(); r != nil && os.SameFile(r.file, file) && r.file.ModTime().Equal(file.ModTime()) && r.file.Size() == file.Size() {
		return r.token, nil
	}
	token, err := t.read()
	if err == nil && time.Since(file.ModTime()) > settled {
		t.last.Store(&readToken{token, file})
	}
	return token, err
}

func (t *tokenFile) read() (string, error) {
	f, err := os.Open(t.path)
	if err != nil {
		return "", unreadable(err)
	}
	defer f.Close()
	buf := make([]byte, maxTokenBytes+1)
	n, err := readFull(f, buf)
	if err != nil {
		return "", unreadable(err)
	}
	token := strings.TrimSpace(string(buf[:n]))
	if n > maxTokenBytes || token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", myriad.Errorf(myriad.CodeUnauthorized, "the file %s holds no token", t.path)
	}
	return token, nil
}

func unreadable(err error) error {
	return &myriad.Error{Code: myriad.CodeUnauthorized, Message: "read the token: " + err.Error(), Err: err}
}
