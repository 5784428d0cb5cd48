package processrt

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
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

// listeners are the sockets at which a connection to 127.0.0.1 and port can end up, by inode. open says that one of them listens to other
// machines too.
func listeners(port int) (inodes map[string]bool, open bool, err error) {
	all, err := everyListener()
	if err != nil {
		return nil, false, err
	}
	inodes = map[string]bool{}
	for _, l := range all {
		addr := l.addr.Unmap()
		if wide := addr.IsUnspecified(); l.port == port && (wide || addr == loopback) {
			inodes[l.inode] = true
			open = open || wide
		}
	}
	return inodes, open, nil
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// everyListener asks the kernel, and reads its files where it does not answer.
func everyListener() ([]listener, error) {
	var all []listener
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		found, err := askListeners(family)
		if err != nil {
			return readListeners()
		}
		all = append(all, found...)
	}
	return all, nil
}

// readListeners reads /proc/net/tcp and tcp6.
func readListeners() ([]listener, error) {
	var all []listener
	for _, file := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(file)
		if os.IsNotExist(err) && strings.HasSuffix(file, "6") {
			continue // a machine without version 6
		}
		if err != nil {
			return nil, err
		}
		all = append(all, scanListeners(f)...)
		_ = f.Close() // only read
	}
	return all, nil
}

// stateListen is TCP_LISTEN as /proc/net/tcp writes it.
const stateListen = "0A"

// scanListeners reads a table of sockets. The kernel lists those that listen first, and there may be many thousands of others.
func scanListeners(r io.Reader) (all []listener) {
	lines := bufio.NewScanner(r)
	lines.Scan() // the names of the columns
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 10 || f[3] != stateListen {
			break
		}
		host, at, _ := strings.Cut(f[1], ":")
		addr, known := parseAddr(host)
		if port, err := strconv.ParseUint(at, 16, 16); known && err == nil {
			all = append(all, listener{addr: addr, port: int(port), inode: f[9]})
		}
	}
	return all
}

// parseAddr reads an address as /proc/net/tcp writes it: words of 32 bits in the machine's own order.
func parseAddr(text string) (netip.Addr, bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.Addr{}, false
	}
	for w := 0; w < len(raw); w += 4 {
		binary.NativeEndian.PutUint32(raw[w:], binary.BigEndian.Uint32(raw[w:]))
	}
	return netip.AddrFromSlice(raw)
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
