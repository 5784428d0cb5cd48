package faultproxy

import (
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// listen makes sure that somebody listens; it needs p.mu. Where the port could not be held, another socket may sit on it for a moment.
func (p *Proxy) listen() error {
	if p.listener != nil {
		return nil
	}
	give := time.Now().Add(listenTimeout)
	for {
		l, err := net.ListenTCP("tcp4", p.addr)
		if err == nil {
			if p.addr.Port == 0 { // only New gets here: later on addr is read without a lock
				p.addr = l.Addr().(*net.TCPAddr)
			}
			p.listener = l
			p.accepting.Go(func() { p.accept(l) })
			return nil
		}
		if p.hold.holds() || time.Now().After(give) {
			return fmt.Errorf("fault proxy: %w", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// unlisten refuses new connections from its return on; it needs p.mu.
func (p *Proxy) unlisten() {
	if p.listener != nil {
		_ = p.listener.Close() // its only error is "closed already"
		p.listener = nil
	}
}

// accept owns one listener until it is closed.
func (p *Proxy) accept(l *net.TCPListener) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			if p.ctx.Err() != nil || !p.listensOn(l) {
				return
			}
			time.Sleep(time.Millisecond) // out of descriptors, or a client gone before accept
			continue
		}
		p.welcome(l, c)
	}
}

func (p *Proxy) listensOn(l *net.TCPListener) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listener == l
}

// welcome starts a link for c, unless the listener was closed since c was accepted.
func (p *Proxy) welcome(l *net.TCPListener, c *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.listener != l {
		abort(c)
		return
	}
	n := uint64(p.conns.Add(1))
	k := newLink(p, c, rand.New(rand.NewPCG(p.seed, n)))
	p.links[k] = struct{}{}
	p.serving.Go(func() {
		defer p.forget(k)
		k.serve()
	})
}

func (p *Proxy) forget(k *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, k)
}

// abort closes c with a reset instead of a clean end.
func abort(c *net.TCPConn) {
	_ = c.SetLinger(0) // fails only when c is closed
	_ = c.Close()
}
