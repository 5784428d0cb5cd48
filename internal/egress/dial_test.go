package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// agent is a server on loopback that counts the connections it accepts.
func agent(t *testing.T) (port string, accepted *atomic.Int64) {
	t.Helper()
	accepted = new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok")
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			accepted.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, accepted
}

func get(t *testing.T, d *Dialer, rawURL string) error {
	t.Helper()
	tr := &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rawURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func TestDialReachesAllowedAgents(t *testing.T) {
	port, accepted := agent(t)
	dns := always("agent.internal", "127.0.0.1")
	d := NewDialer(nil, Options{Resolver: dns})
	for _, host := range []string{"127.0.0.1", "agent.internal", "[::ffff:127.0.0.1]"} {
		if err := get(t, d, "http://"+host+":"+port); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := accepted.Load(); n != 3 {
		t.Errorf("%d connections were accepted, want 3", n)
	}
	if n := dns.lookups(); n != 1 {
		t.Errorf("%d look-ups, want 1: literals need none", n)
	}
}

func TestDialRefusesDeniedAddresses(t *testing.T) {
	port, accepted := agent(t)
	d := NewDialer(mustParse(t, []string{"private"}, nil), Options{Resolver: always("agent.internal", "127.0.0.1", "::1")})
	for _, host := range []string{"127.0.0.1", "agent.internal", "[::1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "0.0.0.0"} {
		err := get(t, d, "http://"+host+":"+port)
		if e, ok := errors.AsType[*Error](err); !ok || !e.Addr.IsValid() {
			t.Errorf("%s: %v is no refusal with its address", host, err)
		}
	}
	if n := accepted.Load(); n != 0 {
		t.Errorf("%d connections reached a denied agent", n)
	}
}

func TestDialPassesOverDeniedAddresses(t *testing.T) {
	port, _ := agent(t)
	d := NewDialer(nil, Options{Resolver: always("agent.internal", "169.254.169.254", "8.8.8.8", "127.0.0.1", "fe80::1%lo")})
	if err := get(t, d, "http://agent.internal:"+port); err != nil {
		t.Errorf("the one allowed address was not dialed: %v", err)
	}
}

// TestDNSRebinding: the name is harmless when the agent is registered and leads elsewhere when it is called.
func TestDNSRebinding(t *testing.T) {
	port, accepted := agent(t)
	policy := mustParse(t, []string{"private"}, nil) // loopback plays the forbidden network, so that a breach would be seen
	dns := &names{answers: map[string][][]netip.Addr{"rebind.example": {addrs("10.0.0.1"), addrs("127.0.0.1")}}}
	d := NewDialer(policy, Options{Resolver: dns})
	rawURL := "http://rebind.example:" + port
	if err := d.CheckURL(t.Context(), rawURL); err != nil {
		t.Fatalf("the harmless answer is refused: %v", err)
	}
	err := get(t, d, rawURL)
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Rule != RuleNotAllowed || e.Host != "rebind.example" || e.Addr != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("the changed answer gives %v", err)
	}
	if accepted.Load() != 0 {
		t.Error("the changed answer was connected to")
	}
}

// TestSocketIsJudgedItself: even an address that slipped past the first judgement does not reach the network.
func TestSocketIsJudgedItself(t *testing.T) {
	port, accepted := agent(t)
	d := NewDialer(mustParse(t, []string{"private"}, nil), Options{})
	c, err := d.one(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", port))
	if err == nil {
		c.Close()
	}
	if e, ok := errors.AsType[*Error](err); !ok || e.Rule != RuleNotAllowed {
		t.Errorf("the socket's own check gives %v", err)
	}
	if accepted.Load() != 0 {
		t.Error("the socket was connected")
	}
}

func TestDialErrors(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := closed.Addr().String()
	closed.Close()

	d := NewDialer(nil, Options{Resolver: always("empty.example")})
	for _, c := range []struct {
		name, network, address string
		is                     func(error) bool
	}{
		{"refused", "tcp", refusing, func(err error) bool {
			return errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(err.Error(), "refused")
		}},
		{"unknown name", "tcp", "nobody.example:80", isDNS},
		{"name without addresses", "tcp", "empty.example:80", isDNS},
		{"not TCP", "udp", "127.0.0.1:53", isRule(RuleNetwork)},
		{"unix", "unix", "/var/run/docker.sock", isRule(RuleNetwork)},
		{"no host", "tcp", ":80", isRule(RuleHost)},
		{"no port", "tcp", "127.0.0.1", func(err error) bool { _, ok := errors.AsType[*net.AddrError](err); return ok }},
	} {
		conn, err := d.DialContext(t.Context(), c.network, c.address)
		if err == nil {
			conn.Close()
			t.Errorf("%s: no error", c.name)
		} else if !c.is(err) {
			t.Errorf("%s: unexpected %v (%T)", c.name, err, err)
		}
	}
}

func isDNS(err error) bool {
	e, ok := errors.AsType[*net.DNSError](err)
	return ok && e.IsNotFound
}

func isRule(r Rule) func(error) bool {
	return func(err error) bool { e, ok := errors.AsType[*Error](err); return ok && e.Rule == r }
}

func TestFamilyOfNetwork(t *testing.T) {
	port, _ := agent(t)
	dns := always("agent.internal", "127.0.0.1")
	c, err := NewDialer(nil, Options{Resolver: dns}).DialContext(t.Context(), "tcp4", "agent.internal:"+port)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if want := "ip4 agent.internal"; dns.asked[0] != want {
		t.Errorf("asked %q, want %q", dns.asked[0], want)
	}
}

func TestOptions(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{0: DefaultConnectTimeout, -1: DefaultConnectTimeout, time.Second: time.Second} {
		if d := NewDialer(nil, Options{ConnectTimeout: given}); d.timeout != want {
			t.Errorf("connect timeout %v gives %v, want %v", given, d.timeout, want)
		}
	}
	if err := NewDialer(nil, Options{}).CheckAddr(netip.MustParseAddr("169.254.169.254")); err == nil {
		t.Error("the default dialer allows metadata")
	}
}

func TestCancelledDial(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	port, accepted := agent(t)
	if c, err := NewDialer(nil, Options{}).DialContext(ctx, "tcp", "127.0.0.1:"+port); err == nil {
		c.Close()
		t.Error("a cancelled dial connects")
	}
	if accepted.Load() != 0 {
		t.Error("a cancelled dial was seen by the agent")
	}
}
