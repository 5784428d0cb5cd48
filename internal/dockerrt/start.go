package dockerrt

import (
	"context"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

// Start creates and starts a container, and has it watched. After an error nothing is left; what a daemon that stopped answering may have
// made nevertheless is looked for and removed when it answers again.
func (r *Runtime) Start(ctx context.Context, req myriad.StartRequest) (myriad.Instance, error) {
	t := req.Packet.Agent.Template
	if t == nil || !r.Serves(*t) {
		return nil, myriad.Errorf(myriad.CodeInvalid, "the docker runtime does not serve the template of agent %s", req.Packet.Agent.Name)
	}
	if req.InstanceID == "" || req.OwnerID == "" {
		return nil, myriad.Errorf(myriad.CodeInvalid, "an instance of agent %s needs an id and an owner", req.Packet.Agent.Name)
	}
	if r.unfit != nil {
		return nil, myriad.Errorf(myriad.CodeUnavailable, "docker cannot be used: %w", r.unfit)
	}
	if err := r.reserve(req.InstanceID); err != nil {
		return nil, err
	}
	defer r.work.Done()
	bound, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)() // Close ends starts that are under way
	i, err := r.start(bound, req)
	if err != nil {
		r.forget(req.InstanceID)
		if ctx.Err() == nil && r.life.Err() != nil {
			return nil, draining()
		}
		return nil, err
	}
	r.adopt(i)
	return i, nil
}

func (r *Runtime) start(ctx context.Context, req myriad.StartRequest) (*instance, error) {
	l := labelOf(req, time.Now())
	info, err := r.platform(ctx)
	if err != nil {
		return nil, r.failure(ctx, err, "start agent %s", l.agent)
	}
	s, err := r.specOf(req, l, info)
	if err != nil {
		return nil, err
	}
	if err := r.fetch(ctx, s.image); err != nil {
		return nil, err
	}
	if err := r.enter(ctx); err != nil {
		return nil, r.failure(ctx, err, "start agent %s", l.agent)
	}
	defer func() { <-r.starts }()
	id, warnings, err := r.create(ctx, s)
	if err != nil {
		return nil, err
	}
	i, err := r.launch(ctx, id, s, req.Nonce)
	if err != nil {
		r.discard(id)
		return nil, err
	}
	i.warn(warnings)
	return i, nil
}

// enter waits for its turn among the starts: a daemon that starts many at once does each of them slower.
func (r *Runtime) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case r.starts <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Runtime) create(ctx context.Context, s spec) (id string, warnings []string, err error) {
	bound, cancel := r.call(ctx)
	defer cancel()
	made, err := r.docker.ContainerCreate(bound, s.options)
	switch {
	case err == nil:
		return made.ID, made.Warnings, nil
	case errdefs.IsNotFound(err):
		if missing, failed := r.missing(ctx, s.image); failed == nil && missing {
			return "", nil, notHere(s.image, err)
		}
	case !refusal(err):
		r.janitor.doubt(s.options.Name, s.label) // it may be there, or come to be
	}
	return "", nil, r.failure(ctx, err, "create the container %s of agent %s", s.options.Name, s.label.agent)
}

// launch starts a container that was created. Its end under way, the caller's too, is a failure.
func (r *Runtime) launch(ctx context.Context, id string, s spec, nonce string) (*instance, error) {
	if s.packet != nil {
		if err := r.deliver(ctx, id, s.packet); err != nil {
			return nil, r.failure(ctx, err, "put the packet of agent %s into its container", s.label.agent)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, r.failure(ctx, err, "start agent %s", s.label.agent)
	}
	bound, cancel := r.call(ctx)
	defer cancel()
	if _, err := r.docker.ContainerStart(bound, id, client.ContainerStartOptions{}); err != nil {
		return nil, r.failure(ctx, err, "start the container of agent %s (image %s)", s.label.agent, s.image.ref)
	}
	seen, err := r.docker.ContainerInspect(bound, id, client.ContainerInspectOptions{})
	if err != nil {
		return nil, r.failure(ctx, err, "look at the container of agent %s", s.label.agent)
	}
	if err := ctx.Err(); err != nil {
		return nil, r.failure(ctx, err, "start agent %s", s.label.agent)
	}
	return r.newInstance(s.label, seen.Container, nonce), nil
}

// discard removes a container whose start failed, now or when the daemon answers again.
func (r *Runtime) discard(id string) {
	ctx, cancel := r.call(context.Background())
	defer cancel()
	if err := r.remove(ctx, id); err != nil {
		r.janitor.remove(id)
	}
}
