package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	dialTimeout   = 5 * time.Second // to the agent
	listenTimeout = 2 * time.Second // for getting the port back after Refuse
)

// errClosed is what a closed proxy answers to Set and Play.
var errClosed = errors.New("fault proxy is closed")

// Stats counts what a Proxy saw since New.
type Stats struct {
	Conns    int64 // accepted connections
	Requests int64 // begun on them
	Hit      int64 // requests that a fault or latency was set on
	Open     int   // connections open now
}

// Proxy forwards TCP connections on loopback to an agent and breaks them as the present Fault says. It is safe for concurrent use.
type Proxy struct {
	upstream string
	seed     uint64
	addr     *net.TCPAddr
	hold     *hold // keeps the port ours while nobody listens
	ctx      context.Context
	cancel   context.CancelFunc

	conns, requests, hit atomic.Int64

	control  sync.Mutex // serialises Set, Play and Close
	schedule *schedule  // guarded by control; nil when none plays

	mu       sync.Mutex // guards what follows
	fault    Fault
	hits     int // requests hit since fault was set
	listener *net.TCPListener
	links    map[*link]struct{}
	closed   bool
	err      error // first failure of a schedule

	accepting sync.WaitGroup // the accept loop, of which there is one at most
	serving   sync.WaitGroup // one per link
}

// New starts a proxy to upstream ("host:port") on a free port of loopback. seed drives jitter, shares and noise: print it. The n-th
// connection draws from a stream of its own, so what it meets does not depend on how others are scheduled.
func New(upstream string, seed uint64) (*Proxy, error) {
	if _, _, err := net.SplitHostPort(upstream); err != nil {
		return nil, fmt.Errorf("fault proxy: upstream: %w", err)
	}
	h, addr, err := holdPort()
	if err != nil {
		return nil, fmt.Errorf("fault proxy: %w", err)
	}
	p := &Proxy{upstream: upstream, seed: seed, addr: addr, hold: h, links: map[*link]struct{}{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.listen(); err != nil {
		p.cancel()
		h.release()
		return nil, err
	}
	return p, nil
}

// Addr is the address to call, "127.0.0.1:port"; it stays the same through Refuse.
func (p *Proxy) Addr() string { return p.addr.String() }

// URL is "http://" and Addr.
func (p *Proxy) URL() string { return "http://" + p.Addr() }

// Seed is what New was given.
func (p *Proxy) Seed() uint64 { return p.seed }

// Stats is a snapshot of the counters.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	open := len(p.links)
	p.mu.Unlock()
	return Stats{Conns: p.conns.Load(), Requests: p.requests.Load(), Hit: p.hit.Load(), Open: open}
}

// Set ends what is playing and lets f decide every request that begins from now on; a request that has begun keeps its fault. Setting
// Refuse returns when nobody listens any more, setting anything else after it when somebody listens again.
func (p *Proxy) Set(f Fault) error {
	if err := f.check(); err != nil {
		return fmt.Errorf("fault proxy: %w", err)
	}
	p.control.Lock()
	defer p.control.Unlock()
	p.schedule.stop()
	p.schedule = nil
	return p.apply(f)
}

// Reset breaks every open connection with a reset, as a killed agent's kernel does. New ones are accepted as before.
func (p *Proxy) Reset() {
	for _, l := range p.open() {
		l.reset()
	}
}

// Close ends everything and waits for it. It returns the first failure of a schedule, if any. Closing twice is harmless.
func (p *Proxy) Close() error {
	p.control.Lock()
	defer p.control.Unlock()
	p.schedule.stop()
	p.schedule = nil
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.cancel()
	p.unlisten()
	err := p.err
	p.mu.Unlock()
	for _, l := range p.open() {
		l.end()
	}
	p.accepting.Wait()
	p.serving.Wait()
	p.hold.release()
	return err
}

// apply makes f the present fault.
func (p *Proxy) apply(f Fault) error {
	if err := p.swap(f); err != nil {
		return err
	}
	if f.Mode == Refuse {
		p.Reset()
	}
	return nil
}

func (p *Proxy) swap(f Fault) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	p.fault, p.hits = f, 0
	if f.Mode == Refuse {
		p.unlisten()
		return nil
	}
	return p.listen()
}

// open are the links of now. What is done to them is done without p.mu, for a link asks p for its fault under its own lock.
func (p *Proxy) open() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.links))
}

// decide draws the fault of a request that begins. rng is the connection's own.
func (p *Proxy) decide(rng *rand.Rand, reused bool) Fault {
	p.requests.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.fault
	switch {
	case f.First > 0 && p.hits >= f.First,
		f.Share > 0 && rng.Float64() >= f.Share,
		f.Mode == CloseReused && !reused && f.Latency+f.Jitter == 0:
		return Fault{}
	case f.Mode == CloseReused && !reused:
		f.Mode = Pass
	}
	if f.Jitter > 0 {
		f.Latency += time.Duration(rng.Int64N(int64(f.Jitter) + 1))
	}
	if f.Interval == 0 {
		f.Interval = defaultInterval
	}
	if f.Mode != Pass || f.Latency > 0 {
		p.hits++
		p.hit.Add(1)
	}
	return f
}
