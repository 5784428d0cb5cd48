package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/config"
	"github.com/myriad-mind/myriad/internal/discovery"
	"github.com/myriad-mind/myriad/internal/dockerrt"
	"github.com/myriad-mind/myriad/internal/inprocrt"
	"github.com/myriad-mind/myriad/internal/lifecycle"
	"github.com/myriad-mind/myriad/internal/neurogenesis"
	"github.com/myriad-mind/myriad/internal/processrt"
)

// newFleet makes what brings agents to life, and what makes agents for concepts that nobody knows.
func (s *server) newFleet(sink myriad.Sink) (err error) {
	f, g := s.cfg.Fleet, s.cfg.Growth
	limits := f.Limits()
	limits.MinLifeMS = offWhenZero(limits.MinLifeMS)
	runtimes, err := s.newRuntimes()
	if err != nil {
		return err
	}
	if s.fleet, err = lifecycle.New(lifecycle.Config{Runtimes: runtimes, Store: s.store, Graph: s.directory, Sink: sink, Logger: s.log, GrowthOff: !f.Grow,
		Limits: limits, StartTimeout: f.StartTimeout, StopGrace: f.StopGrace}); err != nil {
		return err
	}
	peers := neurogenesis.NewPeers(neurogenesis.PeersConfig{Graph: s.directory, Caller: s.caller, Fleet: s.fleet, Logger: s.log})
	s.grower, err = neurogenesis.New(neurogenesis.Config{Enabled: f.Grow, Sources: []neurogenesis.Source{peers}, Graph: s.directory, Packets: s.fleet, Fleet: s.fleet,
		Count: s.store, Sink: sink, Logger: s.log, MaxFlights: g.MaxFlights, MaxGrown: int64(g.MaxAgents), SourceTimeout: g.SourceTimeout, Cooldown: g.Cooldown})
	return err
}

// newRuntimes makes what instances run in, in the order in which they are asked whether they can host a packet.
func (s *server) newRuntimes() ([]myriad.Runtime, error) {
	f := s.cfg.Fleet
	learned := func(instance, agent string, k myriad.Knowledge) error { return s.fleet.Learned(instance, agent, k) }
	var all []myriad.Runtime
	if f.KnowledgeRuntime == config.KnowledgeInProcess {
		inproc, err := inprocrt.New(inprocrt.Config{Logger: s.log, Learned: learned})
		if err != nil {
			return nil, err
		}
		s.inproc = inproc
		all = append(all, inproc)
	}
	process, err := processrt.New(processrt.Config{Dir: filepath.Join(s.cfg.Data, "processes"), Logger: s.log, MaxConcurrency: s.cfg.Slots.PerAgent})
	if err != nil {
		return nil, err
	}
	all = append(all, process)
	if !f.UseDocker(os.LookupEnv) {
		return all, nil
	}
	image := f.HostImage
	if f.KnowledgeRuntime == config.KnowledgeInProcess {
		image = ""
	}
	docker, err := dockerrt.New(dockerrt.Config{Host: f.DockerHost, HostImage: image, Logger: s.log, Learned: learned})
	if err != nil {
		return nil, err
	}
	return append(all, docker), nil
}

// local is the agent of this process that a URL leads to, if there is one.
func (s *server) local(u *url.URL) http.Handler {
	if s.inproc == nil {
		return nil
	}
	return s.inproc.Local(u)
}

// awake and lease are asked by parts that are made before the fleet, and only when it is there.
func (s *server) awake(name string) *myriad.Agent                 { return s.fleet.Awake(name) }
func (s *server) lease(a *myriad.Agent) (release func(), ok bool) { return s.fleet.Lease(a) }

// drainFleet ends every instance that is not to outlive the server. More than once is harmless.
func (s *server) drainFleet(ctx context.Context) error {
	// Once for the jobs under way, which are over when runs are, once for the instance to end by itself, and some for killing it.
	ctx, cancel := context.WithTimeout(ctx, 2*s.cfg.Fleet.StopGrace+5*time.Second)
	defer cancel()
	return s.fleet.Drain(ctx)
}

// registry is what the API writes and reads: agents through the fleet, which knows those that it runs, concepts in the graph.
type registry struct {
	*lifecycle.Manager
	graph *discovery.Directory
}

func (r registry) Concepts(ctx context.Context, page myriad.Page) ([]myriad.Concept, string, error) {
	return r.graph.Concepts(ctx, page)
}

func (r registry) Concept(ctx context.Context, name string) (myriad.Concept, error) {
	return r.graph.Concept(ctx, name)
}
