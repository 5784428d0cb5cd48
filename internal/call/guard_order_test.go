package call

import (
	"testing"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/resilience"
)

// onRelease is a slot that is asked for again while it is given back.
type onRelease struct {
	myriad.Slot
	next func()
}

func (s onRelease) Release() {
	s.next()
	s.Slot.Release()
}

// TestWhoGetsTheSlotNextFindsTheBreakerTold: the last failure counts before its slot is free, or a busy agent would be called once more.
func TestWhoGetsTheSlotNextFindsTheBreakerTold(t *testing.T) {
	a := agentAt(t, "A", answering(500, ``))
	r := newRig(t, nil, func(c *Config) { c.Breaker.ConsecutiveFailures = 1 })
	call := r.job("turn_on", a.Agent)
	var found []resilience.State
	call.Slot = onRelease{call.Slot, func() { found = append(found, r.ends.of(a.Agent).breaker.State()) }}
	r.do(t.Context(), call)
	if len(found) == 0 || found[0] != resilience.Open {
		t.Errorf("when the slot was given back the breaker was %v", found)
	}
}
