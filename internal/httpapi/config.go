package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// runs carries out and remembers runs. Do and DoStream end their run when ctx ends; a run of Start survives its ctx. Follow tells the
// events after number after in order and returns nil after the last one; it returns fn's error as it is.
type runs interface {
	Do(ctx context.Context, req myriad.RunRequest) (*myriad.RunRecord, error)
	DoStream(ctx context.Context, req myriad.RunRequest, fn func(myriad.RunEvent) error) error
	Start(ctx context.Context, req myriad.RunRequest) (id string, replayed bool, err error)
	Follow(ctx context.Context, id string, after int, fn func(myriad.RunEvent) error) error
	Cancel(ctx context.Context, id string) error
	Run(ctx context.Context, id string) (*myriad.RunRecord, error)
	Runs(ctx context.Context, page myriad.Page) (runs []myriad.RunSummary, next string, err error)
}

// agents is the registry, as myriad.Registry says.
type agents interface {
	PutAgent(ctx context.Context, a myriad.Agent, g myriad.Guard) (myriad.Agent, error)
	DeleteAgent(ctx context.Context, name string, g myriad.Guard) (myriad.Agent, error)
	Agent(ctx context.Context, name string) (myriad.Agent, error)
	Agents(ctx context.Context, page myriad.Page) (agents []myriad.Agent, next string, err error)
	Concepts(ctx context.Context, page myriad.Page) (concepts []myriad.Concept, next string, err error)
	Concept(ctx context.Context, name string) (myriad.Concept, error)
}

// discoverer ranks who may answer; it takes canonical names.
type discoverer interface {
	Lookup(ctx context.Context, concept, intent string) (myriad.Found, error)
}

// breakers shows and forces circuit breakers; "" shows those of all agents.
type breakers interface {
	Breakers(agent string) []myriad.BreakerState
	ForceBreaker(agent, mode string) ([]myriad.BreakerState, error)
}

// checker judges an endpoint by the network policy; its refusals are *egress.Error.
type checker interface {
	CheckURL(ctx context.Context, rawURL string) error
}

// Config is what an API is made of. Runs, Agents, Discover, Breakers and Checker are required.
type Config struct {
	Runs     runs
	Agents   agents
	Discover discoverer
	Breakers breakers
	Checker  checker

	Fleet       fleet        // GET /v1/fleet and what is under it; nil: this server brings no agents to life
	Metrics     http.Handler // GET /metrics; nil: the route is not there
	Performance func() any   // the "performance" part of GET /metrics/json; nil: said to be unavailable
	Ready       func() error // why GET /readyz should fail; nil: always ready
	Degraded    func() error // what does not work although the server takes work, for GET /readyz; nil: nothing
	Graph       GraphStatus  // what GET /status says of the graph

	Sink   myriad.Sink  // told of compatible requests and of panics; nil: nobody
	Hub    *Hub         // feeds GET /v1/events; nil: one is made
	Logger *slog.Logger // nil: slog.Default()

	Listen   string   // the listener's address, host:port; anything but a loopback host asks for the token
	Hosts    []string // further names that requests may give as their Host, without port; "*" is any
	Origins  []string // further origins whose pages may make changes, like https://dash.example.org
	Token    string   // the bearer token; "" makes every request fail that needs it
	Insecure bool     // off loopback, ask for the token only where the server is made to run programs

	Version        string        // of the program, for the OpenAPI document
	DynamicAgents  bool          // whether unknown concepts grow agents; only told, in /status and /metrics/json
	Learning       bool          // whether weights learn; only told
	MaxBody        int64         // bytes of a request's body; 0 is 32 MiB
	BodyTimeout    time.Duration // until a body has come in whole; 0 is 60 s
	WriteTimeout   time.Duration // of one write to a reader that does not read; 0 is 30 s
	KeepAlive      time.Duration // between comments on a silent stream; 0 is 15 s
	MaxSubscribers int           // of /v1/events at once; 0 is 256
}

// GraphStatus is what GET /status tells of the graph.
type GraphStatus struct {
	URL  string                      // where the graph is, without credentials
	Ping func(context.Context) error // nil: connected
}

func (c Config) withDefaults() (Config, error) {
	var missing []error
	for name, given := range map[string]bool{"Runs": c.Runs != nil, "Agents": c.Agents != nil, "Discover": c.Discover != nil,
		"Breakers": c.Breakers != nil, "Checker": c.Checker != nil} {
		if !given {
			missing = append(missing, errors.New("httpapi: Config."+name+" is required"))
		}
	}
	orDefault(&c.MaxBody, 32<<20)
	orDefault(&c.BodyTimeout, 60*time.Second)
	orDefault(&c.WriteTimeout, 30*time.Second)
	orDefault(&c.KeepAlive, 15*time.Second)
	orDefault(&c.MaxSubscribers, 256)
	if c.Sink == nil {
		c.Sink = myriad.Discard
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Hub == nil {
		c.Hub = NewHub()
	}
	return c, errors.Join(missing...)
}

// orDefault sets a number that is not positive.
func orDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// loopback says whether the listener can only be reached from this machine. What cannot be read counts as reachable.
func (c Config) loopback() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && a.Unmap().IsLoopback()
}
