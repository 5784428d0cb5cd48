package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// someFleet is a server's fleet as its API tells it.
type someFleet struct {
	mu     sync.Mutex
	status myriad.FleetStatus
	asked  []string
	reads  int
	gone   bool // does not answer
}

func (f *someFleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	if r.Method != http.MethodGet {
		f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
	}
	switch {
	case f.gone:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.Method == http.MethodPost:
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPatch && strings.Contains(string(body), `"max_agents":0`):
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"code":"invalid_request","detail":"x","mistakes":[{"path":"max_agents","rule":"must be within 1 and 1000000"}]}`)
	case r.Method == http.MethodPatch:
		_ = json.Unmarshal(body, &f.status.Limits)
		_ = json.NewEncoder(w).Encode(f.status.Limits)
	default:
		f.reads++
		_ = json.NewEncoder(w).Encode(f.status)
	}
}

func newSomeFleet(t *testing.T) (*someFleet, string) {
	t.Helper()
	instance := func(id, agent, state string) myriad.InstanceStatus {
		return myriad.InstanceStatus{ID: id, Agent: agent, Runtime: "process", State: state, AgeMS: 90_000, IdleMS: 2400, InFlight: 3, Restarts: 1, ColdMS: 21.53,
			Limits: myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 64}}
	}
	f := &someFleet{status: myriad.FleetStatus{Enabled: true, InUse: 3,
		Limits: myriad.FleetLimits{MaxAgents: 20, TotalCPU: 4, TotalMemoryBytes: 2 << 30, IdleTimeoutMS: 30 * 60_000, MaxAgeMS: 24 * 3_600_000, MinLifeMS: 10_000, MaxQueue: 100, QueueMaxAgeMS: 90_000,
			Instance: myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 64}},
		Instances: []myriad.InstanceStatus{instance("i1", "Pump_AI", "ready"), instance("i2", "Twin", "ready"), instance("i3", "Twin", "draining"), instance("i4", "Broken", "failed"), instance("i5", "Lost", "failed")},
		Queue:     []myriad.QueueEntry{{ID: "q", Kind: "grow", Concept: "tax", Intent: "define", Priority: 3, Position: 1, AgeMS: 4000}}}}
	f.status.Instances[0].Usage = &myriad.Usage{CPUSeconds: 1.25, MemoryBytes: 9<<20 + 1<<19}
	f.status.Instances[0].Unenforced = []string{"cpu", "pids"}
	f.status.Instances[3].Reason, f.status.Instances[3].LastLog = "crashed", "Traceback:\n\x1b[31mKeyError: 'x'\n"
	f.status.Instances[4].Reason, f.status.Instances[4].Error, f.status.Instances[4].LastLog = "failed", "it ended before it was ready: exit status 5: dying", "dying\n"
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return f, srv.URL
}

func (f *someFleet) was(t *testing.T, want ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.Join(f.asked, "\n") != strings.Join(want, "\n") {
		t.Errorf("the server was asked\n%s\nwant\n%s", strings.Join(f.asked, "\n"), strings.Join(want, "\n"))
	}
	f.asked = nil
}

func TestFleetIsShown(t *testing.T) {
	f, url := newSomeFleet(t)
	code, out, errOut := command(t, "", "fleet", "--server", url)
	for _, want := range []string{
		`3 of 20 instances, 1.5 of 4 cores, 768MiB of 2GiB memory, 1 of 100 waiting; asleep after 30m, replaced after 24h`,
		`i1 Pump_AI process ready 1m30s 2s 3 1 21.5 ms 1.2s 9.5MiB of 256MiB not enforced: cpu, pids`,
		`i4 Broken process failed 1m30s 2s 3 1 21.5 ms crashed; [31mKeyError: 'x'`,
		"i5 Lost process failed 1m30s 2s 3 1 21.5 ms failed; it ended before it was ready: exit status 5: dying\n",
		`1 grow tax define 3 4s`,
	} {
		if code != 0 || !strings.Contains(regexp.MustCompile(` +`).ReplaceAllString(out, " "), want) {
			t.Errorf("exit code %d\n%s%s\nlacks %s", code, out, errOut, want)
		}
	}
	code, out, _ = command(t, "", "fleet", "--server", url, "-o", "json")
	var got myriad.FleetStatus
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.Instances[1].Agent != "Twin" {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
	f.status.Enabled = false
	if _, out, _ = command(t, "", "fleet", "--server", url); !strings.Contains(out, "; unknown concepts grow no agents\n") {
		t.Errorf("without growth: %s", out)
	}
	f.status = myriad.FleetStatus{}
	if code, out, _ = command(t, "", "fleet", "--server", url); code != 0 || out != "this server brings no agents to life\n" {
		t.Errorf("exit code %d: %s", code, out)
	}
	if code, _, _ = command(t, "", "fleet", "--server", url, "--every", "1ms"); code != exitUsage {
		t.Errorf("a rush: exit code %d", code)
	}
}

// watched collects what is written, and tells when it has been written to so often.
type watched struct {
	mu    sync.Mutex
	text  bytes.Buffer
	left  int
	after func()
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left--; w.left == 0 {
		w.after()
	}
	return w.text.Write(b)
}

func TestFleetIsWatched(t *testing.T) {
	for _, format := range []string{"table", "json"} {
		f, url := newSomeFleet(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		out := &watched{left: 3, after: cancel}
		if code := execute(ctx, []string{"fleet", "--server", url, "--watch", "--every", "50ms", "-o", format}, strings.NewReader(""), out, io.Discard); code != 0 {
			t.Errorf("%s: exit code %d", format, code)
		}
		times := map[string]int{"table": strings.Count(out.text.String(), "3 of 20 instances"), "json": strings.Count(out.text.String(), "\n")}[format]
		if times < 3 || f.reads < 3 || strings.Contains(out.text.String(), "\x1b") {
			t.Errorf("%s: shown %d times:\n%s", format, times, out.text.String())
		}
	}
}

// TestWatchOutlivesARestart: a server that does not answer is asked again, what is wrong with the question is not.
func TestWatchOutlivesARestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := &watched{left: 3, after: cancel}
	reads := 0
	w := &fleetWatch{out: output{format: "table"}, watch: true, every: time.Millisecond}
	err := w.repeat(ctx, out, func() (myriad.FleetStatus, error) {
		if reads++; reads == 2 {
			return myriad.FleetStatus{}, myriad.Errorf(myriad.CodeUnavailable, "connection refused")
		}
		return myriad.FleetStatus{Limits: myriad.FleetLimits{MaxAgents: 1}}, nil
	})
	if text := out.text.String(); err != nil || !strings.Contains(text, "connection refused") || strings.Count(text, "instances") < 2 {
		t.Errorf("%v\n%s", err, text)
	}
	unauthorized := myriad.Errorf(myriad.CodeUnauthorized, "no")
	if err := w.repeat(t.Context(), io.Discard, func() (myriad.FleetStatus, error) { return myriad.FleetStatus{}, unauthorized }); err != unauthorized {
		t.Errorf("%v", err)
	}
}

func TestPictureInPlace(t *testing.T) {
	if got := inPlace("a\nb\n", 24); got != "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J" {
		t.Errorf("%q", got)
	}
	if got := inPlace("1\n2\n3\n4\n5\n", 4); strings.Count(got, "\n") != 3 || !strings.Contains(got, "2\x1b[K\n...") {
		t.Errorf("too high: %q", got)
	}
}

func TestInstancesAreSteered(t *testing.T) {
	f, url := newSomeFleet(t)
	for args, want := range map[string]string{"stop i2": "POST /v1/fleet/i2/stop {}", "restart Pump_AI": "POST /v1/fleet/i1/restart {}", "stop Broken": "POST /v1/fleet/i4/stop {}"} {
		if code, out, errOut := command(t, "", append([]string{"fleet", "--server", url}, strings.Fields(args)...)...); code != 0 {
			t.Errorf("%s: exit code %d, %s%s", args, code, out, errOut)
		}
		f.was(t, want)
	}
	if code, _, errOut := command(t, "", "fleet", "stop", "Twin", "--server", url); code != exitUsage || !strings.Contains(errOut, "i2 (ready), i3 (draining)") {
		t.Errorf("a name that leaves a doubt: exit code %d, %s", code, errOut)
	}
	if code, _, errOut := command(t, "", "fleet", "restart", "i9", "--server", url); code != exitFailed || !strings.Contains(errOut, "i9") {
		t.Errorf("an unknown one: exit code %d, %s", code, errOut)
	}
	f.was(t)
}

func TestLimitsAreShownAndChanged(t *testing.T) {
	f, url := newSomeFleet(t)
	flat := func(s string) string { return regexp.MustCompile(` +`).ReplaceAllString(s, " ") }
	const brief = "hold until the server stops"
	code, out, errOut := command(t, "", "fleet", "limits", "--server", url)
	if strings.Contains(errOut, brief) {
		t.Errorf("nothing was changed: %s", errOut)
	}
	for _, want := range []string{"max_agents 20 ", "total_memory 2GiB ", "idle_timeout 30m ", "queue_max_age 1m30s ", "cpu 0.5 ", "memory 256MiB ", "pids 64 "} {
		if code != 0 || !strings.Contains(flat(out), want) {
			t.Errorf("exit code %d\n%s\nlacks %s", code, out, want)
		}
	}
	code, out, errOut = command(t, "", "fleet", "limits", "--server", url, "max_agents=5", "fleet.idle-timeout=10m", "memory=512m", "cpu=1.5", "total_memory=0")
	if code != 0 || !strings.Contains(flat(out), "total_memory no budget ") || !strings.Contains(flat(out), "memory 512MiB") || !strings.Contains(errOut, brief) || strings.Contains(out, brief) {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
	f.was(t, `PATCH /v1/fleet/limits {"idle_timeout_ms":600000,"instance":{"cpu":1.5,"memory_bytes":536870912},"max_agents":5,"total_memory_bytes":0}`)
	code, _, errOut = command(t, "", "fleet", "limits", "--server", url, "max_agents=many", "max_agent=3", "idle_timeout=10", "memory=lots", "cpu=NaN", "max_queue")
	for _, want := range []string{`max_agents: is a whole number, not "many"`, "max_agent: is no limit; there are max_agents, total_cpu", `idle_timeout: is a duration`, "memory: is a size", "cpu: is a number", "max_queue: is no KEY=VALUE"} {
		if code != exitUsage || !strings.Contains(errOut, want) {
			t.Errorf("exit code %d\n%s\nlacks %s", code, errOut, want)
		}
	}
	f.was(t)
	if code, _, errOut = command(t, "", "fleet", "limits", "--server", url, "max_agents=0"); code != exitUsage || !strings.Contains(errOut, "max_agents: must be within 1") {
		t.Errorf("what the server refuses: exit code %d, %s", code, errOut)
	}
}

// What the server refuses of limits is named as it was typed, and as the API names it.
func TestLimitsAreNamedAsTyped(t *testing.T) {
	s, _ := startServer(t)
	code, _, errOut := command(t, "", append([]string{"fleet", "limits", "memory=1KiB", "idle_timeout=-1s", "max_agents=0"}, withToken(s)...)...)
	for _, want := range []string{"\n  memory (instance.memory_bytes): must be within 6291456", "\n  idle_timeout (idle_timeout_ms): must be within 1", "\n  max_agents: must be within 1"} {
		if code != exitUsage || !strings.Contains(errOut, want) {
			t.Errorf("exit code %d, %s\nlacks %s", code, errOut, want)
		}
	}
}
