package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// churn is ten minutes of everything at once.
type churn struct {
	*rig
	agents   int
	over     time.Time
	dice     func() *rand.Rand
	answered atomic.Int64
	served   []atomic.Int64
	waits    []atomic.Int64 // the longest that the patient one of each agent waited, in nanoseconds
}

// calm is how agents behave that the patient wait for; the wild ones have the other numbers.
func (c *churn) wild(agent string) bool {
	var n int
	_, _ = fmt.Sscanf(agent, "a%d", &n)
	return n%2 == 1
}

func (c *churn) conduct(req myriad.StartRequest) conduct {
	d := c.dice()
	ms := func(n int) time.Duration { return time.Duration(1+d.IntN(n)) * time.Millisecond }
	out := conduct{startTakes: ms(30), readyAfter: ms(100), stopTakes: ms(50), log: "words"}
	if !c.wild(req.Packet.Agent.Name) {
		return out
	}
	switch d.IntN(10) {
	case 0:
		out.startErr = errors.New("refused")
	case 1:
		out.neverReady = true
	case 2:
		if !c.hosts[0].brief { // a part of this process cannot end by itself
			out.dies = ms(3000)
		}
	case 3:
		out.startPanics = true
	case 4:
		out.readyPanics = true
	case 5:
		out.stopTakes = time.Hour
	case 6:
		out.stopFails, out.stopPanics = d.IntN(3), d.IntN(2)
	case 7:
		out.startTakes = time.Hour
	case 8:
		out.dies, out.neverReady = ms(500), true
	}
	return out
}

func (c *churn) goes() bool { return time.Now().Before(c.over) }

// patient asks for one agent again and again, and works with it.
func (c *churn) patient(n int) {
	d, name := c.dice(), fmt.Sprint("a", n)
	for c.goes() {
		at := time.Now()
		req := wakeOf(name)
		req.Priority = d.IntN(10)
		answers := c.ask(context.Background(), req)
		w := <-answers
		c.answered.Add(1)
		if w.Err == nil {
			c.waits[n].Store(max(c.waits[n].Load(), int64(time.Since(at))))
			c.work(d, w)
			c.served[n].Add(1)
		} else if !c.wild(name) && myriad.ErrorCode(w.Err) != myriad.TaskErrStart && myriad.ErrorCode(w.Err) != myriad.CodeNotFound {
			c.t.Errorf("%s: %v", name, w.Err) // stopped by the operator, or deleted, at the worst
		}
		time.Sleep(time.Duration(d.IntN(2000)) * time.Millisecond)
		if len(answers) > 0 {
			c.t.Error("answered twice")
		}
	}
}

// work has a job done by an agent that was woken.
func (c *churn) work(d *rand.Rand, w myriad.Woken) {
	if release, ok := c.Lease(w.Agent); ok {
		time.Sleep(time.Duration(d.IntN(300)) * time.Millisecond)
		release()
	}
	w.Release()
}

// impatient asks for any agent and leaves early, one way or another.
func (c *churn) impatient() {
	d := c.dice()
	for c.goes() {
		req := wakeOf(fmt.Sprint("a", d.IntN(c.agents)))
		req.Priority, req.Passing = d.IntN(10), d.IntN(3) == 0
		ctx, leave := context.WithCancel(context.Background())
		switch d.IntN(3) {
		case 0:
			req.Deadline = time.Now().Add(time.Duration(d.IntN(500)) * time.Millisecond)
		case 1:
			req.Patience = time.Duration(d.IntN(500)) * time.Millisecond
		case 2:
			time.AfterFunc(time.Duration(d.IntN(500))*time.Millisecond, leave)
		}
		if w := <-c.ask(ctx, req); w.Err == nil {
			c.work(d, w)
		}
		leave()
		c.answered.Add(1)
		time.Sleep(time.Duration(d.IntN(500)) * time.Millisecond)
	}
}

// operator stops, restarts, deletes, changes and limits.
func (c *churn) operator() {
	d, ctx := c.dice(), context.Background()
	for c.goes() {
		time.Sleep(time.Duration(d.IntN(1500)) * time.Millisecond)
		name := fmt.Sprint("a", d.IntN(c.agents))
		switch d.IntN(4) {
		case 0, 1:
			if s := c.Status(ctx).Instances; len(s) > 0 {
				id := s[d.IntN(len(s))].ID
				if d.IntN(2) == 0 {
					_ = c.RestartInstance(ctx, id)
				} else {
					stop, cancel := context.WithTimeout(ctx, time.Second)
					_ = c.StopInstance(stop, id)
					cancel()
				}
			}
		case 2:
			a := agent(name)
			a.Description = fmt.Sprint(d.IntN(100))
			if _, err := c.PutAgent(ctx, a, myriad.Guard{}); err != nil {
				c.t.Error(err)
			}
		case 3:
			if _, err := c.DeleteAgent(ctx, name, myriad.Guard{}); err != nil {
				c.t.Error(err)
			}
			if _, err := c.PutAgent(ctx, agent(name), myriad.Guard{}); err != nil {
				c.t.Error(err)
			}
		}
	}
}

// limiter changes the limits, less often than they are looked at.
func (c *churn) limiter() {
	d := c.dice()
	for c.goes() {
		time.Sleep(2*sampling + time.Duration(d.IntN(2000))*time.Millisecond)
		n, cpu := 2+d.IntN(7), float64(d.IntN(2))*2.2
		if _, err := c.SetLimits(context.Background(), func(l *myriad.FleetLimits) { l.MaxAgents, l.TotalCPU = n, cpu }); err != nil {
			c.t.Error(err)
		}
	}
}

const sampling = 7 * time.Millisecond

// sample looks at the books again and again: what is alive has a permit, and permits are over the limits only because those were lowered.
func (c *churn) sample() {
	var last, bounds load
	for c.goes() {
		c.Manager.mu.Lock()
		c.rt.mu.Lock()
		if len(c.rt.alive) > c.room.used.agents {
			c.t.Errorf("%d alive, %d permits", len(c.rt.alive), c.room.used.agents)
		}
		var held load
		for _, i := range c.instances {
			if i.counts() {
				held = held.plus(i.permit.load)
			}
		}
		if held != c.room.used {
			c.t.Errorf("instances hold %+v, the books say %+v", held, c.room.used)
		}
		if u := c.room.used; !u.within(c.room.bounds) && !u.within(bounds) && (u.agents > last.agents || u.cpu > last.cpu) {
			c.t.Errorf("%+v is out, over %+v and over %+v, and it was %+v", u, c.room.bounds, bounds, last)
		}
		last, bounds = c.room.used, c.room.bounds
		c.rt.mu.Unlock()
		c.Manager.mu.Unlock()
		time.Sleep(sampling)
	}
}

func TestChurn(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			eitherWay(t, func(t *testing.T, way func(*Config)) { churned(t, seed, way) })
		})
	}
}

func churned(t *testing.T, seed uint64, way func(*Config)) {
	limits := quick
	limits.MaxAgents, limits.IdleTimeoutMS, limits.MaxAgeMS, limits.MaxQueue, limits.QueueMaxAgeMS = 4, 5000, 60_000, 50, 240_000
	c := &churn{agents: 14, over: time.Now().Add(10 * time.Minute)}
	var dices atomic.Uint64
	c.dice = func() *rand.Rand { return rand.New(rand.NewPCG(seed, dices.Add(1))) }
	c.served, c.waits = make([]atomic.Int64, c.agents), make([]atomic.Int64, c.agents)
	c.rig = newRig(t, limits, way, func(cfg *Config) {
		cfg.StartTimeout, cfg.StopGrace, cfg.CoolDown, cfg.MaxCoolDown, cfg.RestartWindow = 2*time.Second, time.Second, time.Second, 5*time.Second, 30*time.Second
	})
	c.rt.conduct = c.conduct
	c.begin()
	for n := range c.agents {
		c.packets(fmt.Sprint("a", n))
	}
	var all sync.WaitGroup
	for n := range c.agents {
		all.Go(func() { c.patient(n) })
	}
	for range 10 {
		all.Go(c.impatient)
	}
	for range 2 {
		all.Go(c.operator)
	}
	all.Go(c.limiter)
	all.Go(c.sample)
	all.Wait()
	for n := range c.agents {
		wait := time.Duration(c.waits[n].Load())
		if served := c.served[n].Load(); served < 10 || wait > 2*time.Minute {
			t.Errorf("a%d: served %d times, waited up to %v", n, served, wait)
		}
	}
	c.close()
	t.Logf("%d answers, at most %d alive, %d events, %d entries left for the next start", c.answered.Load(), c.rt.most, len(c.events), len(c.store.queuedAgents()))
}
