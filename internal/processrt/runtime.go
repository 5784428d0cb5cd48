package processrt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// Config is what a Runtime is made of. Zero values are the defaults given with each field.
type Config struct {
	Dir            string        // where it is kept what runs, for Recover; made when it is missing. Required
	Logger         *slog.Logger  // slog.Default()
	MaxConcurrency int           // jobs at once of an agent that does not say; 10
	JobTimeout     time.Duration // of a job that carries no deadline; 10 min
	NoCgroups      bool          // keep limits without cgroups, as on a machine where they cannot be written
}

// Runtime runs commands. It implements myriad.Runtime; no instance of it can be adopted by a later life.
type Runtime struct {
	cfg     Config
	log     *slog.Logger
	gate    *gate
	machine machine
	shims   shims
	states  states
	ports   ports
	probe   *http.Client // asks children in the mode http how they are
	work    sync.WaitGroup

	mu        sync.Mutex
	closed    bool                 // guarded by mu
	instances map[string]*instance // by id; guarded by mu
	warned    string               // the limits that the log was last told are not in force; guarded by mu
}

// New makes a runtime and opens its listener on loopback.
func New(cfg Config) (*Runtime, error) {
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	cfg.MaxConcurrency = cmp.Or(cfg.MaxConcurrency, 10)
	cfg.JobTimeout = cmp.Or(cfg.JobTimeout, 10*time.Minute)
	if cfg.Dir == "" || cfg.MaxConcurrency < 1 || cfg.JobTimeout < 0 {
		return nil, myriad.Errorf(myriad.CodeInvalid, "the process runtime wants a folder for its state, and limits that are not negative")
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("processes: make the folder of their state: %w", err)
	}
	r := &Runtime{cfg: cfg, log: cfg.Logger, instances: map[string]*instance{}, states: states{dir: cfg.Dir}, probe: newProbe()}
	r.machine.off = cfg.NoCgroups
	g, err := openGate(r)
	if err != nil {
		return nil, err
	}
	r.gate = g
	return r, nil
}

// Name is "process".
func (r *Runtime) Name() string { return "process" }

// Serves is true for templates of the kind command.
func (r *Runtime) Serves(t myriad.Template) bool { return t.Kind == myriad.TemplateCommand }

// Start begins an instance: its process in the mode http, its first worker in the mode stdio, nothing yet in the mode exec.
func (r *Runtime) Start(ctx context.Context, req myriad.StartRequest) (myriad.Instance, error) {
	if err := ended(ctx, "start of "+req.Packet.Agent.Name); err != nil {
		return nil, err
	}
	if err := check(req); err != nil {
		return nil, err
	}
	i, err := r.claim(req)
	if err != nil {
		return nil, err
	}
	if err := i.start(ctx); err != nil {
		i.begin(err)
		<-i.exited
		return nil, err
	}
	r.warn(i)
	return i, nil
}

// ended is the error of a context that has ended; nil while it has not.
func ended(ctx context.Context, doing string) error {
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return myriad.Errorf(myriad.CodeDeadline, "%s: %w", doing, err)
	default:
		return myriad.Errorf(myriad.CodeCancelled, "%s: %w", doing, err)
	}
}

// claim makes the instance known, so that its id is taken and Close finds it.
func (r *Runtime) claim(req myriad.StartRequest) (*instance, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, myriad.Errorf(myriad.CodeDraining, "start of %s: the process runtime is closed", req.Packet.Agent.Name)
	}
	if _, taken := r.instances[req.InstanceID]; taken {
		return nil, myriad.Errorf(myriad.CodeConflict, "start of %s: an instance %s runs already", req.Packet.Agent.Name, req.InstanceID)
	}
	i := newInstance(r, req)
	r.instances[req.InstanceID] = i
	return i, nil
}

// check refuses what cannot be started. Ids become parts of paths and URLs.
func check(req myriad.StartRequest) error {
	t := req.Packet.Agent.Template
	name := req.Packet.Agent.Name
	switch {
	case t == nil || t.Kind != myriad.TemplateCommand:
		return myriad.Errorf(myriad.CodeInvalid, "start of %s: the process runtime hosts templates of the kind %s", name, myriad.TemplateCommand)
	case len(t.Command) == 0 || t.Command[0] == "":
		return myriad.Errorf(myriad.CodeInvalid, "start of %s: the template names no program", name)
	case !slices.Contains([]string{"", myriad.ModeStdio, myriad.ModeHTTP, myriad.ModeExec}, t.Mode):
		return myriad.Errorf(myriad.CodeInvalid, "start of %s: %q is no mode of a command", name, t.Mode)
	case !validID(req.InstanceID) || req.OwnerID == "" || strings.ContainsAny(req.OwnerID, "\x00\n"):
		return myriad.Errorf(myriad.CodeInvalid, "start of %s: an instance has an id of letters, digits and -, and an owner", name)
	}
	for _, s := range t.Command {
		if strings.ContainsRune(s, 0) {
			return myriad.Errorf(myriad.CodeInvalid, "start of %s: an argument holds a zero byte", name)
		}
	}
	return nil
}

func validID(s string) bool {
	return s != "" && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// warn tells the log which limits are not in force, once until that changes.
func (r *Runtime) warn(i *instance) {
	missing := strings.Join(i.Unenforced(), ", ")
	r.mu.Lock()
	known := r.warned == missing
	r.warned = missing
	r.mu.Unlock()
	if !known && missing != "" {
		r.log.Warn("limits of processes are not enforced on this machine", slog.String("unenforced", missing),
			slog.String("agent", i.agent), slog.String("instance", i.id), slog.String("help", limitsHelp))
	}
}

func (r *Runtime) forget(i *instance) {
	r.mu.Lock()
	delete(r.instances, i.id)
	r.mu.Unlock()
}

func (r *Runtime) instance(id string) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.instances[id]
}

// Close ends the listener and, as a later life cannot reach them any more, every instance that still runs. It asks them first and kills
// them when ctx ends.
func (r *Runtime) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	running := make([]*instance, 0, len(r.instances))
	for _, i := range r.instances {
		running = append(running, i)
	}
	r.mu.Unlock()
	errs := make([]error, len(running))
	var stops sync.WaitGroup
	for n, i := range running {
		stops.Go(func() { errs[n] = i.Stop(ctx) })
	}
	stops.Wait()
	err := errors.Join(errors.Join(errs...), r.gate.close(ctx))
	r.probe.CloseIdleConnections()
	if err == nil {
		r.work.Wait() // what ended instances is ending itself
		r.machine.tidy()
	}
	return err
}
