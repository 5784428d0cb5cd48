package dockerrt

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

const (
	healthTimeout = 2 * time.Second
	maxHealth     = 64 << 10 // bytes of an answer to /health
)

var inspectOptions = client.ContainerInspectOptions{}

// healthClient asks containers for their health, each time on a connection of its own: what is asked seldom needs none that stays.
var healthClient = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Ready asks /health. An agent of the SDK proves with its nonce that it is this instance. Any other proves it by the port: the daemon holds
// the port that it published for a container as long as that runs, so when the container still runs and has the port, it was the one asked.
func (i *instance) Ready(ctx context.Context) error {
	if i.gone() || i.address == "" {
		return i.unready("it has ended")
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	nonce, err := i.health(ctx)
	if err != nil {
		return err
	}
	switch {
	case nonce != "" && nonce != i.nonce:
		return i.unready("what answers at %s is another instance", i.address)
	case nonce == "":
		if err := i.holdsPort(ctx); err != nil {
			return err
		}
	}
	if i.gone() {
		return i.unready("it has ended")
	}
	i.worked.Store(true)
	return nil
}

func (i *instance) unready(why string, args ...any) error {
	return myriad.Errorf(myriad.CodeUnavailable, "agent %s is not ready: %w", i.label.agent, fmt.Errorf(why, args...))
}

// health asks once; nonce is empty for an agent that does not know of nonces.
func (i *instance) health(ctx context.Context) (nonce string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.address+"/health", nil)
	if err != nil {
		return "", i.unready("its health cannot be asked for: %w", err)
	}
	resp, err := healthClient.Do(req)
	if err != nil {
		return "", i.unready("%w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxHealth))
	if err != nil {
		return "", i.unready("/health: %w", err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return "", i.unready("/health answers HTTP %d", resp.StatusCode)
	}
	var said struct {
		Nonce string `json:"nonce"`
	}
	_ = json.Unmarshal(body, &said) // an answer that is no JSON has no nonce
	return said.Nonce, nil
}

// holdsPort checks that the container runs and that its port is the one that was asked.
func (i *instance) holdsPort(ctx context.Context) error {
	c, err := i.inspect(ctx)
	switch {
	case err != nil:
		return i.unready("its container cannot be looked at: %w", err)
	case c.ID != i.id || c.State == nil || !c.State.Running || c.State.Paused:
		return i.unready("its container does not run")
	case published(c, i.label.port) != i.address:
		return i.unready("its container is no longer published at %s", i.address)
	}
	return nil
}
