package config

import (
	"fmt"
	"net"
	"strings"

	"github.com/myriad-mind/myriad"
)

// validate lists every rule that the whole breaks, by key.
func (c *Config) validate() []myriad.Mistake {
	var mistakes []myriad.Mistake
	for _, o := range options {
		if outOfRange(o.into(c), mayBeZero[o.key] || isFloat(o.into(c))) {
			mistakes = append(mistakes, myriad.Mistake{Path: o.key, Rule: "must be more than 0"})
			continue
		}
		if o.check != nil {
			if rule := o.check(c); rule != "" {
				mistakes = append(mistakes, myriad.Mistake{Path: o.key, Rule: rule})
			}
		}
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		mistakes = append(mistakes, myriad.Mistake{Path: "listen", Rule: fmt.Sprintf("must be HOST:PORT, not %q", c.Listen)})
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

func timeoutOrder(c *Config) string {
	if c.Run.Timeout > c.Run.MaxTimeout {
		return fmt.Sprintf("must not be over run.max_timeout (%s)", c.Run.MaxTimeout)
	}
	return ""
}
