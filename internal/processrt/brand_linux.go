package processrt

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Where no cgroup holds a child, what it starts can leave its session, lose its parent and empty its environment, as a daemon does. What stays
// with a process over fork and exec, and what no program changes on its way, are its resource limits. So a child is born with a soft limit of
// RLIMIT_RTTIME that nobody would set and that limits nothing: some hundred thousand years of uninterrupted real-time scheduling. The number says whose it is.
//
// The other ways to tell are no better: a subreaper in front of every child costs another start of our own executable and knows nobody any more once
// it is dead, and the server as the subreaper would have to tell its orphans from what else it may have started.

// branded is set in every brand; the owner takes 30 bits below it and the child the rest.
const branded = 1 << 62

// brand is the limit that a worker of an instance carries, with all that it started.
func brand(owner, instance, worker string) uint64 {
	sum := sha256.Sum256([]byte(instance + "\x00" + worker))
	return ownerBrand(owner)<<32 | uint64(binary.BigEndian.Uint32(sum[:]))
}

// ownerBrand is the upper half of all brands of an owner.
func ownerBrand(owner string) uint64 {
	sum := sha256.Sum256([]byte(owner))
	return branded>>32 | uint64(binary.BigEndian.Uint32(sum[:])>>2)
}

// brandOf is the brand of a process, 0 when it has none or that cannot be told.
func brandOf(pid int) uint64 {
	var is unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_RTTIME, nil, &is); err != nil {
		is.Cur = readBrand(pid) // it runs as somebody else
	}
	if is.Cur>>62 != branded>>62 {
		return 0
	}
	return is.Cur
}

func readBrand(pid int) uint64 {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "limits"))
	if err != nil {
		return 0
	}
	_, line, _ := strings.Cut(string(text), "Max realtime timeout")
	f := strings.Fields(line)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.ParseUint(f[0], 10, 64) // "unlimited" is no brand
	return n
}

// startBranded starts a child that is born with a brand. bare says that the machine does not let it carry one.
func startBranded(b uint64, start func() error) (bare bool, err error) {
	starting.Lock()
	defer starting.Unlock()
	var was, is unix.Rlimit
	if unix.Prlimit(0, unix.RLIMIT_RTTIME, nil, &was) != nil || was.Max < b ||
		unix.Prlimit(0, unix.RLIMIT_RTTIME, &unix.Rlimit{Cur: b, Max: was.Max}, nil) != nil {
		return true, start()
	}
	defer func() { _ = unix.Prlimit(0, unix.RLIMIT_RTTIME, &was, nil) }()      // it was that a moment ago
	bare = unix.Prlimit(0, unix.RLIMIT_RTTIME, nil, &is) != nil || is.Cur != b // machines of 32 bits know no such number
	return bare, start()
}
