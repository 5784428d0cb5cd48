package egress

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"net/netip"
)

func TestCheckURL(t *testing.T) {
	dns := &names{answers: map[string][][]netip.Addr{
		"agent.internal":    {addrs("10.0.0.5", "fd00::5")},
		"mixed.example":     {addrs("10.0.0.5", "8.8.8.8")},
		"meta.example":      {addrs("169.254.169.254")},
		"mapped.example":    {addrs("10.0.0.1", "::ffff:169.254.169.254")},
		"laptop":            {addrs("fe80::1%eth0", "192.168.1.7")},
		"only-link.example": {addrs("fe80::1%eth0")},
		"empty.example":     {nil},
	}}
	d := NewDialer(nil, Options{Resolver: dns})
	for rawURL, want := range map[string]Rule{
		"http://127.0.0.1:5001/query":             "",
		"https://10.0.0.1/":                       "",
		"HTTP://127.0.0.1":                        "",
		"http://[::1]:80/":                        "",
		"http://[fd00::1%25eth0]:80/":             "",
		"http://agent.internal:5001/query?x=1":    "",
		"http://not-there-yet.internal:5001":      "",
		"http://empty.example":                    "",
		"http://laptop":                           "",
		"http://127.0.0.1:":                       "",
		"http://only-link.example":                RuleLinkLocal,
		"http://mixed.example":                    RuleNotAllowed,
		"http://meta.example":                     RuleMetadata,
		"http://mapped.example":                   RuleMetadata,
		"http://169.254.169.254/latest/meta-data": RuleMetadata,
		"http://[::ffff:169.254.169.254]/":        RuleMetadata,
		"http://[64:ff9b::a9fe:a9fe]/":            RuleMetadata,
		"http://[fe80::1%25eth0]/":                RuleLinkLocal,
		"http://0.0.0.0:80":                       RuleUnspecified,
		"http://8.8.8.8":                          RuleNotAllowed,
		"ftp://127.0.0.1/":                        RuleScheme,
		"unix:///var/run/docker.sock":             RuleScheme,
		"file:///etc/passwd":                      RuleScheme,
		"javascript:alert(1)":                     RuleScheme,
		"http://user:secret@127.0.0.1/":           RuleUserinfo,
		"http://user@127.0.0.1/":                  RuleUserinfo,
		"http:127.0.0.1":                          RuleURL,
		"127.0.0.1:5001":                          RuleURL,
		"//127.0.0.1/":                            RuleURL,
		"agent.internal":                          RuleURL,
		"":                                        RuleURL,
		"http://127.0.0.1:port":                   RuleURL,
		"http://\x7f/":                            RuleURL,
		"http:///query":                           RuleHost,
		"http://:80/":                             RuleHost,
		"http://" + strings.Repeat("a", 254):      RuleHost,
		"http://127.0.0.1:0":                      RulePort,
		"http://127.0.0.1:65536":                  RulePort,
		"http://127.0.0.1:99999999999999999999":   RulePort,
	} {
		if got := ruleOf(t, d.CheckURL(t.Context(), rawURL)); got != want {
			t.Errorf("%q: rule %q, want %q", rawURL, got, want)
		}
	}
}

func TestCheckURLNamesHostAndAddress(t *testing.T) {
	d := NewDialer(nil, Options{Resolver: always("meta.example", "169.254.169.254")})
	e, ok := errors.AsType[*Error](d.CheckURL(t.Context(), "http://meta.example/"))
	if !ok || e.Host != "meta.example" || e.Addr != netip.MustParseAddr("169.254.169.254") {
		t.Fatalf("error %#v does not name host and address", e)
	}
	if want := `host "meta.example" at address 169.254.169.254 is refused (rule metadata)`; !strings.HasPrefix(e.Error(), want) {
		t.Errorf("text %q does not begin with %q", e, want)
	}
}

func TestCheckURLNeverRepeatsAPassword(t *testing.T) {
	d := NewDialer(nil, Options{Resolver: always("x", "10.0.0.1")})
	for _, rawURL := range []string{
		"http://user:hunter2@127.0.0.1/", "http://user:hunter2@127.0.0.1:port/", "ftp://user:hunter2@h/", "http://user:hunter2@/", "http://u:hunter2@[::1/",
		"://user:hunter2@h",
	} {
		err := d.CheckURL(t.Context(), rawURL)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q gives %v", rawURL, err)
		}
	}
}

// silent never answers before its caller gives up.
type silent struct{}

func (silent) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestCheckURLDoesNotWaitLongForDNS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDialer(nil, Options{Resolver: silent{}})
		start := time.Now()
		if err := d.CheckURL(t.Context(), "http://agent.internal/"); err != nil {
			t.Errorf("a silent DNS refuses the agent: %v", err)
		}
		if took := time.Since(start); took != lookupTimeout {
			t.Errorf("waited %v, want %v", took, lookupTimeout)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := d.CheckURL(ctx, "http://agent.internal/"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller's own deadline gives %v", err)
		}
	})
}
