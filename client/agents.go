package client

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/myriad-mind/myriad"
)

const agentsPath = "/v1/agents"

// Agents lists agents by name. next is "" on the last page.
func (c *Client) Agents(ctx context.Context, page myriad.Page) (agents []myriad.Agent, next string, err error) {
	var out struct {
		Agents []myriad.Agent `json:"agents"`
		Next   string         `json:"next_cursor"`
	}
	err = c.call(ctx, request{method: http.MethodGet, path: agentsPath, query: pageQuery(page)}, &out)
	return out.Agents, out.Next, err
}

// Agent reads one agent.
func (c *Client) Agent(ctx context.Context, name string) (myriad.Agent, error) {
	var a myriad.Agent
	err := c.call(ctx, request{method: http.MethodGet, path: agentsPath + "/" + seg(name)}, &a)
	return a, err
}

// CreateAgent registers an agent; a name that is taken is CodeConflict. It returns the agent as stored.
func (c *Client) CreateAgent(ctx context.Context, a myriad.Agent, opts ...Option) (myriad.Agent, error) {
	var stored myriad.Agent
	err := c.call(ctx, request{method: http.MethodPost, path: agentsPath, body: writable(a)}.with(opts), &stored)
	return stored, err
}

// PutAgent registers an agent or replaces it; WithRevision guards it. It returns the agent as stored.
func (c *Client) PutAgent(ctx context.Context, a myriad.Agent, opts ...Option) (myriad.Agent, error) {
	var stored myriad.Agent
	r := request{method: http.MethodPut, path: agentsPath + "/" + seg(a.Name), body: writable(a)}.with(opts)
	err := c.call(ctx, r, &stored)
	return stored, err
}

// DeleteAgent removes an agent; WithRevision guards it.
func (c *Client) DeleteAgent(ctx context.Context, name string, opts ...Option) error {
	return c.call(ctx, request{method: http.MethodDelete, path: agentsPath + "/" + seg(name)}.with(opts), nil)
}

// writable is a without the fields that only the server sets, so that what was read can be written back.
func writable(a myriad.Agent) myriad.Agent {
	a.Revision, a.Owner, a.Dormant = 0, "", false
	a.CreatedAt, a.UpdatedAt = time.Time{}, time.Time{}
	return a
}

func etag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

// The actions of SetBreaker.
const (
	BreakerOpen  = "open"  // reject everything
	BreakerClose = "close" // let everything through
	BreakerAuto  = "auto"  // decide by outcomes
)

type breakers struct {
	Breakers []myriad.BreakerState `json:"breakers"`
}

// Breaker reads the circuit breakers of an agent, one per endpoint.
func (c *Client) Breaker(ctx context.Context, agent string) ([]myriad.BreakerState, error) {
	var out breakers
	err := c.call(ctx, request{method: http.MethodGet, path: agentsPath + "/" + seg(agent) + "/breaker"}, &out)
	return out.Breakers, err
}

// SetBreaker forces the agent's breakers open or closed, or hands them back to outcomes.
func (c *Client) SetBreaker(ctx context.Context, agent, action string) ([]myriad.BreakerState, error) {
	var out breakers
	body := map[string]string{"action": action}
	err := c.call(ctx, request{method: http.MethodPost, path: agentsPath + "/" + seg(agent) + "/breaker", body: body}, &out)
	return out.Breakers, err
}
