package dockerrt

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/myriad-mind/myriad"
)

// Name is the runtime's name in API and metrics.
const Name = "docker"

// Runtime runs agents as containers of one Docker daemon.
type Runtime struct {
	cfg     Config
	address string // of the daemon, for people
	docker  *client.Client
	unfit   error // why no daemon can be asked, when the environment names one that cannot be used
	starts  chan struct{}
	janitor *janitor
	info    atomic.Pointer[system.Info]

	life context.Context // of the goroutines that watch containers
	end  context.CancelFunc
	work sync.WaitGroup // starts under way and watchers

	mu     sync.Mutex
	closed bool            // guarded by mu
	live   map[string]bool // instance ids, from the begin of a start until the instance is gone; guarded by mu
}

var _ myriad.Runtime = (*Runtime)(nil)

// New makes a runtime. It asks nothing of the daemon: where there is none, Start says so.
func New(cfg Config) (*Runtime, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	r := &Runtime{cfg: cfg.withDefaults(), address: cfg.address(), live: map[string]bool{}}
	r.starts = make(chan struct{}, r.cfg.Parallel)
	if r.unfit = onThisMachine(r.address); r.unfit == nil {
		// No spans: a wait for the end of a container lasts as long as it does, and belongs to no task.
		docker, err := client.New(client.WithTLSClientConfigFromEnv(), client.WithHost(r.address), client.WithAPIVersionFromEnv(),
			client.WithTraceProvider(noop.NewTracerProvider()))
		r.docker, r.unfit = docker, err
	}
	r.life, r.end = context.WithCancel(context.Background())
	r.janitor = newJanitor(r)
	return r, nil
}

// Name is "docker".
func (r *Runtime) Name() string { return Name }

// Serves says yes to images, and to knowledge when there is an agent host image, also while the daemon does not answer: then Start says why.
func (r *Runtime) Serves(t myriad.Template) bool {
	switch t.Kind {
	case myriad.TemplateImage:
		return t.Image != ""
	case myriad.TemplateKnowledge:
		return t.Knowledge != nil && r.cfg.HostImage != ""
	}
	return false
}

// Close lets go of the containers, which live on: what watches them ends, and instances can still be stopped. It waits for starts under way.
func (r *Runtime) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.end()
	idle := make(chan struct{})
	go func() { r.work.Wait(); close(idle) }()
	defer r.release()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return r.failure(ctx, ctx.Err(), "close the docker runtime: a start is under way")
	}
}

// release drops idle connections to the daemon.
func (r *Runtime) release() {
	if r.docker != nil {
		_ = r.docker.Close() // never fails
	}
}

// reserve takes an instance id, and a place among the work that Close waits for.
func (r *Runtime) reserve(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return draining()
	}
	if r.live[id] {
		return myriad.Errorf(myriad.CodeConflict, "the instance %s is there already", id)
	}
	r.live[id] = true
	r.work.Add(1)
	return nil
}

// join takes a place among the work that Close waits for; false once the runtime is closed. work.Done gives it back.
func (r *Runtime) join() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.work.Add(1)
	}
	return !r.closed
}

func draining() error { return myriad.Errorf(myriad.CodeDraining, "the docker runtime is closed") }

// adopt has an instance watched. The caller holds a place among the work.
func (r *Runtime) adopt(i *instance) { r.work.Go(func() { i.watch(r.life) }) }

func (r *Runtime) forget(id string) {
	r.mu.Lock()
	delete(r.live, id)
	r.mu.Unlock()
}

func (r *Runtime) logger(l label) *slog.Logger {
	return r.cfg.Logger.With(slog.String("runtime", Name), slog.String("agent", l.agent), slog.String("instance", l.instance))
}
