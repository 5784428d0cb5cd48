// Package egress decides which networks agents may be in, and enforces it: a Policy judges addresses, a Dialer judges the URLs that
// agents are registered with and every connection made to them. Start reading at policy.go; ranges.go is the table of special networks.
//
// The rules, in the order in which they decide:
//
//  1. An address that a deny entry covers is denied, whatever else is said.
//  2. A guarded address (metadata, link-local, multicast, unspecified, broadcast, transition) is denied, unless an allow entry names
//     it: by the word of its class ("link-local", "metadata"), or by a prefix that lies wholly inside the guarded range, such as
//     169.254.169.254/32. A wider allow, "any" and 0.0.0.0/0 included, does not open it.
//  3. An address that an allow entry covers is allowed; without allow entries these are "loopback" and "private".
//  4. Every other address is denied.
//
// Addresses are judged by what they reach: IPv4-mapped IPv6 and NAT64 (64:ff9b::/96) by the IPv4 address inside, zones ignored.
// The dialer repeats the judgement on the very address that the socket is about to connect to, so a name whose DNS answer changes
// between check and connect gains nothing.
package egress
