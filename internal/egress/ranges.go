package egress

import (
	"net/netip"
	"slices"
)

// class is the kind of network an address lies in.
type class uint8

const (
	public class = iota // globally reachable; what no range below holds
	loopback
	private // RFC 1918 and unique local IPv6
	linkLocal
	metadata    // where clouds hand out credentials
	multicast   //
	unspecified // 0.0.0.0 connects to this very host on many systems
	broadcast
	transition // IPv6 that tunnels to an IPv4 address which cannot be judged
	reserved   // shared (RFC 6598), documentation, benchmarking, future use
)

var classNames = map[class]string{
	public: "public", loopback: "loopback", private: "private", linkLocal: "link-local", metadata: "metadata", multicast: "multicast",
	unspecified: "unspecified", broadcast: "broadcast", transition: "transition", reserved: "reserved",
}

// guarded classes are opened only by an entry that names them (package comment, rule 2).
func (c class) guarded() bool {
	switch c {
	case linkLocal, metadata, multicast, unspecified, broadcast, transition:
		return true
	}
	return false
}

type span struct {
	prefix netip.Prefix
	class  class
}

// spans are the special networks, the deciding one first: a metadata address inside a link-local or private network is metadata.
// Sources: the IANA special-purpose address registries (RFC 6890) and the clouds' own documentation.
var spans = slices.Concat(
	of(metadata,
		"169.254.169.254/32",                    // AWS, Azure, Google, Oracle, DigitalOcean, OpenStack
		"169.254.170.2/32", "169.254.170.23/32", // AWS ECS and EKS credentials
		"169.254.0.23/32",                       // Tencent
		"100.100.100.200/32",                    // Alibaba
		"168.63.129.16/32",                      // Azure's wire server
		"192.0.0.192/32",                        // Oracle classic
		"fd00:ec2::254/128", "fd00:ec2::23/128", // AWS
		"fd20:ce::254/128",       // Google
		"fd00:c1::a9fe:a9fe/128", // Oracle
		"fe80::a9fe:a9fe/128",    // OpenStack
	),
	of(unspecified, "0.0.0.0/8", "::/128"),
	of(loopback, "127.0.0.0/8", "::1/128"),
	of(linkLocal, "169.254.0.0/16", "fe80::/10"),
	of(multicast, "224.0.0.0/4", "ff00::/8"),
	of(broadcast, "255.255.255.255/32"),
	of(transition,
		"::/96",           // IPv4-compatible
		"::ffff:0:0:0/96", // IPv4-translated
		"64:ff9b:1::/48",  // NAT64 of local use: where the IPv4 address stands is not known
		"2001::/32",       // Teredo
		"2002::/16",       // 6to4
	),
	of(private, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
	of(reserved,
		"100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "3fff::/20",
		"::/3", "4000::/2", "8000::/1", // all that is not 2000::/3, the only global unicast space
	),
)

func of(c class, prefixes ...string) []span {
	out := make([]span, len(prefixes))
	for i, p := range prefixes {
		out[i] = span{prefix: netip.MustParsePrefix(p), class: c}
	}
	return out
}

// nat64 is the well-known prefix of RFC 6052; its last 32 bits are the IPv4 address that the translator connects to.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// normalise gives the address that a connection to a reaches, and a itself without zone and IPv4-mapping.
func normalise(a netip.Addr) (reached, outer netip.Addr) {
	outer = a.WithZone("").Unmap()
	if nat64.Contains(outer) {
		b := outer.As16()
		return netip.AddrFrom4([4]byte(b[12:])), outer
	}
	return outer, outer
}

// decisive is the first span that holds a normalised address; public with an invalid prefix when none does.
func decisive(a netip.Addr) span {
	for _, s := range spans {
		if s.prefix.Contains(a) {
			return s
		}
	}
	return span{class: public}
}

// lies tells whether a normalised address lies in any network of class c, decisive or not: 169.254.169.254 is link-local as well.
// A metadata address is public too unless another range holds it.
func lies(a netip.Addr, c class) bool {
	special := false
	for _, s := range spans {
		if !s.prefix.Contains(a) {
			continue
		}
		if s.class == c {
			return true
		}
		special = special || s.class != metadata
	}
	return c == public && !special
}
