package dockerrt

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 5 * time.Second
	maxChores  = 1024
)

// janitor removes what could not be removed at once because the daemon did not answer. It has a goroutine only while there is something to do.
type janitor struct {
	r *Runtime

	mu     sync.Mutex
	chores []chore // guarded by mu
	awake  bool    // guarded by mu
}

// chore is one container that must not be.
type chore struct {
	id    string    // of a container that is there, or
	name  string    // of one that may be, or come to be
	label label     // what a container of that name must carry to be it
	until time.Time // then it is believed that it does not come any more
}

func newJanitor(r *Runtime) *janitor { return &janitor{r: r} }

func (j *janitor) remove(id string) { j.add(chore{id: id}) }

// doubt is told of a container whose creation has no known outcome.
func (j *janitor) doubt(name string, l label) {
	j.add(chore{name: name, label: l, until: time.Now().Add(4 * j.r.cfg.CallTimeout)})
}

// add takes a chore. The caller holds a place among the runtime's work.
func (j *janitor) add(c chore) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.chores) >= maxChores {
		j.r.cfg.Logger.Warn("a container may be left until the next start of the server", slog.String("container", c.id+c.name), slog.String("owner", c.label.owner))
		return
	}
	j.chores = append(j.chores, c)
	if !j.awake {
		j.awake = true
		j.r.work.Go(j.run)
	}
}

// run works until nothing is left to do or the runtime ends.
func (j *janitor) run() {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		if !pause(j.r.life, wait) {
			return
		}
		j.mu.Lock()
		chores := j.chores
		j.chores = nil
		j.mu.Unlock()
		var again []chore
		for _, c := range chores {
			if !j.do(c) {
				again = append(again, c)
			}
		}
		j.mu.Lock()
		j.chores = append(again, j.chores...)
		if len(j.chores) == 0 {
			j.awake = false
			j.mu.Unlock()
			return
		}
		j.mu.Unlock()
	}
}

// do says whether the chore is done with.
func (j *janitor) do(c chore) bool {
	ctx, cancel := context.WithTimeout(j.r.life, j.r.cfg.CallTimeout)
	defer cancel()
	if c.id != "" {
		return j.r.remove(ctx, c.id) == nil
	}
	seen, err := j.r.docker.ContainerInspect(ctx, c.name, client.ContainerInspectOptions{})
	switch {
	case err == nil && seen.Container.Config != nil && isOurs(seen.Container.Config.Labels, c.label.owner) &&
		seen.Container.Config.Labels[labelInstance] == c.label.instance:
		return j.r.remove(ctx, seen.Container.ID) == nil
	case err == nil:
		return true // somebody else's
	}
	return time.Now().After(c.until)
}

// remove takes a container away, whatever it does, with its anonymous volumes; one that is not there is no error.
func (r *Runtime) remove(ctx context.Context, id string) error {
	_, err := r.docker.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if errdefs.IsConflict(err) { // somebody else removes it already
		res := r.docker.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionRemoved})
		select {
		case <-res.Result:
			return nil
		case err = <-res.Error:
		}
	}
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// pause waits; false when ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
