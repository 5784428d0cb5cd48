package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/discovery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// graph answers from a map of agents; it counts look-ups, can be held, and can be taken away.
type graph struct {
	myriad.Graph // what these tests do not ask for

	lookups atomic.Int64
	down    atomic.Bool
	hold    chan struct{} // when set, look-ups wait for it

	mu     sync.Mutex
	agents map[string]myriad.Agent
}

func newGraph(agents ...myriad.Agent) *graph {
	g := &graph{agents: map[string]myriad.Agent{}}
	for _, a := range agents {
		a, mistakes := myriad.CheckAgent(a)
		if len(mistakes) > 0 {
			panic(fmt.Sprint(mistakes))
		}
		g.agents[a.Name] = a
	}
	return g
}

var errDown = myriad.Errorf(myriad.CodeUnavailable, "taken away")

func (g *graph) err(ctx context.Context) error {
	if g.down.Load() {
		return errDown
	}
	return ctx.Err()
}

func (g *graph) Ping(ctx context.Context) error { return g.err(ctx) }

func (g *graph) Handlers(ctx context.Context, concept string) (myriad.Handlers, error) {
	g.lookups.Add(1)
	g.mu.Lock()
	h := myriad.Handlers{Concept: concept}
	for _, a := range g.agents {
		for _, key := range a.ConceptKeys() {
			switch key {
			case concept:
				h.Exact = append(h.Exact, myriad.Handler{Agent: a, Weight: 0.5})
			case myriad.AnyConcept:
				h.Any = append(h.Any, myriad.Handler{Agent: a, Weight: 0.5})
			}
		}
	}
	g.mu.Unlock()
	if g.hold != nil {
		<-g.hold
	}
	return h, g.err(ctx)
}

func (g *graph) Agent(ctx context.Context, name string) (myriad.Agent, error) {
	if err := g.err(ctx); err != nil {
		return myriad.Agent{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	a, ok := g.agents[name]
	if !ok {
		return a, myriad.Errorf(myriad.CodeNotFound, "no agent %s", name)
	}
	return a, nil
}

func (g *graph) PutAgent(ctx context.Context, a myriad.Agent, guard myriad.Guard) (myriad.Agent, error) {
	if err := g.err(ctx); err != nil {
		return a, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	was, ok := g.agents[a.Name]
	if ok && guard.MustNotExist {
		return a, myriad.Errorf(myriad.CodeConflict, "taken")
	}
	a.Revision = was.Revision + 1
	g.agents[a.Name] = a
	return a, nil
}

func (g *graph) DeleteAgent(ctx context.Context, name string, _ myriad.Guard) (myriad.Agent, error) {
	was, err := g.Agent(ctx, name)
	if err == nil {
		g.mu.Lock()
		delete(g.agents, name)
		g.mu.Unlock()
	}
	return was, err
}

func agent(name string, change ...func(*myriad.Agent)) myriad.Agent {
	a := myriad.Agent{Name: name, Endpoint: "http://127.0.0.1:1/" + name, Concepts: []string{"pump"}}
	for _, c := range change {
		c(&a)
	}
	return a
}

func concepts(c ...string) func(*myriad.Agent) { return func(a *myriad.Agent) { a.Concepts = c } }
func intents(i ...string) func(*myriad.Agent)  { return func(a *myriad.Agent) { a.Intents = i } }

func names(f myriad.Found) []string {
	out := []string{}
	for _, c := range f.Candidates {
		out = append(out, c.Agent.Name)
	}
	return out
}

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

func TestWritesAreSeenAtOnce(t *testing.T) {
	g := newGraph(agent("A"))
	var gone []myriad.Agent
	d := discovery.New(discovery.Config{Graph: g, Gone: func(a myriad.Agent) { gone = append(gone, a) }})
	defer d.Close()
	lookup(t, d, "pump", "define")
	lookup(t, d, "valve", "define")
	put := func(a myriad.Agent) {
		t.Helper()
		if _, err := d.PutAgent(t.Context(), a, myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
	}
	put(agent("B", concepts("Pump", "valve")))
	if got := fmt.Sprint(names(lookup(t, d, "pump", "define")), names(lookup(t, d, "valve", "define"))); got != "[A B] [B]" {
		t.Errorf("after adding B: %s", got)
	}
	put(agent("B", concepts("valve"), func(a *myriad.Agent) { a.Endpoint = "http://127.0.0.1:2/moved" }))
	if got := fmt.Sprint(names(lookup(t, d, "pump", "define")), names(lookup(t, d, "valve", "define"))); got != "[A] [B]" {
		t.Errorf("after B left pump: %s", got)
	}
	put(agent("Any", concepts("*")))
	if got := fmt.Sprint(names(lookup(t, d, "pump", "define"))); got != "[A Any]" {
		t.Errorf("after an agent of every concept came: %s", got)
	}
	if _, err := d.DeleteAgent(t.Context(), "A", myriad.Guard{}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(names(lookup(t, d, "pump", "define"))); got != "[Any]" {
		t.Errorf("after A went: %s", got)
	}
	if len(gone) != 2 || gone[0].Endpoint != "http://127.0.0.1:1/B" || gone[1].Name != "A" {
		t.Errorf("told of as gone: %+v", gone)
	}
	if _, err := d.PutAgent(t.Context(), myriad.Agent{Name: "?"}, myriad.Guard{}); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("a bad agent: %v", err)
	}
}

func TestAFlightFromBeforeAWriteLeavesNoView(t *testing.T) {
	g := newGraph(agent("A"))
	g.hold = make(chan struct{})
	d := discovery.New(discovery.Config{Graph: g})
	defer d.Close()
	old := make(chan myriad.Found, 1)
	d.Find(t.Context(), "pump", "define", func(f myriad.Found, _ error) { old <- f })
	for g.lookups.Load() == 0 {
		time.Sleep(time.Millisecond) // until the flight has read the graph
	}
	time.Sleep(time.Millisecond)
	if _, err := d.PutAgent(t.Context(), agent("B"), myriad.Guard{}); err != nil {
		t.Fatal(err)
	}
	close(g.hold)
	<-old
	if got := fmt.Sprint(names(lookup(t, d, "pump", "define"))); got != "[A B]" {
		t.Errorf("the view from before the write stayed: %s", got)
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

// guard opens after five failures for a minute.
type guard struct {
	mu       sync.Mutex
	failures int
	until    time.Time
	asked    int
}

func (g *guard) Acquire() (func(bool), error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Now().Before(g.until) {
		return nil, errors.New("circuit open")
	}
	g.asked++
	return func(failed bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !failed {
			g.failures = 0
		} else if g.failures++; g.failures >= 5 {
			g.until = time.Now().Add(time.Minute)
		}
	}, nil
}

func TestGraphDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, breaker := newGraph(agent("A")), &guard{}
		var mu sync.Mutex
		var told []myriad.EventKind
		d := discovery.New(discovery.Config{Graph: g, Guard: breaker, TTL: time.Minute, MaxPending: 2, Sink: myriad.SinkFunc(func(e myriad.Event) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, e.Kind)
		})})
		defer d.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = d.Run(ctx) })
		defer running.Wait()
		defer cancel()

		lookup(t, d, "pump", "define")
		g.down.Store(true)
		time.Sleep(2 * time.Minute)
		_, err := d.Lookup(t.Context(), "unheard_of", "define")
		if myriad.ErrorCode(err) != myriad.CodeUnavailable {
			t.Fatalf("an unknown concept while the graph is down: %v", err)
		}
		found := lookup(t, d, "pump", "define")
		if !found.Stale || found.Age < 2*time.Minute || len(found.Candidates) != 1 {
			t.Errorf("want the last good view, stale: %+v", found)
		}
		// writes are kept, seen at once, and bounded; what only the graph can judge is refused
		if _, err := d.PutAgent(t.Context(), agent("B", concepts("pump", "new")), myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		if _, err := d.PutAgent(t.Context(), agent("C"), myriad.Guard{MustNotExist: true}); myriad.ErrorCode(err) != myriad.CodeUnavailable {
			t.Errorf("a guarded write: %v", err)
		}
		if got := fmt.Sprint(names(lookup(t, d, "pump", "define")), names(lookup(t, d, "new", "define"))); got != "[A B] [B]" {
			t.Errorf("the kept write is not seen: %s", got)
		}
		if _, err := d.DeleteAgent(t.Context(), "A", myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		if _, err := d.PutAgent(t.Context(), agent("D"), myriad.Guard{}); myriad.ErrorCode(err) != myriad.CodeUnavailable {
			t.Errorf("past the bound: %v", err)
		}
		time.Sleep(10 * time.Minute)
		breaker.mu.Lock()
		asked := breaker.asked
		breaker.mu.Unlock()
		if asked > 40 {
			t.Errorf("the dead graph was asked %d times in twelve minutes", asked)
		}
		g.down.Store(false)
		time.Sleep(2 * time.Minute)
		found = lookup(t, d, "pump", "define")
		if got := fmt.Sprint(names(found)); got != "[B]" || found.Stale {
			t.Errorf("after recovery: %s stale %v", got, found.Stale)
		}
		mu.Lock()
		defer mu.Unlock()
		count := map[myriad.EventKind]int{}
		for _, k := range told {
			count[k]++
		}
		if count[myriad.KindGraphStale] != 1 || count[myriad.KindGraphFresh] != 1 || count[myriad.KindLost] != 1 {
			t.Errorf("told: %v", told)
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
