package lifecycle

import "github.com/myriad-mind/myriad"

// Awake is the live card of an agent that is awake: a copy of the agent with its Endpoint, and not Dormant. It is nil for everybody else, also for
// one that gives out no leases any more and is about to leave the board: whoever found it there would look for it again and again. The card is
// shared and must not be changed. Awake takes no lock.
func (m *Manager) Awake(name string) *myriad.Agent {
	if l := m.board.get(name); l != nil && l.held.Load()&closed == 0 {
		return l.card
	}
	return nil
}

// Lease holds the instance behind a live card while a job is under way, so that it is not stopped under it. It is refused when the instance
// is not in routing any more: it is draining or gone, or another one has taken its place at another endpoint; whoever is refused looks for the
// agent again. release is called exactly once. A lease takes no lock and costs no allocation.
func (m *Manager) Lease(a *myriad.Agent) (release func(), ok bool) {
	l := m.board.get(a.Name)
	if l == nil || l.card != a && l.card.Endpoint != a.Endpoint || !l.take(oneLease) {
		return nil, false
	}
	if l.passing.Load() && pins(l.held.Load()) == 0 {
		l.need() // all pins are of those who woke it in passing, and with them their leases: without one, this lease is a task's
	}
	return l.drop, true
}
