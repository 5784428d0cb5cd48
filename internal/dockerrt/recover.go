package dockerrt

import (
	"context"
	"log/slog"
	"sync"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

// Recover finds the containers of the owner by their labels: those that run come back as instances, the others are removed. Where no daemon
// answers nothing can be told, which is CodeUnavailable.
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
