package lifecycle

import "github.com/myriad-mind/myriad"

// state is where an instance is.
type state uint8

// The states; an instance begins queued.
const (
	queued state = iota
	starting
	ready
	draining
	stopped
	failed
	states // how many there are
)

var words = [states]string{myriad.InstanceQueued, myriad.InstanceStarting, myriad.InstanceReady, myriad.InstanceDraining, myriad.InstanceStopped,
	myriad.InstanceFailed}

func (s state) String() string { return words[s] }

// legal is the one table of moves: for each state a bit for every state that may follow it.
var legal = [states]uint{
	queued:   to(starting, stopped),
	starting: to(ready, failed, draining),
	ready:    to(draining, failed),
	draining: to(stopped, failed),
	failed:   to(starting, stopped),
	stopped:  to(),
}

func to(next ...state) (bits uint) {
	for _, s := range next {
		bits |= 1 << s
	}
	return bits
}

// machine is the state of one instance. Its zero value is queued. Nothing but move changes it.
type machine struct{ at state }

func (m *machine) state() state { return m.at }

// move goes to a state that may follow the present one; otherwise it is false and nothing changes: somebody else moved the instance first.
func (m *machine) move(next state) bool {
	if legal[m.at]&(1<<next) == 0 {
		return false
	}
	m.at = next
	return true
}
