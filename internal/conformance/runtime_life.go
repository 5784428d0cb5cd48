package conformance

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// maxLastLog is the bound that Instance.LastLog promises.
const maxLastLog = 16 << 10

func answers(t *testing.T, r *rig) {
	p := r.packet(t, Echo)
	i := r.awake(t, p)
	mustNot(t, r.echoes(t.Context(), i, p, map[string]any{"text": "grüße", "n": 12, "deep": map[string]any{"list": []any{1.5, nil, true}}}))
	mustNot(t, r.echoes(t.Context(), i, p, map[string]any{}))
	if err := i.Err(); err != nil {
		t.Errorf("an instance that lives has an error: %v", err)
	}
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			if err := r.busy(func() error { return r.echoes(t.Context(), i, p, map[string]any{"n": n}) }); err != nil {
				t.Errorf("beside others: %v", err)
			}
		})
	}
	wg.Wait()
	stop(t, i, graceful)
	if err := i.Err(); err != nil {
		t.Errorf("after Stop: %v", err)
	}
	r.silent(t, i, p)
	if err := i.Ready(t.Context()); err == nil {
		t.Error("an instance that is gone is ready")
	}
}

// busy repeats f while it fails because more jobs came than the instance takes at once.
func (r *rig) busy(f func() error) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	poll(ctx, func() bool {
		err = f()
		return err == nil || !strings.Contains(err.Error(), "HTTP 429")
	})
	return err
}

func several(t *testing.T, r *rig) {
	p := r.packet(t, Echo)
	var all []myriad.Instance
	at := map[string]bool{}
	for range 3 {
		i := r.awake(t, p)
		if at[i.Endpoint()] {
			t.Errorf("two instances at %s", i.Endpoint())
		}
		at[i.Endpoint()] = true
		all = append(all, i)
	}
	stop(t, all[1], graceful)
	r.silent(t, all[1], p)
	for _, n := range []int{0, 2} {
		if err := r.echoes(t.Context(), all[n], p, map[string]any{"n": n}); err != nil {
			t.Errorf("the end of one hurts another: %v", err)
		}
	}
}

// loopbackOnly dials the instance's port at every address of this machine that is not loopback.
func loopbackOnly(t *testing.T, r *rig) {
	i := r.awake(t, r.packet(t, Echo))
	u, err := url.Parse(i.Endpoint())
	mustNot(t, err)
	ip := net.ParseIP(u.Hostname())
	if u.Scheme != "http" || ip == nil || !ip.IsLoopback() || u.Port() == "" {
		t.Fatalf("the endpoint %s is not an http URL at a loopback address with a port", i.Endpoint())
	}
	addrs, err := net.InterfaceAddrs()
	mustNot(t, err)
	for _, addr := range addrs {
		ipnet, ok := addr.(*net.IPNet)
		if !ok || ipnet.IP.IsLoopback() || ipnet.IP.IsLinkLocalUnicast() {
			continue
		}
		to := net.JoinHostPort(ipnet.IP.String(), u.Port())
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", to)
		if err == nil {
			_ = conn.Close()
			t.Errorf("%s answers beside %s", to, i.Endpoint())
		}
	}
}

// startContext ends the context of Start when Start is done, and before it.
func startContext(t *testing.T, r *rig) {
	p := r.packet(t, Echo)
	ctx, cancel := context.WithCancel(t.Context())
	i, err := r.Runtime.Start(ctx, r.request(p))
	mustNot(t, err)
	t.Cleanup(func() { stop(t, i, graceful) })
	cancel()
	mustNot(t, r.ready(t.Context(), i))
	mustNot(t, r.echoes(t.Context(), i, p, map[string]any{"still": "there"}))

	over, err := r.Runtime.Start(ctx, r.request(p))
	if err == nil {
		t.Error("a Start whose context had ended went through")
		stop(t, over, graceful)
	} else if !ended(err) {
		t.Errorf("the code of a Start whose context had ended: %s (%v)", myriad.ErrorCode(err), err)
	}
	stop(t, i, graceful)
	r.nothingLeft(t)
}

func failedStart(t *testing.T, r *rig) {
	p := r.packet(t, CannotBeStarted)
	for range 3 {
		i, err := r.Runtime.Start(t.Context(), r.request(p))
		if err == nil {
			stop(t, i, 0)
			t.Fatal("what cannot be started was started")
		}
		if i != nil {
			t.Error("an instance came with an error")
		}
		wantCode(t, "start of what cannot be started", err, myriad.CodeInvalid)
		r.nothingLeft(t)
	}
}

// neverReady asks for a while, each time with a bound, and finds the instance neither ready nor gone.
func neverReady(t *testing.T, r *rig) {
	i := r.begin(t, r.request(r.packet(t, NeverReady)))
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		began := time.Now()
		if err := i.Ready(ctx); err == nil {
			t.Error("ready, and must never be")
		}
		if took := time.Since(began); took > patience {
			t.Errorf("Ready took %s past its context", took)
		}
		cancel()
	}
	select {
	case <-i.Exited():
		t.Errorf("not being ready is no exit: %v", i.Err())
	default:
	}
	stop(t, i, 0)
	r.nothingLeft(t)
}

// onlyItself asks an instance that says it is another; what answers for someone else is not ready.
func onlyItself(t *testing.T, r *rig) {
	p := r.packet(t, Imposter)
	i := r.begin(t, r.request(p))
	// Wait until it answers on /health at all, so that a refused connection does not pass for a check of identity.
	health := strings.TrimSuffix(i.Endpoint(), "/query") + "/health"
	soon(t, "the imposter answers on "+health, func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, health, nil)
		mustNot(t, err)
		resp, err := r.http.Do(req)
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
	for range 3 {
		if err := i.Ready(t.Context()); err == nil {
			t.Error("an instance that says it is another is ready")
		}
	}
}

func crash(t *testing.T, r *rig) {
	p := r.packet(t, Crash)
	i, other := r.awake(t, p), r.awake(t, p)
	mustNot(t, r.echoes(t.Context(), i, p, map[string]any{"before": true}))
	if got, err := r.job(t.Context(), i, p, map[string]any{"crash": true}); err == nil && got.Status == http.StatusOK && got.Body["status"] == myriad.StatusSuccess {
		t.Errorf("the job that ended the instance succeeded: %v", got.Body)
	}
	soon(t, "Exited after a crash", func() bool { return closed(i.Exited()) })
	if i.Err() == nil {
		t.Error("an instance that crashed has no error")
	}
	r.silent(t, i, p)
	if _, ok := i.Usage(t.Context()); ok {
		t.Error("an instance that is gone uses something")
	}
	if closed(other.Exited()) {
		t.Error("the crash of one ends another")
	}
	mustNot(t, r.echoes(t.Context(), other, p, map[string]any{"other": true}))
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func deadOnArrival(t *testing.T, r *rig) {
	i := r.begin(t, r.request(r.packet(t, DeadOnArrival)))
	soon(t, "Exited of what ends by itself", func() bool { return closed(i.Exited()) })
	if i.Err() == nil {
		t.Error("an instance that failed has no error")
	}
	if err := i.Ready(t.Context()); err == nil {
		t.Error("an instance that is gone is ready")
	}
	if log := i.LastLog(); !strings.Contains(log, "dead on arrival") {
		t.Errorf("its last words are lost: %q", log)
	}
}

// lastLog finds what was written last, within the bound, also after the end.
func lastLog(t *testing.T, r *rig) {
	p := r.packet(t, Loud)
	i := r.awake(t, p)
	say := func(line string, times int) {
		t.Helper()
		mustNot(t, r.echoes(t.Context(), i, p, map[string]any{"line": line, "times": times}))
	}
	say("the first line", 1)
	soon(t, "the first line in the log", func() bool { return strings.Contains(i.LastLog(), "the first line") })
	say(strings.Repeat("x", 1000), 200)
	say("the last line", 1)
	soon(t, "the last line in the log", func() bool { return strings.Contains(i.LastLog(), "the last line") })
	check := func(when string) {
		t.Helper()
		log := i.LastLog()
		if len(log) > maxLastLog || strings.Contains(log, "the first line") || !strings.Contains(log, "the last line") {
			t.Errorf("%s the log has %d bytes and ends %.80q", when, len(log), log[max(0, len(log)-80):])
		}
	}
	check("alive,")
	stop(t, i, graceful)
	check("after its end,")
}

func usage(t *testing.T, r *rig) {
	p := r.packet(t, Echo)
	i := r.awake(t, p)
	mustNot(t, r.echoes(t.Context(), i, p, map[string]any{"work": true}))
	u, ok := i.Usage(t.Context())
	if ok && (u.MemoryBytes <= 0 || u.CPUSeconds < 0 || u.PIDs < 1) {
		t.Errorf("an instance that lives uses %+v", u)
	}
	stop(t, i, graceful)
	if u, ok := i.Usage(t.Context()); ok {
		t.Errorf("an instance that is gone uses %+v", u)
	}
}

func unenforced(t *testing.T, r *rig) {
	p := r.packet(t, Echo)
	req := r.request(p)
	req.Limits = myriad.Limits{}
	if names := r.begin(t, req).Unenforced(); len(names) > 0 {
		t.Errorf("without limits none can be unenforced: %v", names)
	}
	req = r.request(p)
	req.Limits = myriad.Limits{CPU: 1, MemoryBytes: 512 << 20, PIDs: 128}
	i := r.begin(t, req)
	seen := map[string]bool{}
	for _, name := range i.Unenforced() {
		known := name == myriad.LimitCPU || name == myriad.LimitMemory || name == myriad.LimitPIDs
		if !known || seen[name] {
			t.Error(fmt.Errorf("unenforced: %q, known %v, twice %v", name, known, seen[name]))
		}
		seen[name] = true
	}
	mustNot(t, r.ready(t.Context(), i))
	mustNot(t, r.echoes(t.Context(), i, p, map[string]any{"limited": true}))
}
