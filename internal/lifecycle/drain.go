package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/myriad-mind/myriad"
)

// Drain ends the fleet: it wakes nobody any more, whoever waits is told, and every instance is stopped, all at once. When ctx ends what is left is
// killed without more grace. It returns when nothing runs any more, or with an error that names what could not be stopped. Entries of the
// queue stay for the next start. More than once is harmless; later calls wait for the first.
func (m *Manager) Drain(ctx context.Context) error {
	m.lock()
	if m.phase == ending {
		m.unlock()
		select {
		case <-m.drained:
			return m.drainErr
		case <-ctx.Done():
			return myriad.Errorf(myriad.CodeDeadline, "drain the fleet: %w", ctx.Err())
		}
	}
	m.phase = ending
	for _, i := range m.instances {
		m.halt(i, myriad.ReasonShutdown, errDraining())
	}
	if m.lives == 0 {
		close(m.lifeless)
	}
	m.schedule()
	m.unlock()
	err := m.endLives(ctx)
	m.cancel()
	m.behind.Wait()
	err = errors.Join(err, m.endAsks(), m.lastFlush(ctx), m.closeHosts(ctx))
	m.giveUp()
	m.killNow()
	m.drainErr = err
	close(m.drained)
	return err
}

// lastStop is how long instances may take to be killed when there is no grace left, and closing to close a runtime.
const lastStop = 5 * time.Second

// endLives waits until every instance has ended.
func (m *Manager) endLives(ctx context.Context) error {
	select {
	case <-m.lifeless:
		return nil
	case <-ctx.Done():
	}
	m.killNow()
	timer := time.NewTimer(lastStop)
	defer timer.Stop()
	select {
	case <-m.lifeless:
		return nil
	case <-timer.C:
	}
	defer m.giveUp() // not before they are counted: whoever is given up returns its permit
	var errs []error
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, i := range m.instances {
		if i.counts() {
			errs = append(errs, myriad.Errorf(myriad.CodeDeadline, "instance %s of agent %s could not be stopped in time", i.id, i.agent))
		}
	}
	return errors.Join(errs...)
}

// lastFlush writes what agents have learned, the last of it while they ended.
func (m *Manager) lastFlush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastStop)
	defer cancel()
	if !m.flush(ctx) {
		for _, name := range m.lessons.names() {
			m.lose(name, "knowledge")
		}
		return myriad.Errorf(myriad.CodeUnavailable, "some of what agents learned could not be written")
	}
	return nil
}

// closeHosts closes the runtimes.
func (m *Manager) closeHosts(ctx context.Context) error {
	var errs []error
	for _, h := range m.hosts {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastStop)
		if err := m.guarded("closing a runtime", func() error { return h.Close(closing) }); err != nil {
			errs = append(errs, fmt.Errorf("close the runtime %s: %w", h.name, err))
		}
		cancel()
	}
	return errors.Join(errs...)
}
