package processrt

import (
	"fmt"
	"net"
	"sync"
)

// ports are those that instances of the mode http were told to listen at.
type ports struct {
	mu    sync.Mutex
	taken map[int]bool // guarded by mu
}

// take finds a port of loopback that is free and that no other instance was given. Nothing holds it until the instance listens.
func (p *ports) take() (int, error) {
	for range 100 {
		ln, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return 0, fmt.Errorf("find a port: %w", err)
		}
		port := ln.Addr().(*net.TCPAddr).Port
		if err := ln.Close(); err != nil {
			return 0, fmt.Errorf("find a port: %w", err)
		}
		if p.claim(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a port: all that are offered are given to instances")
}

func (p *ports) claim(port int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[port] {
		return false
	}
	if p.taken == nil {
		p.taken = map[int]bool{}
	}
	p.taken[port] = true
	return true
}

func (p *ports) giveBack(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, port)
}
