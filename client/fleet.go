package client

import (
	"context"
	"net/http"

	"github.com/myriad-mind/myriad"
)

const fleetPath = "/v1/fleet"

// Fleet reads the fleet: limits, instances and queue. Enabled says whether it grows agents for unknown concepts. On a server that brings no
// agents to life all is zero.
func (c *Client) Fleet(ctx context.Context) (myriad.FleetStatus, error) {
	var out myriad.FleetStatus
	err := c.call(ctx, request{method: http.MethodGet, path: fleetPath}, &out)
	return out, err
}

// StopInstance drains an instance and stops it; its agent sleeps until the next task wakes it. An instance that is not there is CodeNotFound.
func (c *Client) StopInstance(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodPost, path: fleetPath + "/" + seg(id) + "/stop", body: struct{}{}}, nil)
}

// RestartInstance drains an instance and starts its agent anew. An instance that is not there is CodeNotFound.
func (c *Client) RestartInstance(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodPost, path: fleetPath + "/" + seg(id) + "/restart", body: struct{}{}}, nil)
}

// SetFleetLimits changes those limits that the map names, by their JSON names in myriad.FleetLimits, and returns all that hold now. They hold
// until the server stops. A limit that is out of range is CodeInvalid, with every mistake, and changes nothing.
func (c *Client) SetFleetLimits(ctx context.Context, limits map[string]any) (myriad.FleetLimits, error) {
	var out myriad.FleetLimits
	err := c.call(ctx, request{method: http.MethodPatch, path: fleetPath + "/limits", body: limits}, &out)
	return out, err
}
