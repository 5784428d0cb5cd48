//go:build !windows

package call

import "syscall"

// What the system says when nobody listens, and when a connection was cut.
const (
	errnoRefused = syscall.ECONNREFUSED
	errnoReset   = syscall.ECONNRESET
	errnoAborted = syscall.ECONNABORTED
	errnoPipe    = syscall.EPIPE
)
