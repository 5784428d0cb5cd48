package processrt

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-mind/myriad"
)

const (
	// stopGrace is how long Stop lets an instance end by itself when its context has no end.
	stopGrace = 30 * time.Second
	// killGrace is how long the kernel may take to end what was killed.
	killGrace = 10 * time.Second
)

// host is what an instance does in one of the modes.
type host interface {
	// start begins what has to run from the first moment on.
	start() error
	ready(ctx context.Context) error
	// carry carries one job out; only for modes behind the gate.
	carry(ctx context.Context, j job) answer
	// end asks everything to end and returns when no process is left. It kills when ctx ends. It is called once.
	end(ctx context.Context)
}

// instance is a packet that runs as processes. It implements myriad.Instance.
type instance struct {
	rt       *Runtime
	id       string
	agent    string
	req      myriad.StartRequest
	template myriad.Template
	log      *journal
	fence    *fence // set by start
	host     host   // set by start, nil where that failed early
	endpoint string // set by start
	program  program

	started chan struct{} // closed when start has returned
	ending  sync.Once
	asked   chan struct{} // closed when the end has begun
	exited  chan struct{} // closed when nothing is left
	force   context.CancelFunc
	forced  context.Context // ends when the end must be by force
	err     error           // why it ended by itself; written before exited is closed

	serving atomic.Bool // start has set everything, so that jobs may come
	mu      sync.Mutex
	workers int // children ever started, for their names; guarded by mu
}

func newInstance(r *Runtime, req myriad.StartRequest) *instance {
	i := &instance{
		rt: r, id: req.InstanceID, agent: req.Packet.Agent.Name, req: req, template: *req.Packet.Agent.Template,
		started: make(chan struct{}), asked: make(chan struct{}), exited: make(chan struct{}),
	}
	i.log = newJournal(r.log.With(slog.String("agent", i.agent), slog.String("instance", i.id)))
	i.forced, i.force = context.WithCancel(context.Background())
	return i
}

func (i *instance) start(ctx context.Context) (err error) {
	defer close(i.started)
	if i.program, err = i.resolve(ctx); err != nil {
		return err
	}
	if i.fence, err = i.rt.machine.fence(i); err != nil {
		return fmt.Errorf("start of %s: %w", i.agent, err)
	}
	switch i.template.Mode {
	case myriad.ModeHTTP:
		i.host = &httpHost{i: i}
	case myriad.ModeExec:
		i.endpoint, i.host = i.rt.gate.endpoint(i), newExecHost(i)
	default:
		i.endpoint, i.host = i.rt.gate.endpoint(i), newPool(i)
	}
	if err := i.host.start(); err != nil {
		return err
	}
	i.serving.Store(true)
	return nil
}

// concurrency is how many jobs may be under way at once.
func (i *instance) concurrency() int {
	if n := i.req.Packet.Agent.MaxConcurrency; n > 0 {
		return n
	}
	return i.rt.cfg.MaxConcurrency
}

// nextName names a child within its instance.
func (i *instance) nextName() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.workers++
	return "w" + strconv.Itoa(i.workers)
}

// fail ends the instance because of err, at once and by force.
func (i *instance) fail(err error) { i.begin(err) }

// begin begins the end, in a goroutine of its own; only the first call counts. With an err the instance ended by itself and what is left
// of it is killed.
func (i *instance) begin(err error) {
	i.ending.Do(func() {
		close(i.asked)
		if err != nil {
			i.force()
		}
		i.rt.work.Go(func() { i.end(err) })
	})
}

func (i *instance) end(err error) {
	<-i.started
	if i.host != nil {
		i.host.end(i.forced)
	}
	if i.fence != nil {
		if left := i.fence.close(); left != nil {
			i.log.error("an instance's processes could not all be ended", left)
		}
	}
	i.log.close()
	i.force()
	i.err = err
	i.rt.forget(i)
	close(i.exited)
}

// Endpoint is where jobs go.
func (i *instance) Endpoint() string { return i.endpoint }

// Ready asks once whether the instance answers and is this instance.
func (i *instance) Ready(ctx context.Context) error {
	select {
	case <-i.asked:
		return myriad.Errorf(myriad.CodeUnavailable, "%s is ending or gone", i.agent)
	default:
		return i.host.ready(ctx)
	}
}

// Exited is closed when no process of the instance is left.
func (i *instance) Exited() <-chan struct{} { return i.exited }

// Err says why the instance ended by itself; nil while it lives and after Stop.
func (i *instance) Err() error {
	select {
	case <-i.exited:
		return i.err
	default:
		return nil
	}
}

// Stop asks the instance to end, lets jobs of workers finish, and kills it when ctx ends. An error says that something is still there.
func (i *instance) Stop(ctx context.Context) error {
	i.begin(nil)
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	patience := grace.C
	if _, bounded := ctx.Deadline(); bounded {
		patience = nil
	}
	select {
	case <-i.exited:
		return nil
	case <-ctx.Done():
	case <-patience:
	}
	i.force()
	killing := time.NewTimer(killGrace)
	defer killing.Stop()
	select {
	case <-i.exited:
		return nil
	case <-killing.C:
		return myriad.Errorf(myriad.CodeDeadline, "stop of %s: it was killed and is still there %s later", i.agent, killGrace)
	}
}

// LastLog is the end of what the instance wrote.
func (i *instance) LastLog() string { return i.log.last() }

// Usage is what the instance's processes use now.
func (i *instance) Usage(context.Context) (myriad.Usage, bool) {
	select {
	case <-i.exited:
		return myriad.Usage{}, false
	default:
		return i.fence.usage()
	}
}

// Unenforced names the limits that are not in force.
func (i *instance) Unenforced() []string { return i.fence.unenforced() }
