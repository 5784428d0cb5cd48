package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-mind/myriad"
)

// conduct is how an instance of the fake runtime behaves.
type conduct struct {
	startTakes  time.Duration
	startErr    error
	startPanics bool
	readyAfter  time.Duration // since its start
	neverReady  bool
	readyPanics bool
	dies        time.Duration // after its start; 0 is never
	stopTakes   time.Duration // when asked; a kill is at once
	stopFails   int           // so many stops fail
	stopPanics  int
	log         string
	unenforced  []string
	noUsage     time.Duration // Usage takes that long
	deaf        chan struct{} // Usage takes until this is closed, whatever its context says
	asked       func()        // called when it is asked for its endpoint: it has just become ready
	stopping    func()        // called by Stop, before anything ends
}

// fakeRuntime starts instances that are nothing but books: it knows how many hold resources at every moment.
type fakeRuntime struct {
	name    string
	kind    string // of templates that it serves; "" is all
	conduct func(req myriad.StartRequest) conduct

	mu         sync.Mutex
	alive      map[string]*fakeInstance // by id; guarded by mu
	most       int                      // ever alive at once; guarded by mu
	starts     map[string]int           // by agent; guarded by mu
	mistakes   []string                 // guarded by mu
	left       []myriad.Left            // guarded by mu
	recoverErr error                    // guarded by mu
	recovers   int                      // guarded by mu
	closed     int                      // guarded by mu
	recovering func()                   // called by Recover
	cap        func() int               // when set, more alive than this is a mistake
}

func newFakeRuntime(name string) *fakeRuntime {
	return &fakeRuntime{name: name, alive: map[string]*fakeInstance{}, starts: map[string]int{}}
}

func (rt *fakeRuntime) Name() string { return rt.name }

func (rt *fakeRuntime) Serves(t myriad.Template) bool { return rt.kind == "" || rt.kind == t.Kind }

func (rt *fakeRuntime) mistake(text string, args ...any) {
	rt.mistakes = append(rt.mistakes, fmt.Sprintf(text, args...))
}

func (rt *fakeRuntime) Start(ctx context.Context, req myriad.StartRequest) (myriad.Instance, error) {
	var c conduct
	if rt.conduct != nil {
		c = rt.conduct(req)
	}
	i := &fakeInstance{rt: rt, id: req.InstanceID, agent: req.Packet.Agent.Name, conduct: c, began: time.Now(), exited: make(chan struct{})}
	rt.mu.Lock()
	rt.starts[i.agent]++
	if rt.recovers == 0 || rt.recoverErr != nil {
		rt.mistake("started %s before Recover", i.agent)
	}
	if learns(&req.Packet) {
		i.learns = true
		for _, other := range rt.alive {
			if other.learns && other.agent == i.agent {
				rt.mistake("%s learns and has two instances at once", i.agent)
			}
		}
	}
	if rt.alive[i.id] != nil {
		rt.mistake("two instances are called %s", i.id)
	}
	if req.Nonce == "" || req.OwnerID == "" || req.Limits.PIDs == 0 {
		rt.mistake("the request for %s is incomplete: %+v", i.agent, req)
	}
	rt.alive[i.id] = i
	rt.count()
	rt.mu.Unlock()
	failed := func(err error) (myriad.Instance, error) {
		rt.mu.Lock()
		defer rt.mu.Unlock()
		delete(rt.alive, i.id)
		return nil, err
	}
	if c.startTakes > 0 {
		select {
		case <-time.After(c.startTakes):
		case <-ctx.Done():
			return failed(ctx.Err())
		}
	}
	if c.startPanics {
		_, _ = failed(nil)
		panic("the runtime is broken")
	}
	if c.startErr != nil {
		return failed(c.startErr)
	}
	if c.dies > 0 {
		i.death = time.AfterFunc(c.dies, i.crash)
	}
	return i, nil
}

// count is called with mu held.
func (rt *fakeRuntime) count() {
	rt.most = max(rt.most, len(rt.alive))
	if rt.cap != nil && len(rt.alive) > rt.cap() {
		rt.mistake("%d instances are alive, over the cap of %d", len(rt.alive), rt.cap())
	}
}

func (rt *fakeRuntime) Recover(_ context.Context, owner string) ([]myriad.Left, error) {
	if rt.recovering != nil {
		rt.recovering()
	}
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if owner != "owner" {
		rt.mistake("recovers for owner %q", owner)
	}
	rt.recovers++
	if rt.recoverErr != nil {
		return nil, rt.recoverErr
	}
	left := rt.left
	rt.left = nil
	return left, nil
}

func (rt *fakeRuntime) Close(context.Context) error {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	rt.closed++
	return nil
}

func (rt *fakeRuntime) living() int {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return len(rt.alive)
}

func (rt *fakeRuntime) started(agent string) int {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return rt.starts[agent]
}

// instanceOf is a living instance of an agent.
func (rt *fakeRuntime) instanceOf(agent string) *fakeInstance {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	for _, i := range rt.alive {
		if i.agent == agent {
			return i
		}
	}
	return nil
}

// leave adds an instance that an earlier life left alive.
func (rt *fakeRuntime) leave(id, agent string, revision int64, limits myriad.Limits, c conduct) *fakeInstance {
	i := &fakeInstance{rt: rt, id: id, agent: agent, learns: true, conduct: c, began: time.Now(), exited: make(chan struct{})}
	rt.mu.Lock()
	defer rt.mu.Unlock()
	rt.alive[id] = i
	rt.left = append(rt.left, myriad.Left{InstanceID: id, Agent: agent, Revision: revision, StartedAt: time.Now().Add(-time.Hour), Limits: limits, Instance: i})
	return i
}

type fakeInstance struct {
	rt        *fakeRuntime
	id, agent string
	learns    bool
	conduct   conduct
	began     time.Time
	exited    chan struct{}
	death     *time.Timer

	once   sync.Once
	err    error        // set before exited is closed
	stops  int          // guarded by rt.mu
	usages atomic.Int64 // calls of Usage under way
}

func (i *fakeInstance) Endpoint() string {
	if i.conduct.asked != nil {
		i.conduct.asked()
	}
	return "http://127.0.0.1:1/" + i.id + "/query"
}

func (i *fakeInstance) Ready(context.Context) error {
	switch {
	case i.conduct.readyPanics:
		panic("Ready is broken")
	case i.conduct.neverReady || time.Since(i.began) < i.conduct.readyAfter:
		return errors.New("not yet")
	}
	return nil
}

func (i *fakeInstance) Exited() <-chan struct{} { return i.exited }

func (i *fakeInstance) Err() error {
	<-i.exited
	return i.err
}

// crash ends the instance by itself.
func (i *fakeInstance) crash() { i.exit(errors.New("exit status 3")) }

func (i *fakeInstance) exit(err error) {
	i.once.Do(func() {
		i.rt.mu.Lock()
		delete(i.rt.alive, i.id)
		i.rt.mu.Unlock()
		i.err = err
		close(i.exited)
	})
}

func (i *fakeInstance) Stop(ctx context.Context) error {
	i.rt.mu.Lock()
	i.stops++
	n := i.stops
	i.rt.mu.Unlock()
	if i.conduct.stopping != nil {
		i.conduct.stopping()
	}
	if n <= i.conduct.stopPanics {
		panic("Stop is broken")
	}
	if n <= i.conduct.stopFails {
		return errors.New("the daemon does not answer")
	}
	if i.conduct.stopTakes > 0 {
		select {
		case <-time.After(i.conduct.stopTakes):
		case <-i.exited:
		case <-ctx.Done():
		}
	}
	if i.death != nil {
		i.death.Stop()
	}
	i.exit(nil)
	return nil
}

func (i *fakeInstance) LastLog() string { return i.conduct.log }

func (i *fakeInstance) Usage(ctx context.Context) (myriad.Usage, bool) {
	if i.conduct.deaf != nil {
		i.usages.Add(1)
		defer i.usages.Add(-1)
		<-i.conduct.deaf
	}
	if i.conduct.noUsage > 0 {
		select {
		case <-time.After(i.conduct.noUsage):
		case <-ctx.Done():
			return myriad.Usage{}, false
		}
	}
	return myriad.Usage{MemoryBytes: 1 << 20, PIDs: 1}, true
}

func (i *fakeInstance) Unenforced() []string { return i.conduct.unenforced }
