package processrt

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// listens says who listens where a connection to 127.0.0.1 and port ends up. It is ours only when all that do are processes of this fence:
// several may share a port, or one take a narrower address than another.
func (f *fence) listens(port int) socket {
	inodes, open, err := listeners(port)
	switch {
	case err != nil:
		return socketUnknown
	case len(inodes) == 0:
		return socketNone
	case !f.takeOwn(inodes):
		return socketUnknown
	case len(inodes) > 0:
		return socketForeign
	case open:
		return socketOpen
	}
	return socketOurs
}

// takeOwn takes the sockets that processes of the fence hold out of inodes. It says whether all of these let themselves be looked at.
func (f *fence) takeOwn(inodes map[string]bool) (readable bool) {
	for _, l := range f.list() {
		for _, pid := range l.pids() {
			if !take(inodes, pid) {
				return false
			}
			if len(inodes) == 0 {
				return true
			}
		}
	}
	return true
}

// stateListen is TCP_LISTEN as /proc/net/tcp writes it.
const stateListen = "0A"

// reachable are the addresses that a connection to 127.0.0.1 can reach, as /proc/net/tcp and tcp6 write them on little-endian and
// big-endian machines; true for those that can be reached from other machines too.
var reachable = map[string]bool{
	"0100007F": false, "7F000001": false, "00000000": true,
	"00000000000000000000000000000000": true,
	"0000000000000000FFFF00000100007F": false, "00000000000000000000FFFF7F000001": false,
	"0000000000000000FFFF000000000000": true, "00000000000000000000FFFF00000000": true,
}

// listeners are the sockets that listen at a port, by inode. open says that one of them listens to other machines too.
func listeners(port int) (inodes map[string]bool, open bool, err error) {
	inodes = map[string]bool{}
	for _, file := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(file)
		if os.IsNotExist(err) && strings.HasSuffix(file, "6") {
			continue // a machine without version 6
		}
		if err != nil {
			return nil, false, err
		}
		wide := scanListeners(f, port, inodes)
		_ = f.Close() // only read
		open = open || wide
	}
	return inodes, open, nil
}

// scanListeners adds to inodes and says whether one of them listens to other machines too. The kernel lists those that listen first, and
// there may be many thousands of others.
func scanListeners(r io.Reader, port int, inodes map[string]bool) (open bool) {
	lines := bufio.NewScanner(r)
	lines.Scan() // the names of the columns
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 10 || f[3] != stateListen {
			break
		}
		addr, at, _ := strings.Cut(f[1], ":")
		wide, reached := reachable[addr]
		if n, err := strconv.ParseUint(at, 16, 16); reached && err == nil && int(n) == port {
			inodes[f[9]] = true
			open = open || wide
		}
	}
	return open
}

// take takes the sockets that a process holds out of inodes. It says whether the process lets itself be looked at.
func take(inodes map[string]bool, pid int) (readable bool) {
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
