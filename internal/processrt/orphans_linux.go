package processrt

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A process whose parent is gone becomes a child of the first process of the machine or container. When the server is that, nobody but it
// can reap the grandchildren that it killed, and they would stay as zombies for ever.

// adopts says that orphans become children of this process.
func adopts() bool {
	if os.Getpid() == 1 {
		return true
	}
	var subreaper int32
	err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&subreaper)), 0, 0, 0)
	return err == nil && subreaper != 0
}

// expectOrphans notes who is about to be killed.
func (l *cell) expectOrphans() {
	if !adopts() {
		return
	}
	pids := l.pids()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.orphans == nil {
		l.orphans = map[int]bool{}
	}
	for _, pid := range pids {
		l.orphans[pid] = pid != l.pid // the child itself is waited for by its owner
	}
}

// reapOrphans reaps those who are dead.
func (l *cell) reapOrphans() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for pid, orphan := range l.orphans {
		if orphan {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // another's child is no business of ours
		}
	}
}
