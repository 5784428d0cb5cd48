package lifecycle

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// Whenever the process is killed: the next life counts every instance once, adopts or ends what is alive, has the queue as it was, in its order,
// and in the end there is neither a record nor an entry too many.
func TestKilledAtAnyMoment(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { killedOnce(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func killedOnce(t *testing.T, d *rand.Rand) {
	limits := quick
	limits.MaxAgents, limits.IdleTimeoutMS = 3, 3000
	r := newRig(t, limits)
	var dice sync.Mutex
	ms := func(n int) time.Duration {
		dice.Lock()
		defer dice.Unlock()
		return time.Duration(d.IntN(n)) * time.Millisecond
	}
	behave := func(myriad.StartRequest) conduct {
		return conduct{startTakes: ms(50), readyAfter: ms(100), stopTakes: ms(100)}
	}
	r.rt.conduct = behave
	r.begin()
	var names []string
	for n := range 10 {
		names = append(names, fmt.Sprint("a", n))
	}
	r.packets(names...)
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() {
			for ctx.Err() == nil {
				req := wakeOf(name)
				req.Priority = int(ms(3) / time.Millisecond)
				if ms(2) == 0 {
					req.Patience = 100 * time.Millisecond
				}
				if w := <-r.ask(ctx, req); w.Err == nil {
					time.Sleep(ms(300))
					w.Release()
				}
				time.Sleep(ms(500))
			}
		})
	}
	time.Sleep(5*time.Second + ms(5000) + ms(1000)*1000/997)
	s, g := r.store.reopened(), r.graph.reopened() // what a killed process leaves
	rt := newFakeRuntime("inproc")
	rt.conduct = behave
	kept := r.leaves(rt)
	stop()
	all.Wait()
	r.close()

	queue := s.queuedAgents()
	next := reopen(t, limits, s, g, rt).begin()
	if n, alive := next.Status(context.Background()).InUse, rt.living(); n < alive || n > max(limits.MaxAgents, alive) {
		t.Errorf("%d in use, %d alive", n, alive)
	}
	time.Sleep(time.Minute)
	var served []string
	for _, e := range next.told(myriad.KindInstance) {
		for _, name := range queue {
			if e == name+" queued>starting " && !slices.Contains(served, name) && !slices.Contains(kept, name) {
				served = append(served, name)
			}
		}
	}
	want := slices.DeleteFunc(slices.Clone(queue), func(name string) bool { return slices.Contains(kept, name) })
	wantSame(t, "the queue goes on", served, want)
	if left := s.queuedAgents(); len(left) > 0 || s.recorded() > 0 || rt.living() > 0 {
		t.Errorf("in the end: entries %v, %d records, %d alive", left, s.recorded(), rt.living())
	}
	next.close()
}

// leaves has the instances that are alive now found by the runtime of the next life, and names their agents.
func (r *rig) leaves(rt *fakeRuntime) (agents []string) {
	r.rt.mu.Lock()
	defer r.rt.mu.Unlock()
	for id, i := range r.rt.alive {
		rt.leave(id, i.agent, 1, limitsOf, conduct{stopTakes: i.conduct.stopTakes})
		agents = append(agents, i.agent)
	}
	return agents
}
