package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// validate lists every rule that the whole breaks, by key.
func (c *Config) validate() []myriad.Mistake {
	var mistakes []myriad.Mistake
	wrong := func(key, rule string) { mistakes = append(mistakes, myriad.Mistake{Path: key, Rule: rule}) }
	for _, o := range options {
		zeroOK := mayBeZero[o.key] || isFloat(o.into(c))
		switch {
		case outOfRange(o.into(c), zeroOK) && zeroOK:
			wrong(o.key, "must not be negative")
		case outOfRange(o.into(c), zeroOK):
			wrong(o.key, "must be more than 0")
		case o.check != nil:
			if rule := o.check(c); rule != "" {
				wrong(o.key, rule)
			}
		}
	}
	return mistakes
}

func isFloat(v any) bool { _, ok := v.(*float64); return ok }

func filled(get func(*Config) string) func(*Config) string {
	return func(c *Config) string {
		if get(c) == "" {
			return "must not be empty"
		}
		return ""
	}
}

func oneOf(get func(*Config) string, words ...string) func(*Config) string {
	return func(c *Config) string {
		for _, w := range words {
			if get(c) == w {
				return ""
			}
		}
		return fmt.Sprintf("is one of %s, not %q", strings.Join(words, ", "), get(c))
	}
}

func share(get func(*Config) float64) func(*Config) string {
	return func(c *Config) string {
		if v := get(c); v < 0 || v > 1 {
			return fmt.Sprintf("is a share from 0 to 1, not %v", v)
		}
		return ""
	}
}

func tlsPair(c *Config) string {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return "tls_cert and tls_key belong together"
	}
	return ""
}

// atMost is the rule that one duration is not over another, which is the value of key.
func atMost(get, most func(*Config) time.Duration, key string) func(*Config) string {
	return func(c *Config) string {
		if get(c) > most(c) {
			return fmt.Sprintf("must not be over %s (%s)", key, most(c))
		}
		return ""
	}
}

func listenAddress(c *Config) string {
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Sprintf("must be HOST:PORT, not %q", c.Listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Sprintf("must have a port from 0 (any free one) to 65535, not %q", port)
	}
	return ""
}

// address is the rule that a value is empty or a URL of one of the schemes. It does not repeat the value, which may hold a password.
func address(get func(*Config) string, schemes ...string) func(*Config) string {
	return func(c *Config) string {
		if get(c) == "" {
			return ""
		}
		if u, err := url.Parse(get(c)); err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
			return "must be a URL with a host that begins with " + strings.Join(schemes, ":// or ") + "://"
		}
		return ""
	}
}

// each is the rule that every entry of a list passes ok; what says what they are.
func each(get func(*Config) []string, what string, ok func(string) bool) func(*Config) string {
	return func(c *Config) string {
		for _, entry := range get(c) {
			if !ok(entry) {
				return fmt.Sprintf("holds %s, not %q", what, entry)
			}
		}
		return ""
	}
}

func isHost(s string) bool { return !strings.ContainsAny(s, "/@ ") }

func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && s == u.Scheme+"://"+u.Host
}

func isIntent(s string) bool {
	canonical, err := myriad.CanonicalIntent(s)
	return err == nil && canonical == s
}

// argsDepth is bounded because deeper JSON is more than the standard decoder reads.
func argsDepth(c *Config) string {
	if c.Run.MaxArgsDepth > 1000 {
		return "must not be over 1000 levels"
	}
	return ""
}

func slowCalls(c *Config) string {
	if c.Breaker.SlowRatio > 0 && c.Breaker.SlowCall == 0 {
		return "needs breaker.slow_call, which says what slow is"
	}
	return share(func(c *Config) float64 { return c.Breaker.SlowRatio })(c)
}
