package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
)

// command runs one command line and gives its exit code and what it wrote.
func command(t *testing.T, stdin string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = execute(t.Context(), args, strings.NewReader(stdin), &o, &e)
	return code, o.String(), e.String()
}

// startServer runs a whole server on a free port until the test ends, and fails the test when it does not stop in order.
func startServer(t testing.TB, change ...func(*config.Config)) (*server, *client.Client) {
	t.Helper()
	return startServerWith(t, options{}, change...)
}

func startServerWith(t testing.TB, opts options, change ...func(*config.Config)) (*server, *client.Client) {
	t.Helper()
	cfg := config.Default()
	cfg.Data, cfg.Listen = t.TempDir(), "127.0.0.1:0"
	for _, c := range change {
		c(&cfg)
	}
	s, err := newServer(t.Context(), cfg, slog.New(slog.DiscardHandler), opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, measured := t.(*testing.B); measured {
		t.Cleanup(easeCollector()) // as serve does
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- s.run(ctx) }()
	c, err := client.New(client.Config{Server: s.url()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		cancel()
		if err := <-stopped; err != nil {
			t.Errorf("the server did not stop in order: %v", err)
		}
	})
	return s, c
}

// startAgent serves an agent on loopback.
func startAgent(t testing.TB, answer http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(answer)
	t.Cleanup(srv.Close)
	return srv.URL + "/query"
}

func say(w http.ResponseWriter, data string) {
	fmt.Fprintf(w, `{"agent_name":"T","status":"success","data":%q}`, data)
}

func put(t testing.TB, c *client.Client, a myriad.Agent) {
	t.Helper()
	if _, err := c.PutAgent(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

// TestTenTasksAtOnce is the first test that the plan of the Python system's third sprint asks for: ten independent tasks, ten results, side by side. The agent
// answers nobody until all ten have come, so it passes only when they really run at once.
func TestTenTasksAtOnce(t *testing.T) {
	_, c := startServer(t)
	var all sync.WaitGroup
	all.Add(10)
	url := startAgent(t, func(w http.ResponseWriter, _ *http.Request) {
		all.Done()
		all.Wait()
		say(w, "here")
	})
	var plan client.Plan
	for i := range 10 {
		concept := fmt.Sprintf("concept_%d", i)
		put(t, c, myriad.Agent{Name: fmt.Sprintf("A%d", i), Endpoint: url, Concepts: []string{concept}})
		plan.Add(client.Task{ID: fmt.Sprint(i), Concept: concept, Intent: "define"})
	}
	record, err := c.Run(t.Context(), plan)
	if err != nil || record.Status != myriad.RunSuccess || len(record.Results) != 10 {
		t.Fatalf("%+v, %v", record, err)
	}
}

// TestOnlyTheDeadAgentsTasksFail: of two agents one is killed in mid-run, its sockets closed; only its own tasks fail.
func TestOnlyTheDeadAgentsTasksFail(t *testing.T) {
	_, c := startServer(t)
	begun := make(chan struct{}, 4)
	dying := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server would not notice that the connection is gone
		begun <- struct{}{}
		<-r.Context().Done()
	}))
	defer dying.Close()
	killed := make(chan struct{})
	living := startAgent(t, func(w http.ResponseWriter, _ *http.Request) {
		<-killed
		say(w, "alive")
	})
	put(t, c, myriad.Agent{Name: "Dying", Endpoint: dying.URL, Concepts: []string{"dying"}})
	put(t, c, myriad.Agent{Name: "Living", Endpoint: living, Concepts: []string{"living"}})
	var plan client.Plan
	for i := range 4 {
		plan.Add(client.Task{ID: fmt.Sprint("d", i), Concept: "dying", Intent: "do"}, client.Task{ID: fmt.Sprint("l", i), Concept: "living", Intent: "do"})
	}
	go func() {
		for range 4 {
			<-begun
		}
		dying.CloseClientConnections()
		close(killed)
	}()
	record, err := c.Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range record.Results {
		if want := r.TaskID.Key[0] == 'l'; r.Succeeded != want {
			t.Errorf("%s: succeeded %v (%s %s)", r.TaskID.Key, r.Succeeded, r.ErrorCode, r.ErrorMessage)
		}
	}
	if record.Status != myriad.RunPartial {
		t.Errorf("status %s", record.Status)
	}
}

// TestRunOutlivesItsClient: an asynchronous run is followed, its follower leaves, and another reads it to its end; after a restart the record is there.
func TestRunOutlivesItsClient(t *testing.T) {
	dir := t.TempDir()
	release := make(chan struct{})
	url := startAgent(t, func(w http.ResponseWriter, _ *http.Request) {
		<-release
		say(w, "done")
	})
	var id string
	t.Run("life", func(t *testing.T) {
		_, c := startServer(t, func(cfg *config.Config) { cfg.Data = dir })
		put(t, c, myriad.Agent{Name: "A", Endpoint: url, Concepts: []string{"a"}})
		var err error
		if id, err = c.Start(t.Context(), client.Plan{Tasks: []client.Task{{ID: "1", Concept: "a", Intent: "do"}, {ID: "2", Concept: "a", Intent: "do", DependsOn: []string{"1"}}}}); err != nil {
			t.Fatal(err)
		}
		leaving, leave := context.WithCancel(t.Context())
		seen := 0
		_ = c.Follow(leaving, id, 0, func(e myriad.RunEvent) error {
			if seen = e.ID; e.Kind == myriad.EventTaskStarted {
				leave()
			}
			return nil
		})
		close(release)
		var kinds []string
		if err := c.Follow(t.Context(), id, seen, func(e myriad.RunEvent) error { kinds = append(kinds, e.Kind); return nil }); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(kinds, " "); got != "task.finished task.started task.finished run.finished" {
			t.Errorf("events after %d: %s", seen, got)
		}
	})
	_, c := startServer(t, func(cfg *config.Config) { cfg.Data = dir })
	record, err := c.Get(t.Context(), id)
	if err != nil || record.Status != myriad.RunSuccess || record.Succeeded != 2 {
		t.Fatalf("after a restart: %+v, %v", record, err)
	}
}

func TestCommandsAgainstAServer(t *testing.T) {
	s, _ := startServer(t)
	url := startAgent(t, func(w http.ResponseWriter, r *http.Request) {
		var job struct{ Args struct{ Text string } }
		_ = json.NewDecoder(r.Body).Decode(&job)
		say(w, strings.ToUpper(job.Args.Text))
	})
	at := []string{"--server", s.url()}
	run := func(want int, stdin string, args ...string) string {
		t.Helper()
		code, out, errOut := command(t, stdin, append(args, at...)...)
		if code != want {
			t.Errorf("%v: exit code %d, want %d\n%s%s", args, code, want, out, errOut)
		}
		return out + errOut
	}
	run(0, "", "agents", "add", "Shout_AI", url, "--concept", "text", "--intent", "shout")
	if out := run(1, "", "agents", "add", "Shout_AI", url, "--concept", "text"); !strings.Contains(out, "Shout_AI") {
		t.Errorf("a taken name is not told: %s", out)
	}
	if out := run(0, "", "agents", "list"); !strings.Contains(out, "Shout_AI") {
		t.Errorf("agents list: %s", out)
	}
	plan := `{"tasks": [{"task_id": "a", "concept": "text", "intent": "shout", "args": {"text": "hello"}},
		{"task_id": "b", "concept": "text", "intent": "shout", "args": {"text": "${tasks.a.data}, again"}, "dependencies": ["a"]}]}`
	if out := run(0, plan, "run", "-"); !strings.Contains(out, "HELLO, AGAIN") {
		t.Errorf("run: %s", out)
	}
	yaml := "tasks:\n  - task_id: a\n    concept: text\n    intent: shout\n    args: {text: yaml}\n"
	if out := run(0, yaml, "run", "-", "-o", "json", "--quiet"); !strings.Contains(out, `"YAML"`) {
		t.Errorf("run of YAML: %s", out)
	}
	if out := run(1, `{"tasks": [{"task_id": 1, "concept": "nobody", "intent": "knows"}]}`, "run", "-"); !strings.Contains(out, "no_agent_available") {
		t.Errorf("a task that nobody can do: %s", out)
	}
	if out := run(2, `{"tasks": [{"task_id": 1, "concept": "", "intent": "x", "dependencies": [2]}]}`, "run", "-"); !strings.Contains(out, "tasks[0].concept") || !strings.Contains(out, "tasks[0].dependencies[0]") {
		t.Errorf("a bad plan: %s", out)
	}
	if out := run(0, "", "runs", "list"); strings.Count(out, "success") != 2 {
		t.Errorf("runs list: %s", out)
	}
	if out := run(0, "", "discover", "text", "shout"); !strings.Contains(out, "Shout_AI") {
		t.Errorf("discover: %s", out)
	}
	run(1, "", "discover", "nothing", "shout")
	run(0, "", "agents", "breaker", "Shout_AI", "open")
	if out := run(1, plan, "run", "-"); !strings.Contains(out, "circuit_open") {
		t.Errorf("with the breaker forced open: %s", out)
	}
	run(0, "", "agents", "breaker", "Shout_AI", "auto")
	run(0, "", "agents", "remove", "Shout_AI")
	run(1, "", "agents", "show", "Shout_AI")
}

func TestRunLocal(t *testing.T) {
	url := startAgent(t, func(w http.ResponseWriter, _ *http.Request) { say(w, "local") })
	file := filepath.Join(t.TempDir(), "agents.yaml")
	if err := os.WriteFile(file, []byte("agents:\n  - name: A\n    endpoint: "+url+"\n    concepts: [x]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := command(t, `{"tasks": [{"task_id": 1, "concept": "x", "intent": "y"}]}`, "run", "-", "--local", "--agents", file)
	if code != 0 || !strings.Contains(out, "local") {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
	if code, _, _ := command(t, "", "run", "-", "--local"); code != exitUsage {
		t.Errorf("--local without --agents: exit code %d", code)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"run"}, {"nonsense"}, {"serve", "--nope"}, {"serve", "--slots-total", "0"}, {"run", "-", "-o", "xml"}, {"agents", "add", "x"}} {
		if code, out, errOut := command(t, "", args...); code != exitUsage || errOut == "" {
			t.Errorf("%v: exit code %d, %q %q", args, code, out, errOut)
		}
	}
	if code, out, _ := command(t, "", "version"); code != 0 || !strings.HasPrefix(out, "myriad ") {
		t.Errorf("version: %d %q", code, out)
	}
	if code, out, _ := command(t, "", "config", "--grace", "3s"); code != 0 || !strings.Contains(out, "flag --grace") {
		t.Errorf("config: %d %q", code, out)
	}
	if code, out, _ := command(t, "", "completion", "bash"); code != 0 || !strings.Contains(out, "myriad") {
		t.Errorf("completion: %d", code)
	}
}

func TestAgentsFileIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "agents.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, c := startServer(t, func(cfg *config.Config) { cfg.Agents = file })
	names := func() string {
		t.Helper()
		agents, _, err := c.Agents(t.Context(), myriad.Page{})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, a := range agents {
			all = append(all, a.Name)
		}
		return strings.Join(all, " ")
	}
	put(t, c, myriad.Agent{Name: "Own", Endpoint: "http://127.0.0.1:1", Concepts: []string{"o"}})
	write("agents:\n  - {name: A, endpoint: 'http://127.0.0.1:1', concepts: [a]}\n  - {name: B, endpoint: 'http://127.0.0.1:1', concepts: [b]}\n")
	if err := s.loadAgents(t.Context()); err != nil || names() != "A B Own" {
		t.Fatalf("%v: %s", err, names())
	}
	if _, err := c.PutAgent(t.Context(), myriad.Agent{Name: "A", Endpoint: "http://127.0.0.1:2", Concepts: []string{"a"}}); myriad.ErrorCode(err) != myriad.CodeConflict {
		t.Errorf("an edit of a file's agent: %v", err)
	}
	write("agents:\n  - {name: B, endpoint: 'http://127.0.0.1:1', concepts: [b]}\n  - {name: C, endpont: x}\n")
	if err := s.loadAgents(t.Context()); myriad.ErrorCode(err) != myriad.CodeInvalid || names() != "A B Own" {
		t.Errorf("a file with mistakes changed something: %v: %s", err, names())
	}
	write("agents:\n  - {name: B, endpoint: 'http://169.254.169.254/x', concepts: [b]}\n")
	if err := s.loadAgents(t.Context()); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("an endpoint in a denied network was taken: %v", err)
	}
	write("agents:\n  - {name: B, endpoint: 'http://127.0.0.1:1', concepts: [b]}\n")
	if err := s.loadAgents(t.Context()); err != nil || names() != "B Own" {
		t.Errorf("%v: %s", err, names())
	}
}
