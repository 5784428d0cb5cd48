package call

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// slots is a dispatcher that gives slots out by a limit per key and notices every one that is lost, or given back while none is out.
type slots struct {
	mu     sync.Mutex
	limit  map[string]int // default 10
	out    map[string]int
	parked map[string]time.Duration
	limits map[string]int
	most   int
}

func newSlots() *slots {
	return &slots{limit: map[string]int{}, out: map[string]int{}, parked: map[string]time.Duration{}, limits: map[string]int{}}
}

type slot struct {
	s    *slots
	key  string
	once sync.Once
}

func (s *slot) Release() {
	s.once.Do(func() {
		s.s.mu.Lock()
		defer s.s.mu.Unlock()
		s.s.out[s.key]--
	})
}

func (s *slots) Try(c myriad.Candidate) (myriad.Slot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := c.SlotKey()
	limit, ok := s.limit[key]
	if !ok {
		limit = 10
	}
	if s.out[key] >= limit || s.parked[key] > 0 {
		return nil, false
	}
	s.out[key]++
	s.most = max(s.most, s.total())
	return &slot{s: s, key: key}, true
}

// grant gives a first attempt its slot, for which it has waited until it could have one.
func (s *slots) grant(key string) myriad.Slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out[key]++
	return &slot{s: s, key: key}
}

func (s *slots) Park(key string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parked[key] = d
}

func (s *slots) SetLimit(key string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits[key] = n
}

func (s *slots) total() (n int) {
	for _, out := range s.out {
		n += out
	}
	return n
}

// inUse is how many slots are out.
func (s *slots) inUse() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total()
}

// log keeps the events.
type events struct {
	mu  sync.Mutex
	all []myriad.Event
}

func (e *events) Emit(ev myriad.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ev.Attempt != nil {
		a := *ev.Attempt
		ev.Attempt = &a
	}
	e.all = append(e.all, ev)
}

func (e *events) of(kind myriad.EventKind) (found []myriad.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.all {
		if ev.Kind == kind {
			found = append(found, ev)
		}
	}
	return found
}

// rig is a Caller with all that it talks to.
type rig struct {
	*Caller
	t      testing.TB
	slots  *slots
	events *events
}

// newRig makes a caller that reaches agents through dial, nil being real sockets on loopback, and checks at the end that no slot is out.
func newRig(t testing.TB, dial DialFunc, change ...func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, slots: newSlots(), events: &events{}}
	cfg := Config{Slots: r.slots, Sink: r.events, Dial: dial, Version: "test"}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Caller = c
	t.Cleanup(func() {
		c.Close()
		if n := r.slots.inUse(); n != 0 {
			t.Errorf("%d slots were not given back", n)
		}
		for _, e := range c.ends.find("") {
			if n := e.busy.Load(); n != 0 {
				t.Errorf("%s: %d attempts seem to be under way", e.circuit, n)
			}
		}
	})
	return r
}

// job is a call of the intent at the agents, best first, with the first one's slot.
func (r *rig) job(intent string, agents ...*myriad.Agent) *myriad.Call {
	call := &myriad.Call{
		RunID: "01890a5d-ac96-774b-bcce-b302099a8057", Key: "key-1", RunStart: time.Now(),
		Task: &myriad.Task{ID: myriad.StringID("t1"), Concept: "Lightbulb", Intent: intent, ConceptKey: "lightbulb", IntentKey: intent},
		Job:  myriad.Job{TaskID: myriad.StringID("t1"), Concept: "Lightbulb", Intent: intent, Args: json.RawMessage(`{}`)},
	}
	for _, a := range agents {
		call.Candidates = append(call.Candidates, myriad.Candidate{Agent: a})
	}
	call.Slot = r.slots.grant(call.Candidates[0].SlotKey())
	return call
}

// do carries the call out and checks what holds for every reply.
func (r *rig) do(ctx context.Context, call *myriad.Call) myriad.Reply {
	r.t.Helper()
	reply := r.Call(ctx, call)
	ok := reply.Outcome.Class() == myriad.ClassSuccess
	switch {
	case ok && (reply.ErrorCode != "" || reply.Error != "" || reply.Answer.Raw == nil || reply.Requeue):
		r.t.Errorf("a success must be nothing but one: %+v", reply)
	case !ok && (reply.ErrorCode == "" || reply.Error == ""):
		r.t.Errorf("a failure must say why: %+v", reply)
	}
	if got := outcomes(reply.Attempts); slices.Contains(got, "") {
		r.t.Errorf("an attempt has no outcome: %v", got)
	}
	return reply
}

func outcomes(attempts []myriad.Attempt) (o []myriad.Outcome) {
	for _, a := range attempts {
		o = append(o, a.Outcome)
	}
	return o
}

func reasons(rejections []myriad.Rejection) (rs []string) {
	for _, r := range rejections {
		rs = append(rs, r.Agent+" "+r.Reason)
	}
	return rs
}

func same[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func is[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// fake is an agent behind a handler; it counts what it was asked to do.
type fake struct {
	*myriad.Agent
	effects atomic.Int64
}

// agentAt serves h on a real socket. h answers success when it is nil.
func agentAt(t testing.TB, name string, h http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{}
	srv := httptest.NewUnstartedServer(f.counting(h))
	srv.Config.ErrorLog = quiet
	srv.Start()
	t.Cleanup(srv.Close)
	f.Agent = &myriad.Agent{Name: name, Endpoint: srv.URL + "/query"}
	return f
}

func (f *fake) counting(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return // the request never came whole: no effect
		}
		f.effects.Add(1)
		if h == nil {
			h = answering(200, `{"agent_name":"A","status":"success","data":"light"}`)
		}
		h(w, r)
	}
}

func answering(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// aborting drops the connection without an answer.
func aborting(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// refused is an agent whose port nobody listens on.
func refused(t testing.TB, name string) *myriad.Agent {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return &myriad.Agent{Name: name, Endpoint: "http://" + l.Addr().String() + "/query"}
}

// network connects by net.Pipe, so that time inside a synctest bubble is virtual.
type network struct {
	mu    sync.Mutex
	hosts map[string]chan net.Conn
	dials atomic.Int64
}

func newNetwork() *network { return &network{hosts: map[string]chan net.Conn{}} }

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.dials.Add(1)
	n.mu.Lock()
	host := n.hosts[address]
	n.mu.Unlock()
	if host == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errnoRefused}
	}
	near, far := net.Pipe()
	select {
	case host <- far:
		return near, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), near.Close(), far.Close())
	}
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
}

// serve runs h as an agent inside the network; stop ends it.
func (n *network) serve(name string, h http.HandlerFunc) (f *fake, stop func()) {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	host := name + ".test:80"
	n.mu.Lock()
	n.hosts[host] = l.conns
	n.mu.Unlock()
	f = &fake{Agent: &myriad.Agent{Name: name, Endpoint: "http://" + name + ".test/query"}}
	srv := &http.Server{Handler: f.counting(h), ErrorLog: quiet}
	var done sync.WaitGroup
	done.Go(func() { _ = srv.Serve(l) })
	return f, func() {
		n.mu.Lock()
		delete(n.hosts, host)
		n.mu.Unlock()
		_ = srv.Close()
		done.Wait()
	}
}

// silent accepts connections and never says a word.
func (n *network) silent(name string) (*myriad.Agent, func()) {
	conns, done := make(chan net.Conn), make(chan struct{})
	host := name + ".test:80"
	n.mu.Lock()
	n.hosts[host] = conns
	n.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() {
		var open []net.Conn
		for {
			select {
			case c := <-conns:
				open = append(open, c)
				wg.Go(func() { _, _ = io.Copy(io.Discard, c) })
			case <-done:
				for _, c := range open {
					_ = c.Close()
				}
				return
			}
		}
	})
	return &myriad.Agent{Name: name, Endpoint: "http://" + name + ".test/query"}, func() { close(done); wg.Wait() }
}

// quiet is for servers that are treated badly on purpose.
var quiet = log.New(io.Discard, "", 0)

// serve runs h on a real socket and returns its URL.
func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = quiet
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL
}
