package egress

import (
	"context"
	"net"
	"net/netip"
	"time"
)

const (
	fallbackDelay = 300 * time.Millisecond // head start of the first family, as in net.Dialer
	leastPatience = 2 * time.Second        // of one address, when several share the time that is left
)

// racer is how one family's attempts ended.
type racer struct {
	conn  net.Conn
	err   error
	first bool // the family the resolver prefers
}

// race dials the family of the first address, and the other one beside it when the first fails or is slow. The loser is cancelled and
// waited for, so nothing is left behind.
func (d *Dialer) race(ctx context.Context, network string, addrs []netip.Addr, port string) (net.Conn, error) {
	first, second := split(addrs)
	if len(second) == 0 {
		return d.serial(ctx, network, first, port)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan racer) // each start is matched by one receive below
	start := func(addrs []netip.Addr, isFirst bool) {
		go func() {
			c, err := d.serial(ctx, network, addrs, port)
			results <- racer{c, err, isFirst}
		}()
	}
	start(first, true)
	delay := time.NewTimer(fallbackDelay)
	defer delay.Stop()

	var winner net.Conn
	var failure error
	running, fallen := 1, false
	for running > 0 {
		select {
		case <-delay.C:
			if !fallen && winner == nil {
				fallen, running = true, running+1
				start(second, false)
			}
		case r := <-results:
			running--
			switch {
			case r.err == nil && winner == nil:
				winner = r.conn
				cancel()
			case r.err == nil:
				_ = r.conn.Close() // came in after the other had won
			case failure == nil || r.first:
				failure = r.err
			}
			if winner == nil && !fallen {
				fallen, running = true, running+1
				start(second, false)
			}
		}
	}
	if winner != nil {
		return winner, nil
	}
	return nil, failure
}

// split parts addrs by family, the first address's one first, each in the given order.
func split(addrs []netip.Addr) (first, second []netip.Addr) {
	for _, a := range addrs {
		if a.Is4() == addrs[0].Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	return first, second
}

// serial dials one address after the other and gives each its share of the time left; the error is the first one's.
func (d *Dialer) serial(ctx context.Context, network string, addrs []netip.Addr, port string) (net.Conn, error) {
	var failure error
	for i, a := range addrs {
		if i > 0 && ctx.Err() != nil {
			break
		}
		c, err := d.attempt(ctx, network, net.JoinHostPort(a.String(), port), len(addrs)-i)
		if err == nil {
			return c, nil
		}
		if failure == nil {
			failure = err
		}
	}
	return nil, failure
}

func (d *Dialer) attempt(ctx context.Context, network, address string, left int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		share := max(time.Until(deadline)/time.Duration(left), leastPatience)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, share)
		defer cancel()
	}
	return d.one(ctx, network, address)
}
