package call

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/resilience"
)

// Caller reaches agents. It is safe for concurrent use.
type Caller struct {
	cfg       Config
	transport *http.Transport
	carrier   carrier
	protocols map[string]protocol
	reading   map[string]bool // canonical intents that only read
	ends      *endpoints
	stats     *resilience.Stats
	budgets   *budgets
	steps     step
	races     sync.Pool // of *race
}

// New makes a Caller. The error names every mistake of cfg.
func New(cfg Config) (*Caller, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure calls: %w", err)
	}
	cfg = cfg.withDefaults()
	c := &Caller{cfg: cfg, transport: newTransport(cfg), reading: map[string]bool{}, stats: resilience.NewStats(cfg.MaxSeries)}
	c.carrier = carrier{network: c.transport, local: cfg.Local}
	c.protocols = protocols(cfg, c.carrier)
	for _, intent := range cfg.ReadingIntents {
		c.reading[intent] = true
	}
	c.ends = newEndpoints(cfg)
	c.budgets = newBudgets(cfg.Budget)
	c.steps = c.chain()
	return c, nil
}

// Call carries the task out by one of its candidates and blocks until that is done, the deadline has passed or ctx ends. It gives
// every slot back, the one it came with too, and never panics.
func (c *Caller) Call(ctx context.Context, call *myriad.Call) (reply myriad.Reply) {
	f := &flight{caller: c, call: call}
	defer func() {
		if p := recover(); p != nil {
			c.panicked(call, p)
			reply = f.reply(&result{outcome: myriad.OutcomePanic, code: myriad.TaskErrInternal, text: "a defect of Myriad ended the call"})
		}
	}()
	if call.Slot != nil {
		defer call.Slot.Release()
	}
	f.start = call.RunStart
	if f.start.IsZero() {
		f.start = time.Now()
	}
	f.intent = intentOf(call.Task)
	f.budget = c.budgets.of(call.Task.ConceptKey)
	f.budget.Call()
	r := c.steps(ctx, f, f.first())
	return f.reply(&r)
}

// panicked tells of a panic. It runs inside the recovering function, so the stack is that of the panic.
func (c *Caller) panicked(call *myriad.Call, p any) {
	defer func() {
		_ = recover() // when it was the sink that panicked, there is nobody left to tell
	}()
	e := myriad.Event{Kind: myriad.KindPanic, At: time.Now(), Reason: fmt.Sprint(p), Stack: string(debug.Stack())}
	if call != nil {
		e.RunID = call.RunID
		if call.Task != nil {
			e.TaskID = call.Task.ID.Key
		}
	}
	c.cfg.Sink.Emit(e)
}

// Close closes the connections that no exchange uses. Exchanges under way go on; they end with their contexts.
func (c *Caller) Close() { c.transport.CloseIdleConnections() }
