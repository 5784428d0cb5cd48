package processrt

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// listens says who listens where a connection to 127.0.0.1 and port ends up. It is ours only when all that do are processes of this fence:
// several may share a port, or one take a narrower address than another.
func (f *fence) listens(port int) socket {
	inodes, err := listeners(port)
	switch {
	case err != nil:
		return socketUnknown
	case len(inodes) == 0:
		return socketNone
	}
	for _, l := range f.list() {
		for _, pid := range l.pids() {
			if readable := forget(inodes, pid); !readable {
				return socketUnknown
			}
			if len(inodes) == 0 {
				return socketOurs
			}
		}
	}
	return socketForeign
}

// stateListen is TCP_LISTEN as /proc/net/tcp writes it.
const stateListen = "0A"

// The addresses that a connection to 127.0.0.1 can reach, as /proc/net/tcp and tcp6 write them on little-endian and big-endian machines.
var reachable = map[string]bool{
	"0100007F": true, "7F000001": true, "00000000": true,
	"00000000000000000000000000000000": true,
	"0000000000000000FFFF00000100007F": true, "00000000000000000000FFFF7F000001": true,
}

// listeners are the sockets that listen at a port, by inode.
func listeners(port int) (map[string]bool, error) {
	inodes := map[string]bool{}
	for _, file := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		text, err := os.ReadFile(file)
		if os.IsNotExist(err) && strings.HasSuffix(file, "6") {
			continue // a machine without version 6
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != stateListen {
				continue
			}
			addr, at, _ := strings.Cut(f[1], ":")
			if n, err := strconv.ParseUint(at, 16, 16); err == nil && int(n) == port && reachable[addr] {
				inodes[f[9]] = true
			}
		}
	}
	return inodes, nil
}

// forget takes the sockets that a process holds out of inodes. It says whether the process lets itself be looked at.
func forget(inodes map[string]bool, pid int) (readable bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return os.IsNotExist(err) // gone meanwhile
	}
	for _, e := range entries {
		link, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		if inode, ok := strings.CutPrefix(link, "socket:["); ok {
			delete(inodes, strings.TrimSuffix(inode, "]"))
		}
	}
	return true
}
