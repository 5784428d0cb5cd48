package client

import (
	"context"
	"net/http"

	"github.com/myriad-mind/myriad"
)

// Discovery is who may serve a concept and an intent now, the best first.
type Discovery struct {
	Concept    string      `json:"concept"` // canonical
	Intent     string      `json:"intent"`
	Known      bool        `json:"known"`
	Graph      string      `json:"graph,omitempty"` // myriad.GraphFresh or myriad.GraphStale
	GraphAgeMS int64       `json:"graph_age_ms,omitempty"`
	Candidates []Candidate `json:"candidates"`
}

// Candidate is one agent of a Discovery, with the reasons for its place.
type Candidate struct {
	myriad.Ranked
	Endpoint string `json:"endpoint,omitempty"`
}

// Discover asks who may serve; it dispatches nothing.
func (c *Client) Discover(ctx context.Context, concept, intent string) (Discovery, error) {
	var out Discovery
	body := map[string]string{"concept": concept, "intent": intent}
	err := c.call(ctx, request{method: http.MethodPost, path: "/v1/discover", body: body}, &out)
	return out, err
}

// Concepts lists concepts by canonical name. next is "" on the last page.
func (c *Client) Concepts(ctx context.Context, page myriad.Page) (concepts []myriad.Concept, next string, err error) {
	var out struct {
		Concepts []myriad.Concept `json:"concepts"`
		Next     string           `json:"next_cursor"`
	}
	err = c.call(ctx, request{method: http.MethodGet, path: "/v1/concepts", query: pageQuery(page)}, &out)
	return out.Concepts, out.Next, err
}

// Concept reads one concept.
func (c *Client) Concept(ctx context.Context, name string) (myriad.Concept, error) {
	var out myriad.Concept
	err := c.call(ctx, request{method: http.MethodGet, path: "/v1/concepts/" + seg(name)}, &out)
	return out, err
}
