package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/agent"
)

// Fleet is the demo's agents, each behind its own listener on loopback.
type Fleet struct {
	members map[string]*member
	order   []string
	serving sync.WaitGroup
}

// member is one agent that runs. It can be made to fail.
type member struct {
	agent *agent.Agent
	card  myriad.Agent
	srv   *http.Server
	think time.Duration

	slow   atomic.Int64 // extra nanoseconds of every job
	dieAt  atomic.Int64 // the job at which it dies; 0 is never
	jobs   atomic.Int64 // since dieAt was set
	closed sync.Once
}

// startFleet starts an agent for each worker. think is how long each job takes at least.
func startFleet(ctx context.Context, l *library, think time.Duration) (*Fleet, error) {
	f := &Fleet{members: map[string]*member{}}
	for _, w := range workers(l) {
		for n := range max(w.copies, 1) {
			if err := f.start(ctx, w.build(n), think); err != nil {
				f.Close()
				return nil, err
			}
		}
	}
	return f, nil
}

func (f *Fleet) start(ctx context.Context, a *agent.Agent, think time.Duration) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for %s: %w", a.Name(), err)
	}
	m := &member{agent: a, card: card(a, "http://"+ln.Addr().String()), think: think}
	m.srv = &http.Server{Handler: m, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	f.serving.Go(func() {
		if err := m.srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			_ = ln.Close() // nothing answers there any more, which is how callers learn of it
		}
	})
	f.members[a.Name()] = m
	f.order = append(f.order, a.Name())
	return nil
}

// ServeHTTP takes its time, or dies, then lets the agent answer.
func (m *member) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/query" {
		if at := m.dieAt.Load(); at > 0 && m.jobs.Add(1) >= at {
			m.kill()
			panic(http.ErrAbortHandler)
		}
		if d := m.think + time.Duration(m.slow.Load()); d > 0 {
			t := time.NewTimer(d)
			defer t.Stop()
			select {
			case <-t.C:
			case <-r.Context().Done():
				return
			}
		}
	}
	m.agent.ServeHTTP(w, r)
}

// kill closes the listener and every connection, as the end of a process does.
func (m *member) kill() {
	m.closed.Do(func() { _ = m.srv.Close() }) // closing a listener on loopback fails only when it is closed
}

// Agents are the cards under which the fleet is registered.
func (f *Fleet) Agents() []myriad.Agent {
	out := make([]myriad.Agent, len(f.order))
	for i, name := range f.order {
		out[i] = f.members[name].card
	}
	return out
}

// dieAt makes the agent die at its n-th job from now on.
func (f *Fleet) dieAt(name string, n int) {
	if m := f.members[name]; m != nil {
		m.jobs.Store(0)
		m.dieAt.Store(int64(n))
	}
}

// slowDown makes every job of the agent take longer by d.
func (f *Fleet) slowDown(name string, d time.Duration) {
	if m := f.members[name]; m != nil {
		m.slow.Store(int64(d))
	}
}

// Close ends all agents and waits for their listeners.
func (f *Fleet) Close() {
	for _, m := range f.members {
		m.kill()
	}
	f.serving.Wait()
}
