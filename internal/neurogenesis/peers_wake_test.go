package neurogenesis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/call"
)

// sleepers is a fleet with room for all but those who have none.
type sleepers struct {
	t      *testing.T
	noRoom []string

	mu    sync.Mutex
	at    map[string]string // endpoints by agent
	woken []myriad.WakeRequest
	pins  map[string]int
}

func newSleepers(t *testing.T, noRoom ...string) *sleepers {
	return &sleepers{t: t, noRoom: noRoom, at: map[string]string{}, pins: map[string]int{}}
}

// peer serves h as an agent that researches and has to be woken; h is asked while the agent is pinned.
func (s *sleepers) peer(name string, h http.Handler) myriad.Agent {
	a := peer(s.t, name, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		if s.pins[name] != 1 {
			s.t.Errorf("agent %s is asked with %d pins", name, s.pins[name])
		}
		s.mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	s.at[name] = a.Endpoint
	a.Endpoint, a.Dormant, a.Template = "", true, &myriad.Template{Kind: myriad.TemplateKnowledge}
	return a
}

func (s *sleepers) Wake(_ context.Context, req myriad.WakeRequest, done func(myriad.Woken)) {
	s.mu.Lock()
	name := req.Agent.Name
	s.woken = append(s.woken, req)
	full := slices.Contains(s.noRoom, name)
	if !full {
		s.pins[name]++
	}
	s.mu.Unlock()
	if full {
		done(myriad.Woken{Err: myriad.Errorf(myriad.TaskErrFleetFull, "no room for agent %s", name)})
		return
	}
	up := *req.Agent
	up.Endpoint, up.Dormant = s.at[name], false
	done(myriad.Woken{Agent: &up, Cold: time.Second, Release: func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pins[name]--
	}})
}

// names are those who were woken; all are let go again.
func (s *sleepers) names() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, req := range s.woken {
		names = append(names, req.Agent.Name)
	}
	for name, n := range s.pins {
		if n != 0 {
			s.t.Errorf("agent %s has %d pins left", name, n)
		}
	}
	slices.Sort(names)
	return names
}

func sourcesOf(findings []Finding) (names []string) {
	for _, f := range findings {
		names = append(names, f.Source)
	}
	return names
}

const diode = `{"status":"success","data":{"primary_knowledge":"a diode","confidence":0.8}}`

var aboutLED = Question{Concept: "led", Display: "LED", Intent: "define"}

func quietly() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// TestPeersAreWoken: those that sleep are asked as far as those that are awake leave places.
func TestPeersAreWoken(t *testing.T) {
	s := newSleepers(t)
	resting := s.peer("A0", says(diode))
	resting.Status = myriad.AgentInactive
	worker := s.peer("A1", says(diode))
	worker.Template = &myriad.Template{Kind: myriad.TemplateCommand, Mode: myriad.ModeStdio}
	gone := peer(t, "A2", says(diode)) // it was somewhere, and nobody can wake it
	gone.Endpoint = ""
	all := registry{resting, worker, gone, s.peer("B", says(diode)), s.peer("C", says(diode)), peer(t, "Y", says(diode)), peer(t, "Z", says(diode))}
	p := NewPeers(PeersConfig{Graph: all, Caller: newCaller(t), Fleet: s, Logger: quietly(), Max: 3})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	findings, err := p.Research(ctx, aboutLED)
	if got := sourcesOf(findings); err != nil || !slices.Equal(got, []string{"Y", "Z", "B"}) || !slices.Equal(s.names(), []string{"B"}) {
		t.Fatalf("%v of %v told, %v", got, s.names(), err)
	}
	deadline, _ := ctx.Deadline()
	if req := s.woken[0]; req.Kind != myriad.QueueWake || req.Concept != "led" || req.Intent != myriad.IntentResearch || !req.Deadline.Equal(deadline) ||
		req.Patience != time.Second || !req.Passing {
		t.Errorf("woken by %+v", req)
	}
}

// TestPeersWithoutRoomCostOnlyThemselves, and count against nobody.
func TestPeersWithoutRoomCostOnlyThemselves(t *testing.T) {
	s := newSleepers(t, "A", "B")
	c := newCaller(t)
	p := NewPeers(PeersConfig{Graph: registry{s.peer("A", says(diode)), s.peer("B", says(diode)), s.peer("C", says(diode))}, Caller: c, Fleet: s, Logger: quietly()})
	for range 5 { // more than a breaker forgives
		findings, err := p.Research(t.Context(), aboutLED)
		if got := sourcesOf(findings); err != nil || !slices.Equal(got, []string{"C"}) {
			t.Errorf("%v told, %v", got, err)
		}
	}
	if b := c.Breakers("A"); len(b) > 0 {
		t.Errorf("an agent that was never asked has a breaker: %+v", b)
	}
	p = NewPeers(PeersConfig{Graph: registry{s.peer("A", says(diode))}, Caller: c, Fleet: s, Logger: quietly()})
	if _, err := p.Research(t.Context(), aboutLED); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("nobody could be asked: %v", err)
	}
	s.names()
}

// TestPeersThatWouldBeTurnedAwaySleepOn: nobody is started to be told that his breaker is open.
func TestPeersThatWouldBeTurnedAwaySleepOn(t *testing.T) {
	s, c := newSleepers(t), newCaller(t)
	if _, err := c.ForceBreaker("A", "open"); err != nil {
		t.Fatal(err)
	}
	a, b := s.peer("A", says(diode)), s.peer("B", says(diode))
	p := NewPeers(PeersConfig{Graph: registry{a, b}, Caller: c, Fleet: s, Logger: quietly(), Max: 1})
	findings, err := p.Research(t.Context(), aboutLED)
	if got := sourcesOf(findings); err != nil || !slices.Equal(got, []string{"B"}) || !slices.Equal(s.names(), []string{"B"}) {
		t.Errorf("%v of %v told, %v", got, s.names(), err)
	}
	p = NewPeers(PeersConfig{Graph: registry{a}, Caller: c, Fleet: s, Logger: quietly()})
	if _, err := p.Research(t.Context(), aboutLED); myriad.ErrorCode(err) != myriad.TaskErrCircuitOpen || !strings.Contains(err.Error(), "is open") {
		t.Errorf("nobody could be asked: %v", err)
	}
}

// TestPeersWithOpenBreakersTakeNoPlace: one that is well is asked, however many before it would be turned away.
func TestPeersWithOpenBreakersTakeNoPlace(t *testing.T) {
	c := newCaller(t)
	var all registry
	for i := range 9 {
		a := peer(t, fmt.Sprint("P", i), says(diode))
		if all = append(all, a); i == 8 {
			break
		}
		if _, err := c.ForceBreaker(a.Name, "open"); err != nil {
			t.Fatal(err)
		}
	}
	findings, err := NewPeers(PeersConfig{Graph: all, Caller: c, Logger: quietly()}).Research(t.Context(), aboutLED)
	if got := sourcesOf(findings); err != nil || !slices.Equal(got, []string{"P8"}) {
		t.Errorf("%v told, %v", got, err)
	}
}

// TestLookingForPeersRejectsNobody: a bug was that each agent whose breaker is open was told of as a candidate that was rejected, up to 1024 in one look.
func TestLookingForPeersRejectsNobody(t *testing.T) {
	var rejected atomic.Int64
	c, err := call.New(call.Config{Slots: noSlots{}, AttemptTimeout: 5 * time.Second, Sink: myriad.SinkFunc(func(e myriad.Event) {
		if e.Kind == myriad.KindRejected {
			rejected.Add(1)
		}
	})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	a, b := peer(t, "A", says(diode)), sleeping("B")
	for _, name := range []string{"A", "B"} {
		if _, err := c.ForceBreaker(name, "open"); err != nil {
			t.Fatal(err)
		}
	}
	p := NewPeers(PeersConfig{Graph: registry{a, b}, Caller: c, Fleet: patientFleet{}, Logger: quietly()})
	if _, err := p.Research(t.Context(), aboutLED); myriad.ErrorCode(err) != myriad.TaskErrCircuitOpen {
		t.Errorf("their breakers are open, but: %v", err)
	}
	if n := rejected.Load(); n != 0 {
		t.Errorf("%d were told of as rejected", n)
	}
	if c.Eligible([]myriad.Candidate{{Agent: &a}}); rejected.Load() != 1 {
		t.Error("a candidate of a task that is rejected is not told of any more")
	}
}

// tripped is a caller whose breakers are open for as long as it says.
type tripped struct {
	caller
	waits map[string]time.Duration // by agent
}

func (b tripped) Ready(a *myriad.Agent) (bool, time.Duration) { return false, b.waits[a.Name] }

// TestTheFirstBreakerThatClosesIsWaitedFor, wherever its agent stands among the others.
func TestTheFirstBreakerThatClosesIsWaitedFor(t *testing.T) {
	sleeps := func(name string) myriad.Agent {
		return myriad.Agent{Name: name, Dormant: true, Template: &myriad.Template{Kind: myriad.TemplateKnowledge}}
	}
	for _, waits := range []map[string]time.Duration{{"A": 3 * time.Second, "B": time.Minute}, {"A": time.Minute, "B": 3 * time.Second}} {
		p := NewPeers(PeersConfig{Graph: registry{sleeps("A"), sleeps("B")}, Caller: tripped{newCaller(t), waits}, Fleet: patientFleet{}, Logger: quietly()})
		_, err := p.Research(t.Context(), aboutLED)
		if e, ok := errors.AsType[*myriad.Error](err); !ok || e.Code != myriad.TaskErrCircuitOpen || e.RetryAfter != 3*time.Second {
			t.Errorf("%v: %v, %+v", waits, err, e)
		}
	}
}

// A bug: those who were looked at were the first 64 by name, so that whoever was awake beyond them was never asked.
func TestPeersAreFoundBehindManyThatSleep(t *testing.T) {
	s := newSleepers(t)
	var all registry
	for i := range 500 {
		all = append(all, myriad.Agent{Name: fmt.Sprintf("P%03d", i), Dormant: true, Template: &myriad.Template{Kind: myriad.TemplateKnowledge}})
		s.noRoom = append(s.noRoom, all[i].Name)
	}
	all = append(all, peer(t, "Z", says(diode)))
	findings, err := NewPeers(PeersConfig{Graph: all, Caller: newCaller(t), Fleet: s, Logger: quietly()}).Research(t.Context(), aboutLED)
	if got := sourcesOf(findings); err != nil || !slices.Equal(got, []string{"Z"}) || len(s.names()) != 7 {
		t.Errorf("%v told, %v; %v were to be woken", got, err, s.names())
	}
}

// patientFleet wakes nobody, and answers when its asker loses patience.
type patientFleet struct{}

func (patientFleet) Wake(_ context.Context, req myriad.WakeRequest, done func(myriad.Woken)) {
	time.AfterFunc(req.Patience, func() { done(myriad.Woken{Err: myriad.Errorf(myriad.TaskErrFleetFull, "no room")}) })
}

// TestPatienceOfResearch: room in the fleet is waited for a second, and half of what time there is at most.
func TestPatienceOfResearch(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{10 * time.Second: time.Second, time.Second: 500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			sleeps := myriad.Agent{Name: "A", Dormant: true, Template: &myriad.Template{Kind: myriad.TemplateKnowledge}}
			p := NewPeers(PeersConfig{Graph: registry{sleeps}, Caller: newCaller(t), Fleet: patientFleet{}, Logger: quietly()})
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			at := time.Now()
			if _, err := p.Research(ctx, aboutLED); err == nil || time.Since(at) != want {
				t.Errorf("of %v it took %v, %v", timeout, time.Since(at), err)
			}
		})
	}
}
