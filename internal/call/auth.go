package call

import (
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/myriad-mind/myriad"
)

const maxCredential = 64 << 10 // bytes of a credential's file

// ownHeaders are those that a credential must not stand in for.
var ownHeaders = map[string]bool{
	"Host": true, "Content-Length": true, "Content-Type": true, "Transfer-Encoding": true, "Connection": true, "Upgrade": true,
	"Te": true, "Trailer": true, "Idempotency-Key": true, "Traceparent": true, headerDeadline: true,
}

// authorise sets the header that a asks for; nil asks for none. The credential is read when it is needed and kept nowhere; errors name
// what is missing and never hold any of it. They are *fault of code TaskErrCredentials.
func authorise(h http.Header, a *myriad.Auth) error {
	if a == nil {
		return nil
	}
	secret, err := credential(a)
	if err != nil {
		return err
	}
	switch a.Scheme {
	case "bearer":
		h["Authorization"] = []string{"Bearer " + secret}
	case "basic":
		if !strings.Contains(secret, ":") {
			return noCredential("the credential for scheme basic is not of the form user:password")
		}
		h["Authorization"] = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(secret))}
	case "header":
		name := http.CanonicalHeaderKey(a.Header)
		if !headerName(name) || ownHeaders[name] {
			return noCredential("the agent's auth names no header that a credential may be in")
		}
		h[name] = []string{secret}
	default:
		return noCredential("the agent's auth has an unknown scheme")
	}
	return nil
}

func noCredential(text string) *fault { return &fault{code: myriad.TaskErrCredentials, text: text} }

// credential follows the reference.
func credential(a *myriad.Auth) (string, error) {
	var secret string
	switch {
	case a.Env != "":
		s, ok := os.LookupEnv(a.Env)
		if !ok {
			return "", noCredential("the environment variable " + a.Env + " of the agent's auth is not set")
		}
		secret = s
	case a.File != "":
		s, err := readCredential(a.File)
		if err != nil {
			return "", noCredential("the file of the agent's auth " + reason(err))
		}
		secret = s
	default:
		return "", noCredential("the agent's auth names neither an environment variable nor a file")
	}
	switch {
	case secret == "":
		return "", noCredential("the credential of the agent's auth is empty")
	case strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return "", noCredential("the credential of the agent's auth holds control characters")
	}
	return secret, nil
}

var (
	errNotRegular = errors.New("not a regular file")
	errTooLong    = errors.New("too long")
)

// readCredential reads a regular file only: a pipe or device could block the attempt for ever.
func readCredential(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errNotRegular
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only, nothing to lose
	raw, err := io.ReadAll(io.LimitReader(f, maxCredential+1))
	if err != nil {
		return "", err
	}
	if len(raw) > maxCredential {
		return "", errTooLong
	}
	s, _ := strings.CutSuffix(string(raw), "\n")
	s, _ = strings.CutSuffix(s, "\r")
	return s, nil
}

// reason tells why a file could not be read without telling where it is: replies go to clients.
func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "must not be read by the server"
	case errors.Is(err, errNotRegular):
		return "is not a regular file"
	case errors.Is(err, errTooLong):
		return "is too long for a credential"
	}
	return "cannot be read"
}

// headerName says whether s is a token of RFC 9110.
func headerName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}
