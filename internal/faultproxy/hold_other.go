//go:build !linux

package faultproxy

import "net"

// hold does nothing here: this platform lets no second socket bind the port. After Refuse the proxy asks for its port until it gets it.
type hold struct{}

func holdPort() (*hold, *net.TCPAddr, error) {
	return &hold{}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil
}

func (h *hold) holds() bool { return false }

func (h *hold) release() {}
