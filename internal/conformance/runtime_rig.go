package conformance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad"
)

const (
	graceful = 20 * time.Second // for a stop that should need no killing
	patience = 30 * time.Second // for what happens by itself
)

// rig is a runtime at work in one subtest.
type rig struct {
	RuntimeUnderTest
	owner string
	http  *http.Client
}

// counter makes ids that no other subtest has, nor an earlier run of the suite on the same machine.
var counter atomic.Int64

var epoch = time.Now().UnixNano()

func fresh(prefix string) string { return fmt.Sprintf("%s-%x-%d", prefix, epoch, counter.Add(1)) }

// newRig opens a runtime. At the end of the subtest it is closed, and no goroutine and nothing of its owner may be left.
func newRig(t *testing.T, open func(t *testing.T) RuntimeUnderTest) *rig {
	t.Helper()
	before := goleak.IgnoreCurrent()
	r := rigOf(open(t), fresh("owner"))
	t.Cleanup(func() {
		r.close(t)
		r.nothingLeft(t)
		if err := goleak.Find(before); err != nil {
			t.Errorf("after Close: %v", err)
		}
	})
	return r
}

func rigOf(u RuntimeUnderTest, owner string) *rig {
	u.StartTimeout = cmp.Or(u.StartTimeout, patience)
	u.Parallel = cmp.Or(u.Parallel, 8)
	return &rig{RuntimeUnderTest: u, owner: owner, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}}
}

func (r *rig) close(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), graceful)
	defer cancel()
	if err := r.Runtime.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

func (r *rig) nothingLeft(t *testing.T) {
	t.Helper()
	if r.Left == nil {
		return
	}
	if left := r.Left(t, r.owner); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// packet is one that behaves so; without one the subtest is skipped.
func (r *rig) packet(t *testing.T, b Behaviour) myriad.Packet {
	t.Helper()
	p, ok := r.Packet(b)
	if !ok {
		if b == Echo {
			t.Fatal("a runtime under test must host Echo")
		}
		t.Skipf("the runtime %s hosts nothing that is: %s", r.Runtime.Name(), b)
	}
	p.Revision = cmp.Or(p.Revision, 7)
	return p
}

// request asks for a new instance of p.
func (r *rig) request(p myriad.Packet) myriad.StartRequest {
	return myriad.StartRequest{InstanceID: fresh("i"), OwnerID: r.owner, Packet: p, Limits: r.Limits, Nonce: fresh("nonce")}
}

// begin starts an instance and stops it at the end of the test.
func (r *rig) begin(t *testing.T, req myriad.StartRequest) myriad.Instance {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), r.StartTimeout)
	defer cancel()
	i, err := r.Runtime.Start(ctx, req)
	if err != nil {
		t.Fatalf("start %s: %v", req.Packet.Agent.Name, err)
	}
	t.Cleanup(func() { stop(t, i, graceful) })
	return i
}

// awake starts an instance and waits until it is ready.
func (r *rig) awake(t *testing.T, p myriad.Packet) myriad.Instance {
	t.Helper()
	i := r.begin(t, r.request(p))
	mustNot(t, r.ready(t.Context(), i))
	return i
}

// ready polls until the instance is ready.
func (r *rig) ready(ctx context.Context, i myriad.Instance) error {
	ctx, cancel := context.WithTimeout(ctx, r.StartTimeout)
	defer cancel()
	var err error
	ok := poll(ctx, func() bool {
		if err = i.Ready(ctx); err == nil {
			return true
		}
		select {
		case <-i.Exited():
			err = fmt.Errorf("the instance is gone before it was ready: %w\n%s", i.Err(), i.LastLog())
			return true
		default:
			return false
		}
	})
	if !ok {
		return fmt.Errorf("not ready within %s: %w\n%s", r.StartTimeout, err, i.LastLog())
	}
	return err
}

// poll asks until cond holds or ctx ends, and says whether it held.
func poll(ctx context.Context, cond func() bool) bool {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-ctx.Done():
			return cond()
		case <-tick.C:
		}
	}
	return true
}

// soon fails the test when cond does not come to hold by itself.
func soon(t *testing.T, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if !poll(ctx, cond) {
		t.Fatalf("%s: not within %s", what, patience)
	}
}

// stop ends an instance, and checks that it is gone when Stop returns.
func stop(t *testing.T, i myriad.Instance, grace time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := i.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	gone(t, i)
}

func gone(t *testing.T, i myriad.Instance) {
	t.Helper()
	select {
	case <-i.Exited():
	default:
		t.Error("Stop returned and the instance has not exited")
	}
}

// answer is what came back of a job.
type answer struct {
	Status int            // of HTTP
	Body   map[string]any //
}

// errRefused says that a job was not taken.
var errRefused = errors.New("the job was not taken")

// job posts one job to the instance. An error wraps errRefused when the job never left.
func (r *rig) job(ctx context.Context, i myriad.Instance, p myriad.Packet, args map[string]any) (answer, error) {
	var written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(w httptrace.WroteRequestInfo) { written.Store(w.Err == nil) }})
	got, err := r.post(ctx, i, p, args)
	if err != nil && !written.Load() {
		err = fmt.Errorf("%w: %w", errRefused, err)
	}
	return got, err
}

func (r *rig) post(ctx context.Context, i myriad.Instance, p myriad.Packet, args map[string]any) (answer, error) {
	intent := "echo"
	if len(p.Agent.Intents) > 0 {
		intent = p.Agent.Intents[0]
	}
	body, err := json.Marshal(map[string]any{"task_id": fresh("task"), "concept": p.Agent.Concepts[0], "intent": intent, "args": args})
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.Endpoint(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	raw, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return answer{}, err
	}
	a := answer{Status: resp.StatusCode}
	_ = json.Unmarshal(raw, &a.Body) // what is no JSON object leaves Body nil, which every check refuses
	return a, nil
}

// echoes checks that the instance answers a job with its args.
func (r *rig) echoes(ctx context.Context, i myriad.Instance, p myriad.Packet, args map[string]any) error {
	got, err := r.job(ctx, i, p, args)
	if err != nil {
		return fmt.Errorf("a job to %s: %w", i.Endpoint(), err)
	}
	want, err := json.Marshal(args)
	if err != nil {
		return err
	}
	data, err := json.Marshal(got.Body["data"])
	if err != nil {
		return err
	}
	if refuses(got.Status) {
		return fmt.Errorf("%w: HTTP %d: %v", errRefused, got.Status, got.Body)
	}
	if got.Status != http.StatusOK || got.Body["status"] != myriad.StatusSuccess || !bytes.Equal(data, want) {
		return fmt.Errorf("a job with args %s was answered with HTTP %d: %v", want, got.Status, got.Body)
	}
	return nil
}

// silent checks that nobody answers jobs at the instance's endpoint any more.
func (r *rig) silent(t *testing.T, i myriad.Instance, p myriad.Packet) {
	t.Helper()
	got, err := r.job(t.Context(), i, p, map[string]any{"after": "the end"})
	if err != nil {
		return // refused
	}
	if !refuses(got.Status) {
		t.Errorf("after its end the instance answers with HTTP %d: %v", got.Status, got.Body)
	}
}

// refuses says that an HTTP status tells that an instance is not there.
func refuses(status int) bool {
	return status == http.StatusNotFound || status == http.StatusGone || status == http.StatusServiceUnavailable
}
