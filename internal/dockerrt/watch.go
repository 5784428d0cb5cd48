package dockerrt

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

// watch waits until the container has ended, whoever ended it, keeps what can be said of its end, and removes it. It returns when nothing is
// left, or when ctx ends. While the daemon does not answer it tries again. Only one watches at a time; the others wait for it.
func (i *instance) watch(ctx context.Context) {
	select {
	case <-i.watcher:
	case <-i.exited:
		return
	case <-ctx.Done():
		return
	}
	defer func() { i.watcher <- struct{}{} }()
	if i.gone() {
		return
	}
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		if i.over(ctx) && i.finish(ctx) {
			return
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// over waits for the container to end; false when that is not known.
func (i *instance) over(ctx context.Context) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	res := i.r.docker.ContainerWait(ctx, i.id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case <-res.Result:
		return true
	case err := <-res.Error: // comes also when ctx ends
		return errdefs.IsNotFound(err)
	}
}

// finish removes a container that has ended, and tells; false when it has to be tried again.
func (i *instance) finish(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, i.r.cfg.CallTimeout)
	defer cancel()
	if !i.look(ctx) {
		return false
	}
	if err := i.r.remove(ctx, i.id); err != nil {
		i.log.Warn("a container that has ended cannot be removed yet", slog.String("container", i.id), slog.Any("error", err))
		return false
	}
	i.r.forget(i.label.instance)
	close(i.exited)
	return true
}

// look keeps why the container ended and its last words, before it is removed.
func (i *instance) look(ctx context.Context) bool {
	i.mu.Lock()
	seen := i.seen
	i.mu.Unlock()
	if seen {
		return true
	}
	c, err := i.inspect(ctx)
	if err != nil && !errdefs.IsNotFound(err) {
		return false
	}
	if err == nil && c.State != nil && c.State.Running && published(c, i.label.port) == i.address {
		return false // it has not ended
	}
	var last string
	if err == nil {
		last, _ = i.tail(ctx) // without its last words the end is the end all the same
		err = i.reason(c.State, last)
	} else {
		err = myriad.Errorf(myriad.CodeUnavailable, "the container of agent %s was removed by somebody else", i.label.agent)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.seen, i.last = true, last
	if !i.asked.Load() {
		i.err = err
	}
	return true
}

// reason says why a container ended that nobody had asked to.
func (i *instance) reason(s *container.State, last string) error {
	how := "for a reason that the docker daemon does not know"
	if s != nil {
		how = fmt.Sprintf("with exit code %d", s.ExitCode)
		if s.OOMKilled {
			how = "because it used more memory than its limit allows (" + how + ")"
		}
		if s.Error != "" {
			how += ": " + s.Error
		}
	}
	if line := lastLine(last); line != "" {
		how += "; it said last: " + line
	}
	return myriad.Errorf(myriad.CodeUnavailable, "the container of agent %s ended %s", i.label.agent, how)
}

// Stop asks the container to end with the signal that its image wants, kills it when ctx ends, and returns when it is removed.
func (i *instance) Stop(ctx context.Context) error {
	i.asked.Store(true)
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	go func() { // the runtime may be closed and watch no more
		defer close(watched)
		i.watch(own)
	}()
	defer func() {
		cancel()
		<-watched
		if i.r.life.Err() != nil {
			i.r.release()
		}
	}()
	if i.worked.Load() && !i.heard.Load() {
		i.heard.Store(i.hear(ctx))
	}
	if ctx.Err() == nil && i.ask(ctx, i.signal) == nil {
		select {
		case <-i.exited:
			return nil
		case <-ctx.Done():
		}
	}
	err := i.ask(own, "SIGKILL")
	late := time.NewTimer(i.r.cfg.CallTimeout)
	defer late.Stop()
	select {
	case <-i.exited:
		return nil
	case <-late.C:
	}
	if err == nil {
		err = context.DeadlineExceeded
	}
	return i.r.failure(context.WithoutCancel(ctx), err, "stop the container %.12s of agent %s, which may be left", i.id, i.label.agent)
}

// ask sends the container a signal. That it has ended already is no error.
func (i *instance) ask(ctx context.Context, signal string) error {
	ctx, cancel := context.WithTimeout(ctx, i.r.cfg.CallTimeout)
	defer cancel()
	_, err := i.r.docker.ContainerKill(ctx, i.id, client.ContainerKillOptions{Signal: signal})
	if errdefs.IsNotFound(err) || errdefs.IsConflict(err) {
		return nil
	}
	return err
}
