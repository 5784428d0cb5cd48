package egress

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func ruleOf(t testing.TB, err error) Rule {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error %v (%T) is no *Error", err, err)
	}
	return e.Rule
}

func TestDefaultPolicy(t *testing.T) {
	want := map[Rule][]string{
		"": {
			"127.0.0.1", "127.255.255.254", "::1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd12::1", "fc00::1",
			"::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "fd12::1%eth0",
		},
		RuleNotAllowed: {
			"8.8.8.8", "1.1.1.1", "172.32.0.1", "172.15.255.255", "11.0.0.1", "2606:4700::1111", "100.64.0.1", "100.127.255.255",
			"192.0.2.1", "198.18.0.1", "203.0.113.9", "240.0.0.1", "2001:db8::1", "fec0::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
			"192.0.0.1", "100::1", "4000::1", "e000::1",
		},
		RuleMetadata: {
			"169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23", "100.100.100.200", "168.63.129.16", "192.0.0.192",
			"fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fe80::a9fe:a9fe", "fe80::a9fe:a9fe%eth0",
			"::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::169.254.169.254", "64:ff9b::a83f:8110", "fd00:ec2::254%1",
		},
		RuleLinkLocal:   {"169.254.0.1", "169.254.255.255", "fe80::1", "fe80::1%eth0", "febf::1", "::ffff:169.254.1.1", "64:ff9b::a9fe:101"},
		RuleMulticast:   {"224.0.0.1", "239.255.255.250", "ff02::1", "ff02::1%eth0", "::ffff:224.0.0.1"},
		RuleUnspecified: {"0.0.0.0", "0.1.2.3", "::", "::%eth0", "::ffff:0.0.0.0", "64:ff9b::"},
		RuleBroadcast:   {"255.255.255.255", "::ffff:255.255.255.255"},
		RuleTransition:  {"::127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b:1::7f00:1", "2001::1", "2002:7f00:1::1"},
	}
	p := Default()
	for rule, list := range want {
		for _, s := range list {
			if got := ruleOf(t, p.CheckAddr(netip.MustParseAddr(s))); got != rule {
				t.Errorf("%s: rule %q, want %q", s, got, rule)
			}
		}
	}
	if got := ruleOf(t, p.CheckAddr(netip.Addr{})); got != RuleHost {
		t.Errorf("the invalid address: rule %q, want %q", got, RuleHost)
	}
}

func TestLists(t *testing.T) {
	list := func(s string) []string { return strings.Fields(s) }
	for _, c := range []struct {
		allow, deny, addr string
		want              Rule
	}{
		{"loopback", "", "10.0.0.1", RuleNotAllowed},
		{"public", "", "8.8.8.8", ""},
		{"public", "", "2606:4700::1111", ""},
		{"public", "", "127.0.0.1", RuleNotAllowed},
		{"public", "", "192.0.2.1", RuleNotAllowed},
		{"public", "", "168.63.129.16", RuleMetadata},
		{" LOOPBACK ", "", "127.0.0.1", ""},
		{"100.64.0.0/10", "", "100.64.0.1", ""},
		{"100.64.0.0/10", "", "100.100.100.200", RuleMetadata},
		{"8.8.8.8", "", "8.8.8.8", ""},
		{"8.8.8.8", "", "8.8.8.9", RuleNotAllowed},

		// A deny entry wins over any allow, however narrow.
		{"10.1.2.3/32", "10.0.0.0/8", "10.1.2.3", RuleDeny},
		{"any", "private", "192.168.1.1", RuleDeny},
		{"any", "public", "8.8.8.8", RuleDeny},
		{"any", "any", "127.0.0.1", RuleDeny},
		{"", "any", "::1", RuleDeny},
		{"metadata", "link-local", "169.254.169.254", RuleDeny},
		{"169.254.169.254", "metadata", "169.254.169.254", RuleDeny},
		{"", "127.0.0.1", "127.0.0.2", ""},

		// No disguise of an IPv4 address dodges a deny entry, and no disguised entry is lost.
		{"any", "10.0.0.0/8", "::ffff:10.0.0.1", RuleDeny},
		{"any", "10.0.0.0/8", "64:ff9b::10.0.0.1", RuleDeny},
		{"any", "64:ff9b::/96", "64:ff9b::10.0.0.1", RuleDeny},
		{"any", "::ffff:10.0.0.0/104", "10.0.0.1", RuleDeny},
		{"any", "::ffff:10.0.0.1", "10.0.0.1", RuleDeny},
		{"any", "fd00::/8", "fd00::1%eth0", RuleDeny},

		// Guarded networks: only their word, or a prefix inside them, opens them.
		{"any", "", "8.8.8.8", ""},
		{"any", "", "203.0.113.1", ""},
		{"any", "", "169.254.169.254", RuleMetadata},
		{"any", "", "169.254.1.1", RuleLinkLocal},
		{"any", "", "224.0.0.1", RuleMulticast},
		{"any", "", "0.0.0.0", RuleUnspecified},
		{"any", "", "255.255.255.255", RuleBroadcast},
		{"any", "", "2002:7f00:1::1", RuleTransition},
		{"0.0.0.0/0 ::/0", "", "169.254.169.254", RuleMetadata},
		{"0.0.0.0/0 ::/0", "", "fe80::1", RuleLinkLocal},
		{"fc00::/7", "", "fd00:ec2::254", RuleMetadata},
		{"private", "", "fd00:ec2::254", RuleMetadata},
		{"169.254.0.0/16", "", "169.254.1.1", ""},
		{"169.254.0.0/16", "", "169.254.169.254", RuleMetadata},
		{"169.254.169.0/24", "", "169.254.169.254", RuleMetadata},
		{"169.254.169.254/32", "", "169.254.169.254", ""},
		{"169.254.169.254", "", "64:ff9b::169.254.169.254", ""},
		{"169.254.169.254", "", "169.254.170.2", RuleMetadata},
		{"link-local", "", "169.254.1.1", ""},
		{"link-local", "", "fe80::1%eth0", ""},
		{"link-local", "", "169.254.169.254", RuleMetadata},
		{"metadata", "", "169.254.169.254", ""},
		{"metadata", "", "169.254.1.1", RuleLinkLocal},
		{"224.0.0.0/4", "", "224.0.0.1", ""},
		{"224.0.0.0/3", "", "224.0.0.1", RuleMulticast},
		{"2002::/16", "", "2002:7f00:1::1", ""},
	} {
		p := mustParse(t, list(c.allow), list(c.deny))
		err := p.CheckAddr(netip.MustParseAddr(c.addr))
		if got := ruleOf(t, err); got != c.want {
			t.Errorf("allow %q deny %q: %s gives rule %q, want %q", c.allow, c.deny, c.addr, got, c.want)
		}
	}
}

func TestParseReportsEveryMistake(t *testing.T) {
	_, err := Parse([]string{"10.0.0.1/8", "loopback", "intranet"}, []string{"300.1.1.1", "fe80::1%eth0", "::ffff:0.0.0.0/90", ""})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`allow[0]: "10.0.0.1/8" has bits beyond its length; write 10.0.0.0/8`, `allow[2]: "intranet"`,
		`deny[0]: "300.1.1.1"`, `deny[1]: "fe80::1%eth0" has a zone`, `deny[2]: `, `deny[3]: ""`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
}

func TestErrorsNameRuleAndAddress(t *testing.T) {
	p := mustParse(t, nil, []string{"10.0.0.0/8"})
	for addr, want := range map[string][]string{
		"10.1.1.1":               {"10.1.1.1", "rule deny", "10.0.0.0/8"},
		"169.254.169.254":        {"169.254.169.254", "rule metadata"},
		"8.8.8.8":                {"8.8.8.8", "rule not-allowed"},
		"::ffff:169.254.169.254": {"::ffff:169.254.169.254", "rule metadata"}, // as it was written
	} {
		err := p.CheckAddr(netip.MustParseAddr(addr))
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %v lacks %q", addr, err, w)
			}
		}
	}
	for rule := range explanations {
		if text := (&Error{Rule: rule}).Error(); strings.HasSuffix(text, ": ") {
			t.Errorf("rule %s is not explained", rule)
		}
	}
	for c, name := range classNames {
		if _, ok := explanations[Rule(name)]; c.guarded() && !ok {
			t.Errorf("guarded class %s has no rule of its name", name)
		}
	}
}

func TestListsRoundTrip(t *testing.T) {
	p := mustParse(t, []string{" Any", "10.0.0.1", "::ffff:10.2.0.0/112", "FD00::/8"}, []string{"Public"})
	if want := []string{"any", "10.0.0.1/32", "10.2.0.0/16", "fd00::/8"}; !slices.Equal(p.Allow(), want) {
		t.Errorf("Allow() = %v, want %v", p.Allow(), want)
	}
	again := mustParse(t, p.Allow(), p.Deny())
	if !slices.Equal(again.allow, p.allow) || !slices.Equal(again.deny, p.deny) {
		t.Errorf("%v and %v do not parse to themselves", p.Allow(), p.Deny())
	}
}

// TestPolicyProperties draws lists and addresses near the borders of the special networks and checks the package comment's rules
// against a plain restatement of them.
func TestPolicyProperties(t *testing.T) {
	const seed = 20260917
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 20_000 {
		deny := randomPrefix(r)
		allow := randomPrefix(r)
		p := mustParse(t, []string{allow.String()}, []string{deny.String()})
		open := mustParse(t, []string{allow.String()}, nil)
		a := near(r, allow, deny)
		plain := a.WithZone("").Unmap()
		got, without := p.CheckAddr(a), open.CheckAddr(a)
		if deny.Contains(plain) && got == nil {
			t.Fatalf("deny %s lets %s through", deny, a)
		}
		if got == nil && without != nil {
			t.Fatalf("deny %s opens %s that allow %s alone refuses", deny, a, allow)
		}
		if without == nil && !allow.Contains(plain) && !nat64.Contains(plain) {
			t.Fatalf("allow %s lets %s through", allow, a)
		}
		if m := netip.AddrFrom16(plain.As16()); ruleOf(t, p.CheckAddr(m)) != ruleOf(t, got) {
			t.Fatalf("%s and %s are judged differently by allow %s deny %s", a, m, allow, deny)
		}
		if plain.Is6() && ruleOf(t, p.CheckAddr(plain.WithZone("7"))) != ruleOf(t, got) {
			t.Fatalf("a zone changes the judgement of %s by allow %s deny %s", a, allow, deny)
		}
		for _, s := range spans {
			if s.class.guarded() && s.prefix.Contains(plain) && !plain.IsLoopback() && without == nil && allow.Bits() < s.prefix.Bits() {
				t.Fatalf("allow %s opens %s, guarded as %s", allow, a, classNames[s.class])
			}
		}
	}
}

// randomPrefix is mostly a special network, widened, narrowed or as it is.
func randomPrefix(r *rand.Rand) netip.Prefix {
	s := spans[r.IntN(len(spans))].prefix
	bits := min(max(s.Bits()+r.IntN(17)-8, 0), s.Addr().BitLen())
	p, _ := s.Addr().Prefix(bits)
	return p
}

// near is an address inside or just outside of a prefix or special network, sometimes IPv4-mapped or behind NAT64.
func near(r *rand.Rand, choice ...netip.Prefix) netip.Addr {
	for _, s := range spans {
		choice = append(choice, s.prefix)
	}
	p := choice[r.IntN(len(choice))]
	if r.IntN(2) == 0 {
		p = choice[r.IntN(2)]
	}
	b := p.Addr().AsSlice()
	for i := range b {
		if r.IntN(3) == 0 && (i+1)*8 > p.Bits() {
			b[i] ^= byte(r.IntN(256)) & (0xff >> max(0, p.Bits()-i*8))
		}
	}
	a, _ := netip.AddrFromSlice(b)
	switch {
	case r.IntN(10) == 0 && a.Prev().IsValid():
		a = a.Prev()
	case r.IntN(4) == 0 && a.Is4():
		a = netip.AddrFrom16(a.As16())
	}
	return a
}

func BenchmarkCheckAddr(b *testing.B) {
	p, a := Default(), netip.MustParseAddr("10.1.2.3")
	b.ReportAllocs()
	for b.Loop() {
		if err := p.CheckAddr(a); err != nil {
			b.Fatal(err)
		}
	}
}
