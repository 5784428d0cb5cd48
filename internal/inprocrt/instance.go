package inprocrt

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

const (
	afterGrace = time.Second // how long handlers that were cut off may take to return
	maxLog     = 16 << 10    // bytes of LastLog
)

// instance is one packet that is hosted here. It has no goroutine.
type instance struct {
	runtime  *Runtime
	id       string
	agent    string
	endpoint string
	limits   myriad.Limits
	handler  http.Handler

	jobs   context.Context // cancelled when jobs are cut off
	cutOff context.CancelFunc
	exited chan struct{} // closed when it drains and the last request has ended

	mu       sync.Mutex // guards what follows
	draining bool
	inFlight int
	log      string
}

var _ myriad.Instance = (*instance)(nil)

func newInstance(r *Runtime, h *host, req myriad.StartRequest, handler http.Handler) *instance {
	i := &instance{
		runtime: r, id: req.InstanceID, agent: req.Packet.Agent.Name, endpoint: "http://" + h.addr + "/" + req.InstanceID + "/query",
		limits: req.Limits, handler: handler, exited: make(chan struct{}),
	}
	i.jobs, i.cutOff = context.WithCancel(context.Background())
	return i
}

func (i *instance) Endpoint() string { return i.endpoint }

// fromMemory says whether the instance answers without waiting for anything.
func (i *instance) fromMemory() bool {
	_, ok := i.handler.(*KnowledgeAgent)
	return ok
}

// Ready asks the handler's /health. What it is needs no proof: it was put there by hand. A handler that has no /health is ready.
func (i *instance) Ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return ended(err, "ask the health of "+i.agent)
	}
	if !i.enter() {
		return myriad.Errorf(myriad.CodeUnavailable, "the instance %s of %s has ended", i.id, i.agent)
	}
	if i.fromMemory() {
		i.leave()
		return nil
	}
	ctx, cancel := i.context(ctx)
	defer cancel()
	status := make(chan int, 1)
	go func() { // Stop waits for it, as for every request
		defer i.leave()
		status <- i.health(ctx)
	}()
	select {
	case got := <-status:
		if got/100 == 2 || got == http.StatusNotFound {
			return nil
		}
		return myriad.Errorf(myriad.CodeUnavailable, "%s answers /health with HTTP %d", i.agent, got)
	case <-ctx.Done():
		return ended(ctx.Err(), "ask the health of "+i.agent)
	}
}

// health asks the handler without a network.
func (i *instance) health(ctx context.Context) (status int) {
	defer func() {
		if recover() != nil { // serve has told of it; this is its way to cut the connection
			status = http.StatusInternalServerError
		}
	}()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/health", http.NoBody)
	if err != nil {
		return http.StatusInternalServerError
	}
	w := &statusOnly{header: http.Header{}, status: http.StatusOK}
	i.serve(w, r)
	return w.status
}

// statusOnly takes an answer of which only the status matters.
type statusOnly struct {
	header http.Header
	status int
	begun  bool
}

func (w *statusOnly) Header() http.Header { return w.header }

func (w *statusOnly) Write(b []byte) (int, error) {
	w.begun = true
	return len(b), nil
}

func (w *statusOnly) WriteHeader(status int) {
	if !w.begun && status >= 200 {
		w.status, w.begun = status, true
	}
}

func (i *instance) Exited() <-chan struct{} { return i.exited }

// Err is nil: what is hosted here ends only because it is stopped.
func (i *instance) Err() error { return nil }

// Stop takes no new requests, waits for those under way while ctx lasts, and then cuts them off. A handler that does not heed being cut off
// is an error: nothing can end Go code by force.
func (i *instance) Stop(ctx context.Context) error {
	i.drain()
	select {
	case <-i.exited:
		return nil
	default:
	}
	select {
	case <-i.exited:
		return nil
	case <-ctx.Done():
	}
	i.cutOff()
	late := time.NewTimer(afterGrace)
	defer late.Stop()
	select {
	case <-i.exited:
		return nil
	case <-late.C:
		return myriad.Errorf(myriad.CodeDeadline, "jobs of agent %s still run %s after they were cut off", i.agent, afterGrace)
	}
}

// drain takes the instance out of the host.
func (i *instance) drain() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.draining {
		return
	}
	i.draining = true
	if i.inFlight == 0 {
		i.end()
	}
}

// enter counts a request in; false when no more are taken.
func (i *instance) enter() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.draining {
		return false
	}
	i.inFlight++
	return true
}

func (i *instance) leave() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.inFlight--
	if i.draining && i.inFlight == 0 {
		i.end()
	}
}

// end is called once, under mu, when nothing of the instance is left.
func (i *instance) end() {
	i.cutOff() // frees what the context holds
	i.runtime.instances.Delete(i.id)
	close(i.exited)
}

// context is a request's context that ends, too, when the instance's jobs are cut off.
func (i *instance) context(of context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(of)
	stop := context.AfterFunc(i.jobs, cancel)
	return ctx, func() { stop(); cancel() }
}

// LastLog is the last panic: what is hosted here writes to the process's own log.
func (i *instance) LastLog() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.log
}

func (i *instance) panicked(p any, stack []byte) {
	i.runtime.cfg.Logger.Error("an agent's handler panicked", slog.String("agent", i.agent), slog.String("instance", i.id),
		slog.Any("panic", p), slog.String("stack", string(stack)))
	text := fmt.Sprintf("panic: %v\n%s", p, stack)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.log = text[:min(len(text), maxLog)]
}

// Usage is not known: instances share the process.
func (i *instance) Usage(context.Context) (myriad.Usage, bool) { return myriad.Usage{}, false }

// Unenforced names the limits that cannot be kept inside one process. A knowledge agent runs no code of its own, starts no process and keeps
// a bounded amount of knowledge, so that only its share of the CPU is open.
func (i *instance) Unenforced() []string {
	bounded := i.fromMemory()
	var names []string
	if i.limits.CPU > 0 {
		names = append(names, myriad.LimitCPU)
	}
	if i.limits.MemoryBytes > 0 && !bounded {
		names = append(names, myriad.LimitMemory)
	}
	if i.limits.PIDs > 0 && !bounded {
		names = append(names, myriad.LimitPIDs)
	}
	return names
}
