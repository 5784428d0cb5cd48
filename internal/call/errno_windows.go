package call

import "syscall"

// What the system says when nobody listens, and when a connection was cut. The POSIX names of package syscall are invented numbers here.
const (
	errnoRefused = syscall.Errno(10061) // WSAECONNREFUSED
	errnoReset   = syscall.WSAECONNRESET
	errnoAborted = syscall.WSAECONNABORTED
	errnoPipe    = syscall.ERROR_BROKEN_PIPE
)
