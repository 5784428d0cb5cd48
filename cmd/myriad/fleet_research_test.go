package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/config"
)

// researcher is a program that is asked about concepts, and says the same of all of them.
func researcher(t *testing.T, name, says string) myriad.Agent {
	t.Helper()
	a := program(t, name, "library", myriad.ModeHTTP, "http", "SAYS", says)
	a.Intents = []string{myriad.IntentResearch}
	return a
}

// TestGrowthWakesResearchers: an agent that was added with `myriad agents add` is asked although nobody has ever woken it. In a fleet of one it gives its place to
// the agent that is grown, although it is far younger than the minimum life.
func TestGrowthWakesResearchers(t *testing.T) {
	for _, places := range []int{1, 5} {
		s, _ := startServer(t, capped(places, time.Hour))
		c := ownerOf(t, s.url(), s.cfg.Data)
		put(t, c, researcher(t, "Library_AI", "what the shelves hold"))
		put(t, c, knower("Encyclopedia_AI", "encyclopedia", "of no concern"))
		r := mustOne(t, c, "strange kettle", "define", nil)
		if r.Status != myriad.StatusNeurogenesisAgent || !strings.Contains(string(r.Answer.Data), "what the shelves hold") || r.Extra.NewAgent == nil {
			t.Fatalf("with %d places: %s", places, r.AppendJSON(nil))
		}
		grown, err := c.Agent(t.Context(), r.Extra.NewAgent.Name)
		if err != nil || grown.Template == nil || grown.Template.Knowledge == nil || !slices.Equal(grown.Template.Knowledge.ResearchSources, []string{"Library_AI"}) {
			t.Errorf("the packet that came of it: %+v, %v", grown, err)
		}
		if b, err := c.Breaker(t.Context(), "Library_AI"); err != nil || len(b) != 1 || b[0].State != "closed" || b[0].ConsecutiveFailures != 0 {
			t.Errorf("its breaker: %+v, %v", b, err)
		}
		f := fleetOf(t, c)
		if len(f.Queue) > 0 || f.InUse > places {
			t.Errorf("the fleet: %+v", f)
		}
		if places == 1 {
			continue
		}
		if i := mustBeReady(t, c, "Library_AI"); i.InFlight != 0 {
			t.Errorf("it stays pinned: %+v", i)
		}
		if _, ok := livingOf(f, "Encyclopedia_AI"); ok {
			t.Error("an agent was woken that does no research")
		}
	}
}

// TestGrowthInAFullFleet: a fleet whose places are all at work costs the researcher its say, and nothing else: the task is answered within its time, and
// nobody is left in the queue.
func TestGrowthInAFullFleet(t *testing.T) {
	s, _ := startServer(t, capped(1, 0))
	c := ownerOf(t, s.url(), s.cfg.Data)
	put(t, c, researcher(t, "Library_AI", "what the shelves hold"))
	put(t, c, program(t, "Busy_AI", "work", myriad.ModeStdio, "stdio"))
	g := newGate(t)
	working := make(chan myriad.Result, 1)
	go func() { working <- one(t, c, "work", "do", g.args()) }()
	g.holds(t)
	r := one(t, c, "strange kettle", "define", nil)
	if r.Status != myriad.StatusNeurogenesisSuccess || r.ErrorCode != myriad.TaskErrFleetFull || r.Extra.RetryAfterMS != 5000 {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
	if q := fleetOf(t, c).Queue; len(q) > 0 {
		t.Errorf("left in the queue: %+v", q)
	}
	g.let()
	if w := <-working; !w.Succeeded {
		t.Errorf("whoever was at work: %s", w.AppendJSON(nil))
	}
	if b, err := c.Breaker(t.Context(), "Library_AI"); err == nil && len(b) > 0 {
		t.Errorf("the researcher was never asked: %+v", b)
	}
}

// TestGrowthOfWhomNobodyCouldAsk: a concept whose researchers are all turned away by their breakers is tried again in seconds, and the result says why.
func TestGrowthOfWhomNobodyCouldAsk(t *testing.T) {
	s, _ := startServer(t, capped(5, 0))
	c := ownerOf(t, s.url(), s.cfg.Data)
	put(t, c, researcher(t, "Library_AI", "what the shelves hold"))
	if _, err := c.SetBreaker(t.Context(), "Library_AI", "open"); err != nil {
		t.Fatal(err)
	}
	r := one(t, c, "strange kettle", "define", nil)
	if r.Status != myriad.StatusNeurogenesisSuccess || r.ErrorCode != myriad.TaskErrCircuitOpen || r.Extra.RetryAfterMS != 5000 || !strings.Contains(r.ErrorMessage, "Library_AI") {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
}

// TestAnOpenBreakerWakesNobody: an agent that would be turned away is not started to be told so; when its breaker lets calls through, it is.
func TestAnOpenBreakerWakesNobody(t *testing.T) {
	s, _ := startServer(t, capped(5, 0), func(c *config.Config) { c.Fleet.Grow = false })
	c := ownerOf(t, s.url(), s.cfg.Data)
	put(t, c, knower("Sleepy_AI", "sleep", "what everybody needs"))
	if _, err := c.SetBreaker(t.Context(), "Sleepy_AI", "open"); err != nil {
		t.Fatal(err)
	}
	r := one(t, c, "sleep", "define", nil)
	if r.Status != myriad.StatusServiceUnavailable || r.ErrorCode != myriad.TaskErrCircuitOpen || r.Extra.RetryAfterMS <= 0 || len(r.Provenance.Rejections) != 1 ||
		r.Provenance.Rejections[0].Agent != "Sleepy_AI" || r.Provenance.Rejections[0].Reason != myriad.RejectedOpen {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
	if f := fleetOf(t, c); len(f.Instances) > 0 || len(f.Queue) > 0 {
		t.Errorf("somebody was woken: %+v", f)
	}
	if _, err := c.SetBreaker(t.Context(), "Sleepy_AI", "auto"); err != nil {
		t.Fatal(err)
	}
	if r := mustOne(t, c, "sleep", "define", nil); r.Provenance.Agent != "Sleepy_AI" || r.Provenance.ColdStartMS <= 0 {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
}
