package egress

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// names is a resolver whose answers to one name may change from one look-up to the next: the n-th look-up gets the n-th answer, the
// last one is repeated. An unknown name does not exist.
type names struct {
	mu      sync.Mutex
	answers map[string][][]netip.Addr
	asked   []string // network and host of each look-up
}

func (n *names) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, network+" "+host)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	turns, ok := n.answers[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	answer := turns[0]
	if len(turns) > 1 {
		n.answers[host] = turns[1:]
	}
	return answer, nil
}

func (n *names) lookups() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.asked)
}

func addrs(list ...string) []netip.Addr {
	out := make([]netip.Addr, len(list))
	for i, s := range list {
		out[i] = netip.MustParseAddr(s)
	}
	return out
}

// always answers host with the same addresses.
func always(host string, list ...string) *names {
	return &names{answers: map[string][][]netip.Addr{host: {addrs(list...)}}}
}

func mustParse(t testing.TB, allow, deny []string) *Policy {
	t.Helper()
	p, err := Parse(allow, deny)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
