package dockerrt

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

func TestServes(t *testing.T) {
	bare, hosting := newRuntime(t, Config{}), newRuntime(t, Config{HostImage: "host"})
	knowledge := myriad.Template{Kind: myriad.TemplateKnowledge, Knowledge: &myriad.Knowledge{Concept: "c"}}
	for _, c := range []struct {
		r    *Runtime
		t    myriad.Template
		want bool
	}{
		{bare, myriad.Template{Kind: myriad.TemplateImage, Image: "i"}, true},
		{bare, myriad.Template{Kind: myriad.TemplateImage}, false},
		{bare, knowledge, false},
		{hosting, knowledge, true},
		{hosting, myriad.Template{Kind: myriad.TemplateKnowledge}, false},
		{hosting, myriad.Template{Kind: myriad.TemplateCommand, Command: []string{"c"}}, false},
	} {
		if got := c.r.Serves(c.t); got != c.want {
			t.Errorf("Serves(%+v) is %v", c.t, got)
		}
	}
}

// TestNoDaemon: where there is no daemon the failure says where it was looked for, and nothing hangs.
func TestNoDaemon(t *testing.T) {
	address := "unix://" + filepath.Join(t.TempDir(), "no.sock")
	r := newRuntime(t, Config{Host: address})
	p := contained("any", "echo")
	if !r.Serves(*p.Agent.Template) {
		t.Error("without a daemon nothing is served, so nobody would be told why")
	}
	left, err := r.Recover(t.Context(), "owner")
	if wantCode(t, err, myriad.CodeUnavailable); len(left) > 0 {
		t.Errorf("recovered %v", left)
	}
	for range 2 {
		_, err = r.Start(t.Context(), myriad.StartRequest{InstanceID: "i", OwnerID: "o", Packet: p})
		wantCode(t, err, myriad.CodeUnavailable)
		if err == nil || !strings.Contains(err.Error(), address) {
			t.Errorf("the address is not named: %v", err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, ok := range map[string]bool{
		"unix:///var/run/docker.sock": true, "npipe:////./pipe/docker_engine": true, "tcp://127.0.0.1:2375": true, "tcp://localhost:2375": true,
		"tcp://[::1]:2375": true, "tcp://192.0.2.1:2375": false, "tcp://docker:2376": false, "ssh://user@host": false, "docker.sock": false, "unix://": false,
	} {
		if _, err := New(Config{Host: address}); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
	t.Setenv(client.EnvOverrideHost, "tcp://192.0.2.1:2375") // not asked for here: no reason to start no server
	r := newRuntime(t, Config{})
	if left, err := r.Recover(t.Context(), "owner"); err != nil || left != nil {
		t.Errorf("recovered %v, %v", left, err)
	}
	_, err := r.Start(t.Context(), myriad.StartRequest{InstanceID: "i", OwnerID: "o", Packet: contained("any", "echo")})
	wantCode(t, err, myriad.CodeUnavailable)
	if err == nil || !strings.Contains(err.Error(), "another machine") {
		t.Errorf("the reason is not told: %v", err)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{{Parallel: -1}, {TmpBytes: -1}, {CallTimeout: -1}, {PullTimeout: -1}, {HostPull: "sometimes"}} {
		_, err := New(c)
		wantCode(t, err, myriad.CodeInvalid)
	}
}

// TestFailedStarts: whatever a start fails of, the error says what to do about it, and nothing is left.
func TestFailedStarts(t *testing.T) {
	docker := daemon(t)
	good, empty := built(t, agentMain, "program", agentImage), built(t, agentMain, "program", undirected)
	for _, c := range []struct {
		name string
		edit func(*myriad.StartRequest)
		code myriad.Code
		says []string
	}{
		{"an image that is not there", func(r *myriad.StartRequest) { r.Packet.Agent.Template.Image = "myriad-test/absent:1" }, myriad.CodeInvalid,
			[]string{"myriad-test/absent:1", "never"}},
		{"an image whose name is none", func(r *myriad.StartRequest) { r.Packet.Agent.Template.Image = "UPPER CASE" }, myriad.CodeInvalid, []string{"invalid reference"}},
		{"a registry that does not answer", func(r *myriad.StartRequest) {
			r.Packet.Agent.Template.Image, r.Packet.Agent.Template.Pull = "127.0.0.1:1/absent:1", "missing"
		}, myriad.CodeUnavailable, []string{"127.0.0.1:1/absent:1", "missing"}},
		{"an image that must be pulled", func(r *myriad.StartRequest) {
			r.Packet.Agent.Template.Image, r.Packet.Agent.Template.Pull = "127.0.0.1:1/"+good, "always"
		}, myriad.CodeUnavailable, []string{good, "always"}},
		{"a command that is not there", func(r *myriad.StartRequest) {
			r.Packet.Agent.Template.Image, r.Packet.Agent.Template.Command = empty, []string{"/no/such/program"}
		}, myriad.CodeInvalid, []string{"/no/such/program"}},
		{"no command", func(r *myriad.StartRequest) { r.Packet.Agent.Template.Image = empty }, myriad.CodeInvalid, []string{"command"}},
		{"too little memory to begin with", func(r *myriad.StartRequest) { r.Limits.MemoryBytes = 1 << 20 }, myriad.CodeInvalid, []string{"memory"}},
		{"a port that is none", func(r *myriad.StartRequest) { r.Packet.Agent.Template.Port = 70000 }, myriad.CodeInvalid, []string{"70000"}},
		{"no owner", func(r *myriad.StartRequest) { r.OwnerID = "" }, myriad.CodeInvalid, []string{"owner"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, Config{})
			req := b.request(contained(good, "echo"))
			c.edit(&req)
			_, err := b.Start(t.Context(), req)
			wantCode(t, err, c.code)
			for _, word := range c.says {
				if err != nil && !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(word)) {
					t.Errorf("%q is not in %v", word, err)
				}
			}
			if left := leftOf(t, docker, b.owner); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestPullMissing needs no registry for an image that is there.
func TestPullMissing(t *testing.T) {
	b := newBench(t, Config{})
	req := b.request(contained(built(t, agentMain, "program", agentImage), "echo"))
	req.Packet.Agent.Template.Pull = "missing"
	b.awake(t, req)
}

// TestNameTaken: the container of that name is somebody else's and stays.
func TestNameTaken(t *testing.T) {
	docker := daemon(t)
	b := newBench(t, Config{})
	req := b.request(contained(built(t, agentMain, "program", agentImage), "echo"))
	name := labelOf(req, time.Now()).containerName()
	taken, err := docker.ContainerCreate(t.Context(), client.ContainerCreateOptions{Name: name, Config: &container.Config{Image: req.Packet.Agent.Template.Image, Cmd: []string{"sleep"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = docker.ContainerRemove(context.Background(), taken.ID, client.ContainerRemoveOptions{Force: true})
	})
	_, err = b.Start(t.Context(), req)
	wantCode(t, err, myriad.CodeConflict)
	if _, err := docker.ContainerInspect(t.Context(), taken.ID, client.ContainerInspectOptions{}); err != nil {
		t.Errorf("the one that was there: %v", err)
	}
}

// TestPlainAgent has no nonce: its container's port is the proof.
func TestPlainAgent(t *testing.T) {
	b := newBench(t, Config{})
	i := b.awake(t, b.request(contained(built(t, agentMain, "program", agentImage), "plain")))
	if got, err := ask[map[string]string](t.Context(), i, map[string]any{"hello": "there"}); err != nil || got["hello"] != "there" {
		t.Errorf("%v, %v", got, err)
	}
	// Another who answers at another port is not it.
	srv := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close(); <-served })
	stray := *copyOf(i, ln.Addr().String())
	if err := stray.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "no longer published") {
		t.Errorf("another's answer counts: %v", err)
	}
	if _, err := b.docker.ContainerPause(t.Context(), i.id, client.ContainerPauseOptions{}); err != nil {
		t.Fatal(err)
	}
	stray = *copyOf(i, ln.Addr().String())
	if err := stray.Ready(t.Context()); err == nil {
		t.Error("a container that is paused is ready")
	}
	stop(t, i, 200*time.Millisecond) // paused, it hears no signal
	exited(t, i)
}

// copyOf is the same container, believed to be elsewhere.
func copyOf(i *instance, address string) *instance {
	return &instance{r: i.r, id: i.id, label: i.label, nonce: i.nonce, address: address, exited: i.exited, log: i.log}
}

// TestStopSignal: an image says what it wants to be stopped with.
func TestStopSignal(t *testing.T) {
	b := newBench(t, Config{})
	i := b.awake(t, b.request(contained(built(t, agentMain, "program", userImage), "echo")))
	stop(t, i, patience)
	if log := i.LastLog(); !strings.Contains(log, "stopped by user defined signal 1") {
		t.Errorf("not stopped by SIGUSR1: %q", log)
	}
}

// TestRemovedByHand: who removes a container by hand ends its instance.
func TestRemovedByHand(t *testing.T) {
	b := newBench(t, Config{})
	i := b.awake(t, b.request(contained(built(t, agentMain, "program", agentImage), "echo")))
	if _, err := b.docker.ContainerRemove(t.Context(), i.id, client.ContainerRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	exited(t, i)
	if i.Err() == nil {
		t.Error("no reason is given")
	}
}

// TestStartLeavesNothingWhenItsCallerLeaves ends the caller's context at every moment of a start.
func TestStartLeavesNothingWhenItsCallerLeaves(t *testing.T) {
	docker := daemon(t)
	b := newBench(t, Config{})
	image := built(t, agentMain, "program", agentImage)
	var all sync.WaitGroup
	for n := range 12 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n*20)*time.Millisecond)
			defer cancel()
			i, err := b.Start(ctx, b.request(contained(image, "echo")))
			if err != nil {
				wantCode(t, err, myriad.CodeDeadline)
				return
			}
			stop(t, i, 0)
		})
	}
	all.Wait()
	if left := leftOf(t, docker, b.owner); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestTLSOfEnvironment: certificates that cannot be read are told by Start, not by the end of the server.
func TestTLSOfEnvironment(t *testing.T) {
	t.Setenv("DOCKER_CERT_PATH", t.TempDir())
	t.Setenv("DOCKER_TLS_VERIFY", "1")
	r := newRuntime(t, Config{Host: "tcp://127.0.0.1:1"})
	_, err := r.Start(t.Context(), myriad.StartRequest{InstanceID: "i", OwnerID: "o", Packet: contained("any", "echo")})
	wantCode(t, err, myriad.CodeUnavailable)
	if left, err := r.Recover(t.Context(), "o"); err != nil || left != nil {
		t.Errorf("recovered %v, %v", left, err)
	}
}
