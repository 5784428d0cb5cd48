package lifecycle

import (
	"context"
	"time"

	"github.com/myriad-mind/myriad"
)

// syncSoon has the packets looked at that the graph may not show.
func (m *Manager) syncSoon() { signal(m.unsync) }

// The waits between two tries to bring packets into the graph while it does not answer, the number that is read at once, and the number of those
// that the graph refuses which are remembered.
const (
	firstSync   = 500 * time.Millisecond
	lastSync    = 30 * time.Second
	syncBatch   = 100
	mostRefused = 1000
)

// keepInSync brings the packets into the graph that a crash or the graph's absence kept from it, whenever there may be some.
func (m *Manager) keepInSync(ctx context.Context) {
	wait := firstSync
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.unsync:
		}
		for !m.reconcile(ctx) {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
			wait = min(2*wait, lastSync)
		}
		wait = firstSync
	}
}

// reconcile brings the graph in step with the packets. It is false when something is left that may work later. What the graph refuses for
// good is told and passed over until the next time.
func (m *Manager) reconcile(ctx context.Context) bool {
	passed := map[string]bool{}
	for {
		changes, err := m.cfg.Store.UnsyncedPackets(ctx, syncBatch+len(passed))
		if err != nil {
			return false
		}
		done := 0
		for _, c := range changes {
			name := c.Packet.Agent.Name
			if passed[name] {
				continue
			}
			switch err := m.sync(ctx, name); {
			case err == nil:
				done++
			case refused(err):
				m.cfg.Logger.Error("the graph refuses a packet", "agent", name, "error", err)
				passed[name] = true
				done++
			default:
				m.cfg.Logger.Warn("the graph is not in step with the packets yet", "agent", name, "error", err)
				return false
			}
		}
		if done == 0 || len(passed) > mostRefused {
			return true
		}
	}
}

// sync brings one packet into the graph as it is now, or out of it.
func (m *Manager) sync(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	over, err := m.turns.take(ctx, name)
	if err != nil {
		return err
	}
	defer over()
	p, found, err := m.packet(ctx, name)
	if err != nil {
		return err
	}
	if !found {
		return m.hide(ctx, name)
	}
	return m.show(ctx, p, myriad.Guard{})
}
