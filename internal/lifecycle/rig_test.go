package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// rig is a Manager on fakes. Its clock is the bubble's.
type rig struct {
	*Manager
	t     testing.TB
	rt    *fakeRuntime
	store *fakeStore
	graph *fakeGraph
	stop  context.CancelFunc
	over  sync.WaitGroup

	mu     sync.Mutex
	events []myriad.Event // guarded by mu
}

// quick are limits that tests can live with.
var quick = myriad.FleetLimits{MaxAgents: 2, MinLifeMS: 1000, IdleTimeoutMS: 60_000, MaxAgeMS: -1, QueueMaxAgeMS: 600_000}

func newRig(t testing.TB, limits myriad.FleetLimits, more ...func(*Config)) *rig {
	return reopen(t, limits, newFakeStore(), newFakeGraph(), newFakeRuntime("inproc"), more...)
}

// reopen makes a rig on what an earlier one left.
func reopen(t testing.TB, limits myriad.FleetLimits, s *fakeStore, g *fakeGraph, rt *fakeRuntime, more ...func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, rt: rt, store: s, graph: g}
	cfg := Config{Runtimes: []myriad.Runtime{rt}, Store: s, Graph: g, Limits: limits, Sink: myriad.SinkFunc(r.note), Ephemeral: []string{}}
	for _, f := range more {
		f(&cfg)
	}
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Manager = m
	return r
}

func (r *rig) note(e myriad.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// begin starts the fleet and its timers.
func (r *rig) begin() *rig {
	r.t.Helper()
	if err := r.Start(context.Background()); err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.over.Go(func() {
		if err := r.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			r.t.Error(err)
		}
	})
	return r
}

// close drains the fleet and checks that nothing is left of it.
func (r *rig) close() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.Drain(ctx); err != nil {
		r.t.Error(err)
	}
	if r.stop != nil {
		r.stop()
	}
	r.over.Wait()
	r.checkBooks()
}

// killed stands for a process that is gone: the Manager is ended without a trace in the store and the graph that are given to the next.
func (r *rig) killed() (*fakeStore, *fakeGraph) {
	s, g := r.store.reopened(), r.graph.reopened()
	r.store.failing(nil)
	r.graph.set(false, nil)
	r.close()
	return s, g
}

func (r *rig) checkBooks() {
	r.t.Helper()
	r.Manager.mu.Lock()
	defer r.Manager.mu.Unlock()
	if r.room.used != (load{}) || r.room.leaving != (load{}) {
		r.t.Errorf("permits are out: %+v, leaving %+v", r.room.used, r.room.leaving)
	}
	for _, i := range r.instances {
		if i.machine.state() != failed || len(i.askers) > 0 {
			r.t.Errorf("left behind: instance %s of %s, %s, %d askers", i.id, i.agent, i.machine.state(), len(i.askers))
		}
	}
	for name, res := range r.residents {
		if res.now != nil || res.next != nil {
			r.t.Errorf("left behind: the place of %s", name)
		}
	}
	if r.lives != 0 {
		r.t.Errorf("%d lives go on", r.lives)
	}
	r.rt.mu.Lock()
	defer r.rt.mu.Unlock()
	if len(r.rt.alive) > 0 {
		r.t.Errorf("%d instances are alive", len(r.rt.alive))
	}
	for _, text := range r.rt.mistakes {
		r.t.Error(text)
	}
	if n := r.store.recorded(); n > 0 {
		r.t.Errorf("%d records of instances are left", n)
	}
	r.checkEvents()
}

// checkEvents replays every instance's moves: each begins where the last one ended, and is legal.
func (r *rig) checkEvents() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	at := map[string]string{}
	for _, e := range r.events {
		if e.Kind == myriad.KindPanic {
			continue
		}
		if e.Kind != myriad.KindInstance {
			continue
		}
		was, known := at[e.Instance]
		if !known {
			was = myriad.InstanceQueued
		}
		if e.From == "" && e.To == myriad.InstanceQueued && !known {
			at[e.Instance] = e.To
			continue
		}
		if e.From != was || !isLegal(e.From, e.To) {
			r.t.Errorf("instance %s of %s moved from %s to %s, and was %s", e.Instance, e.Agent, e.From, e.To, was)
		}
		at[e.Instance] = e.To
	}
}

func isLegal(from, to string) bool {
	f, t := slices.Index(words[:], from), slices.Index(words[:], to)
	return f >= 0 && t >= 0 && legal[f]&(1<<t) != 0
}

// told are the events of a kind, each as its words.
func (r *rig) told(kind myriad.EventKind) (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == kind {
			all = append(all, fmt.Sprintf("%s %s>%s %s", e.Agent, e.From, e.To, e.Reason))
		}
	}
	return all
}

// agent is a knowledge agent of that name.
func agent(name string) myriad.Agent {
	return myriad.Agent{Name: name, Concepts: []string{"about " + name}, Owner: myriad.OwnerAPI, Template: &myriad.Template{Kind: myriad.TemplateKnowledge,
		Knowledge: &myriad.Knowledge{Concept: "about " + name, PrimaryDefinition: "what it is", ConfidenceScore: 1}}}
}

// program is an agent that learns nothing, so that it may have two instances while one takes the other's place.
func program(name string) myriad.Agent {
	a := agent(name)
	a.Template = &myriad.Template{Kind: myriad.TemplateCommand, Command: []string{name}}
	return a
}

// packets registers agents.
func (r *rig) packets(names ...string) { r.t.Helper(); r.register(agent, names) }

// programs registers agents that learn nothing.
func (r *rig) programs(names ...string) { r.t.Helper(); r.register(program, names) }

func (r *rig) register(as func(name string) myriad.Agent, names []string) {
	r.t.Helper()
	for _, name := range names {
		if _, err := r.PutAgent(context.Background(), as(name), myriad.Guard{}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// ask is a Wake whose answer can be waited for.
func (r *rig) ask(ctx context.Context, req myriad.WakeRequest) <-chan myriad.Woken {
	answers := make(chan myriad.Woken, 2) // a second answer would be a mistake that wait finds
	r.Wake(ctx, req, func(w myriad.Woken) { answers <- w })
	return answers
}

func wakeOf(name string) myriad.WakeRequest {
	a := agent(name)
	return myriad.WakeRequest{Agent: &a, Kind: myriad.QueueWake, Concept: "about_" + name}
}

// wake wakes an agent or fails the test.
func (r *rig) wake(name string) myriad.Woken {
	r.t.Helper()
	w := <-r.ask(context.Background(), wakeOf(name))
	if w.Err != nil {
		r.t.Fatalf("wake %s: %v", name, w.Err)
	}
	return w
}

// use wakes an agent and lets it go at once.
func (r *rig) use(name string) {
	r.t.Helper()
	w := r.wake(name)
	w.Release()
}

func (r *rig) states() (all []string) {
	for _, i := range r.Status(context.Background()).Instances {
		all = append(all, i.Agent+" "+i.State)
	}
	return all
}

func wantCode(t testing.TB, what string, err error, code myriad.Code) {
	t.Helper()
	if got := myriad.ErrorCode(err); got != code {
		t.Errorf("%s: want %q, got %q: %v", what, code, got, err)
	}
}

func wantSame[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// limit changes how many may be awake.
func (r *rig) limit(n int) {
	r.t.Helper()
	if _, err := r.SetLimits(context.Background(), func(l *myriad.FleetLimits) { l.MaxAgents = n }); err != nil {
		r.t.Fatal(err)
	}
}
