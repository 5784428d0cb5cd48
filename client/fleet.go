package client

import (
	"context"
	"net/http"

	"github.com/myriad-mind/myriad"
)

const fleetPath = "/v1/fleet"

// Fleet reads the fleet: limits, instances and queue.
func (c *Client) Fleet(ctx context.Context) (myriad.FleetStatus, error) {
	var out myriad.FleetStatus
	err := c.call(ctx, request{method: http.MethodGet, path: fleetPath}, &out)
	return out, err
}

// StopInstance drains an instance and stops it; its agent becomes dormant.
func (c *Client) StopInstance(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodPost, path: fleetPath + "/" + seg(id) + "/stop", body: struct{}{}}, nil)
}

// RestartInstance drains an instance and starts its agent anew.
func (c *Client) RestartInstance(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodPost, path: fleetPath + "/" + seg(id) + "/restart", body: struct{}{}}, nil)
}

// SetFleetLimits changes those limits that the map names, by their names in FleetLimits, and returns all that hold now.
func (c *Client) SetFleetLimits(ctx context.Context, limits map[string]any) (myriad.FleetLimits, error) {
	var out myriad.FleetLimits
	err := c.call(ctx, request{method: http.MethodPatch, path: fleetPath + "/limits", body: limits}, &out)
	return out, err
}
