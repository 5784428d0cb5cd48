package dockerrt

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	"github.com/myriad-mind/myriad"
)

// instance is one container that was started.
type instance struct {
	r          *Runtime
	id         string // of the container
	label      label
	nonce      string
	address    string // 127.0.0.1 and the published port; empty when the container had ended before it could be asked for
	started    time.Time
	signal     string // what the image wants to be stopped with
	unenforced []string
	log        *slog.Logger

	asked   atomic.Bool   // Stop was called
	worked  atomic.Bool   // it was ready once, so it may have learned something
	heard   atomic.Bool   // what it has learned was asked for, and passed on
	watcher chan struct{} // holds one token; who has it watches the container and is the only one to end it
	exited  chan struct{}

	mu   sync.Mutex
	seen bool   // the end was looked at; guarded by mu
	err  error  // guarded by mu
	last string // the end of the log, once the container has ended; guarded by mu

	asking  *sample // the daemon is asked what the container uses; guarded by mu
	sampled *sample // what it said last; guarded by mu
}

var _ myriad.Instance = (*instance)(nil)

// newInstance is the instance of a container as the daemon describes it.
func (r *Runtime) newInstance(l label, c container.InspectResponse, nonce string) *instance {
	i := &instance{
		r: r, id: c.ID, label: l, nonce: nonce, address: published(c, l.port), started: l.created, signal: "SIGTERM", log: r.logger(l),
		watcher: make(chan struct{}, 1), exited: make(chan struct{}),
	}
	i.watcher <- struct{}{}
	if c.State != nil {
		if at, err := time.Parse(time.RFC3339Nano, c.State.StartedAt); err == nil && !at.IsZero() {
			i.started = at
		}
	}
	if c.Config != nil && c.Config.StopSignal != "" {
		i.signal = c.Config.StopSignal
	}
	if c.HostConfig != nil {
		i.unenforced = unenforced(l.limits, c.HostConfig.Resources)
	}
	return i
}

// published is where a container's port is found on this machine; empty when it is not published on loopback.
func published(c container.InspectResponse, port int) string {
	inside, ok := network.PortFrom(uint16(port), network.TCP)
	if !ok || c.NetworkSettings == nil {
		return ""
	}
	for _, b := range c.NetworkSettings.Ports[inside] {
		if n, err := strconv.Atoi(b.HostPort); err == nil && n > 0 && b.HostIP.IsLoopback() {
			return net.JoinHostPort(b.HostIP.String(), b.HostPort)
		}
	}
	return ""
}

// Endpoint is where jobs go. It is empty for a container that ended so soon that its port was never known.
func (i *instance) Endpoint() string {
	if i.address == "" {
		return ""
	}
	return "http://" + i.address + "/query"
}

func (i *instance) Exited() <-chan struct{} { return i.exited }

func (i *instance) Err() error {
	select {
	case <-i.exited:
	default:
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.err
}

func (i *instance) gone() bool {
	select {
	case <-i.exited:
		return true
	default:
		return false
	}
}

func (i *instance) Unenforced() []string { return append([]string(nil), i.unenforced...) }

// inspect asks the daemon for the container.
func (i *instance) inspect(ctx context.Context) (container.InspectResponse, error) {
	res, err := i.r.docker.ContainerInspect(ctx, i.id, inspectOptions)
	return res.Container, err
}
