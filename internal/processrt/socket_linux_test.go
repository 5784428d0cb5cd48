package processrt

import (
	"cmp"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestScanListeners reads what a little-endian kernel shows of sockets.
func TestScanListeners(t *testing.T) {
	if got, ok := parseAddr("0100007F"); !ok || got != loopback {
		t.Skipf("this machine is big-endian: %v", got)
	}
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0
   2: 0000000000000000FFFF00000200007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0
   3: 01:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 444 1 0 100 0 0 10 0
   4: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 555 1 0 100 0 0 10 0
   5: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 666 1 0 100 0 0 10 0
`
	want := []listener{
		{loopback, 8080, "111"}, {netip.IPv4Unspecified(), 8080, "222"}, {netip.MustParseAddr("::ffff:127.0.0.2"), 8081, "333"},
	}
	if got := scanListeners(strings.NewReader(table)); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

// TestListenersOfBothKinds: the quick way and the files tell the same of sockets that we know.
func TestListenersOfBothKinds(t *testing.T) {
	var ports []int
	for _, at := range []struct{ network, addr string }{{"tcp4", "127.0.0.1:0"}, {"tcp4", "0.0.0.0:0"}, {"tcp", ":0"}, {"tcp6", "[::1]:0"}} {
		ln, err := net.Listen(at.network, at.addr)
		if err != nil {
			t.Logf("%s: %v", at.addr, err)
			continue
		}
		defer ln.Close()
		ports = append(ports, ln.Addr().(*net.TCPAddr).Port)
	}
	ours := func(all []listener) []listener {
		all = slices.DeleteFunc(all, func(l listener) bool { return !slices.Contains(ports, l.port) })
		slices.SortFunc(all, func(a, b listener) int { return cmp.Compare(a.inode, b.inode) })
		return all
	}
	read, err := readListeners()
	if err != nil {
		t.Fatal(err)
	}
	if got := ours(read); len(got) != len(ports) {
		t.Errorf("the files tell of %v, listening at %v", got, ports)
	}
	asked, err := everyListener()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ours(asked), ours(read); !reflect.DeepEqual(got, want) {
		t.Errorf("asked: %v, read: %v", got, want)
	}
	for n, wide := range []bool{false, true} {
		if inodes, open, err := listeners(ports[n]); err != nil || len(inodes) != 1 || open != wide {
			t.Errorf("port %d: %v, open %v, %v", ports[n], inodes, open, err)
		}
	}
}

// FuzzParseDiag: whatever the kernel sends, it is read to its end or refused.
func FuzzParseDiag(f *testing.F) {
	f.Add(diagRequest(2))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		found, _, _ := parseDiag(b)
		if len(found)*diagAnswerSize > len(b) {
			t.Fatalf("%d sockets out of %d bytes", len(found), len(b))
		}
	})
}

func BenchmarkListeners(b *testing.B) {
	b.Run("asked", func(b *testing.B) {
		for b.Loop() {
			if _, err := everyListener(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := readListeners(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
