package egress

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// network is a pretended network: what connecting to an address takes, and whether it then works.
type network struct {
	after  map[string]time.Duration
	works  map[string]bool
	mu     sync.Mutex
	tried  []string
	opened int
	closed int
}

type tracked struct {
	net.Conn
	n    *network
	addr string
}

func (c *tracked) Close() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.n.closed++
	return nil
}

// stubborn networks connect although the dial was cancelled meanwhile.
func (n *network) dial(stubborn bool) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(address)
		n.mu.Lock()
		n.tried = append(n.tried, host)
		n.mu.Unlock()
		select {
		case <-time.After(n.after[host]):
		case <-ctx.Done():
			if !stubborn {
				return nil, ctx.Err()
			}
		}
		if !n.works[host] {
			return nil, errors.New("no way to " + host)
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		n.opened++
		return &tracked{n: n, addr: host}, nil
	}
}

func TestRace(t *testing.T) {
	const never = time.Hour
	for _, c := range []struct {
		name     string
		answer   []string
		after    map[string]time.Duration
		works    []string
		stubborn bool
		want     string // the address that wins; empty: the dial fails
		text     string // of the failure
		took     time.Duration
		tried    []string
	}{
		{name: "the preferred family answers at once", answer: []string{"fd00::1", "10.0.0.1"}, works: []string{"fd00::1", "10.0.0.1"},
			want: "fd00::1", tried: []string{"fd00::1"}},
		{name: "the preferred family is silent", answer: []string{"fd00::1", "10.0.0.1"}, after: map[string]time.Duration{"fd00::1": never},
			works: []string{"10.0.0.1"}, want: "10.0.0.1", took: fallbackDelay, tried: []string{"fd00::1", "10.0.0.1"}},
		{name: "the preferred family fails at once", answer: []string{"10.0.0.1", "fd00::1"}, works: []string{"fd00::1"},
			want: "fd00::1", tried: []string{"10.0.0.1", "fd00::1"}},
		{name: "the preferred family is slow but first", answer: []string{"fd00::1", "10.0.0.1"},
			after: map[string]time.Duration{"fd00::1": 400 * time.Millisecond, "10.0.0.1": time.Second}, works: []string{"fd00::1", "10.0.0.1"},
			want: "fd00::1", took: 400 * time.Millisecond, tried: []string{"fd00::1", "10.0.0.1"}},
		{name: "the loser connects all the same", answer: []string{"fd00::1", "10.0.0.1"}, after: map[string]time.Duration{"fd00::1": never},
			works: []string{"fd00::1", "10.0.0.1"}, stubborn: true, want: "10.0.0.1", took: fallbackDelay, tried: []string{"fd00::1", "10.0.0.1"}},
		{name: "both fail", answer: []string{"fd00::1", "10.0.0.1"}, text: "no way to fd00::1", tried: []string{"fd00::1", "10.0.0.1"}},
		{name: "both fail, the preferred one last", answer: []string{"fd00::1", "10.0.0.1"}, after: map[string]time.Duration{"fd00::1": time.Second},
			text: "no way to fd00::1", took: time.Second, tried: []string{"fd00::1", "10.0.0.1"}},
		{name: "one family, one after the other", answer: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}, works: []string{"10.0.0.3"},
			want: "10.0.0.3", tried: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}},
		{name: "a silent address leaves time for the next", answer: []string{"10.0.0.1", "10.0.0.2"}, after: map[string]time.Duration{"10.0.0.1": never},
			works: []string{"10.0.0.2"}, want: "10.0.0.2", took: DefaultConnectTimeout / 2, tried: []string{"10.0.0.1", "10.0.0.2"}},
		{name: "all silent", answer: []string{"10.0.0.1", "fd00::1"}, after: map[string]time.Duration{"10.0.0.1": never, "fd00::1": never},
			text: context.DeadlineExceeded.Error(), took: DefaultConnectTimeout, tried: []string{"10.0.0.1", "fd00::1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{after: c.after, works: map[string]bool{}}
				for _, a := range c.works {
					n.works[a] = true
				}
				d := NewDialer(nil, Options{Resolver: always("agent.internal", c.answer...)})
				d.one = n.dial(c.stubborn)
				start := time.Now()
				conn, err := d.DialContext(t.Context(), "tcp", "agent.internal:80")
				switch {
				case c.want != "" && err != nil:
					t.Errorf("failed: %v", err)
				case c.want != "" && conn.(*tracked).addr != c.want:
					t.Errorf("connected to %s, want %s", conn.(*tracked).addr, c.want)
				case c.want == "" && (err == nil || err.Error() != c.text):
					t.Errorf("error %v, want %q", err, c.text)
				}
				if took := time.Since(start); took != c.took {
					t.Errorf("took %v, want %v", took, c.took)
				}
				if !slices.Equal(n.tried, c.tried) {
					t.Errorf("tried %v, want %v", n.tried, c.tried)
				}
				if kept := n.opened - n.closed; kept != len(c.want)/max(len(c.want), 1) {
					t.Errorf("%d connections are left open", kept)
				}
			})
		})
	}
}

func TestRaceEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{after: map[string]time.Duration{"10.0.0.1": time.Hour, "fd00::1": time.Hour}}
		d := NewDialer(nil, Options{Resolver: always("agent.internal", "10.0.0.1", "fd00::1")})
		d.one = n.dial(false)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := d.DialContext(ctx, "tcp", "agent.internal:80"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want the cancellation", err)
		}
	})
}
