package faultproxy

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// hold is a socket that is bound to the proxy's port but never listens: connections are refused while nobody else listens, and no other
// socket of the machine can be given the port in between.
type hold struct{ fd int }

// holdPort binds a free port of loopback. Both sockets of the port have SO_REUSEADDR (package net sets it), so both may be bound.
func holdPort() (*hold, *net.TCPAddr, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socket", err)
	}
	h := &hold{fd: fd}
	addr, err := h.bind()
	if err != nil {
		h.release()
		return nil, nil, err
	}
	return h, addr, nil
}

func (h *hold) bind() (*net.TCPAddr, error) {
	if err := syscall.SetsockoptInt(h.fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return nil, os.NewSyscallError("setsockopt", err)
	}
	loopback := [4]byte{127, 0, 0, 1}
	if err := syscall.Bind(h.fd, &syscall.SockaddrInet4{Addr: loopback}); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	name, err := syscall.Getsockname(h.fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	in, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		return nil, fmt.Errorf("getsockname gives a %T", name)
	}
	return &net.TCPAddr{IP: loopback[:], Port: in.Port}, nil
}

func (h *hold) holds() bool { return true }

func (h *hold) release() {
	if h.fd >= 0 {
		_ = syscall.Close(h.fd)
		h.fd = -1
	}
}
