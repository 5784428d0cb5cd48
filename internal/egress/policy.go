package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Policy judges addresses by an allow and a deny list. It is immutable and safe for concurrent use.
type Policy struct {
	allow, deny []entry
}

// defaultAllow is what an empty allow list means: agents live on this machine and in private networks.
var defaultAllow = []string{"loopback", "private"}

// words are the entries that name a class of networks; "any" is apart, for it names all.
var words = map[string]class{
	"loopback": loopback, "private": private, "public": public, "link-local": linkLocal, "metadata": metadata,
}

// Parse reads the allow and the deny list. An entry is a CIDR prefix ("10.0.0.0/8", "fd00::/8"), a single address, or one of the
// words loopback, private, public, link-local, metadata, any; letter case and surrounding space do not matter. An empty allow list
// means loopback and private. Every mistake of both lists is reported at once.
func Parse(allow, deny []string) (*Policy, error) {
	if len(allow) == 0 {
		allow = defaultAllow
	}
	allowed, errAllow := parseList("allow", allow)
	denied, errDeny := parseList("deny", deny)
	if err := errors.Join(errAllow, errDeny); err != nil {
		return nil, err
	}
	return &Policy{allow: allowed, deny: denied}, nil
}

// Default is the policy of empty lists.
func Default() *Policy {
	p, err := Parse(nil, nil)
	if err != nil {
		panic(err) // defaultAllow is constant and a test parses it
	}
	return p
}

// CheckAddr is nil when agents may be at a, else an *Error that says which rule refuses it.
func (p *Policy) CheckAddr(a netip.Addr) error {
	if e := p.judge(a); e != nil {
		return e
	}
	return nil
}

func (p *Policy) judge(a netip.Addr) *Error {
	if !a.IsValid() {
		return &Error{Rule: RuleHost}
	}
	reached, outer := normalise(a)
	for _, e := range p.deny {
		if e.covers(reached) || e.covers(outer) {
			return &Error{Rule: RuleDeny, Addr: a, Entry: e.text}
		}
	}
	s := decisive(reached)
	for _, e := range p.allow {
		if e.opens(reached, s) {
			return nil
		}
	}
	if s.class.guarded() {
		return &Error{Rule: Rule(classNames[s.class]), Addr: a}
	}
	return &Error{Rule: RuleNotAllowed, Addr: a}
}

// Allow and Deny are the lists in canonical writing; Parse(p.Allow(), p.Deny()) is p again.
func (p *Policy) Allow() []string { return texts(p.allow) }

// Deny is explained at Allow.
func (p *Policy) Deny() []string { return texts(p.deny) }

func texts(list []entry) []string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = e.text
	}
	return out
}

func parseList(name string, list []string) ([]entry, error) {
	out := make([]entry, 0, len(list))
	var errs []error
	for i, s := range list {
		e, err := parseEntry(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s[%d]: %w", name, i, err))
			continue
		}
		out = append(out, e)
	}
	return out, errors.Join(errs...)
}

// entry is one line of a list: a prefix, or, when prefix is invalid, the class of a word; all means "any".
type entry struct {
	text   string
	prefix netip.Prefix
	class  class
	all    bool
}

func parseEntry(s string) (entry, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	if text == "any" {
		return entry{text: text, all: true}, nil
	}
	if c, ok := words[text]; ok {
		return entry{text: text, class: c}, nil
	}
	prefix, err := parsePrefix(text)
	if err != nil {
		return entry{}, err
	}
	return entry{text: prefix.String(), prefix: prefix}, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		if a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q has a zone; the policy judges addresses without", text)
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no CIDR prefix, address or word (loopback, private, public, link-local, metadata, any)", text)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its length; write %s", text, p.Masked())
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%q cuts through the IPv4-mapped range; write an IPv4 prefix", text)
		}
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96), nil
	}
	return p, nil
}

// covers tells whether the entry holds a normalised address.
func (e entry) covers(a netip.Addr) bool {
	switch {
	case e.all:
		return true
	case e.prefix.IsValid():
		return e.prefix.Contains(a)
	}
	return lies(a, e.class)
}

// opens tells whether the entry allows a normalised address whose deciding span is s.
func (e entry) opens(a netip.Addr, s span) bool {
	switch {
	case e.all:
		return !s.class.guarded()
	case e.prefix.IsValid():
		return e.prefix.Contains(a) && (!s.class.guarded() || e.prefix.Bits() >= s.prefix.Bits())
	}
	return e.class == s.class
}
