package dockerrt

import (
	"context"
	"log/slog"
	"os"
	"sync"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

// Recover finds the containers of the owner by their labels: those that run come back as instances, the others are removed. Where no daemon
// answers nothing can be found; then what there is is ended before the first Start that reaches one.
func (r *Runtime) Recover(ctx context.Context, ownerID string) ([]myriad.Left, error) {
	if r.unfit != nil || ownerID == "" {
		return nil, nil
	}
	if !r.join() {
		return nil, draining()
	}
	defer r.work.Done()
	found, err := r.containers(ctx, ownerID)
	if err != nil {
		if ctx.Err() == nil && unreachable(err) {
			r.owe(ownerID, err)
			return nil, nil
		}
		return nil, r.failure(ctx, err, "look for containers of an earlier life")
	}
	kept := make([]*instance, len(found))
	each(len(found), r.cfg.Parallel, func(n int) { kept[n] = r.keepOrEnd(ctx, found[n]) })
	var left []myriad.Left
	for _, i := range kept {
		if i != nil {
			left = append(left, myriad.Left{InstanceID: i.label.instance, Agent: i.label.agent, Revision: i.label.revision, StartedAt: i.started,
				Limits: i.label.limits, Instance: i})
		}
	}
	return left, nil
}

// containers lists the owner's containers, in whatever state.
func (r *Runtime) containers(ctx context.Context, owner string) ([]container.Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	res, err := r.docker.ContainerList(ctx, client.ContainerListOptions{All: true,
		Filters: make(client.Filters).Add("label", labelAgent+"=true", labelOwner+"="+owner)})
	if err != nil {
		return nil, err
	}
	var ours []container.Summary
	for _, c := range res.Items {
		if isOurs(c.Labels, owner) { // what others own must never be touched, so the filter is not trusted alone
			ours = append(ours, c)
		}
	}
	return ours, nil
}

// keepOrEnd makes an instance of a container that lives and is whole; any other is removed, now or when the daemon lets it.
func (r *Runtime) keepOrEnd(ctx context.Context, c container.Summary) *instance {
	if i := r.revive(ctx, c); i != nil {
		return i
	}
	r.cfg.Logger.Info("a container of an earlier life is removed", slog.String("runtime", Name), slog.String("container", c.ID),
		slog.String("agent", c.Labels[labelName]), slog.String("state", string(c.State)))
	r.discard(c.ID)
	return nil
}

func (r *Runtime) revive(ctx context.Context, c container.Summary) *instance {
	l, whole := readLabel(c.Labels)
	if !whole || c.State != container.StateRunning {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	seen, err := r.docker.ContainerInspect(ctx, c.ID, inspectOptions)
	if err != nil || seen.Container.State == nil || !seen.Container.State.Running || seen.Container.Config == nil {
		return nil
	}
	i := r.newInstance(l, seen.Container, variable(seen.Container.Config.Env, envNonce))
	if i.address == "" || r.reserve(l.instance) != nil {
		return nil // not to be reached, or another of the same id
	}
	defer r.work.Done()
	i.worked.Store(true)
	r.adopt(i)
	return i
}

// owe notes that a recovery did not reach the daemon.
func (r *Runtime) owe(owner string, err error) {
	select {
	case r.owed <- owner:
	default: // it is noted already
	}
	level := slog.LevelDebug // most machines have no Docker
	if r.cfg.Host != "" || r.cfg.HostImage != "" || os.Getenv(client.EnvOverrideHost) != "" {
		level = slog.LevelWarn
	}
	r.cfg.Logger.Log(context.Background(), level, "no docker daemon answers, so containers of an earlier life were not looked for",
		slog.String("address", r.address), slog.Any("error", err))
}

// makeUp ends what a recovery that is owed would have found. Nobody was told of it, so nobody adopts it.
func (r *Runtime) makeUp(ctx context.Context) error {
	select {
	case owner := <-r.owed:
		found, err := r.containers(ctx, owner)
		if err != nil {
			select {
			case r.owed <- owner:
			default:
			}
			return r.failure(ctx, err, "look for containers of an earlier life")
		}
		each(len(found), r.cfg.Parallel, func(n int) {
			if !r.known(found[n].Labels[labelInstance]) {
				r.discard(found[n].ID)
			}
		})
	default:
	}
	return nil
}

// each calls f for 0 to n-1, at most width of them at once.
func each(n, width int, f func(int)) {
	turns := make(chan struct{}, width)
	var all sync.WaitGroup
	for k := range n {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			f(k)
		})
	}
	all.Wait()
}
