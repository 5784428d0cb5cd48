package discovery_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/discovery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func lookup(t *testing.T, d *discovery.Directory, concept, intent string) myriad.Found {
	t.Helper()
	found, err := d.Lookup(t.Context(), concept, intent)
	if err != nil {
		t.Fatalf("%s/%s: %v", concept, intent, err)
	}
	return found
}

func TestWhoMayAnswer(t *testing.T) {
	all := newGraph(
		agent("Defines", intents("define")), agent("Everything"),
		agent("Asleep", func(a *myriad.Agent) {
			a.Endpoint, a.Template = "", &myriad.Template{Kind: myriad.TemplateCommand, Command: []string{"x"}}
		}),
		agent("Off", func(a *myriad.Agent) { a.Status = myriad.AgentInactive }),
		agent("Any", concepts("*"), intents("translate", "define")), agent("Both", concepts("pump", "*")),
		agent("Only_Draws", concepts("sketch"), intents("draw")))
	d := discovery.New(discovery.Config{Graph: all})
	defer d.Close()
	for _, c := range []struct {
		concept, intent string
		want            string
		known           bool
	}{
		{"pump", "define", "[Both Defines Everything Asleep Any]", true},
		{"pump", "explain", "[Both Everything Asleep]", true},
		{"sketch", "define", "[Any Both]", true},
		{"sketch", "draw", "[Only_Draws Both]", true},
		{"nobody_knows", "translate", "[Any Both]", true},
	} {
		found := lookup(t, d, c.concept, c.intent)
		if got := fmt.Sprint(names(found)); got != c.want || found.Known != c.known {
			t.Errorf("%s/%s: %s known %v, want %s %v", c.concept, c.intent, got, found.Known, c.want, c.known)
		}
	}
	few := discovery.New(discovery.Config{Graph: newGraph(agent("Any", concepts("*"), intents("translate")), agent("Off", func(a *myriad.Agent) { a.Status = myriad.AgentInactive }))})
	defer few.Close()
	if f := lookup(t, few, "x", "define"); f.Known || len(f.Candidates) > 0 {
		t.Errorf("a concept that nobody but an agent of every concept could take, for another intent, is unknown: %+v", f)
	}
	if f := lookup(t, few, "pump", "define"); !f.Known || len(f.Candidates) > 0 {
		t.Errorf("a concept with a handler that is off is known, and has no candidate: %+v", f)
	}
}

// The graph knows a packet as dormant whatever it does; whoever runs it is asked at each look-up, so nothing of it is ever out of date.
func TestAwakePacketsAreWhereTheyRun(t *testing.T) {
	packet := func(a *myriad.Agent) {
		a.Endpoint, a.Template = "", &myriad.Template{Kind: myriad.TemplateCommand, Command: []string{"x"}}
	}
	live := map[string]*myriad.Agent{}
	var asked []string
	d := discovery.New(discovery.Config{Graph: newGraph(agent("Plain"), agent("Packet", packet), agent("Any", packet, concepts("*"))), Awake: func(name string) *myriad.Agent {
		asked = append(asked, name)
		return live[name]
	}})
	defer d.Close()
	tiers := func() string {
		out := ""
		for _, c := range lookup(t, d, "pump", "define").Candidates {
			out += fmt.Sprintf("%s %s %s;", c.Agent.Name, c.Tier, c.Agent.Endpoint)
		}
		return out
	}
	asleep := "Plain exact http://127.0.0.1:1/Plain;Packet dormant ;Any any ;"
	if got := tiers(); got != asleep {
		t.Errorf("asleep: %s", got)
	}
	for _, name := range []string{"Packet", "Any"} {
		up := agent(name, packet)
		up.Endpoint = "http://127.0.0.1:9/" + name
		live[name] = &up
	}
	if got := tiers(); got != "Packet exact http://127.0.0.1:9/Packet;Plain exact http://127.0.0.1:1/Plain;Any any http://127.0.0.1:9/Any;" {
		t.Errorf("awake: %s", got)
	}
	clear(live)
	if got := tiers(); got != asleep {
		t.Errorf("asleep again: %s", got)
	}
	if slices.Contains(asked, "Plain") {
		t.Error("an agent without a template is where the graph says")
	}
}

func TestRankIsTheProductOfItsParts(t *testing.T) {
	signals := map[string][3]float64{"A": {1, 0.5, 1}, "B": {1, 1, 0.9}, "C": {0, 1, 1}}
	d := discovery.New(discovery.Config{Graph: newGraph(agent("A"), agent("B"), agent("C"), agent("U", func(a *myriad.Agent) { a.Status = myriad.AgentUnhealthy })),
		Signals: func(a *myriad.Agent, _ string) (float64, float64, float64) {
			s, ok := signals[a.Name]
			if !ok {
				return 1, 1, 1
			}
			return s[0], s[1], s[2]
		}})
	defer d.Close()
	found := lookup(t, d, "pump", "define")
	if got := fmt.Sprint(names(found)); got != "[B A U C]" {
		t.Errorf("order %s", got)
	}
	if c := found.Candidates[3]; c.Score <= 0 || c.Score >= found.Candidates[2].Score {
		t.Errorf("an agent in disfavour keeps a small score, got %v", c.Score)
	}
	if p := found.Candidates[0].Parts; p != (myriad.ScoreParts{Weight: 0.5, Availability: 1, Load: 1, Latency: 0.9}) {
		t.Errorf("parts %+v", p)
	}
}

func TestOneFlightForAll(t *testing.T) {
	g := newGraph(agent("A"))
	g.hold = make(chan struct{})
	d := discovery.New(discovery.Config{Graph: g})
	defer d.Close()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var answered sync.WaitGroup
	answered.Add(100)
	for i := range 100 {
		d.Find(gone, "pump", "define", func(f myriad.Found, err error) {
			if err != nil || len(f.Candidates) != 1 {
				t.Errorf("asker %d: %v %v", i, f, err)
			}
			answered.Done()
		})
	}
	if _, err := d.Lookup(gone, "pump", "define"); myriad.ErrorCode(err) != myriad.CodeDeadline {
		t.Errorf("an asker that left waits on: %v", err)
	}
	close(g.hold)
	answered.Wait()
	lookup(t, d, "pump", "define")
	lookup(t, d, "nobody", "define")
	lookup(t, d, "nobody", "define")
	if n := g.lookups.Load(); n != 2 {
		t.Errorf("the graph was asked %d times for two concepts", n)
	}
}

func TestViewsAreBoundedAndRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGraph(agent("A"))
		d := discovery.New(discovery.Config{Graph: g, MaxViews: 10, TTL: time.Minute})
		defer d.Close()
		for i := range 1000 {
			lookup(t, d, fmt.Sprintf("c%d", i), "define")
		}
		before := g.lookups.Load()
		lookup(t, d, "c0", "define")
		if g.lookups.Load() != before+1 {
			t.Error("a view that should have made room was kept")
		}
		lookup(t, d, "pump", "define")
		g.mu.Lock()
		g.agents["B"] = agent("B") // another writer
		g.mu.Unlock()
		time.Sleep(61 * time.Second)
		lookup(t, d, "pump", "define") // the old view, and a renewal beside it
		synctest.Wait()
		if got := fmt.Sprint(names(lookup(t, d, "pump", "define"))); got != "[A B]" {
			t.Errorf("the foreign write was not noticed: %s", got)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	g := newGraph(agent("A"))
	d := discovery.New(discovery.Config{Graph: g, MaxViews: 4})
	defer d.Close()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 200 {
				switch (i + j) % 8 {
				case 0:
					_, _ = d.PutAgent(t.Context(), agent(fmt.Sprintf("N%d", i), concepts("pump", fmt.Sprint("c", j%6))), myriad.Guard{})
				case 1:
					_, _ = d.DeleteAgent(t.Context(), fmt.Sprintf("N%d", i), myriad.Guard{})
				case 2:
					d.Invalidate()
				default:
					if _, err := d.Lookup(t.Context(), fmt.Sprint("c", j%6), "define"); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkFindWarm(b *testing.B) {
	d := discovery.New(discovery.Config{Graph: newGraph(agent("A"), agent("B"), agent("C")),
		Signals: func(*myriad.Agent, string) (float64, float64, float64) { return 0.9, 0.8, 0.7 }})
	defer d.Close()
	if _, err := d.Lookup(b.Context(), "pump", "define"); err != nil {
		b.Fatal(err)
	}
	n := 0
	done := func(f myriad.Found, _ error) { n += len(f.Candidates) }
	b.ReportAllocs()
	for b.Loop() {
		d.Find(b.Context(), "pump", "define", done)
	}
}
