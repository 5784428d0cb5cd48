package call

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

// chaotic is an agent that carries every job out and then does anything at all.
type chaotic struct {
	mu      sync.Mutex
	rnd     *rand.Rand      // guarded by mu
	effects *map[string]int // by task; guarded by its own mu
	lock    *sync.Mutex
}

func (c *chaotic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var job myriad.Job
	if err := json.NewDecoder(r.Body).Decode(&job); err != nil {
		return
	}
	c.mu.Lock()
	n, ms := c.rnd.IntN(14), time.Duration(c.rnd.IntN(40))*time.Millisecond
	c.mu.Unlock()
	switch n { // those that do not carry the job out
	case 0:
		answering(429, ``)(w, r)
		return
	case 1:
		answering(404, ``)(w, r)
		return
	}
	c.lock.Lock()
	(*c.effects)[job.TaskID.Key]++
	c.lock.Unlock()
	pause(r.Context(), ms)
	switch n {
	case 2:
		panic(http.ErrAbortHandler)
	case 3:
		answering(500, `<html>`)(w, r)
	case 4:
		answering(200, `[]`)(w, r)
	case 5:
		<-r.Context().Done()
	case 6:
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "{")
	case 7:
		answering(422, `{"status":"error"}`)(w, r)
	case 8:
		answering(200, `{"status":"success"}`, "Connection", "close")(w, r)
	default:
		answering(200, `{"status":"success"}`)(w, r)
	}
}

// TestChaos: whatever the agents do, and whoever leaves, every call ends in time with one outcome, no task that must not be repeated is
// carried out twice, no attempt is told twice or never, and nothing is left over.
func TestChaos(t *testing.T) {
	var hedges, retries, trips int
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, r, b := chaos(t, seed)
				hedges, retries, trips = hedges+h, retries+r, trips+b
			})
		})
	}
	if hedges == 0 || retries == 0 || trips == 0 {
		t.Errorf("there was no chaos: %d hedges, %d retries, %d transitions", hedges, retries, trips)
	}
}

func chaos(t *testing.T, seed uint64) (hedges, retries, trips int) {
	const calls = 300
	effects := map[string]int{}
	var lock sync.Mutex
	n := newNetwork()
	var agents []*myriad.Agent
	for i := range 4 {
		c := &chaotic{rnd: rand.New(rand.NewPCG(seed, uint64(i))), effects: &effects, lock: &lock}
		l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		name := string(rune('a' + i))
		n.hosts[name+".test:80"] = l.conns
		srv := &http.Server{Handler: c, ErrorLog: quiet}
		var done sync.WaitGroup
		done.Go(func() { _ = srv.Serve(l) })
		defer done.Wait()
		defer func() { _ = srv.Close() }()
		agents = append(agents, &myriad.Agent{Name: name, Endpoint: "http://" + name + ".test"})
	}
	agents = append(agents, &myriad.Agent{Name: "dead", Endpoint: "http://dead.test"})
	r := newRig(t, n.dial, func(c *Config) { c.AttemptTimeout = 200 * time.Millisecond; c.Breaker.OpenFor = time.Second })
	r.know("define", 10*time.Millisecond, agents...)
	rnd := rand.New(rand.NewPCG(seed, 99))
	var wg sync.WaitGroup
	attempts := make([]int, calls)
	for i := range calls {
		intent, first := "define", rnd.IntN(len(agents))
		if i%2 == 1 {
			intent = "turn_on"
		}
		call := r.job(intent, agents[first], agents[(first+1)%5], agents[(first+2)%5])
		call.Job.TaskID = myriad.StringID(fmt.Sprint(intent, i))
		call.Deadline, call.TaskTimeout = time.Now().Add(time.Duration(50+rnd.IntN(1500))*time.Millisecond), i%3 == 0
		ctx, cancel := context.WithCancel(t.Context())
		if i%7 == 0 {
			time.AfterFunc(time.Duration(rnd.IntN(100))*time.Millisecond, cancel)
		}
		wg.Go(func() {
			defer cancel()
			reply := r.Call(ctx, call)
			if late := time.Since(call.Deadline); late > 0 {
				t.Errorf("call %d ended %v late", i, late)
			}
			attempts[i] = len(reply.Attempts)
			if reply.Outcome == "" || reply.Outcome == myriad.OutcomePanic || reply.Outcome == myriad.OutcomeLostHedge {
				t.Errorf("call %d: outcome %q: %s", i, reply.Outcome, reply.Error)
			}
			lock.Lock()
			defer lock.Unlock()
			if done := effects[call.Job.TaskID.Key]; intent == "turn_on" && done > 1 || done > len(reply.Attempts) {
				t.Errorf("call %d (%s) was carried out %d times in %v", i, intent, done, outcomes(reply.Attempts))
			}
		})
		if i%10 == 0 {
			time.Sleep(30 * time.Millisecond)
			r.slots.mu.Lock()
			clear(r.slots.parked)
			r.slots.mu.Unlock()
		}
	}
	wg.Wait()
	total := 0
	for _, n := range attempts {
		total += n
	}
	is(t, "attempts told", len(r.events.of(myriad.KindAttempt)), total)
	is(t, "panics", len(r.events.of(myriad.KindPanic)), 0)
	is(t, "slots", r.slots.inUse(), 0)
	r.Close()
	return len(r.events.of(myriad.KindHedge)), len(r.events.of(myriad.KindRetry)), len(r.events.of(myriad.KindBreaker))
}
