package faultproxy

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"
)

// phase is where a connection stands in its exchange.
type phase uint8

const (
	idle      phase = iota // no request yet
	asking                 // bytes of a request came
	answering              // bytes of its answer came; the next bytes of the client are a new request
	done                   // answered for good: what the client still sends is swallowed
)

// link is one client connection, and the agent's behind it once a request has to be forwarded.
type link struct {
	p      *Proxy
	client *net.TCPConn
	rng    *rand.Rand // used by serve only
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex // guards what follows
	agent    *net.TCPConn
	phase    phase
	requests int
	fault    Fault // of the present request
	sent     int64 // bytes of the present answer that were passed on
}

func newLink(p *Proxy, c *net.TCPConn, rng *rand.Rand) *link {
	l := &link{p: p, client: c, rng: rng}
	l.ctx, l.cancel = context.WithCancel(p.ctx)
	return l
}

// serve carries the client's bytes to the agent until one of both ends.
func (l *link) serve() {
	var answers sync.WaitGroup
	defer answers.Wait()
	defer l.end()
	buf := make([]byte, 32<<10)
	for {
		n, err := l.client.Read(buf)
		if n > 0 && !l.take(buf[:n], &answers) {
			return
		}
		if err != nil {
			return
		}
	}
}

// take handles bytes of the client; false ends the link.
func (l *link) take(b []byte, answers *sync.WaitGroup) bool {
	f, begins, swallow := l.begin()
	if swallow {
		return true
	}
	if begins {
		switch f.Mode {
		case ResetRequest:
			l.sleep(f.Latency)
			l.reset()
			return false
		case CloseReused: // only reused connections get here with it
			l.sleep(f.Latency)
			return false
		case Blackhole:
			l.finish()
			return true
		case Garbage, Flood, Canned:
			return l.sleep(f.Latency) && l.answerItself(f)
		}
	}
	agent, err := l.dialAgent(answers)
	if err != nil {
		l.reset()
		return false
	}
	_, err = agent.Write(b)
	return err == nil
}

// begin tells which fault the present request has, and whether it begins just now.
func (l *link) begin() (f Fault, begins, swallow bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.phase {
	case done:
		return Fault{}, false, true
	case asking:
		return l.fault, false, false
	}
	l.phase, l.sent = asking, 0
	l.requests++
	l.fault = l.p.decide(l.rng, l.requests > 1)
	if l.agent != nil {
		_ = l.agent.SetReadDeadline(time.Time{}) // of a CloseIdle before
	}
	return l.fault, true, false
}

// finish swallows whatever the client sends from now on.
func (l *link) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = done
}

// dialAgent gives the agent's connection; the first call makes it and starts to carry its answers.
func (l *link) dialAgent(answers *sync.WaitGroup) (*net.TCPConn, error) {
	l.mu.Lock()
	agent := l.agent
	l.mu.Unlock()
	if agent != nil {
		return agent, nil
	}
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(l.ctx, "tcp", l.p.upstream)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	agent = c.(*net.TCPConn)
	if l.ctx.Err() != nil {
		_ = agent.Close()
		return nil, l.ctx.Err()
	}
	l.agent = agent
	answers.Go(func() { l.answers(agent) })
	return agent, nil
}

// answers carries the agent's bytes to the client.
func (l *link) answers(agent *net.TCPConn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := agent.Read(buf)
		if n > 0 && !l.pass(buf[:n]) {
			return
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded), l.ctx.Err() != nil:
			l.end()
		default:
			l.reset() // as the agent's end came, so it goes on
		}
		return
	}
}

// end closes both sides cleanly; it may be called often and at once.
func (l *link) end() {
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.client.Close()
	if l.agent != nil {
		_ = l.agent.Close()
	}
}

// reset is end, but the client sees a reset.
func (l *link) reset() {
	abort(l.client)
	l.end()
}

// sleep waits d; false when the link ended meanwhile.
func (l *link) sleep(d time.Duration) bool {
	if d <= 0 {
		return l.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.ctx.Done():
		return false
	}
}
