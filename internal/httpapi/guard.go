package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// enter is where every request comes in: panics end here, headers are set, foreign hosts are turned away.
func (a *API) enter(rw http.ResponseWriter, r *http.Request) {
	w := newResponder(rw, a.cfg.WriteTimeout)
	w.extend() // the deadline of the request before on this connection may be over
	defer a.recover(w, r)
	secure(w.Header())
	if !cleanPath(r.URL.Path) {
		a.fail(w, r, dialectOf(r.URL.Path), myriad.Errorf(myriad.CodeNotFound, "there is nothing at %s", r.URL.Path))
		return
	}
	if r.ContentLength != 0 {
		// Also for a body that nobody reads: the server drains it before the next request. readBody takes the deadline away.
		_ = w.control.SetReadDeadline(time.Now().Add(a.cfg.BodyTimeout))
	}
	a.mux.ServeHTTP(w, r)
}

// recover turns a panic into a 500, or breaks the connection when the reply had begun.
func (a *API) recover(w *responder, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	a.cfg.Sink.Emit(myriad.Event{Kind: myriad.KindPanic, At: time.Now(), Reason: fmt.Sprintf("%s %s: %v", r.Method, r.URL.Path, p),
		Stack: string(debug.Stack())})
	if w.began {
		panic(http.ErrAbortHandler)
	}
	a.fail(w, r, dialectOf(r.URL.Path), myriad.Errorf(myriad.CodeInternal, "panic: %v", p))
}

// The values of the security headers, shared by all replies.
var (
	nosniff    = []string{"nosniff"}
	noStore    = []string{"no-store"}
	noContent  = []string{"default-src 'none'; frame-ancestors 'none'"}
	noReferrer = []string{"no-referrer"}
	sameOrigin = []string{"same-origin"}
)

func secure(h http.Header) {
	h["X-Content-Type-Options"] = nosniff
	h["Cache-Control"] = noStore
	h["Content-Security-Policy"] = noContent
	h["Referrer-Policy"] = noReferrer
	h["Cross-Origin-Resource-Policy"] = sameOrigin
}

// admit lets a request through to its route: a Host of ours, no foreign Origin, the token, JSON.
func (a *API) admit(r *http.Request, rt *route) error {
	if rt.probe {
		return nil
	}
	if err := a.hosts.check(r.Host); err != nil {
		return err
	}
	if a.guarded {
		if err := a.authorize(r); err != nil {
			return err
		}
	}
	if !changes(rt.method) {
		return nil
	}
	if err := a.origins.Check(r); err != nil {
		return &myriad.Error{Code: myriad.CodeForbidden, Message: "a page of another origin must not make changes here", Err: err}
	}
	if rt.body != nil && r.ContentLength != 0 {
		return checkMediaType(r, rt.dialect)
	}
	return nil
}

// authorize wants the bearer token. Hashes are compared, so that neither content nor length of the token shows in the time it takes.
func (a *API) authorize(r *http.Request) error {
	if a.cfg.Token == "" {
		return myriad.Errorf(myriad.CodeUnauthorized, "this needs a token, and the server has none configured")
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || given == "" {
		return myriad.Errorf(myriad.CodeUnauthorized, "this needs the header Authorization: Bearer TOKEN")
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(given)))
	if subtle.ConstantTimeCompare(sum[:], a.token[:]) != 1 {
		return myriad.Errorf(myriad.CodeUnauthorized, "the token is not the right one")
	}
	return nil
}

// originCheck refuses changes from pages of other origins, told by Sec-Fetch-Site or Origin.
func originCheck(trusted []string) (*http.CrossOriginProtection, error) {
	p := http.NewCrossOriginProtection()
	for _, origin := range trusted {
		if err := p.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("httpapi: allowed origin: %w", err)
		}
	}
	return p, nil
}

// hostCheck knows the Hosts that are ours. A page that rebinds its own name to our address comes with that name, and is refused.
type hostCheck struct {
	any      bool            // "*" was allowed
	names    map[string]bool // lower case, without port
	wildcard bool            // the listener is at every address, so every literal address may be ours
}

func newHostCheck(cfg Config) hostCheck {
	c := hostCheck{names: map[string]bool{"localhost": true}}
	if host, _, err := net.SplitHostPort(cfg.Listen); err == nil {
		addr, err := netip.ParseAddr(host)
		c.wildcard = host == "" || err == nil && addr.IsUnspecified()
		c.names[strings.ToLower(host)] = true
	}
	for _, h := range cfg.Hosts {
		c.any = c.any || h == "*"
		c.names[hostOnly(h)] = true
	}
	delete(c.names, "")
	return c
}

func (c hostCheck) check(host string) error {
	name := hostOnly(host)
	if c.any || c.names[name] {
		return nil
	}
	if addr, err := netip.ParseAddr(name); err == nil && (c.wildcard || addr.Unmap().IsLoopback()) {
		return nil
	}
	return myriad.Errorf(myriad.CodeForbidden, "the host %.100q is not one of this server's; allow it in the configuration", host)
}

// hostOnly is a Host without port, brackets and final dot, in lower case.
func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
