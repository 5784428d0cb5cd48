package egress

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	f.Add("loopback,private", "10.0.0.0/8", "10.0.0.1")
	f.Add("any", "metadata,link-local", "::ffff:169.254.169.254")
	f.Add("::ffff:10.0.0.0/104", "fe80::1%x", "64:ff9b::1")
	f.Add("169.254.169.254/32", "", "169.254.169.254")
	f.Add("0.0.0.0/0,::/0", "fd00::/8", "fe80::1%eth0")
	f.Fuzz(func(t *testing.T, allow, deny, addr string) {
		p, err := Parse(strings.Split(allow, ","), strings.Split(deny, ","))
		if err != nil {
			return
		}
		again, err := Parse(p.Allow(), p.Deny())
		if err != nil || !slices.Equal(again.allow, p.allow) || !slices.Equal(again.deny, p.deny) {
			t.Fatalf("%v, %v do not parse to themselves: %v", p.Allow(), p.Deny(), err)
		}
		a, err := netip.ParseAddr(addr)
		if err != nil {
			return
		}
		verdict := p.CheckAddr(a)
		if got := p.CheckAddr(netip.AddrFrom16(a.As16())); (got == nil) != (verdict == nil) {
			t.Fatalf("%s: %v, but IPv4-mapped %v", a, verdict, got)
		}
		reached, _ := normalise(a)
		if s := decisive(reached); verdict == nil && s.class.guarded() && !slices.ContainsFunc(p.allow, func(e entry) bool {
			return e.text == classNames[s.class] || e.prefix.IsValid() && s.prefix.Contains(e.prefix.Addr()) && e.prefix.Bits() >= s.prefix.Bits()
		}) {
			t.Fatalf("%s of the guarded class %s is allowed by %v", a, classNames[s.class], p.Allow())
		}
	})
}

func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{
		"http://127.0.0.1:5001/query", "http://[::1%25lo]:1/", "http://u:p@h/", "http://169.254.169.254", "http://[::ffff:a9fe:a9fe]",
		"https://agent.internal", "http:///", "http://h:0", "http://h:65536", "//h", "http:x", "http://127.1", "http://0x7f000001", "http://１２７.0.0.1",
	} {
		f.Add(seed)
	}
	d := NewDialer(nil, Options{Resolver: always("never asked", "10.0.0.1")})
	f.Fuzz(func(t *testing.T, rawURL string) {
		if err := d.CheckURL(t.Context(), rawURL); err != nil {
			ruleOf(t, err) // fails unless it is an *Error
			return
		}
		r, err := http.NewRequest(http.MethodPost, rawURL, nil)
		if err != nil {
			t.Fatalf("accepted %q, of which no request can be made: %v", rawURL, err)
		}
		if s := r.URL.Scheme; s != "http" && s != "https" || r.URL.User != nil || r.URL.Hostname() == "" {
			t.Fatalf("accepted %q", rawURL)
		}
		if a, err := netip.ParseAddr(r.URL.Hostname()); err == nil && Default().CheckAddr(a) != nil {
			t.Fatalf("accepted %q at %s", rawURL, a)
		}
	})
}
