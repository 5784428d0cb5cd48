package neurogenesis

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/call"
)

// failing is a fleet that wakes nobody, for one reason.
type failing struct{ err error }

func (f failing) Wake(_ context.Context, _ myriad.WakeRequest, done func(myriad.Woken)) {
	done(myriad.Woken{Err: f.err})
}

// answers gives every request one status and body.
func answers(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// sleeping is an agent that would have to be woken.
func sleeping(name string) myriad.Agent {
	return myriad.Agent{Name: name, Dormant: true, Template: &myriad.Template{Kind: myriad.TemplateKnowledge}}
}

// unaskedCase is who could be asked about a concept, what kept them from it, and what growing came to.
type unaskedCase struct {
	name  string
	peers func(t *testing.T) []myriad.Agent
	open  []string // whose breakers are open
	wake  error    // what waking comes to
	code  string
	says  string
}

const ignorant = `{"status":"no_expertise"}`

// briefly are those whom nobody has asked: that says nothing of the concept, which is soon tried again.
var briefly = []unaskedCase{
	{"breakers are open", func(t *testing.T) []myriad.Agent {
		return []myriad.Agent{peer(t, "A", says(diode)), peer(t, "B", says(diode))}
	},
		[]string{"A", "B"}, nil, myriad.TaskErrCircuitOpen, "1 more could not be asked"},
	{"breaker of one that sleeps is open", func(*testing.T) []myriad.Agent { return []myriad.Agent{sleeping("A")} },
		[]string{"A"}, nil, myriad.TaskErrCircuitOpen, "is not asked"},
	{"told to wait", func(t *testing.T) []myriad.Agent { return []myriad.Agent{peer(t, "A", answers(429, ""))} },
		nil, nil, myriad.TaskErrParked, "left alone"},
	{"network policy", func(t *testing.T) []myriad.Agent {
		a := peer(t, "A", says(diode))
		a.Endpoint = "http://169.254.169.254/query"
		return []myriad.Agent{a}
	}, nil, nil, myriad.TaskErrDenied, "169.254.169.254"},
	{"credentials", func(t *testing.T) []myriad.Agent {
		a := peer(t, "A", says(diode))
		a.Auth = &myriad.Auth{Scheme: "bearer", Env: "MYRIAD_TEST_IS_NOT_SET"}
		return []myriad.Agent{a}
	}, nil, nil, myriad.TaskErrCredentials, "MYRIAD_TEST_IS_NOT_SET"},
	{"instance is gone", func(t *testing.T) []myriad.Agent {
		a := peer(t, "Gone", says(diode))
		a.Template = &myriad.Template{Kind: myriad.TemplateKnowledge}
		return []myriad.Agent{a}
	}, nil, nil, myriad.TaskErrAsleep, "stopped before it could be asked"},
	{"no room", func(*testing.T) []myriad.Agent { return []myriad.Agent{sleeping("A")} },
		nil, myriad.Errorf(myriad.TaskErrFleetFull, "no room for it"), myriad.TaskErrFleetFull, "no room to wake them"},
	{"cooling down after failed starts", func(*testing.T) []myriad.Agent { return []myriad.Agent{sleeping("A")} },
		nil, myriad.Errorf(myriad.TaskErrCoolingDown, "not started again yet"), myriad.TaskErrCoolingDown, "not started again yet"},
	{"not awake in time", func(*testing.T) []myriad.Agent { return []myriad.Agent{sleeping("A")} },
		nil, myriad.Errorf(myriad.CodeDeadline, "the deadline passed"), myriad.TaskErrAsleep, "not awake in time"},
	{"the fleet does not run", func(*testing.T) []myriad.Agent { return []myriad.Agent{sleeping("A")} },
		nil, myriad.Errorf(myriad.CodeUnavailable, "not started yet"), myriad.TaskErrAsleep, "not started yet"},
	{"one failed, one was turned away", func(t *testing.T) []myriad.Agent {
		return []myriad.Agent{peer(t, "A", answers(500, "")), peer(t, "B", says(diode))}
	}, []string{"B"}, nil, myriad.TaskErrCircuitOpen, "agent B"},
	{"one failed, one that sleeps would be turned away", func(t *testing.T) []myriad.Agent {
		return []myriad.Agent{peer(t, "A", answers(500, "")), sleeping("B")}
	}, []string{"B"}, nil, myriad.TaskErrCircuitOpen, "agent B"},
	{"room counts before breakers", func(t *testing.T) []myriad.Agent { return []myriad.Agent{peer(t, "A", says(diode)), sleeping("B")} },
		[]string{"A"}, myriad.Errorf(myriad.TaskErrFleetFull, "no room for it"), myriad.TaskErrFleetFull, "1 more could not be asked"},
}

// forLong are those whom somebody has asked, and who do not know or fail by their own fault.
var forLong = []unaskedCase{
	{"there is nobody", func(*testing.T) []myriad.Agent { return nil }, nil, nil, "", ""},
	{"nobody knows", func(t *testing.T) []myriad.Agent { return []myriad.Agent{peer(t, "A", says(ignorant))} }, nil, nil, "", ""},
	{"one does not know, the other is turned away", func(t *testing.T) []myriad.Agent {
		return []myriad.Agent{peer(t, "A", says(ignorant)), peer(t, "B", says(diode))}
	}, []string{"B"}, nil, "", ""},
	{"one does not know, the other sleeps and would be turned away", func(t *testing.T) []myriad.Agent {
		return []myriad.Agent{peer(t, "A", says(ignorant)), sleeping("B")}
	}, []string{"B"}, nil, "", ""},
	{"one does not know, the other finds no room", func(t *testing.T) []myriad.Agent {
		return []myriad.Agent{peer(t, "A", says(ignorant)), sleeping("B")}
	}, nil, myriad.Errorf(myriad.TaskErrFleetFull, "no room"), "", ""},
	{"500", func(t *testing.T) []myriad.Agent { return []myriad.Agent{peer(t, "A", answers(500, ""))} }, nil, nil, "", ""},
	{"400", func(t *testing.T) []myriad.Agent { return []myriad.Agent{peer(t, "A", answers(400, ""))} }, nil, nil, "", ""},
	{"404", func(t *testing.T) []myriad.Agent { return []myriad.Agent{peer(t, "A", answers(404, ""))} }, nil, nil, "", ""},
	{"nonsense", func(t *testing.T) []myriad.Agent { return []myriad.Agent{peer(t, "A", says("[]"))} }, nil, nil, "", ""},
	{"nobody listens", func(*testing.T) []myriad.Agent {
		return []myriad.Agent{{Name: "A", Endpoint: "http://127.0.0.1:1/query"}}
	}, nil, nil, "", ""},
	{"cannot be started", func(*testing.T) []myriad.Agent { return []myriad.Agent{sleeping("A")} },
		nil, myriad.Errorf(myriad.TaskErrStart, "it ends at once"), "", ""},
}

// TestWhoCouldNotBeAskedDecidesNothing: a bug was that a concept whose researchers were all turned away by their breakers was not tried again for
// as long as one that nobody knows, and was told to be unknown.
func TestWhoCouldNotBeAskedDecidesNothing(t *testing.T) {
	for _, c := range briefly {
		c.bubble(t, func(t *testing.T, growth, again myriad.Growth) {
			if growth.Status != myriad.StatusNeurogenesisSuccess || growth.ErrorCode != c.code || growth.RetryAfter != 5*time.Second ||
				!strings.Contains(growth.Message, c.says) || strings.Contains(growth.Message, "nobody who could be asked knows it") {
				t.Errorf("got %+v", growth)
			}
			if again.ErrorCode != myriad.TaskErrCoolingDown || again.Message != growth.Message || again.RetryAfter > 5*time.Second {
				t.Errorf("again: %+v", again)
			}
		})
	}
	for _, c := range forLong {
		c.bubble(t, func(t *testing.T, growth, again myriad.Growth) {
			if growth.Status != myriad.StatusNeurogenesisSuccess || growth.ErrorCode != myriad.TaskErrNoAgent || growth.RetryAfter != 5*time.Minute ||
				!strings.Contains(growth.Message, "nobody who could be asked knows it") {
				t.Errorf("got %+v", growth)
			}
			if again.ErrorCode != myriad.TaskErrCoolingDown || again.RetryAfter <= 5*time.Second {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

// bubble runs a case where time stands still: its sockets are real, and while any of them is waited for no timer of the bubble fires.
func (c *unaskedCase) bubble(t *testing.T, judge func(t *testing.T, first, again myriad.Growth)) {
	t.Run(c.name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			first, again := c.grow(t)
			judge(t, first, again)
		})
	})
}

// grow asks twice for an agent.
func (c *unaskedCase) grow(t *testing.T) (first, again myriad.Growth) {
	leases := func(a *myriad.Agent) (func(), bool) { return func() {}, a.Name != "Gone" }
	caller, err := call.New(call.Config{Slots: noSlots{}, AttemptTimeout: 5 * time.Second, Lease: leases})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(caller.Close)
	for _, name := range c.open {
		if _, err := caller.ForceBreaker(name, "open"); err != nil {
			t.Fatal(err)
		}
	}
	peers := PeersConfig{Graph: registry(c.peers(t)), Caller: caller, Logger: quietly()}
	if slices.ContainsFunc(peers.Graph.(registry), func(a myriad.Agent) bool { return a.Dormant }) {
		peers.Fleet = failing{c.wake}
	}
	w := newWorld(t, NewPeers(peers))
	g := w.grower(t)
	return w.grow(t, g, t.Context(), led), w.grow(t, g, t.Context(), led)
}

// TestGraphThatTellsNoResearchers: nobody was asked either.
func TestGraphThatTellsNoResearchers(t *testing.T) {
	w := newWorld(t, NewPeers(PeersConfig{Graph: awayGraph{}, Caller: newCaller(t), Logger: quietly()}))
	if growth := w.grow(t, w.grower(t), t.Context(), led); growth.ErrorCode != myriad.TaskErrGraph || growth.RetryAfter != 5*time.Second ||
		!strings.Contains(growth.Message, "find the agents to ask: broken") {
		t.Errorf("got %+v", growth)
	}
}
