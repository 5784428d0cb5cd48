package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"strconv"

	"github.com/myriad-mind/myriad"
)

const runsPath = "/v1/runs"

// Run carries plan out and waits for its end; leaving by ctx cancels the run. plan is a Plan or a json.RawMessage.
func (c *Client) Run(ctx context.Context, plan json.Marshaler, opts ...Option) (*myriad.RunRecord, error) {
	rec := new(myriad.RunRecord)
	r := request{method: http.MethodPost, path: runsPath, body: plan, timeout: c.cfg.RunTimeout}.with(opts)
	if err := c.call(ctx, r, rec); err != nil {
		return nil, err
	}
	return rec, nil
}

// Start begins a run that survives its client, and returns its id.
func (c *Client) Start(ctx context.Context, plan json.Marshaler, opts ...Option) (string, error) {
	r := request{method: http.MethodPost, path: runsPath, body: plan, timeout: c.cfg.Timeout}.with(opts)
	r.header.Set("Prefer", "respond-async")
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	res, err := c.send(ctx, r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := c.readReply(ctx, r, res)
	if err != nil {
		return "", err
	}
	var accepted struct {
		RunID string `json:"run_id"`
	}
	if err := json.Unmarshal(body, &accepted); err == nil && accepted.RunID != "" {
		return accepted.RunID, nil
	}
	if at := res.Header.Get("Location"); at != "" {
		return path.Base(at), nil
	}
	return "", myriad.Errorf(myriad.CodeInternal, "POST %s: the server's reply names no run", runsPath)
}

// Get reads a run: finished, or as far as it is.
func (c *Client) Get(ctx context.Context, id string) (*myriad.RunRecord, error) {
	rec := new(myriad.RunRecord)
	if err := c.call(ctx, request{method: http.MethodGet, path: runsPath + "/" + seg(id)}, rec); err != nil {
		return nil, err
	}
	return rec, nil
}

// Cancel asks for the end of a run that is under way.
func (c *Client) Cancel(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: runsPath + "/" + seg(id)}, nil)
}

// List lists runs, the newest first. next is "" on the last page.
func (c *Client) List(ctx context.Context, page myriad.Page) (runs []myriad.RunSummary, next string, err error) {
	var out struct {
		Runs []myriad.RunSummary `json:"runs"`
		Next string              `json:"next_cursor"`
	}
	err = c.call(ctx, request{method: http.MethodGet, path: runsPath, query: pageQuery(page)}, &out)
	return out.Runs, out.Next, err
}

func pageQuery(page myriad.Page) url.Values {
	q := url.Values{}
	if page.Limit > 0 {
		q.Set("limit", strconv.Itoa(page.Limit))
	}
	if page.Cursor != "" {
		q.Set("cursor", page.Cursor)
	}
	return q
}
