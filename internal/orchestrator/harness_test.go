package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/dispatch"
)

// world is an orchestrator among a real dispatcher and fakes of the rest.
type world struct {
	*Orchestrator
	t          testing.TB
	dispatcher *dispatch.Dispatcher
	finder     *fakeFinder
	caller     *fakeCaller
	store      *fakeStore
	sink       *fakeSink
}

// newWorld makes a world where agent "A" answers for every concept. Changes are made to its parts before the first run.
func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, dispatcher: dispatch.New(100, 10), finder: &fakeFinder{}, caller: &fakeCaller{t: t}, store: newFakeStore(), sink: &fakeSink{}}
	w.caller.parker = w.dispatcher
	cfg := Config{Finder: w.finder, Dispatcher: w.dispatcher, Caller: w.caller, Recorder: w.store, LastGood: w.store, Sink: w.sink,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for _, c := range change {
		c(&cfg)
	}
	o, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Orchestrator = o
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		if err := o.Drain(ctx); err != nil {
			t.Errorf("draining: %v", err)
		}
		w.dispatcher.Close()
		if n := w.dispatcher.InUse(); n != 0 {
			t.Errorf("%d slots were not given back", n)
		}
		if n := w.dispatcher.Waiting(); n != 0 {
			t.Errorf("%d turns still wait", n)
		}
		if n := o.waiting.Load(); n != 0 {
			t.Errorf("%d tasks are counted as waiting", n)
		}
		if n := o.held.Load(); n != 0 {
			t.Errorf("%d bytes are counted as held", n)
		}
	})
	return w
}

// do runs a graph to its end.
func (w *world) do(tasks ...task) *myriad.RunRecord {
	w.t.Helper()
	rec, err := w.Do(context.Background(), myriad.RunRequest{Body: body(tasks...)})
	if err != nil {
		w.t.Fatal(err)
	}
	return rec
}

// task is a task as tests write it.
type task map[string]any

func body(tasks ...task) []byte {
	for i, t := range tasks {
		for name, value := range map[string]any{"task_id": fmt.Sprint(i), "concept": "lamp", "intent": "act"} {
			if _, ok := t[name]; !ok {
				t[name] = value
			}
		}
	}
	raw, err := json.Marshal(map[string]any{"tasks": append([]task{}, tasks...)})
	if err != nil {
		panic(err)
	}
	return raw
}

// resultOf finds a result by its id.
func resultOf(t testing.TB, rec *myriad.RunRecord, id string) *myriad.Result {
	t.Helper()
	for i := range rec.Results {
		if rec.Results[i].TaskID.Key == id {
			return &rec.Results[i]
		}
	}
	t.Fatalf("no result of %q in %s", id, rec.AppendJSON(nil))
	return nil
}

func candidate(name string) myriad.Candidate {
	return myriad.Candidate{Agent: &myriad.Agent{Name: name, Endpoint: "http://" + name + "/query", Concepts: []string{"lamp"}}, Tier: myriad.TierExact, Score: 0.5}
}

// fakeFinder answers at once with agent "A", or as its function says.
type fakeFinder struct {
	find  func(ctx context.Context, concept, intent string, done func(myriad.Found, error))
	calls atomic.Int64
}

func (f *fakeFinder) Find(ctx context.Context, concept, intent string, done func(myriad.Found, error)) {
	f.calls.Add(1)
	if f.find != nil {
		f.find(ctx, concept, intent, done)
		return
	}
	done(foundA, nil)
}

var foundA = myriad.Found{Concept: "lamp", Known: true, Candidates: []myriad.Candidate{candidate("A")}}

// fakeCaller answers as its function says; without one with the task's id as data.
type fakeCaller struct {
	t        testing.TB
	parker   interface{ Park(string, time.Duration) }
	call     func(ctx context.Context, c *myriad.Call) myriad.Reply
	eligible func([]myriad.Candidate) ([]myriad.Candidate, []myriad.Rejection, time.Duration)
	calls    atomic.Int64
	inFlight atomic.Int64
	most     atomic.Int64
}

func (f *fakeCaller) Eligible(c []myriad.Candidate) ([]myriad.Candidate, []myriad.Rejection, time.Duration) {
	if f.eligible != nil {
		return f.eligible(c)
	}
	return c, nil, 0
}

func (f *fakeCaller) Call(ctx context.Context, c *myriad.Call) myriad.Reply {
	defer c.Slot.Release()
	f.calls.Add(1)
	n := f.inFlight.Add(1)
	defer f.inFlight.Add(-1)
	for {
		old := f.most.Load()
		if n <= old || f.most.CompareAndSwap(old, n) {
			break
		}
	}
	if f.call == nil {
		return good(c, c.Task.ID.String())
	}
	return f.call(ctx, c)
}

// good is the reply of the call's chosen agent with data.
func good(c *myriad.Call, data any) myriad.Reply {
	agent := c.Candidates[c.First].Agent
	raw, err := json.Marshal(map[string]any{"agent_name": agent.Name, "status": "success", "data": data})
	if err != nil {
		panic(err)
	}
	return myriad.Reply{Outcome: myriad.OutcomeSuccess, Answer: myriad.ReadAnswer(raw), Agent: agent.Name, Endpoint: agent.Endpoint,
		Attempts: []myriad.Attempt{{Agent: agent.Name, Endpoint: agent.Endpoint, Outcome: myriad.OutcomeSuccess}}}
}

// bad is a reply of the call's chosen agent that is none.
func bad(c *myriad.Call, outcome myriad.Outcome, code string) myriad.Reply {
	agent := c.Candidates[c.First].Agent
	return myriad.Reply{Outcome: outcome, ErrorCode: code, Error: "it went wrong", Agent: agent.Name, Endpoint: agent.Endpoint,
		Attempts: []myriad.Attempt{{Agent: agent.Name, Endpoint: agent.Endpoint, Outcome: outcome, Error: "it went wrong"}}}
}

// slow waits as an agent of that latency does, within deadline and context as the real caller keeps them.
func slow(ctx context.Context, c *myriad.Call, d time.Duration) myriad.Reply {
	ctx, stop := context.WithDeadline(ctx, c.Deadline)
	defer stop()
	select {
	case <-time.After(d):
		return good(c, c.Task.ID.String())
	case <-ctx.Done():
		switch {
		case ctx.Err() == context.Canceled:
			return bad(c, myriad.OutcomeCancelled, myriad.TaskErrCancelled)
		case c.TaskTimeout:
			return bad(c, myriad.OutcomeTimeout, myriad.TaskErrTimeout)
		}
		return bad(c, myriad.OutcomeTaskDeadline, myriad.TaskErrRunDeadline)
	}
}

// fakeStore keeps everything in memory.
type fakeStore struct {
	mu   sync.Mutex
	runs map[string]*myriad.RunRecord
	good map[string]myriad.GoodAnswer
	fail error
	slow chan struct{} // when set, RunByKey waits for it
}

func newFakeStore() *fakeStore {
	return &fakeStore{runs: map[string]*myriad.RunRecord{}, good: map[string]myriad.GoodAnswer{}}
}

func (s *fakeStore) RecordRun(rec *myriad.RunRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[rec.RunID] = rec
}

func (s *fakeStore) RecordRunNow(_ context.Context, rec *myriad.RunRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.runs[rec.RunID] = rec
	return nil
}

func (s *fakeStore) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.runs)
}

func (s *fakeStore) LoadRun(_ context.Context, id string) (*myriad.RunRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rec, ok := s.runs[id]; ok {
		return rec, nil
	}
	return nil, myriad.Errorf(myriad.CodeNotFound, "no run %s", id)
}

func (s *fakeStore) RunByKey(_ context.Context, key string) (*myriad.RunRecord, error) {
	if s.slow != nil {
		<-s.slow
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return nil, s.fail
	}
	for _, rec := range s.runs {
		if rec.IdempotencyKey == key {
			return rec, nil
		}
	}
	return nil, myriad.Errorf(myriad.CodeNotFound, "no run with key %s", key)
}

func (s *fakeStore) ListRuns(_ context.Context, page myriad.Page) ([]myriad.RunSummary, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.Sorted(maps.Keys(s.runs))
	slices.Reverse(ids)
	var list []myriad.RunSummary
	for _, id := range ids {
		if page.Cursor != "" && id >= page.Cursor {
			continue
		}
		if len(list) == page.Limit {
			return list, list[len(list)-1].RunID, nil
		}
		list = append(list, s.runs[id].RunSummary)
	}
	return list, "", nil
}

func (s *fakeStore) Good(_ context.Context, key string) (myriad.GoodAnswer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.good[key]
	return a, ok
}

func (s *fakeStore) KeepGood(key string, a myriad.GoodAnswer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.good[key] = a
}

// fakeSink keeps the events.
type fakeSink struct {
	mu     sync.Mutex
	events []myriad.Event
}

func (s *fakeSink) Emit(e myriad.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// of are the events of a kind, in order.
func (s *fakeSink) of(kind myriad.EventKind) []myriad.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.events), func(e myriad.Event) bool { return e.Kind != kind })
}

// mistakesOf are the mistakes of an error as "path: rule".
func mistakesOf(t testing.TB, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	e, ok := err.(*myriad.Error)
	if !ok || e.Code != myriad.CodeInvalid {
		t.Fatalf("%v is no error of CodeInvalid", err)
	}
	var all []string
	for _, m := range e.Mistakes {
		all = append(all, m.Path+": "+m.Rule)
	}
	return all
}

func contains(list []string, parts ...string) bool {
	return slices.ContainsFunc(list, func(s string) bool {
		return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(s, p) })
	})
}
