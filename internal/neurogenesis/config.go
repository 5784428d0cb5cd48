package neurogenesis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/myriad-mind/myriad"
)

// Config is what a Grower is made of. When Enabled, the ports must be set; zero values are the defaults named.
type Config struct {
	Enabled bool     // false: an unknown concept stays unknown, and nothing else is needed
	Sources []Source // who is asked about a concept, in the order in which their findings count; none is allowed, and then nothing is ever found
	Graph   graph    // *discovery.Directory
	Packets packets  // *lifecycle.Manager
	Fleet   fleet    // *lifecycle.Manager
	Count   counter  // *sqlitestore.Store
	Sink    myriad.Sink
	Logger  *slog.Logger

	MaxFlights    int           // concepts under research at once; 0 is 8
	MaxGrown      int64         // grown packets there may be; 0 is 10,000
	SourceTimeout time.Duration // of one source; 0 is 10 s
	FlightTimeout time.Duration // from the first asker to the agent's packet, waking not included; 0 is 30 s
	Cooldown      time.Duration // how long a concept that came to nothing is not tried again; 0 is 5 min
	MaxCooling    int           // concepts that are remembered for that, the oldest are forgotten first; 0 is 1,000
	MaxPatience   time.Duration // how long an asker waits for room in the fleet, and half its time left at most; 0 is 5 s
}

// graph is the view of the knowledge graph.
type graph interface {
	// Find says who may answer; done is called once, perhaps before it returns.
	Find(ctx context.Context, concept, intent string, done func(myriad.Found, error))
	// PutConcept sets properties of a concept's node, which is made when it is not there. It may be repeated.
	PutConcept(ctx context.Context, name string, props myriad.Properties) error
	Concept(ctx context.Context, name string) (myriad.Concept, error) // CodeNotFound
}

// packets keeps agents as data. What PutAgent has returned is found by the graph.
type packets interface {
	PutAgent(ctx context.Context, a myriad.Agent, g myriad.Guard) (myriad.Agent, error) // CodeConflict when MustNotExist and the name is taken
	Agent(ctx context.Context, name string) (myriad.Agent, error)                       // CodeNotFound
}

// fleet wakes agents. done is called once.
type fleet interface {
	Wake(ctx context.Context, req myriad.WakeRequest, done func(myriad.Woken))
}

// counter counts the grown packets.
type counter interface {
	CountGrown(ctx context.Context) (int64, error)
}

func (c Config) withDefaults() Config {
	if c.Sink == nil {
		c.Sink = myriad.Discard
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.MaxFlights = cmp.Or(c.MaxFlights, 8)
	c.MaxGrown = cmp.Or(c.MaxGrown, 10_000)
	c.SourceTimeout = cmp.Or(c.SourceTimeout, 10*time.Second)
	c.FlightTimeout = cmp.Or(c.FlightTimeout, 30*time.Second)
	c.Cooldown = cmp.Or(c.Cooldown, 5*time.Minute)
	c.MaxCooling = cmp.Or(c.MaxCooling, 1000)
	c.MaxPatience = cmp.Or(c.MaxPatience, 5*time.Second)
	return c
}

// Validate names every mistake in c at once.
func (c Config) Validate() error {
	if !c.Enabled {
		return nil
	}
	var errs []error
	for _, port := range []struct {
		name string
		set  bool
	}{{"graph", c.Graph != nil}, {"packets", c.Packets != nil}, {"fleet", c.Fleet != nil}, {"count", c.Count != nil}} {
		if !port.set {
			errs = append(errs, fmt.Errorf("%s is missing", port.name))
		}
	}
	for i, s := range c.Sources {
		if s == nil {
			errs = append(errs, fmt.Errorf("source %d is nil", i))
		}
	}
	for _, bound := range []struct {
		name string
		v    int64
	}{
		{"max flights", int64(c.MaxFlights)}, {"max grown", c.MaxGrown}, {"source timeout", int64(c.SourceTimeout)}, {"flight timeout", int64(c.FlightTimeout)},
		{"cooldown", int64(c.Cooldown)}, {"max cooling", int64(c.MaxCooling)}, {"max patience", int64(c.MaxPatience)},
	} {
		if bound.v < 0 {
			errs = append(errs, fmt.Errorf("%s %d is negative", bound.name, bound.v))
		}
	}
	return errors.Join(errs...)
}
