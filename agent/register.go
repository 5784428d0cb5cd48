package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// The waits between two tries to register: doubling, with full jitter on the upper half.
const (
	firstTry = 200 * time.Millisecond
	lastTry  = 10 * time.Second
	leaving  = 5 * time.Second // for the good-bye
)

// Registration says how a served agent is made known to a server.
type Registration struct {
	// Endpoint is where the server reaches the agent; the listener's address when empty, which must then be one address, not all.
	Endpoint string
	// Leave removes the agent from the server when it stops. Without it the server keeps the agent as known but not answering.
	Leave bool
}

type registration struct {
	Registration
	client *client.Client
}

// RegisterWith makes Serve register the agent once it listens. It keeps trying while the server does not answer; a refusal is logged.
func (a *Agent) RegisterWith(c *client.Client, r Registration) *Agent {
	a.registration = &registration{r, c}
	return a
}

// Register makes the agent known to a server as reached at endpoint. It tries again, with backoff, while the server does not answer, and
// returns nil when the agent is registered, or the server's refusal, or why ctx ended.
func (a *Agent) Register(ctx context.Context, c *client.Client, endpoint string) error {
	if err := a.check(); err != nil {
		return fmt.Errorf("agent %s: %w", a.name, err)
	}
	card := a.Card(endpoint)
	for wait := firstTry; ; wait = min(2*wait, lastTry) {
		_, err := c.PutAgent(ctx, card)
		if err == nil || ctx.Err() != nil || !mayPass(err) {
			return wrap(a, "register", err)
		}
		pause := wait/2 + rand.N(wait/2+1)
		if e, ok := errors.AsType[*myriad.Error](err); ok {
			pause = max(pause, min(e.RetryAfter, lastTry))
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return wrap(a, "register", err)
		}
	}
}

// Deregister removes the agent from a server; one that does not know it is content.
func (a *Agent) Deregister(ctx context.Context, c *client.Client) error {
	err := c.DeleteAgent(ctx, a.name)
	if myriad.ErrorCode(err) == myriad.CodeNotFound {
		return nil
	}
	return wrap(a, "deregister", err)
}

func wrap(a *Agent, doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("agent %s: %s: %w", a.name, doing, err)
}

// mayPass says whether trying again may help. A token file that is not there yet is made by the server at its first start.
func mayPass(err error) bool {
	switch myriad.ErrorCode(err) {
	case myriad.CodeUnavailable, myriad.CodeOverloaded, myriad.CodeDraining, myriad.CodeDeadline, myriad.CodeInternal:
		return true
	}
	return errors.Is(err, fs.ErrNotExist)
}

// announce registers the agent in the background. leave ends that, waits for it, and says good-bye when that was asked for.
func (a *Agent) announce(ctx context.Context, at net.Addr) (leave func()) {
	if a.registration == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	refused := false // wg's Wait orders the accesses
	wg.Go(func() {
		endpoint, err := a.registration.endpoint(at)
		if err == nil {
			err = a.Register(ctx, a.registration.client, endpoint)
		}
		if refused = err != nil && ctx.Err() == nil; refused {
			a.opts.Logger.Warn("the agent serves but is not registered", slog.String("agent", a.name), slog.Any("error", err))
		}
	})
	return func() {
		cancel()
		wg.Wait()
		if refused || !a.registration.Leave { // a try that was broken off may have reached the server
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
		defer cancel()
		if err := a.Deregister(ctx, a.registration.client); err != nil {
			a.opts.Logger.Warn("the agent could not leave its server", slog.String("agent", a.name), slog.Any("error", err))
		}
	}
}

func (r *registration) endpoint(at net.Addr) (string, error) {
	if r.Endpoint != "" {
		return r.Endpoint, nil
	}
	tcp, ok := at.(*net.TCPAddr)
	if !ok || tcp.IP.IsUnspecified() {
		return "", myriad.Errorf(myriad.CodeInvalid, "the agent listens at %s: say at which endpoint the server reaches it", at)
	}
	return "http://" + net.JoinHostPort(tcp.IP.String(), strconv.Itoa(tcp.Port)), nil
}
