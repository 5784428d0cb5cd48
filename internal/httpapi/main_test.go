package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/egress"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const runUUID = "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5"

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// fakeRuns answers every plan at once, task by task as lightbulbs do, unless a function says otherwise.
type fakeRuns struct {
	do       func(ctx context.Context, req myriad.RunRequest) (*myriad.RunRecord, error)
	doStream func(ctx context.Context, req myriad.RunRequest, fn func(myriad.RunEvent) error) error
	follow   func(ctx context.Context, id string, after int, fn func(myriad.RunEvent) error) error

	replayed bool // what Start says

	mu   sync.Mutex
	seen []myriad.RunRequest
}

func (f *fakeRuns) saw(req myriad.RunRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, req)
}

func (f *fakeRuns) last() myriad.RunRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[len(f.seen)-1]
}

func (f *fakeRuns) Do(ctx context.Context, req myriad.RunRequest) (*myriad.RunRecord, error) {
	f.saw(req)
	if f.do != nil {
		return f.do(ctx, req)
	}
	return answered(req)
}

// answered reads the plan as far as these tests need and answers its tasks.
func answered(req myriad.RunRequest) (*myriad.RunRecord, error) {
	var plan struct{ Tasks []myriad.Task }
	if err := json.Unmarshal(req.Body, &plan); err != nil {
		return nil, myriad.Errorf(myriad.CodeInvalid, "the body is malformed JSON: %w", err)
	}
	rec := &myriad.RunRecord{RunSummary: myriad.RunSummary{RunID: runUUID, Status: myriad.RunSuccess, Tasks: len(plan.Tasks), StartedAt: noon,
		FinishedAt: noon.Add(12 * time.Millisecond), DurationMS: 12, CriticalPathMS: 11.5, OrchestrationMS: 0.5, SequentialMS: 11.5, Parallelism: 0.958}}
	var mistakes []myriad.Mistake
	for i, task := range plan.Tasks {
		if task.Concept == "" {
			mistakes = append(mistakes, myriad.Mistake{Path: "tasks[" + string(rune('0'+i)) + "].concept", Rule: "must not be empty"})
		}
		rec.Results = append(rec.Results, resultOf(task))
		rec.Succeeded++
	}
	return rec, myriad.Invalid(mistakes)
}

func resultOf(task myriad.Task) myriad.Result {
	if task.Concept == "nobody" {
		return myriad.Result{TaskID: task.ID, Status: myriad.StatusNoAgent, ErrorCode: myriad.TaskErrNoAgent, ErrorMessage: "nobody knows nobody",
			Provenance: myriad.Provenance{Source: myriad.SourceNone, Graph: myriad.GraphFresh}}
	}
	return myriad.Result{TaskID: task.ID, Status: "success", Succeeded: true,
		Answer: myriad.ReadAnswer(json.RawMessage(`{"agent_name":"Lightbulb_Definition_AI","status":"success","data":"an electric device"}`)),
		Provenance: myriad.Provenance{Source: myriad.SourceLive, Agent: "Lightbulb_Definition_AI", Endpoint: "http://127.0.0.1:5001/query", DurationMS: 11.5,
			Attempts: []myriad.Attempt{{Agent: "Lightbulb_Definition_AI", Endpoint: "http://127.0.0.1:5001/query", Outcome: myriad.OutcomeSuccess, DurationMS: 11}},
			Ranking:  []myriad.Ranked{{Agent: "Lightbulb_Definition_AI", Score: 0.5, Tier: myriad.TierExact, Parts: myriad.ScoreParts{Weight: 0.5, Availability: 1, Load: 1, Latency: 1}}},
			Graph:    myriad.GraphFresh}}
}

// events are those of a run of one task.
func eventsOf(rec *myriad.RunRecord) []myriad.RunEvent {
	return []myriad.RunEvent{
		{ID: 1, Kind: myriad.EventRunStarted, Data: mustJSON(myriad.RunStarted{RunID: rec.RunID, StartedAt: noon, Tasks: []myriad.Planned{{TaskID: rec.Results[0].TaskID, Concept: "lightbulb", Intent: "define"}}})},
		{ID: 2, Kind: myriad.EventTaskStarted, Data: mustJSON(myriad.TaskStarted{RunID: rec.RunID, TaskID: rec.Results[0].TaskID, At: noon})},
		{ID: 3, Kind: myriad.EventTaskFinished, Data: mustJSON(rec.Results[0])},
		{ID: 4, Kind: myriad.EventRunFinished, Data: mustJSON(rec.RunSummary)},
	}
}

func (f *fakeRuns) DoStream(ctx context.Context, req myriad.RunRequest, fn func(myriad.RunEvent) error) error {
	f.saw(req)
	if f.doStream != nil {
		return f.doStream(ctx, req, fn)
	}
	rec, err := answered(req)
	if err != nil {
		return err
	}
	return tell(rec, 0, fn)
}

func tell(rec *myriad.RunRecord, after int, fn func(myriad.RunEvent) error) error {
	for _, e := range eventsOf(rec) {
		if e.ID > after {
			if err := fn(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fakeRuns) Start(_ context.Context, req myriad.RunRequest) (string, bool, error) {
	f.saw(req)
	_, err := answered(req)
	return runUUID, f.replayed, err
}

func (f *fakeRuns) Follow(ctx context.Context, id string, after int, fn func(myriad.RunEvent) error) error {
	if f.follow != nil {
		return f.follow(ctx, id, after, fn)
	}
	rec, err := f.Run(ctx, id)
	if err != nil {
		return err
	}
	return tell(rec, after, fn)
}

func (f *fakeRuns) Cancel(ctx context.Context, id string) error {
	_, err := f.Run(ctx, id)
	return err
}

func (f *fakeRuns) Run(_ context.Context, id string) (*myriad.RunRecord, error) {
	if id != runUUID {
		return nil, myriad.Errorf(myriad.CodeNotFound, "there is no run %s", id)
	}
	return answered(myriad.RunRequest{Body: []byte(`{"tasks":[{"task_id":1,"concept":"lightbulb","intent":"define"}]}`)})
}

func (f *fakeRuns) Runs(_ context.Context, page myriad.Page) ([]myriad.RunSummary, string, error) {
	switch page.Cursor {
	case "":
		return []myriad.RunSummary{{RunID: runUUID, Status: myriad.RunRunning, StartedAt: noon}}, "c1", nil
	case "c1":
		return nil, "", nil
	}
	return nil, "", myriad.Errorf(myriad.CodeInvalid, "no such cursor")
}

// fakeAgents is a registry in memory, with guards and pages.
type fakeAgents struct {
	mu   sync.Mutex
	byID map[string]myriad.Agent
	err  error
}

func (f *fakeAgents) PutAgent(_ context.Context, a myriad.Agent, g myriad.Guard) (myriad.Agent, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, there := f.byID[a.Name]
	if err := guard(old, there, g); err != nil {
		return a, err
	}
	a.Revision, a.CreatedAt, a.UpdatedAt = old.Revision+1, noon, noon
	f.byID[a.Name] = a
	return a, f.err
}

func guard(old myriad.Agent, there bool, g myriad.Guard) error {
	switch {
	case there && g.MustNotExist:
		return myriad.Errorf(myriad.CodeConflict, "there is an agent %s already", old.Name)
	case there && g.Owner != "" && old.Owner != g.Owner:
		return myriad.Errorf(myriad.CodeConflict, "the agent %s belongs to the %s", old.Name, old.Owner)
	case g.Revision > 0 && old.Revision != g.Revision:
		return myriad.Errorf(myriad.CodePrecondition, "the agent %s has another revision", old.Name)
	}
	return nil
}

func (f *fakeAgents) DeleteAgent(_ context.Context, name string, g myriad.Guard) (myriad.Agent, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, there := f.byID[name]
	if !there {
		return old, myriad.Errorf(myriad.CodeNotFound, "there is no agent %s", name)
	}
	if err := guard(old, there, g); err != nil {
		return old, err
	}
	delete(f.byID, name)
	return old, nil
}

func (f *fakeAgents) Agent(_ context.Context, name string) (myriad.Agent, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, there := f.byID[name]
	if !there {
		return a, myriad.Errorf(myriad.CodeNotFound, "there is no agent %s", name)
	}
	return a, nil
}

func (f *fakeAgents) Agents(_ context.Context, page myriad.Page) ([]myriad.Agent, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []myriad.Agent
	for _, a := range f.byID {
		if a.Name > page.Cursor {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, func(a, b myriad.Agent) int { return cmp.Compare(a.Name, b.Name) })
	limit := min(cmp.Or(page.Limit, 100), 1000)
	if len(all) > limit {
		return all[:limit], all[limit-1].Name, f.err
	}
	return all, "", f.err
}

func (f *fakeAgents) Concepts(_ context.Context, page myriad.Page) ([]myriad.Concept, string, error) {
	if page.Cursor != "" {
		return nil, "", myriad.Errorf(myriad.CodeInvalid, "no such cursor")
	}
	return []myriad.Concept{{Name: "lightbulb", Agents: 2, Properties: myriad.Properties{"complexity": 0.5}}}, "", nil
}

func (f *fakeAgents) Concept(_ context.Context, name string) (myriad.Concept, error) {
	if name != "light_bulb" {
		return myriad.Concept{}, myriad.Errorf(myriad.CodeNotFound, "there is no concept %s", name)
	}
	return myriad.Concept{Name: name, DisplayName: "Light Bulb", Agents: 1}, nil
}

// fakeDirectory finds among agents by their first concept.
type fakeDirectory struct {
	agents *fakeAgents
	err    error
	stale  bool
}

func (f *fakeDirectory) Lookup(ctx context.Context, concept, _ string) (myriad.Found, error) {
	found := myriad.Found{Concept: concept, Stale: f.stale, Age: time.Second}
	list, _, _ := f.agents.Agents(ctx, myriad.Page{})
	for i := range list {
		if key, _ := myriad.CanonicalConcept(list[i].Concepts[0]); key == concept {
			found.Known = true
			found.Candidates = append(found.Candidates, myriad.Candidate{Agent: &list[i], Tier: myriad.TierExact, Score: 0.5, Parts: myriad.ScoreParts{Weight: 0.5, Availability: 1, Load: 1, Latency: 1}})
		}
	}
	return found, f.err
}

// fakeBreakers has one breaker for each agent that was forced.
type fakeBreakers struct {
	mu    sync.Mutex
	state map[string]myriad.BreakerState
}

func (f *fakeBreakers) Breakers(agent string) []myriad.BreakerState {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s, ok := f.state[agent]; ok {
		return []myriad.BreakerState{s}
	}
	return nil
}

func (f *fakeBreakers) ForceBreaker(agent, mode string) ([]myriad.BreakerState, error) {
	s := map[string]myriad.BreakerState{
		"open":  {Circuit: agent, Agent: agent, State: "open", Mode: "forced_open", Reason: "forced", ChangedAt: noon},
		"close": {Circuit: agent, Agent: agent, State: "closed", Mode: "forced_closed", Reason: "forced", ChangedAt: noon},
		"auto":  {Circuit: agent, Agent: agent, State: "closed", Mode: "auto", Reason: "forced", ChangedAt: noon},
	}[mode]
	f.mu.Lock()
	f.state[agent] = s
	f.mu.Unlock()
	return f.Breakers(agent), nil
}

// fakeFleet is a fleet with one instance for each id, which remembers what was asked of it.
type fakeFleet struct {
	mu     sync.Mutex
	status myriad.FleetStatus
	asked  []string
}

func newFakeFleet() *fakeFleet {
	return &fakeFleet{status: myriad.FleetStatus{Enabled: true, InUse: 1,
		Limits: myriad.FleetLimits{MaxAgents: 20, TotalCPU: 4, IdleTimeoutMS: 1_800_000, MaxAgeMS: 86_400_000, MinLifeMS: 10_000, MaxQueue: 100,
			QueueMaxAgeMS: 600_000, Instance: myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 64}},
		Instances: []myriad.InstanceStatus{{ID: "i1", Agent: "Pump_AI", Concept: "pump", Runtime: "process", State: myriad.InstanceReady,
			Endpoint: "http://127.0.0.1:9/i1/query", StartedAt: noon, AgeMS: 1000, IdleMS: 10, InFlight: 1, Restarts: 2, ColdMS: 21.5,
			Limits: myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 64}, Unenforced: []string{"cpu"}, Usage: &myriad.Usage{CPUSeconds: 0.5, MemoryBytes: 9 << 20, PIDs: 2}}},
		Queue: []myriad.QueueEntry{{ID: "q1", Kind: myriad.QueueGrow, Concept: "tax", Intent: "define", Priority: 3, QueuedAt: noon, Position: 1, AgeMS: 40}}}}
}

func (f *fakeFleet) Status(context.Context) myriad.FleetStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

func (f *fakeFleet) StopInstance(_ context.Context, id string) error { return f.steer("stop", id) }
func (f *fakeFleet) RestartInstance(_ context.Context, id string) error {
	return f.steer("restart", id)
}

func (f *fakeFleet) steer(what, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, what+" "+id)
	if !slices.ContainsFunc(f.status.Instances, func(i myriad.InstanceStatus) bool { return i.ID == id }) {
		return myriad.Errorf(myriad.CodeNotFound, "there is no instance %s", id)
	}
	return nil
}

func (f *fakeFleet) SetLimits(_ context.Context, change func(*myriad.FleetLimits)) (myriad.FleetLimits, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.status.Limits)
	return f.status.Limits, nil
}

// world is an API with fakes behind it, on a real socket.
type world struct {
	t        *testing.T
	api      *API
	runs     *fakeRuns
	agents   *fakeAgents
	found    *fakeDirectory
	breakers *fakeBreakers
	fleet    *fakeFleet
	url      string
	client   *http.Client

	mu     sync.Mutex
	events []myriad.Event
}

func (w *world) Emit(e myriad.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

func (w *world) emitted(kind myriad.EventKind) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, e := range w.events {
		if e.Kind == kind {
			out = append(out, e.Reason)
		}
	}
	return out
}

const testToken = "s3cret"

func config(w *world) Config {
	return Config{Runs: w.runs, Agents: w.agents, Discover: w.found, Breakers: w.breakers, Fleet: w.fleet, Sink: w, Token: testToken, Listen: "127.0.0.1:5000",
		Checker: egress.NewDialer(nil, egress.Options{}), Version: "1.2.3", Logger: slog.New(slog.DiscardHandler),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = io.WriteString(w, "orchestrator_active_agents 2\n")
		}),
		Graph: GraphStatus{URL: "sqlite:data"}}
}

// newWorld starts an API; change may alter its configuration.
func newWorld(t *testing.T, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, runs: &fakeRuns{}, agents: &fakeAgents{byID: map[string]myriad.Agent{}}, breakers: &fakeBreakers{state: map[string]myriad.BreakerState{}},
		fleet: newFakeFleet()}
	w.found = &fakeDirectory{agents: w.agents}
	cfg := config(w)
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if w.api, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = Server(ServerConfig{API: w.api, Logger: cfg.Logger})
	server.Start()
	w.url, w.client = server.URL, server.Client()
	t.Cleanup(server.Close)
	t.Cleanup(w.api.Close)
	return w
}

func (w *world) addAgent(a myriad.Agent) {
	w.t.Helper()
	if a.Owner == "" {
		a.Owner = myriad.OwnerAPI
	}
	if _, err := w.agents.PutAgent(w.t.Context(), a, myriad.Guard{}); err != nil {
		w.t.Fatal(err)
	}
}

func lamp() myriad.Agent {
	return myriad.Agent{Name: "Lightbulb_Definition_AI", Type: "static", Endpoint: "http://127.0.0.1:5001/query", Status: "active", Protocol: myriad.ProtocolHTTP,
		Concepts: []string{"Light Bulb"}, Intents: []string{"define"}, Capabilities: []string{"define"}}
}

// answer is a reply read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends one request; headers come in pairs. JSON is said of a body unless a header says otherwise.
func (w *world) do(method, path, body string, headers ...string) answer {
	w.t.Helper()
	return w.send(w.request(method, path, body, headers...))
}

func (w *world) send(req *http.Request) answer {
	w.t.Helper()
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(raw)}
}

func (w *world) open(method, path, body string, headers ...string) *http.Response {
	w.t.Helper()
	res, err := w.client.Do(w.request(method, path, body, headers...))
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

func (w *world) request(method, path, body string, headers ...string) *http.Request {
	w.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, reader)
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		} else {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	return req
}

// problem reads a problem+json reply and checks what all of them have in common.
func (a answer) problem(t *testing.T, status int, code myriad.Code) Problem {
	t.Helper()
	var p Problem
	dec := json.NewDecoder(bytes.NewReader([]byte(a.body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		t.Fatalf("%d %q is no problem: %v", a.status, a.body, err)
	}
	if a.status != status || p.Status != status || p.Code != code || p.Detail == "" || p.Title == "" || a.header.Get("Content-Type") != typeProblem {
		t.Fatalf("got %d (%s) %s, want %d %s", a.status, a.header.Get("Content-Type"), a.body, status, code)
	}
	return p
}

func paths(p Problem) []string {
	var out []string
	for _, m := range p.Mistakes {
		out = append(out, m.Path)
	}
	return out
}
