package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/myriad-mind/myriad"
)

// fleet is what brings agents to life. StopInstance and RestartInstance give CodeNotFound for an instance that is not there, and the latter
// CodeConflict for one that is waiting, ending or being replaced. SetLimits carries change out on the limits in force, perhaps more than
// once, and gives what holds then.
type fleet interface {
	Status(ctx context.Context) myriad.FleetStatus
	StopInstance(ctx context.Context, id string) error
	RestartInstance(ctx context.Context, id string) error
	SetLimits(ctx context.Context, change func(*myriad.FleetLimits)) (myriad.FleetLimits, error)
}

var instanceID = param{in: "path", name: "instance", about: "id of the instance"}

// fleetRoutes are there on every server; one without a fleet says so.
func (a *API) fleetRoutes() []*route {
	off := (&route{}).failure(http.StatusNotImplemented, "This server brings no agents to life")
	return []*route{
		{method: "GET", path: "/v1/fleet", id: "getFleet", tag: "fleet", handle: a.getFleet,
			summary: "Read the fleet: its limits, its instances, and who waits for room", replies: []reply{gives[myriad.FleetStatus](200, "The fleet at this moment")}},
		{method: "PATCH", path: "/v1/fleet/limits", id: "setFleetLimits", tag: "fleet", body: takes[FleetLimitsChange](smallBody), handle: a.setFleetLimits,
			summary: "Change limits until the server stops, which keeps none of it: the next start takes those of its configuration. Limits that are not named stay. What is over a lower limit is drained as it falls idle",
			replies: []reply{gives[myriad.FleetLimits](200, "All limits as they are now, until the server stops"), off}},
		{method: "POST", path: "/v1/fleet/{instance}/stop", id: "stopInstance", tag: "fleet", params: []param{instanceID}, handle: a.stopInstance,
			summary: "Drain an instance and stop it; the next task wakes its agent again. It may be repeated: 404 says that nothing is left to be stopped",
			replies: []reply{plain(204, "It is stopping, or has stopped", ""),
				(&route{}).failure(404, "Nothing is left of such an instance, or there never was one: instances that have stopped are not remembered"), off}},
		{method: "POST", path: "/v1/fleet/{instance}/restart", id: "restartInstance", tag: "fleet", params: []param{instanceID}, handle: a.restartInstance,
			summary: "Drain an instance and start its agent anew", replies: found(plain(204, "Its agent is starting anew", ""), (&route{}).failure(409, "It waits, ends or is being replaced"), off)},
	}
}

var errNoFleet = myriad.Errorf(myriad.CodeNotImplemented, "this server brings no agents to life")

func (a *API) getFleet(w *responder, r *http.Request, _ []byte) error {
	var status myriad.FleetStatus
	if a.cfg.Fleet != nil {
		status = a.cfg.Fleet.Status(r.Context())
	}
	status.Instances, status.Queue = orEmpty(status.Instances), orEmpty(status.Queue)
	return a.replyJSON(w, http.StatusOK, status)
}

func (a *API) stopInstance(w *responder, r *http.Request, _ []byte) error {
	if a.cfg.Fleet == nil {
		return errNoFleet
	}
	return noContentOr(w, a.cfg.Fleet.StopInstance(r.Context(), r.PathValue("instance")))
}

func (a *API) restartInstance(w *responder, r *http.Request, _ []byte) error {
	if a.cfg.Fleet == nil {
		return errNoFleet
	}
	return noContentOr(w, a.cfg.Fleet.RestartInstance(r.Context(), r.PathValue("instance")))
}

func noContentOr(w *responder, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// FleetLimitsChange is the body of PATCH /v1/fleet/limits: what is absent stays as it is.
type FleetLimitsChange struct {
	MaxAgents        *int                  `json:"max_agents,omitempty" jsonschema:"instances that hold resources, starting and draining ones included"`
	TotalCPU         *float64              `json:"total_cpu,omitempty" jsonschema:"cores that all instances' limits may come to; 0 is no budget"`
	TotalMemoryBytes *int64                `json:"total_memory_bytes,omitempty" jsonschema:"memory that all instances' limits may come to; 0 is no budget"`
	IdleTimeoutMS    *int64                `json:"idle_timeout_ms,omitempty" jsonschema:"an instance without work goes to sleep after this"`
	MaxAgeMS         *int64                `json:"max_age_ms,omitempty" jsonschema:"an instance is replaced after this"`
	MinLifeMS        *int64                `json:"min_life_ms,omitempty" jsonschema:"a younger instance is not evicted"`
	MaxQueue         *int                  `json:"max_queue,omitempty" jsonschema:"requests that may wait for room"`
	QueueMaxAgeMS    *int64                `json:"queue_max_age_ms,omitempty" jsonschema:"a request that has waited longer is dropped"`
	Instance         *InstanceLimitsChange `json:"instance,omitempty" jsonschema:"of instances that start from now on and whose template names none"`
}

// InstanceLimitsChange changes the limits of one instance.
type InstanceLimitsChange struct {
	CPU         *float64 `json:"cpu,omitempty" jsonschema:"cores"`
	MemoryBytes *int64   `json:"memory_bytes,omitempty" jsonschema:"swap included"`
	PIDs        *int64   `json:"pids,omitempty" jsonschema:"processes and threads"`
}

func (a *API) setFleetLimits(w *responder, r *http.Request, body []byte) error {
	if a.cfg.Fleet == nil {
		return errNoFleet
	}
	change, err := decodeStrict[FleetLimitsChange](body)
	if err != nil {
		return err
	}
	if err := myriad.Invalid(append(nulls(body), change.mistakes(a.cfg.Fleet.Status(r.Context()).Limits)...)); err != nil {
		return err
	}
	limits, err := a.cfg.Fleet.SetLimits(r.Context(), change.apply)
	if err != nil {
		return err
	}
	return a.replyJSON(w, http.StatusOK, limits)
}

// nulls are the fields that are null: absent is as it is, but null would be passed over in silence.
func nulls(body []byte) []myriad.Mistake {
	var whole, instance map[string]json.RawMessage
	if json.Unmarshal(body, &whole) != nil {
		return nil
	}
	_ = json.Unmarshal(whole["instance"], &instance) // not there, or told by the strict reading
	var m limitMistakes
	m.nulls("", whole)
	m.nulls("instance", instance)
	return m
}

// apply changes what is named.
func (c *FleetLimitsChange) apply(l *myriad.FleetLimits) {
	set(&l.MaxAgents, c.MaxAgents)
	set(&l.TotalCPU, c.TotalCPU)
	set(&l.TotalMemoryBytes, c.TotalMemoryBytes)
	set(&l.IdleTimeoutMS, c.IdleTimeoutMS)
	set(&l.MaxAgeMS, c.MaxAgeMS)
	set(&l.MinLifeMS, c.MinLifeMS)
	set(&l.MaxQueue, c.MaxQueue)
	set(&l.QueueMaxAgeMS, c.QueueMaxAgeMS)
	if c.Instance != nil {
		set(&l.Instance.CPU, c.Instance.CPU)
		set(&l.Instance.MemoryBytes, c.Instance.MemoryBytes)
		set(&l.Instance.PIDs, c.Instance.PIDs)
	}
}

func set[T any](into, from *T) {
	if from != nil {
		*into = *from
	}
}

// The bounds of limits, as the configuration has them.
const (
	maxLimitMS   = 10 * 366 * 24 * 3600 * 1000 // ten years: longer durations of instances mean nothing
	maxInstances = 1_000_000
)

// span is the range of a limit, with the unit that it is in.
type span struct {
	least, most float64
	unit        string
}

var (
	ofInstances  = span{1, maxInstances, "instances"}
	ofRequests   = span{1, maxInstances, "requests"}
	ofAllCores   = span{0, maxInstances, "cores (0 is no budget)"}
	ofAllMemory  = span{0, myriad.MaxInstanceMemory, "bytes (0 is no budget, and 1 EiB)"}
	ofTime       = span{1, maxLimitMS, "milliseconds (1 ms and ten years)"}
	ofTimeOrNone = span{0, maxLimitMS, "milliseconds (0 and ten years)"}
	ofCores      = span{myriad.MinInstanceCPU, myriad.MaxInstanceCPU, "cores"}
	ofMemory     = span{myriad.MinInstanceMemory, myriad.MaxInstanceMemory, "bytes (6 MiB and 1 EiB)"}
	ofProcesses  = span{1, myriad.MaxInstancePIDs, "processes and threads"}
)

// mistakes are the rules that the change breaks, by itself and together with the limits in force.
func (c *FleetLimitsChange) mistakes(now myriad.FleetLimits) []myriad.Mistake {
	var m limitMistakes
	c.apply(&now)
	m.within("max_agents", c.MaxAgents != nil, float64(now.MaxAgents), ofInstances)
	m.within("total_cpu", c.TotalCPU != nil, now.TotalCPU, ofAllCores)
	m.within("total_memory_bytes", c.TotalMemoryBytes != nil, float64(now.TotalMemoryBytes), ofAllMemory)
	m.within("idle_timeout_ms", c.IdleTimeoutMS != nil, float64(now.IdleTimeoutMS), ofTime)
	m.within("max_age_ms", c.MaxAgeMS != nil, float64(now.MaxAgeMS), ofTime)
	m.within("min_life_ms", c.MinLifeMS != nil, float64(now.MinLifeMS), ofTimeOrNone)
	m.within("max_queue", c.MaxQueue != nil, float64(now.MaxQueue), ofRequests)
	m.within("queue_max_age_ms", c.QueueMaxAgeMS != nil, float64(now.QueueMaxAgeMS), ofTime)
	one := c.Instance
	if one == nil {
		one = &InstanceLimitsChange{}
	}
	m.within("instance.cpu", one.CPU != nil, now.Instance.CPU, ofCores)
	m.within("instance.memory_bytes", one.MemoryBytes != nil, float64(now.Instance.MemoryBytes), ofMemory)
	m.within("instance.pids", one.PIDs != nil, float64(now.Instance.PIDs), ofProcesses)
	if (one.CPU != nil || c.TotalCPU != nil) && now.TotalCPU > 0 && now.Instance.CPU > now.TotalCPU {
		m.add("instance.cpu", "must not be over total_cpu: no agent could start")
	}
	if (one.MemoryBytes != nil || c.TotalMemoryBytes != nil) && now.TotalMemoryBytes > 0 && now.Instance.MemoryBytes > now.TotalMemoryBytes {
		m.add("instance.memory_bytes", "must not be over total_memory_bytes: no agent could start")
	}
	return m
}

// limitMistakes collects broken rules of limits.
type limitMistakes []myriad.Mistake

func (m *limitMistakes) add(path, rule string) {
	*m = append(*m, myriad.Mistake{Path: path, Rule: rule})
}

func (m *limitMistakes) nulls(prefix string, fields map[string]json.RawMessage) {
	for _, name := range sortedKeys(fields) {
		if string(fields[name]) == "null" {
			m.add(join(prefix, name), "must not be null; leave it out to keep it")
		}
	}
}

// within is the rule that a limit that was given is in its range.
func (m *limitMistakes) within(path string, given bool, v float64, in span) {
	if given && !(v >= in.least && v <= in.most) {
		m.add(path, fmt.Sprintf("must be within %s and %s %s", number(in.least), number(in.most), in.unit))
	}
}

// number writes a bound with every digit: the shortest that reads back as v would be over a bound of many digits.
func number(v float64) string {
	if whole := int64(v); float64(whole) == v {
		return strconv.FormatInt(whole, 10)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
