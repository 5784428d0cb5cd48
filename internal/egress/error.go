package egress

import (
	"fmt"
	"net/netip"
	"strings"
)

// Rule names the rule that an Error reports. Rules are stable words, fit for metrics and replies.
type Rule string

// The rules about addresses.
const (
	RuleDeny        Rule = "deny"        // an entry of the deny list; Entry says which
	RuleNotAllowed  Rule = "not-allowed" // no entry of the allow list
	RuleLinkLocal   Rule = "link-local"
	RuleMetadata    Rule = "metadata"
	RuleMulticast   Rule = "multicast"
	RuleUnspecified Rule = "unspecified"
	RuleBroadcast   Rule = "broadcast"
	RuleTransition  Rule = "transition" // IPv6 that tunnels to an IPv4 address which cannot be judged
)

// The rules about URLs and networks.
const (
	RuleURL      Rule = "url"      // not an absolute URL
	RuleScheme   Rule = "scheme"   // neither http nor https
	RuleUserinfo Rule = "userinfo" // credentials inside the URL
	RuleHost     Rule = "host"     // no host, or none that DNS could know
	RulePort     Rule = "port"     // not within 1..65535
	RuleNetwork  Rule = "network"  // a dial to anything but TCP
)

var explanations = map[Rule]string{
	RuleDeny:        "the deny list covers it",
	RuleNotAllowed:  "no entry of the allow list covers it",
	RuleLinkLocal:   "link-local addresses are denied unless the allow list names them",
	RuleMetadata:    "cloud metadata addresses are denied unless the allow list names them",
	RuleMulticast:   "multicast addresses are denied unless the allow list names them",
	RuleUnspecified: "unspecified addresses are denied unless the allow list names them",
	RuleBroadcast:   "the broadcast address is denied unless the allow list names it",
	RuleTransition:  "addresses that tunnel to IPv4 are denied unless the allow list names them",
	RuleURL:         "it is not an absolute URL such as http://127.0.0.1:5001/query",
	RuleScheme:      "the scheme must be http or https",
	RuleUserinfo:    "credentials do not belong in an endpoint, refer to them by auth",
	RuleHost:        "the host is missing or no valid name",
	RulePort:        "the port must be within 1 and 65535",
	RuleNetwork:     "agents are reached by TCP only",
}

// Error says that the policy refuses an address or a URL. It never holds the URL itself, which may carry a password.
type Error struct {
	Rule  Rule
	Addr  netip.Addr // the refused address; invalid when the URL failed before one was known
	Host  string     // the host name that led to Addr; empty when the host is the address itself
	Entry string     // the deny entry as written, for RuleDeny
}

func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.Addr.IsValid() && e.Host != "":
		fmt.Fprintf(&b, "host %q at address %s is refused", e.Host, e.Addr)
	case e.Addr.IsValid():
		fmt.Fprintf(&b, "address %s is refused", e.Addr)
	default:
		b.WriteString("endpoint is refused")
	}
	fmt.Fprintf(&b, " (rule %s): %s", e.Rule, explanations[e.Rule])
	if e.Entry != "" {
		fmt.Fprintf(&b, " (%s)", e.Entry)
	}
	return b.String()
}

// of is e for a name that resolved to the refused address.
func (e *Error) of(host string) *Error {
	named := *e
	named.Host = host
	return &named
}
