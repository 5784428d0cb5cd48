package processrt

import (
	"os"

	"golang.org/x/sys/unix"
)

// unread is how many bytes a pipe holds that were not read yet, asked at either end; -1 when that cannot be told.
func unread(pipe *os.File) int {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return -1
	}
	n := -1
	if err := raw.Control(func(fd uintptr) {
		if held, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ); err == nil {
			n = held
		}
	}); err != nil {
		return -1
	}
	return n
}
