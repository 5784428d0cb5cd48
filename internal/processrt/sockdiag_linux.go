package processrt

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel tells who listens in two ways. The files of /proc/net cost milliseconds, because they walk every connection there is; sock_diag(7)
// is asked for listeners alone, which takes microseconds, but not every kernel has it.

// The sizes and offsets of sock_diag(7).
const (
	diagRequestSize = 56 // struct inet_diag_req_v2
	diagAnswerSize  = 72 // struct inet_diag_msg
	diagSourcePort  = 4  // within struct inet_diag_sockid, which both carry
	diagTimeout     = time.Second
)

// listener is a socket that listens.
type listener struct {
	addr  netip.Addr
	port  int
	inode string
}

// askListeners asks for the sockets of one family that listen.
func askListeners(family uint8) ([]listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }() // nothing is buffered
	patience := unix.NsecToTimeval(diagTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience); err != nil {
		return nil, err
	}
	if err := unix.Sendto(fd, diagRequest(family), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	var found []listener
	buffer := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		more, done, err := parseDiag(buffer[:n])
		if found = append(found, more...); done || err != nil {
			return found, err
		}
	}
}

// diagRequest asks for all sockets of a family in the state TCP_LISTEN.
func diagRequest(family uint8) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+diagRequestSize)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	binary.NativeEndian.PutUint32(b[8:], 1)
	r := b[unix.SizeofNlMsghdr:]
	r[0], r[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(r[4:], 1<<unix.BPF_TCP_LISTEN)
	return b
}

var errDiag = errors.New("sock_diag is not understood")

// parseDiag reads what came in one message; done says that nothing more comes.
func parseDiag(b []byte) (found []listener, done bool, err error) {
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return found, false, errDiag
		}
		body := b[unix.SizeofNlMsghdr:size]
		switch binary.NativeEndian.Uint16(b[4:]) {
		case unix.NLMSG_DONE:
			return found, true, nil
		case unix.SOCK_DIAG_BY_FAMILY:
			if len(body) < diagAnswerSize {
				return found, false, errDiag
			}
			found = append(found, listenerOf(body))
		default: // NLMSG_ERROR among them
			return found, false, errDiag
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return found, false, nil
}

// listenerOf reads a struct inet_diag_msg.
func listenerOf(b []byte) listener {
	addr := netip.AddrFrom4([4]byte(b[diagSourcePort+4:]))
	if b[0] == unix.AF_INET6 {
		addr = netip.AddrFrom16([16]byte(b[diagSourcePort+4:]))
	}
	return listener{
		addr:  addr,
		port:  int(binary.BigEndian.Uint16(b[diagSourcePort:])),
		inode: strconv.FormatUint(uint64(binary.NativeEndian.Uint32(b[diagAnswerSize-4:])), 10),
	}
}
