package inprocrt

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/myriad-mind/myriad"
)

// Config is what a Runtime is made from. Its zero value is usable.
type Config struct {
	Logger *slog.Logger // slog.Default()
	// Learned takes what an agent is told in one of its instances, with all that it will know there then, so that its packet can follow. It is
	// called by the request that teaches the agent, one call at a time for each instance, and must be quick. k is shared and must not be changed.
	// After an error the agent has learned nothing, and the request is answered with it.
	Learned func(instance, agent string, k myriad.Knowledge) error
}

// Runtime hosts instances in this process. It is a myriad.Runtime.
type Runtime struct {
	cfg Config

	mu       sync.Mutex // guards the two below, writes of host, and that nothing is added to instances once closed
	handlers map[string]http.Handler
	closed   bool

	host      atomic.Pointer[host] // nil until the first instance starts
	instances sync.Map             // id -> *instance
}

var _ myriad.Runtime = (*Runtime)(nil)

// New makes a runtime. It listens nowhere until the first instance starts.
func New(cfg Config) (*Runtime, error) {
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	return &Runtime{cfg: cfg, handlers: map[string]http.Handler{}}, nil
}

// Register makes a Go handler known under name: packets whose template is {Kind: TemplateHandler, ID: name} are served by it. It answers POST
// /query (myriad-http/1) and, where it has them, GET /health and POST /collaborate; an agent of the SDK package agent does. All instances
// share the one handler. It must heed the context of its requests, for nothing can end Go code by force. A name is registered once, else
// CodeConflict.
func (r *Runtime) Register(name string, h http.Handler) error {
	if name == "" || h == nil {
		return myriad.Errorf(myriad.CodeInvalid, "a handler is registered with a name, and is not nil")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.handlers[name]; known {
		return myriad.Errorf(myriad.CodeConflict, "a handler %s is registered already", name)
	}
	r.handlers[name] = h
	return nil
}

// Name is "inproc".
func (*Runtime) Name() string { return "inproc" }

// Serves says whether t is a template of knowledge, or of a registered handler.
func (r *Runtime) Serves(t myriad.Template) bool {
	switch t.Kind {
	case myriad.TemplateKnowledge:
		return t.Knowledge != nil
	case myriad.TemplateHandler:
		return r.registered(t.ID) != nil
	}
	return false
}

func (r *Runtime) registered(name string) http.Handler {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.handlers[name]
}

// Start makes an instance, which is ready as soon as its handler says so on /health; one of knowledge is at once.
func (r *Runtime) Start(ctx context.Context, req myriad.StartRequest) (myriad.Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, ended(err, "start "+req.Packet.Agent.Name)
	}
	if !validID(req.InstanceID) {
		return nil, myriad.Errorf(myriad.CodeInvalid, "an instance id is letters, digits and -: %.40q", req.InstanceID)
	}
	handler, err := r.handler(req)
	if err != nil {
		return nil, err
	}
	h, err := r.listening(ctx)
	if err != nil {
		return nil, err
	}
	i := newInstance(r, h, req, handler)
	if err := r.add(i); err != nil {
		return nil, err
	}
	return i, nil
}

// handler is what answers for a packet.
func (r *Runtime) handler(req myriad.StartRequest) (http.Handler, error) {
	t := req.Packet.Agent.Template
	switch {
	case t != nil && t.Kind == myriad.TemplateKnowledge:
		opts := KnowledgeOptions{Nonce: req.Nonce}
		if tell, id := r.cfg.Learned, req.InstanceID; tell != nil {
			opts.Learned = func(agent string, k myriad.Knowledge) error { return tell(id, agent, k) }
		}
		return NewKnowledge(req.Packet, opts)
	case t != nil && t.Kind == myriad.TemplateHandler:
		if h := r.registered(t.ID); h != nil {
			return h, nil
		}
		return nil, myriad.Errorf(myriad.CodeInvalid, "agent %s: no handler %s is registered in this process", req.Packet.Agent.Name, t.ID)
	}
	return nil, myriad.Errorf(myriad.CodeInvalid, "agent %s is neither of knowledge nor a registered handler", req.Packet.Agent.Name)
}

// listening is the host of all instances, made when there is none.
func (r *Runtime) listening(ctx context.Context) (*host, error) {
	if h, err := r.hosting(nil); h != nil || err != nil {
		return h, err
	}
	fresh, err := listen(ctx, r)
	if err != nil {
		return nil, err
	}
	h, err := r.hosting(fresh)
	if h != fresh {
		fresh.discard() // another start was first, or Close was
	}
	return h, err
}

// hosting is the host there is; when there is none, it becomes fresh.
func (r *Runtime) hosting(fresh *host) (*host, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errClosed()
	}
	if r.host.Load() == nil && fresh != nil {
		r.host.Store(fresh)
		fresh.serve()
	}
	return r.host.Load(), nil
}

func errClosed() error {
	return myriad.Errorf(myriad.CodeDraining, "the in-process runtime is closed")
}

func (r *Runtime) add(i *instance) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errClosed()
	}
	if _, used := r.instances.LoadOrStore(i.id, i); used {
		return myriad.Errorf(myriad.CodeConflict, "an instance %s is there already", i.id)
	}
	return nil
}

// Recover finds nothing: what this runtime hosts ends with its process.
func (*Runtime) Recover(context.Context, string) ([]myriad.Left, error) { return nil, nil }

// Close stops every instance, cutting off jobs when ctx ends, and gives up the listener.
func (r *Runtime) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	h := r.host.Load()
	r.mu.Unlock()
	var stops sync.WaitGroup
	var mu sync.Mutex
	var failed []error
	r.instances.Range(func(_, value any) bool {
		stops.Go(func() {
			if err := value.(*instance).Stop(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}
		})
		return true
	})
	stops.Wait()
	if h != nil {
		h.close()
	}
	return errors.Join(failed...)
}

// ended gives the end of a context its code.
func ended(err error, doing string) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return myriad.Errorf(myriad.CodeDeadline, "%s: %w", doing, err)
	}
	return myriad.Errorf(myriad.CodeCancelled, "%s: %w", doing, err)
}

func validID(id string) bool {
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return id != "" && len(id) <= myriad.MaxNameLength
}
