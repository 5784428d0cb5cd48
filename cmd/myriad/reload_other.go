//go:build !unix

package main

import "os"

// notifyReload does nothing: the platform has no signal for it, so a changed agents file wants a restart.
func notifyReload(chan<- os.Signal) (stop func()) { return func() {} }
