package egress

import (
	"context"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

const (
	maxHost       = 253             // longest name DNS can carry
	lookupTimeout = 3 * time.Second // for CheckURL; a registration does not wait longer for DNS
)

// CheckURL judges an endpoint at registration: an absolute http or https URL without credentials, whose host is at an allowed address.
// A literal address is judged at once. A name is resolved and each of its addresses judged; a link-local one beside an allowed one is
// passed over, for machines' own names bring them. When DNS does not answer within 3 s, or does not know the name yet, the URL is
// accepted: the dialer judges every address again when it connects. Refusals are *Error; otherwise the error is ctx's.
func (d *Dialer) CheckURL(ctx context.Context, rawURL string) error {
	host, refused := endpointHost(rawURL)
	if refused != nil {
		return refused
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return d.policy.CheckAddr(a)
	}
	lookup, cancel := context.WithTimeout(ctx, min(lookupTimeout, d.timeout))
	defer cancel()
	addrs, err := d.resolver.LookupNetIP(lookup, "ip", host)
	if err != nil {
		return ctx.Err() // nil when it was DNS that failed: judged at connect
	}
	return d.judgeAll(host, addrs)
}

// judgeAll refuses a name when one of its addresses is refused, but for link-local ones beside an allowed one.
func (d *Dialer) judgeAll(host string, addrs []netip.Addr) error {
	var passedOver *Error
	allowed := false
	for _, a := range addrs {
		switch e := d.policy.judge(a); {
		case e == nil:
			allowed = true
		case e.Rule == RuleLinkLocal:
			passedOver = e
		default:
			return e.of(host)
		}
	}
	if passedOver != nil && !allowed {
		return passedOver.of(host)
	}
	return nil
}

// endpointHost is the host of a well-formed endpoint, without brackets and port.
func endpointHost(rawURL string) (string, *Error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", &Error{Rule: RuleURL} // the cause quotes the URL, and with it a password
	}
	switch {
	case u.Scheme == "":
		return "", &Error{Rule: RuleURL}
	case u.Scheme != "http" && u.Scheme != "https":
		return "", &Error{Rule: RuleScheme}
	case u.User != nil:
		return "", &Error{Rule: RuleUserinfo}
	case u.Opaque != "":
		return "", &Error{Rule: RuleURL}
	}
	host := u.Hostname()
	if host == "" || len(host) > maxHost {
		return "", &Error{Rule: RuleHost}
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", &Error{Rule: RulePort}
		}
	}
	return host, nil
}
