package processrt

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad"
)

const patience = 20 * time.Second

var counter atomic.Int64

// fresh makes an id that no other test has, nor an earlier run on the machine.
func fresh(prefix string) string {
	return fmt.Sprintf("%s-%d-%d-%d", prefix, os.Getpid(), time.Now().UnixNano(), counter.Add(1))
}

// rig is a runtime at work in one test.
type rig struct {
	*Runtime
	owner string
	log   *record
	t     testing.TB
}

// record keeps what the log was told.
type record struct{ text atomic.Pointer[string] }

func (r *record) Write(p []byte) (int, error) {
	for {
		old := r.text.Load()
		text := *old + string(p)
		if r.text.CompareAndSwap(old, &text) {
			return len(p), nil
		}
	}
}

func (r *record) String() string { return *r.text.Load() }

// newRig opens a runtime. When the test ends it is closed, and then nothing of it may be left: no process, no zombie, no cgroup, no note, no
// descriptor, no goroutine.
func newRig(t testing.TB, cfg Config) *rig {
	t.Helper()
	openPoller(t)
	goroutines := goleak.IgnoreCurrent()
	descriptors := countDescriptors(t)
	r := &rig{owner: fresh("owner"), log: &record{}, t: t}
	empty := ""
	r.log.text.Store(&empty)
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	}
	var err error
	if r.Runtime, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
		if left := slices.Concat(leftOf(t, r.owner), groupsOf(r.owner), notesIn(t, cfg.Dir)); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		if err := goleak.Find(goroutines); err != nil {
			t.Errorf("goroutines: %v", err)
		}
		soon(t, fmt.Sprintf("no more descriptors than the %d before", descriptors), func() bool { return countDescriptors(t) <= descriptors })
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	return r
}

// openPoller has the process open what it opens once and keeps.
func openPoller(t testing.TB) {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err == nil {
		err = ln.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func notesIn(t testing.TB, dir string) []string {
	t.Helper()
	notes, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return notes
}

// command is a packet of the test's own executable in a role.
func command(mode, role string) myriad.Packet {
	return myriad.Packet{Agent: myriad.Agent{
		Name: "Tester", Concepts: []string{"testing"}, MaxConcurrency: 4,
		Template: &myriad.Template{
			Kind: myriad.TemplateCommand, Mode: mode, Command: []string{ownPath()}, Env: map[string]string{roleVariable: role, "GOMAXPROCS": "1", "GORACE": "atexit_sleep_ms=0"},
		},
	}, Revision: 1}
}

// roomy are limits that tests which are not about limits do not feel.
var roomy = myriad.Limits{CPU: 2, MemoryBytes: 512 << 20, PIDs: 200}

func (r *rig) request(p myriad.Packet) myriad.StartRequest {
	return myriad.StartRequest{InstanceID: fresh("i"), OwnerID: r.owner, Packet: p, Limits: roomy, Nonce: fresh("nonce")}
}

func (r *rig) start(p myriad.Packet) myriad.Instance {
	r.t.Helper()
	return r.begin(r.request(p))
}

func (r *rig) begin(req myriad.StartRequest) myriad.Instance {
	r.t.Helper()
	i, err := r.Start(r.t.Context(), req)
	if err != nil {
		r.t.Fatalf("start: %v", err)
	}
	return i
}

// awake starts an instance and waits until it is ready.
func (r *rig) awake(p myriad.Packet) myriad.Instance {
	r.t.Helper()
	i := r.start(p)
	soon(r.t, "ready", func() bool { return i.Ready(r.t.Context()) == nil })
	return i
}

// soon waits until cond holds.
func soon(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !cond(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// reply is an answer to a job.
type reply struct {
	status int
	body   map[string]any
	raw    string
}

func (a reply) data() any { return a.body["data"] }

func (a reply) says(words string) bool { return strings.Contains(a.raw, words) }

// try posts a job with args and headers, given as pairs.
func try(ctx context.Context, i myriad.Instance, args string, headers ...string) (reply, error) {
	body := fmt.Sprintf(`{"task_id": %q, "concept": "testing",`+"\n"+` "intent": "test", "args": %s}`, fresh("task"), args)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.Endpoint(), bytes.NewReader([]byte(body)))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	for n := 0; n+1 < len(headers); n += 2 {
		req.Header.Set(headers[n], headers[n+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	a := reply{status: resp.StatusCode, raw: string(raw)}
	if err := json.Unmarshal(raw, &a.body); err != nil {
		return a, fmt.Errorf("%q: %w", raw, err)
	}
	return a, nil
}

// job1 posts a job that must be answered, whatever the answer.
func job1(t testing.TB, i myriad.Instance, args string, headers ...string) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a, err := try(ctx, i, args, headers...)
	if err != nil {
		t.Fatalf("job %s: %v\n%s", args, err, i.LastLog())
	}
	return a
}

// works checks that the instance answers a job with its args.
func works(t testing.TB, i myriad.Instance) {
	t.Helper()
	a := job1(t, i, `{"x":1}`)
	if a.status != http.StatusOK || a.body["status"] != "success" || fmt.Sprint(a.data()) != "map[x:1]" || a.body["agent_name"] != "Tester" {
		t.Fatalf("HTTP %d %s\n%s", a.status, a.raw, i.LastLog())
	}
}

func stop(t testing.TB, i myriad.Instance, grace time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := i.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	select {
	case <-i.Exited():
	default:
		t.Error("stopped and not exited")
	}
}

func exited(t testing.TB, i myriad.Instance) {
	t.Helper()
	select {
	case <-i.Exited():
	case <-time.After(patience):
		t.Fatalf("it does not end\n%s", i.LastLog())
	}
}

func kill(t testing.TB, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
}
