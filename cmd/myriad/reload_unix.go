//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyReload sends to c when the server is asked to read its agents file again.
func notifyReload(c chan<- os.Signal) (stop func()) {
	signal.Notify(c, syscall.SIGHUP)
	return func() { signal.Stop(c) }
}
