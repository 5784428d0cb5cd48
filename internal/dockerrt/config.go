package dockerrt

import (
	"cmp"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

// Config is how the runtime reaches Docker and what it makes of containers. Zero values are the defaults given with each field.
type Config struct {
	Host        string        // the daemon's address; DOCKER_HOST, else Docker's own socket. It must be on this machine
	HostImage   string        // image of the agent host; without one knowledge packets are not served
	HostPull    string        // when HostImage is pulled: "never" (default), "missing" or "always"
	Network     string        // the containers' network; the daemon's default bridge
	TmpBytes    int64         // size of /tmp; 64 MiB
	PullTimeout time.Duration // for one pull of an image; 5 min
	CallTimeout time.Duration // for one exchange with the daemon; 30 s
	Parallel    int           // containers that are created and started at once, the rest wait; 4
	Logger      *slog.Logger  // slog.Default()
	// Learned takes what the knowledge agent of an instance has been told, when that is stopped in order, so that its packet can follow. It is
	// called by Stop and must be quick, and again after a refusal with RetryAfter; what it refuses otherwise is lost with the container. Nil is nobody.
	Learned func(instance, agent string, k myriad.Knowledge) error
}

func (c Config) withDefaults() Config {
	c.TmpBytes = cmp.Or(c.TmpBytes, 64<<20)
	c.PullTimeout = cmp.Or(c.PullTimeout, 5*time.Minute)
	c.CallTimeout = cmp.Or(c.CallTimeout, 30*time.Second)
	c.Parallel = cmp.Or(c.Parallel, 4)
	c.HostPull = cmp.Or(c.HostPull, pullNever)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c
}

func (c Config) check() error {
	var m []myriad.Mistake
	if c.TmpBytes < 0 || c.PullTimeout < 0 || c.CallTimeout < 0 || c.Parallel < 0 {
		m = append(m, myriad.Mistake{Path: "docker", Rule: "sizes, times and counts must not be negative"})
	}
	if c.HostPull != "" && c.HostPull != pullNever && c.HostPull != pullMissing && c.HostPull != pullAlways {
		m = append(m, myriad.Mistake{Path: "docker.host_pull", Rule: "is one of never, missing, always"})
	}
	if c.Host != "" {
		if err := onThisMachine(c.Host); err != nil {
			m = append(m, myriad.Mistake{Path: "docker.host", Rule: err.Error()})
		}
	}
	return myriad.Invalid(m)
}

// address is where the daemon is asked for.
func (c Config) address() string {
	return cmp.Or(c.Host, os.Getenv(client.EnvOverrideHost), client.DefaultDockerHost)
}

// onThisMachine refuses daemons elsewhere: agents are published on the loopback address of the daemon's machine, out of reach from here.
func onThisMachine(address string) error {
	u, err := client.ParseHostURL(address)
	if err != nil {
		return myriad.Errorf(myriad.CodeInvalid, "%q is no address of a docker daemon, like unix:///var/run/docker.sock", address)
	}
	switch u.Scheme {
	case "unix", "npipe":
		return nil
	case "tcp", "http", "https":
		host := (&url.URL{Host: u.Host}).Hostname()
		if ip := net.ParseIP(host); strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback() {
			return nil
		}
		return myriad.Errorf(myriad.CodeInvalid, "the docker daemon at %s is on another machine: agents are published on loopback, where only their own machine reaches them", address)
	}
	return myriad.Errorf(myriad.CodeInvalid, "%q is no address that a docker daemon is reached at: it starts with unix://, npipe:// or tcp://", address)
}
