package egress

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// DefaultConnectTimeout bounds the look-up and the connect of one dial together.
const DefaultConnectTimeout = 10 * time.Second

// Resolver finds the addresses of a host name; *net.Resolver is one. network is "ip", "ip4" or "ip6".
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options of a Dialer; the zero value is usable.
type Options struct {
	Resolver       Resolver      // nil: net.DefaultResolver
	ConnectTimeout time.Duration // look-up and connect together; 0 or less: DefaultConnectTimeout
}

// Dialer connects to allowed addresses only. It is safe for concurrent use and holds no resources.
type Dialer struct {
	policy   *Policy
	resolver Resolver
	timeout  time.Duration
	one      func(ctx context.Context, network, address string) (net.Conn, error) // dials one literal address
}

// NewDialer makes a Dialer that enforces p; nil is the default policy.
func NewDialer(p *Policy, o Options) *Dialer {
	d := &Dialer{policy: p, resolver: o.Resolver, timeout: o.ConnectTimeout}
	if d.policy == nil {
		d.policy = Default()
	}
	if d.resolver == nil {
		d.resolver = net.DefaultResolver
	}
	if d.timeout <= 0 {
		d.timeout = DefaultConnectTimeout
	}
	d.one = (&net.Dialer{ControlContext: d.control}).DialContext
	return d
}

// CheckAddr is the policy's.
func (d *Dialer) CheckAddr(a netip.Addr) error { return d.policy.CheckAddr(a) }

// DialContext connects to address ("host:port") over network "tcp", "tcp4" or "tcp6"; it is made for http.Transport. A name is
// resolved, its addresses are judged, and the allowed ones are tried, both IP families in a race (RFC 8305) when both are there. An
// *Error is returned when no address is allowed; a *net.DNSError when the name does not resolve; else what the network said of the
// first family.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	family, ok := families[network]
	if !ok {
		return nil, &Error{Rule: RuleNetwork}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial agent: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	addrs, err := d.allowed(ctx, family, host)
	if err != nil {
		return nil, err
	}
	return d.race(ctx, network, addrs, port)
}

// families maps the networks of a dial to those of a look-up.
var families = map[string]string{"tcp": "ip", "tcp4": "ip4", "tcp6": "ip6"}

// allowed are the addresses of host that the policy allows, in the resolver's order; never empty without an error.
func (d *Dialer) allowed(ctx context.Context, family, host string) ([]netip.Addr, error) {
	if host == "" { // to net.Dialer that would mean this machine
		return nil, &Error{Rule: RuleHost}
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if e := d.policy.judge(a); e != nil {
			return nil, e
		}
		return []netip.Addr{a}, nil
	}
	found, err := d.resolver.LookupNetIP(ctx, family, host)
	if err != nil {
		return nil, fmt.Errorf("resolve agent: %w", err)
	}
	var refused *Error
	out := make([]netip.Addr, 0, len(found))
	for _, a := range found {
		if e := d.policy.judge(a); e == nil {
			out = append(out, a.Unmap())
		} else if refused == nil {
			refused = e
		}
	}
	switch {
	case len(out) > 0:
		return out, nil
	case refused != nil:
		return nil, refused.of(host)
	}
	return nil, fmt.Errorf("resolve agent: %w", &net.DNSError{Err: "no such host", Name: host, IsNotFound: true})
}

// control judges the address that the socket is about to connect to; no address reaches the network past it.
func (d *Dialer) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("judge address: %w", err)
	}
	return d.policy.CheckAddr(ap.Addr())
}
