package neurogenesis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// Grower makes agents for concepts that nobody knows, one flight per concept however many ask. It is safe for concurrent use.
type Grower struct {
	cfg     Config
	life    context.Context // of flights: nobody's leaving ends them, Close does
	end     context.CancelFunc
	running sync.WaitGroup
	turn    chan struct{} // held while grown packets are counted

	mu      sync.Mutex         // guards what follows
	flights map[string]*flight // by concept
	making  int64              // flights that hold a place among the grown packets
	cooling *cooldowns
	closed  bool
}

// New makes a Grower; Close ends it. The error names every mistake in cfg.
func New(cfg Config) (*Grower, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("neurogenesis: %w", err)
	}
	cfg = cfg.withDefaults()
	life, end := context.WithCancel(context.Background())
	return &Grower{
		cfg: cfg, life: life, end: end, turn: make(chan struct{}, 1), flights: map[string]*flight{}, cooling: newCooldowns(cfg.MaxCooling),
	}, nil
}

// Close ends the flights under way, whose askers are told, and waits for them; whoever asks later is told too. More than once is harmless.
func (g *Grower) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.end()
	g.running.Wait()
}

// asker is somebody who waits for an agent.
type asker struct {
	ctx  context.Context
	req  myriad.GrowRequest
	done func(myriad.Growth)
	// stay takes the asker out of its context's hands: false when the context has ended and has told it so.
	stay func() bool
}

// Grow has an agent made for the concept of req, or joins those who wait for it, and tells done what it came to: an agent that is awake and
// pinned for this asker alone, or why there is none. done is called exactly once, never under a lock: before Grow returns when the answer is at
// hand, else from another goroutine, at the end of ctx or at req.Deadline at the latest. The flight goes on when its askers leave.
//
// When the concept got an agent meanwhile, Growth.Status is empty, and Agent is that one.
func (g *Grower) Grow(ctx context.Context, req myriad.GrowRequest, done func(myriad.Growth)) {
	if !g.cfg.Enabled {
		done(myriad.Growth{Status: myriad.StatusNoAgent})
		return
	}
	if err := ctx.Err(); err != nil {
		done(leftGrowth(req, err))
		return
	}
	if growth, now := g.join(ctx, req, done); now {
		done(growth)
	}
}

// join lets an asker wait for its concept's flight, which begins when there is none; now is true when there is nothing to wait for.
func (g *Grower) join(ctx context.Context, req myriad.GrowRequest, done func(myriad.Growth)) (growth myriad.Growth, now bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := time.Now()
	f := g.flights[req.Concept]
	switch {
	case g.closed:
		return closedGrowth(req), true
	case f != nil:
	case len(g.flights) >= g.cfg.MaxFlights:
		return refusedGrowth(req, "as many concepts as may be are under research", g.retryAfter(at)), true
	default:
		if growth, left := g.cooling.get(req.Concept, at); left > 0 {
			return cooled(growth, req, left), true
		}
		f = &flight{g: g, question: Question{Concept: req.Concept, Display: req.Display, Intent: req.Intent}, began: at}
		g.flights[req.Concept] = f
		g.running.Go(f.fly)
	}
	f.askers = append(f.askers, newAsker(ctx, req, done))
	return myriad.Growth{}, false
}

// newAsker has the end of ctx, or of the request's own time, tell the asker.
func newAsker(ctx context.Context, req myriad.GrowRequest, done func(myriad.Growth)) *asker {
	a := &asker{ctx: ctx, req: req, done: done}
	waits, cancel := ctx, func() {}
	if !req.Deadline.IsZero() {
		waits, cancel = context.WithDeadline(ctx, req.Deadline)
	}
	stop := context.AfterFunc(waits, func() {
		defer cancel()
		done(leftGrowth(req, waits.Err()))
	})
	a.stay = func() bool {
		stayed := stop()
		if stayed {
			cancel()
		}
		return stayed
	}
	return a
}

// retryAfter is when the oldest flight should be over. mu is held.
func (g *Grower) retryAfter(now time.Time) time.Duration {
	oldest := now
	for _, f := range g.flights {
		if f.began.Before(oldest) {
			oldest = f.began
		}
	}
	return max(g.cfg.SourceTimeout-now.Sub(oldest), time.Second)
}
